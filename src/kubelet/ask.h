/* What kubelet/authn and kubelet/authz have in common: one review at a time, verdicts remembered by
 * key until they end, and a line in the log when the API server refuses to review. */
#ifndef FK_KUBELET_ASK_H
#define FK_KUBELET_ASK_H

#include "kubelet/duty.h"

typedef void (*fk_sha256)(const void *bytes, size_t len, uint8_t out[32]);

enum fk_verdict_state {
    FK_ASK_WAIT, /* the API server is being asked: ask again after the next step */
    FK_ASK_YES,
    FK_ASK_NO,
    FK_ASK_AWAY, /* the API server cannot be asked, or did not answer: 503, try again */
};

/* ---- verdicts that are remembered -------------------------------------------------------------
 */

/* The first half of a SHA-256. To pass for somebody whose verdict is remembered takes a second
 * preimage of one of a few keys, 2^128 tries less a few bits. That two texts of an attacker's own
 * may meet after 2^64 tries gains nothing: the API server must have said yes to one of them. */
#define FK_ASK_KEY 16

struct fk_ask_entry {
    uint8_t key[FK_ASK_KEY];
    uint64_t until_ms; /* it counts before this; 0: free */
};

void fk_ask_key(fk_sha256 sha256, const void *bytes, size_t len, uint8_t key[FK_ASK_KEY]);

/* Takes the same time wherever they differ. */
bool fk_ask_same(const uint8_t a[FK_ASK_KEY], const uint8_t b[FK_ASK_KEY]);

/* The entry's index, or -1. */
int fk_ask_find(const struct fk_ask_entry *table, size_t count, const uint8_t key[FK_ASK_KEY],
                uint64_t now_ms);

/* Takes the key's entry, or a free or ended one, or the one that ends soonest (of several, the
 * first): its index. */
size_t fk_ask_keep(struct fk_ask_entry *table, size_t count, const uint8_t key[FK_ASK_KEY],
                   uint64_t now_ms, uint64_t until_ms);

/* ---- the one review ----------------------------------------------------------------------------
 */

/* A verdict that is not remembered (AWAY, or nothing is to be) waits this long for the one who
 * asked, ms. Then it is forgotten and others have their turn. */
#define FK_ASK_HELD_MS 2000u

/* How often a review that is refused is worth a line, ms. */
#define FK_ASK_QUIET_MS 60000u

enum fk_ask_stage {
    FK_ASK_IDLE,
    FK_ASK_WANTED, /* the duty is due */
    FK_ASK_SENT,
    FK_ASK_HELD, /* answered: `verdict` is for whoever has `key` */
};

struct fk_ask {
    uint8_t key[FK_ASK_KEY];
    uint8_t stage;
    uint8_t verdict;
    uint64_t held_until_ms;
    uint64_t quiet_until_ms; /* no further line about refusals before this */
};

/* What is known about key, which is not remembered. begun: a review of it is wanted from now on;
 * the caller keeps what its document needs. able: the API server can be asked now; what is on its
 * way already is waited for without. */
enum fk_verdict_state fk_ask_turn(struct fk_ask *a, uint64_t now_ms, const uint8_t key[FK_ASK_KEY],
                                  bool able, bool *begun);

/* The review came to this. remembered: whoever asks finds it elsewhere, nothing need be held. */
void fk_ask_settle(struct fk_ask *a, uint64_t now_ms, enum fk_verdict_state verdict,
                   bool remembered);

/* Logs a review that was not answered: what it was, and what the operator can do. */
void fk_ask_complain(struct fk_ask *a, const struct fk_duty_env *env, uint64_t now_ms,
                     const char *what, const struct fk_response *response);

#endif
