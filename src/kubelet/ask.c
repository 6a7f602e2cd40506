#include "kubelet/ask.h"

#include "base/err.h"

/* ---- verdicts that are remembered -------------------------------------------------------------
 */

void fk_ask_key(fk_sha256 sha256, const void *bytes, size_t len, uint8_t key[FK_ASK_KEY]) {
    uint8_t digest[32];
    sha256(bytes, len, digest);
    memcpy(key, digest, FK_ASK_KEY);
}

bool fk_ask_same(const uint8_t a[FK_ASK_KEY], const uint8_t b[FK_ASK_KEY]) {
    volatile uint8_t differ = 0; /* or the compiler may leave early */
    for (size_t i = 0; i < FK_ASK_KEY; i++) differ = (uint8_t)(differ | (a[i] ^ b[i]));
    return differ == 0;
}

int fk_ask_find(const struct fk_ask_entry *table, size_t count, const uint8_t key[FK_ASK_KEY],
                uint64_t now_ms) {
    for (size_t i = 0; i < count; i++)
        if (now_ms < table[i].until_ms && fk_ask_same(table[i].key, key)) return (int)i;
    return -1;
}

static size_t place(const struct fk_ask_entry *table, size_t count, const uint8_t *key,
                    uint64_t now_ms) {
    size_t soonest = 0;
    uint64_t soonest_ms = FK_NEVER;
    for (size_t i = 0; i < count; i++) {
        if (table[i].until_ms != 0 && fk_ask_same(table[i].key, key)) return i;
        const uint64_t until_ms = table[i].until_ms > now_ms ? table[i].until_ms : 0; /* 0: ended */
        if (until_ms >= soonest_ms) continue;
        soonest = i;
        soonest_ms = until_ms;
    }
    return soonest;
}

size_t fk_ask_keep(struct fk_ask_entry *table, size_t count, const uint8_t key[FK_ASK_KEY],
                   uint64_t now_ms, uint64_t until_ms) {
    const size_t i = place(table, count, key, now_ms);
    memcpy(table[i].key, key, FK_ASK_KEY);
    table[i].until_ms = until_ms;
    return i;
}

/* ---- the one review ----------------------------------------------------------------------------
 */

enum fk_verdict_state fk_ask_turn(struct fk_ask *a, uint64_t now_ms, const uint8_t key[FK_ASK_KEY],
                                  bool able, bool *begun) {
    *begun = false;
    if (a->stage == FK_ASK_HELD && now_ms >= a->held_until_ms) a->stage = FK_ASK_IDLE;
    const bool its = a->stage != FK_ASK_IDLE && fk_ask_same(a->key, key);
    if (its && a->stage == FK_ASK_HELD) {
        a->stage = FK_ASK_IDLE;
        return (enum fk_verdict_state)a->verdict;
    }
    if (its && a->stage == FK_ASK_SENT) return FK_ASK_WAIT;
    if (!able) {
        if (its) a->stage = FK_ASK_IDLE;
        return FK_ASK_AWAY;
    }
    if (a->stage == FK_ASK_IDLE) {
        memcpy(a->key, key, FK_ASK_KEY);
        a->stage = FK_ASK_WANTED;
        *begun = true;
    }
    return FK_ASK_WAIT;
}

void fk_ask_settle(struct fk_ask *a, uint64_t now_ms, enum fk_verdict_state verdict,
                   bool remembered) {
    a->stage = remembered ? FK_ASK_IDLE : FK_ASK_HELD;
    a->verdict = (uint8_t)verdict;
    a->held_until_ms = fk_after(now_ms, FK_ASK_HELD_MS);
}

static const char *advice(const struct fk_response *response) {
    if (response->status == 401) return "the API server does not know this node's credentials";
    if (response->status == 403)
        return "the node must be allowed to create tokenreviews.authentication.k8s.io and "
               "subjectaccessreviews.authorization.k8s.io, as ClusterRole system:node is";
    return "";
}

void fk_ask_complain(struct fk_ask *a, const struct fk_duty_env *env, uint64_t now_ms,
                     const char *what, const struct fk_response *response) {
    const enum fk_verdict verdict = fk_status_verdict(response->status, response->reason);
    const bool passes = verdict == FK_VERDICT_RETRY && response->status != FK_E_PARSE;
    const bool aloud = !passes && now_ms >= a->quiet_until_ms;
    if (aloud) a->quiet_until_ms = fk_after(now_ms, FK_ASK_QUIET_MS);
    fk_log(env->log, aloud ? FK_WARN : FK_DEBUG, "review failed", FK_STR("what", what),
           FK_INT("status", response->status), FK_STR("message", response->message),
           FK_STR("advice", advice(response)));
}
