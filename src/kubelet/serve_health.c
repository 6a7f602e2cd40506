/* /healthz, /livez, /readyz: as k8s.io/apiserver/pkg/server/healthz answers, but that a failed
 * check says why. Healthy means: the loop runs, since it has brought this answer, and the Lease is
 * fresh. Ready means besides: the cluster knows the Node, and that it is Ready. */
#include "kubelet/serve.h"

enum { CHECK_PING, CHECK_LOOP, CHECK_LEASE, CHECK_NODE, CHECK_READY, CHECKS };
#define LIVE_CHECKS CHECK_NODE /* count of those that are not about readiness */

static const char names[CHECKS][8] = {"ping", "loop", "lease", "node", "ready"};

enum { HEALTHZ, LIVEZ, READYZ };
static const char endpoints[3][8] = {"healthz", "livez", "readyz"};

static unsigned which(const struct fk_exchange *x) { return x->from; }

static unsigned check_count(const struct fk_exchange *x) {
    return which(x) == READYZ ? CHECKS : LIVE_CHECKS;
}

/* `to` holds what is excluded: a bit for each check. */
static bool excluded(const struct fk_exchange *x, unsigned check) {
    return (x->to >> check & 1) != 0;
}

static bool passes(const struct fk_exchange *x, unsigned check) {
    const struct fk_node *n = x->house->node;
    switch (check) {
    case CHECK_LEASE: return !fk_lease_overdue(&n->lease, x->now.mono_ms, n->started_ms);
    case CHECK_NODE: return n->registration.rounds > 0;
    case CHECK_READY: return n->status.ready_reported == FK_CONDITION_TRUE;
    default: return true;
    }
}

static bool healthy(const struct fk_exchange *x) {
    for (unsigned check = 0; check < check_count(x); check++)
        if (!excluded(x, check) && !passes(x, check)) return false;
    return true;
}

/* ---- the body -----------------------------------------------------------------------------------
 */

static void put_lease_reason(const struct fk_exchange *x, struct fk_writer *w) {
    const struct fk_node *n = x->house->node;
    const bool never = n->lease.renewed_ms == FK_NEVER;
    const uint64_t since_ms = never ? n->started_ms : n->lease.renewed_ms;
    fk_put_str(w, never ? "never renewed since the start " : "last renewed ");
    fk_put_u64(w, (x->now.mono_ms - since_ms) / 1000);
    fk_put_str(w, " s ago");
}

static void put_reason(const struct fk_exchange *x, unsigned check, struct fk_writer *w) {
    switch (check) {
    case CHECK_LEASE: put_lease_reason(x, w); break;
    case CHECK_NODE: fk_put_str(w, "not registered yet"); break;
    default: fk_put_str(w, "the API server has not been told that the node is Ready");
    }
}

static bool put_check(const struct fk_exchange *x, uint32_t check, struct fk_writer *w) {
    if (check >= check_count(x)) return false;
    const bool ok = excluded(x, check) || passes(x, check);
    fk_put_str(w, ok ? "[+]" : "[-]");
    fk_put_str(w, names[check]);
    fk_put_str(w, excluded(x, check) ? " excluded: ok" : ok ? " ok" : " failed: ");
    if (!ok) put_reason(x, check, w);
    fk_put_char(w, '\n');
    return true;
}

static bool put_verdict(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    fk_put_str(w, endpoints[which(x)]);
    fk_put_str(w, healthy(x) ? " check passed\n" : " check failed\n");
    return true;
}

static bool verbose_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    static const fk_serve_part parts[] = {put_check, put_verdict};
    return FK_SERVE_PARTS(ctx, parts, cursor, w);
}

static bool ok_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    (void)ctx;
    if ((*cursor)++ > 0) return false;
    fk_put_str(w, "ok");
    return true;
}

/* ---- the request --------------------------------------------------------------------------------
 */

/* exclude=NAME takes that check out; one of them, and other names are nothing of ours. */
static uint32_t excluded_by(const char *query) {
    char name[sizeof names[0]];
    if (fk_http1_query(query, "exclude", name, sizeof name) <= 0) return 0;
    for (unsigned check = 0; check < CHECKS; check++)
        if (strcmp(name, names[check]) == 0) return 1u << check;
    return 0;
}

static int start(struct fk_exchange *x, unsigned endpoint) {
    char value[8];
    const bool verbose = fk_http1_query(x->query, "verbose", value, sizeof value) != -1;
    x->from = endpoint;
    x->to = excluded_by(x->query);
    if (!healthy(x)) {
        (void)fk_serve_ok(x, FK_SERVE_TEXT, verbose_items);
        return 500;
    }
    return fk_serve_ok(x, FK_SERVE_TEXT, verbose ? verbose_items : ok_items);
}

int fk_serve_healthz(struct fk_exchange *x) { return start(x, HEALTHZ); }
int fk_serve_livez(struct fk_exchange *x) { return start(x, LIVEZ); }
int fk_serve_readyz(struct fk_exchange *x) { return start(x, READYZ); }
