#include "kubelet/lease.h"

#include "base/err.h"
#include "wire/json_write.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

/* ---- documents ------------------------------------------------------------------------------ */

static void put_owner(struct fk_json *j, const struct fk_lease *l) {
    fk_json_array(j, "ownerReferences");
    fk_json_object(j, NULL);
    fk_json_str(j, "apiVersion", "v1");
    fk_json_str(j, "kind", "Node");
    fk_json_str(j, "name", l->env.config->name);
    fk_json_str(j, "uid", l->owner_uid);
    fk_json_object_end(j);
    fk_json_array_end(j);
}

/* Creation and claim: everything that is ours. */
static void whole_document(const void *owner, struct fk_writer *w) {
    const struct fk_lease *l = owner;
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_str(&j, "apiVersion", "coordination.k8s.io/v1");
    fk_json_str(&j, "kind", "Lease");
    fk_json_object(&j, "metadata");
    fk_json_str(&j, "name", l->env.config->name);
    fk_json_str(&j, "namespace", "kube-node-lease");
    put_owner(&j, l);
    fk_json_object_end(&j);
    fk_json_object(&j, "spec");
    fk_json_str(&j, "holderIdentity", l->env.config->name);
    fk_json_i64(&j, "leaseDurationSeconds", l->env.config->lease_duration_s);
    fk_json_micro_time(&j, "renewTime", l->renew_us);
    fk_json_object_end(&j);
    fk_json_object_end(&j);
}

static void renewal_document(const void *owner, struct fk_writer *w) {
    const struct fk_lease *l = owner;
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_object(&j, "spec");
    fk_json_micro_time(&j, "renewTime", l->renew_us);
    fk_json_object_end(&j);
    fk_json_object_end(&j);
}

static const struct fk_reply_ops reply;

/* ---- the duty ------------------------------------------------------------------------------- */

static void go(struct fk_lease *l, enum fk_lease_state state, uint64_t due_ms) {
    l->state = state;
    l->due_ms = due_ms;
}

void fk_lease_init(struct fk_lease *l, const struct fk_duty_env *env) {
    *l = (struct fk_lease){.env = *env, .renewed_ms = FK_NEVER};
    fk_retry_init(&l->retry);
    go(l, FK_LEASE_WAITING, FK_NEVER);
}

void fk_lease_start(struct fk_lease *l, struct fk_now now, const char *node_uid) {
    l->node_uid = node_uid;
    if (l->in_flight) return; /* its answer will lead on */
    if (l->state == FK_LEASE_WAITING) go(l, FK_LEASE_READ, now.mono_ms);
    if (l->state == FK_LEASE_ORPHANED) go(l, FK_LEASE_CREATE, now.mono_ms);
}

bool fk_lease_overdue(const struct fk_lease *l, uint64_t now_ms, uint64_t begun_ms) {
    const uint64_t last_ms = l->renewed_ms == FK_NEVER ? begun_ms : l->renewed_ms;
    const uint64_t allowed_ms = (uint64_t)l->env.config->lease_renew_ms * FK_LAPSE_HALVES / 2;
    return now_ms > fk_after(last_ms, allowed_ms);
}

static uint64_t due(const void *self) {
    const struct fk_lease *l = self;
    return l->in_flight ? FK_NEVER : l->due_ms;
}

/* Strictly after the last one, whatever the clock says. */
static void advance(struct fk_lease *l, int64_t wall_us) {
    l->renew_us = wall_us > l->renew_us ? wall_us : l->renew_us + 1;
}

/* The next renewal, counted from when this one was sent, however long the answer took; 4 % of
 * jitter as in client-go's lease controller, so that a thousand nodes spread out. */
static uint64_t next_renewal(const struct fk_lease *l, uint64_t now_ms) {
    const uint32_t period_ms = l->env.config->lease_renew_ms;
    const uint64_t next_ms = l->began_ms + period_ms + fk_rng_below(l->env.rng, period_ms / 25 + 1);
    return next_ms > now_ms ? next_ms : now_ms;
}

/* Never write 1970. What brings the date is a reply, so there must be one: read again. */
static bool wait_for_date(struct fk_lease *l, struct fk_now now) {
    fk_log(l->env.log, FK_WARN, "the API server's replies carry no Date: the lease cannot be dated",
           FK_INT("retry_ms", FK_NO_DATE_RETRY_MS));
    go(l, FK_LEASE_READ, fk_after(now.mono_ms, FK_NO_DATE_RETRY_MS));
    return false;
}

static bool request(void *self, struct fk_now now, struct fk_request *req) {
    struct fk_lease *l = self;
    const char *name = l->env.config->name;
    if (l->state == FK_LEASE_READ) {
        fk_request_make(req, FK_GET, LEASES, name, "");
        req->wants_body = true;
        fk_lease_reader_begin(&l->reader, name);
    } else {
        if (now.wall_us == FK_WALL_UNKNOWN) return wait_for_date(l, now);
        advance(l, now.wall_us);
        memcpy(l->owner_uid, l->node_uid, sizeof l->owner_uid);
        const bool create = l->state == FK_LEASE_CREATE;
        fk_request_make(req, create ? FK_POST : FK_PATCH_MERGE, LEASES, create ? NULL : name, "");
        req->document = l->state == FK_LEASE_RENEW ? renewal_document : whole_document;
        req->path_repeats = !create;
        req->lingers = l->state == FK_LEASE_RENEW;
    }
    req->reply = &reply;
    req->owner = l;
    l->began_ms = now.mono_ms;
    l->in_flight = true;
    return true;
}

static void body(void *owner, struct fk_bytes piece) {
    struct fk_lease *l = owner;
    (void)fk_lease_reader_feed(&l->reader, piece); /* its error shows at the end */
}

static void failed(struct fk_lease *l, struct fk_now now, const struct fk_response *res) {
    l->failures++;
    l->due_ms = fk_after(now.mono_ms, fk_retry_after(&l->retry, &l->env, "lease", res));
}

static void read_done(struct fk_lease *l, struct fk_now now) {
    const struct fk_lease_reader *r = &l->reader;
    if (fk_lease_reader_end(r) != 0) {
        const struct fk_response garbled = {.status = FK_E_PARSE,
                                            .message = "the reply is not a Lease"};
        failed(l, now, &garbled);
        return;
    }
    if (r->renew_us > l->renew_us) l->renew_us = r->renew_us; /* FK_WALL_UNKNOWN is below any */
    if (r->holder == FK_HOLDER_OTHER)
        fk_log(l->env.log, FK_WARN, "lease was held by another: taking it over",
               FK_STR("lease", l->env.config->name));
    go(l, FK_LEASE_CLAIM, now.mono_ms);
}

static void renewed(struct fk_lease *l, struct fk_now now) {
    const bool first = l->renewals == 0;
    fk_retry_reset(&l->retry);
    l->renewals++;
    if (l->renewed_ms != FK_NEVER && now.mono_ms - l->renewed_ms > l->longest_gap_ms)
        l->longest_gap_ms = now.mono_ms - l->renewed_ms;
    l->renewed_ms = now.mono_ms;
    fk_log(l->env.log, first ? FK_INFO : FK_DEBUG, first ? "lease claimed" : "lease renewed",
           FK_STR("lease", l->env.config->name), FK_INT("renewals", l->renewals));
    go(l, FK_LEASE_RENEW, next_renewal(l, now.mono_ms));
}

static void succeeded(struct fk_lease *l, struct fk_now now) {
    if (l->state == FK_LEASE_READ) read_done(l, now);
    else renewed(l, now);
}

static void orphaned(struct fk_lease *l) {
    /* The garbage collector takes the Lease away when its Node is deleted: look after that first.
     */
    fk_log(l->env.log, FK_WARN, "lease is gone: looking after the node, then creating it again",
           FK_STR("lease", l->env.config->name));
    go(l, FK_LEASE_ORPHANED, FK_NEVER);
}

static void absent(struct fk_lease *l, struct fk_now now, const struct fk_response *res) {
    if (l->state == FK_LEASE_READ) go(l, FK_LEASE_CREATE, now.mono_ms);
    else if (l->state == FK_LEASE_CREATE) failed(l, now, res); /* no kube-node-lease yet */
    else orphaned(l);
}

static void response(void *owner, struct fk_now now, const struct fk_response *res) {
    struct fk_lease *l = owner;
    l->in_flight = false;
    switch (fk_status_verdict(res->status, res->reason)) {
    case FK_VERDICT_OK: succeeded(l, now); break;
    case FK_VERDICT_ABSENT: absent(l, now, res); break;
    case FK_VERDICT_EXISTS:
    case FK_VERDICT_CONFLICT: /* somebody was quicker: read what they wrote */
        failed(l, now, res);
        l->state = FK_LEASE_READ;
        break;
    case FK_VERDICT_STALE:
    case FK_VERDICT_RETRY:
    case FK_VERDICT_REFUSED:
    case FK_VERDICT_REJECTED: failed(l, now, res); break;
    }
}

static const struct fk_reply_ops reply = {body, response};
const struct fk_duty_ops fk_lease_ops = {due, request};
