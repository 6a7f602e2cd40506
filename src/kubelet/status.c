#include "kubelet/status.h"

#include "base/err.h"

#define NODES "/api/v1/nodes"

static const struct fk_reply_ops reply;

void fk_status_init(struct fk_status *s, const struct fk_duty_env *env,
                    const struct fk_status_sources *sources, struct fk_conditions *conditions) {
    *s = (struct fk_status){.env = *env,
                            .sources = *sources,
                            .conditions = conditions,
                            .due_ms = FK_NEVER,
                            .period_ms = env->config->status_update_ms,
                            .annotated_bytes = UINT32_MAX};
    fk_retry_init(&s->retry);
}

void fk_status_refresh(struct fk_status *s, struct fk_now now) {
    s->stale = true;
    s->missing = false;
    s->annotated_bytes = UINT32_MAX;
    if (!s->in_flight) s->state = FK_STATUS_REPORT;
    s->due_ms = s->hold_ms > now.mono_ms ? s->hold_ms : now.mono_ms;
}

void fk_status_hurry(struct fk_status *s, struct fk_now now) {
    s->stale = true;
    if (s->state == FK_STATUS_REPORT) s->due_ms = now.mono_ms;
}

void fk_status_look(struct fk_status *s, struct fk_now now) {
    if (s->state == FK_STATUS_REPORT) s->due_ms = fk_sooner(s->due_ms, now.mono_ms);
}

void fk_status_set_period(struct fk_status *s, struct fk_now now, uint32_t period_ms) {
    s->period_ms = period_ms;
    if (s->state == FK_STATUS_REPORT)
        s->due_ms = fk_sooner(s->due_ms, fk_after(now.mono_ms, period_ms));
}

static uint64_t due(const void *self) {
    const struct fk_status *s = self;
    return s->in_flight || s->state == FK_STATUS_WAITING ? FK_NEVER : s->due_ms;
}

/* ---- documents ------------------------------------------------------------------------------ */

static void status_document(const void *owner, struct fk_writer *w) {
    const struct fk_status *s = owner;
    fk_node_doc_put_status_patch(s->env.config, s->conditions, &s->snapshot, w);
}

static void heap_document(const void *owner, struct fk_writer *w) {
    const struct fk_status *s = owner;
    fk_node_doc_put_annotations_patch(s->env.config, s->heap_free_bytes, w);
}

/* ---- the duty ------------------------------------------------------------------------------- */

static bool take_address(struct fk_status *s) {
    const char *address = s->sources.address(s->sources.ctx);
    if (strcmp(address, s->snapshot.address) == 0) return false;
    struct fk_writer w;
    fk_writer_init(&w, s->snapshot.address, sizeof s->snapshot.address);
    fk_put_str(&w, address);
    if (fk_writer_finish(&w) != 0) s->snapshot.address[0] = '\0';
    return true;
}

/* Judges all conditions. True when the server must hear of it now. */
static bool judge(struct fk_status *s, struct fk_now now) {
    struct fk_facts facts;
    s->sources.facts(s->sources.ctx, now, &facts);
    s->heap_free_bytes = facts.heap_free_bytes;
    const bool moved = take_address(s);
    const unsigned flips = fk_conditions_judge(s->conditions, &facts, now.wall_us);
    if (moved || flips > 0) s->stale = true;
    return s->stale || now.mono_ms >= s->report_ms;
}

static bool request(void *self, struct fk_now now, struct fk_request *req) {
    struct fk_status *s = self;
    const char *name = s->env.config->name;
    if (s->state == FK_STATUS_ANNOTATE) {
        fk_request_make(req, FK_PATCH_MERGE, NODES, name, "");
        req->document = heap_document;
    } else {
        s->due_ms = fk_after(now.mono_ms, s->period_ms);
        if (now.wall_us == FK_WALL_UNKNOWN || !judge(s, now)) return false;
        s->snapshot.whole = s->stale || s->until_whole == 0;
        s->snapshot.heartbeat_us = now.wall_us;
        s->stale = false;
        fk_request_make(req, FK_PATCH_STRATEGIC, NODES, name, "/status");
        req->document = status_document;
    }
    req->reply = &reply;
    req->owner = s;
    s->in_flight = true;
    return true;
}

static void body(void *owner, struct fk_bytes piece) {
    (void)owner, (void)piece; /* never asked for */
}

/* Back to judging: at once when something is left to say. */
static void rest(struct fk_status *s, struct fk_now now) {
    s->state = FK_STATUS_REPORT;
    s->due_ms = s->stale ? now.mono_ms : fk_after(now.mono_ms, s->period_ms);
}

static bool annotation_is_wrong(const struct fk_status *s) {
    const uint32_t a = s->annotated_bytes, b = s->heap_free_bytes;
    return (a > b ? a - b : b - a) >= FK_FREE_HEAP_STEP;
}

static void reported(struct fk_status *s, struct fk_now now) {
    s->reports++;
    s->ready_reported = s->conditions->all[FK_CONDITION_READY].now.status;
    s->until_whole = s->snapshot.whole ? FK_STATUS_WHOLE_EVERY - 1 : s->until_whole - 1;
    s->report_ms = fk_after(now.mono_ms, s->env.config->status_report_ms);
    fk_log(s->env.log, FK_DEBUG, "status reported", FK_INT("reports", s->reports),
           FK_INT("whole", s->snapshot.whole));
    rest(s, now);
    if (!annotation_is_wrong(s)) return;
    s->state = FK_STATUS_ANNOTATE;
    s->due_ms = now.mono_ms;
}

static void succeeded(struct fk_status *s, struct fk_now now) {
    fk_retry_reset(&s->retry);
    if (s->state == FK_STATUS_REPORT) {
        reported(s, now);
        return;
    }
    if (!s->stale) s->annotated_bytes = s->heap_free_bytes; /* else it may be another Node by now */
    rest(s, now);
}

static void absent(struct fk_status *s, struct fk_now now) {
    s->missing = true;
    s->state = FK_STATUS_WAITING;
    s->hold_ms = fk_after(now.mono_ms, fk_retry_turn(&s->retry, &s->env));
}

/* What was not delivered is still to be said, all of it; but for the annotation, which has time
 * until the next report. */
static void failed(struct fk_status *s, struct fk_now now, const struct fk_response *res) {
    const uint64_t retry_ms =
        fk_after(now.mono_ms, fk_retry_after(&s->retry, &s->env, "node status", res));
    s->stale = s->stale || s->state == FK_STATUS_REPORT;
    rest(s, now);
    if (s->due_ms < retry_ms) s->due_ms = retry_ms;
}

static void response(void *owner, struct fk_now now, const struct fk_response *res) {
    struct fk_status *s = owner;
    s->in_flight = false;
    switch (fk_status_verdict(res->status, res->reason)) {
    case FK_VERDICT_OK: succeeded(s, now); break;
    case FK_VERDICT_ABSENT: absent(s, now); break;
    case FK_VERDICT_EXISTS:
    case FK_VERDICT_CONFLICT:
    case FK_VERDICT_STALE:
    case FK_VERDICT_RETRY:
    case FK_VERDICT_REFUSED:
    case FK_VERDICT_REJECTED: failed(s, now, res); break;
    }
}

static const struct fk_reply_ops reply = {body, response};
const struct fk_duty_ops fk_status_ops = {due, request};
