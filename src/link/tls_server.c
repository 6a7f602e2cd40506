#include "link/tls_server.h"

#include <limits.h>
#include <mbedtls/error.h>
#include <mbedtls/platform.h>

#include "base/assert.h"
#include "link/tls_server_internal.h"

/* With FK_TLS_SERVER 0 Mbed TLS does not even declare its server's side. */
#if FK_TLS_SERVER

/* Records without data for us that one recv swallows before it lets the node do something else. */
#define IDLE_RECORDS_MAX 4

/* Looks at the pipe below in one call, some two for a record. Mbed TLS goes on to the next record
 * by itself after one that means nothing (a warning), and a client could send such ones for ever.
 */
#define READS_MAX 16

static struct fk_pipe under(const struct fk_tls_session *s) {
    const struct fk_listener *tcp = &s->server->cfg.under;
    return tcp->ops->pipe(tcp->ctx, s->slot);
}

/* ---- The pipe below, as Mbed TLS wants it --------------------------------------------------- */

static size_t at_most_int_max(size_t len) { return len < INT_MAX ? len : INT_MAX; }

static int bio_send(void *ctx, const unsigned char *buf, size_t len) {
    struct fk_tls_session *s = ctx;
    if (s->source.failed) { /* nothing, not even an alert, leaves us after that */
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    const int n = fk_pipe_send(under(s), buf, at_most_int_max(len));
    if (n < 0) {
        s->under_err = (int16_t)n;
        return MBEDTLS_ERR_SSL_CONN_EOF;
    }
    return n == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : n;
}

static int bio_recv(void *ctx, unsigned char *buf, size_t cap) {
    struct fk_tls_session *s = ctx;
    if (s->reads == READS_MAX) {
        s->starved = false;
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    s->reads++;
    const int n = fk_pipe_recv(under(s), buf, at_most_int_max(cap));
    if (n < 0) {
        s->under_err = (int16_t)n;
        return MBEDTLS_ERR_SSL_CONN_EOF;
    }
    s->starved = n == 0;
    return n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : n;
}

/* ---- Calls ---------------------------------------------------------------------------------- */

static struct fk_crypto_source *enter(struct fk_tls_session *s) {
    s->reads = 0;
    s->starved = false;
    s->more = false;
    s->failures = s->server->cfg.heap->failures;
    return fk_crypto_swap(&s->source);
}

static bool later(int ret) {
    return ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static void drop_identity(struct fk_tls_session *s) {
    fk_tls_identity_drop(s->identity);
    s->identity = NULL;
}

static int starved_of_memory(const struct fk_tls_session *s) {
    const struct fk_heap *heap = s->server->cfg.heap;
    s->server->stats.no_memory++;
    fk_log(s->server->cfg.log, FK_DEBUG, "no memory for a client's connection, which ends",
           FK_INT("heap_bytes", heap->size), FK_INT("used_bytes", heap->used_bytes),
           FK_INT("largest_free", fk_heap_largest(heap)));
    return FK_E_NOMEM;
}

/* A length in the last record's header, or in the handshake message's, beyond what may be. Mbed TLS
 * has one code for many things here, so its input buffer is looked at. */
static bool oversize(const struct fk_tls_session *s) {
    const uint8_t *h = s->ssl.MBEDTLS_PRIVATE(in_hdr);
    const size_t record = (size_t)h[3] << 8 | h[4];
    return record > FK_TLS_RECORD_MAX || s->ssl.MBEDTLS_PRIVATE(in_hslen) > FK_TLS_RECORD_MAX;
}

/* Why a call of Mbed TLS came to nothing. What a stranger brings about is worth no more than a line
 * for debugging: he could fill the log. ret: not "later". */
static int reason(const struct fk_tls_session *s, int ret) {
    const bool hello = s->state == FK_TLS_HANDSHAKE;
    if (s->source.failed) {
        fk_log(s->server->cfg.log, FK_ERROR,
               "no random numbers fit for keys: a client is turned away", FK_INT("slot", s->slot));
        return FK_E_ENTROPY;
    }
    const bool no_slot = ret == MBEDTLS_ERR_SSL_ALLOC_FAILED || ret == MBEDTLS_ERR_PK_ALLOC_FAILED;
    if (no_slot ||
        s->server->cfg.heap->failures != s->failures) { /* PSA's key slots: memory, too */
        return starved_of_memory(s);
    }
    if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        return FK_E_CLOSED;
    }
    if (ret == 0 || ret == MBEDTLS_ERR_SSL_CONN_EOF) {
        return s->under_err == 0 || s->under_err == FK_E_CLOSED ? FK_E_RESET : s->under_err;
    }
    fk_log(s->server->cfg.log, FK_DEBUG,
           hello ? "a client's TLS handshake failed" : "a client's TLS failed",
           FK_INT("mbedtls_code", ret), FK_INT("slot", s->slot));
    if (ret == MBEDTLS_ERR_SSL_BAD_INPUT_DATA && oversize(s)) {
        return FK_E_RANGE;
    }
    return hello ? FK_E_TLS : FK_E_PROTO;
}

/* What the client is told of it, where Mbed TLS has not done so itself. */
static void alert(struct fk_tls_session *s, int err) {
    if (err == FK_E_NOMEM) {
        (void)mbedtls_ssl_send_alert_message(&s->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                             MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR);
    }
    if (err == FK_E_RANGE) {
        (void)mbedtls_ssl_send_alert_message(&s->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                             MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW);
    }
}

static int end(struct fk_tls_session *s, int err) {
    if (s->state == FK_TLS_HANDSHAKE) {
        s->server->stats.failures++;
    }
    alert(s, err);
    s->state = FK_TLS_OVER;
    s->more = false;
    s->err = (int16_t)err;
    return err;
}

static void finish_handshake(struct fk_tls_session *s) {
    fk_tls_peer_note(s);
    fk_tls_forget_handshake(&s->ssl);
    drop_identity(s);
    s->state = FK_TLS_OPEN;
    s->server->stats.handshakes++;
    fk_log(s->server->cfg.log, FK_DEBUG, "a client's TLS is established",
           FK_STR("version", mbedtls_ssl_get_version(&s->ssl)),
           FK_STR("cipher", mbedtls_ssl_get_ciphersuite(&s->ssl)),
           FK_STR("certificate_of", fk_user_known(&s->peer) ? fk_user_name(&s->peer) : ""),
           FK_INT("heap_peak", s->server->cfg.heap->peak_bytes));
}

/* One message. 0 with state OPEN, 0 for later, or negative. */
static int handshake(struct fk_tls_session *s) {
    const int ret = mbedtls_ssl_handshake_step(&s->ssl);
    if (s->server->cfg.heap->failures != s->failures) {
        /* Also where Mbed TLS went on: with a certificate that it had no memory to verify. */
        return end(s, starved_of_memory(s));
    }
    if (mbedtls_ssl_is_handshake_over(&s->ssl)) {
        finish_handshake(s);
        return 0;
    }
    if (ret != 0 && !later(ret)) {
        return end(s, reason(s, ret));
    }
    s->more = ret == 0 || (ret == MBEDTLS_ERR_SSL_WANT_READ && !s->starved);
    return 0;
}

/* See flush in tls.c. 0: nothing is left; positive: later; negative: the connection is over. */
static int flush(struct fk_tls_session *s) {
    if (s->ssl.MBEDTLS_PRIVATE(out_left) == 0) {
        return 0;
    }
    const int ret = mbedtls_ssl_write(&s->ssl, (const unsigned char *)"", 1);
    if (ret > 0) {
        return 0;
    }
    return later(ret) ? 1 : end(s, reason(s, ret));
}

void mbedtls_ssl_reset_in_pointers(mbedtls_ssl_context *ssl); /* library/ssl_misc.h, as pinned */

/* Puts a small input buffer in place of one that has grown, once all in it has been read. Of the
 * contents only the number of the next record counts, which stands in front. The large one goes
 * first, so there is room. */
static int give_back(struct fk_tls_session *s) {
    mbedtls_ssl_context *ssl = &s->ssl;
    const size_t len = ssl->MBEDTLS_PRIVATE(in_buf_len);
    if (len <= s->first_len || ssl->MBEDTLS_PRIVATE(in_left) != 0 ||
        ssl->MBEDTLS_PRIVATE(badmac_seen_or_in_hsfraglen) != 0 ||
        mbedtls_ssl_check_pending(ssl) != 0) {
        return 0;
    }
    uint8_t number[8];
    memcpy(number, ssl->MBEDTLS_PRIVATE(in_buf), sizeof number);
    mbedtls_platform_zeroize(ssl->MBEDTLS_PRIVATE(in_buf), len);
    mbedtls_free(ssl->MBEDTLS_PRIVATE(in_buf));
    ssl->MBEDTLS_PRIVATE(in_buf) = mbedtls_calloc(1, s->first_len);
    if (ssl->MBEDTLS_PRIVATE(in_buf) == NULL) {
        return end(s, starved_of_memory(s));
    }
    memcpy(ssl->MBEDTLS_PRIVATE(in_buf), number, sizeof number);
    ssl->MBEDTLS_PRIVATE(in_buf_len) = s->first_len;
    mbedtls_ssl_reset_in_pointers(ssl);
    return 0;
}

static int receive(struct fk_tls_session *s, void *buf, size_t cap) {
    const int flushed = flush(s);
    if (flushed < 0) {
        return flushed;
    }
    for (int i = 0; i < IDLE_RECORDS_MAX; i++) {
        const int ret = mbedtls_ssl_read(&s->ssl, buf, at_most_int_max(cap));
        const bool empty = ret == 0 && s->under_err == 0; /* a record without content */
        if (ret <= 0 && !empty && !later(ret)) {
            return end(s, reason(s, ret));
        }
        const int given = give_back(s);
        if (given < 0 || ret > 0) {
            return given < 0 ? given : ret;
        }
        if (s->starved) {
            return 0;
        }
    }
    s->more = true;
    return 0;
}

/* What is encrypted and not out yet counts as taken only when it is: the next call, with the same
 * bytes, says so. */
static int transmit(struct fk_tls_session *s, const void *buf, size_t len) {
    const int flushed = flush(s);
    if (flushed != 0) {
        return flushed < 0 ? flushed : 0;
    }
    const int sealed = s->sealed;
    FK_ASSERT(len >= (size_t)sealed);
    s->sealed = 0;
    if (sealed > 0) {
        return sealed;
    }
    const size_t max = (size_t)mbedtls_ssl_get_max_out_record_payload(&s->ssl);
    const size_t taken = len < max ? len : max;
    const int ret = mbedtls_ssl_write(&s->ssl, buf, taken);
    if (!later(ret)) {
        return ret > 0 ? ret : end(s, reason(s, ret));
    }
    s->sealed = (uint16_t)taken;
    return 0;
}

/* ---- The pipes ------------------------------------------------------------------------------ */

static void session_close(void *ctx) {
    struct fk_tls_session *s = ctx;
    if (s->state == FK_TLS_CLOSED) {
        return;
    }
    struct fk_crypto_source *former = enter(s);
    if (s->state == FK_TLS_HANDSHAKE) {
        s->server->stats.failures++;
    }
    const bool in_order = s->state == FK_TLS_OPEN || s->err == FK_E_CLOSED;
    if (in_order && flush(s) == 0) {
        (void)mbedtls_ssl_close_notify(&s->ssl);
    }
    fk_pipe_close(under(s));
    mbedtls_ssl_free(&s->ssl);
    drop_identity(s);
    mbedtls_platform_zeroize(&s->peer, sizeof s->peer);
    s->state = FK_TLS_CLOSED;
    s->more = false;
    (void)fk_crypto_swap(former);
}

static int set_up(struct fk_tls_session *s) {
    mbedtls_ssl_init(&s->ssl);
    const int ret = mbedtls_ssl_setup(&s->ssl, &s->server->conf);
    s->first_len = (uint32_t)s->ssl.MBEDTLS_PRIVATE(in_buf_len);
    mbedtls_ssl_set_bio(&s->ssl, s, bio_send, bio_recv, NULL);
    mbedtls_ssl_set_user_data_p(&s->ssl, s);
    mbedtls_ssl_set_verify(&s->ssl, fk_tls_peer_verify, s);
    return ret;
}

static int session_open(void *ctx) {
    struct fk_tls_session *s = ctx;
    session_close(s);
    if (s->server->identity == NULL) {
        return FK_E_BUSY;
    }
    const int ret = fk_pipe_open(under(s));
    if (ret < 0) {
        return ret;
    }
    struct fk_crypto_source *former = enter(s);
    s->state = FK_TLS_HANDSHAKE;
    s->source.failed = false;
    s->err = 0;
    s->under_err = 0;
    s->sealed = 0;
    s->not_before_s = INT64_MIN;
    s->not_after_s = INT64_MAX;
    s->identity = fk_tls_identity_take(s->server->identity);
    const bool set = set_up(s) == 0;
    if (!set) {
        (void)end(s, starved_of_memory(s));
        session_close(s);
    }
    (void)fk_crypto_swap(former);
    return set ? 0 : FK_E_NOMEM;
}

/* 0: open for data; otherwise what recv and send return. */
static int not_yet(struct fk_tls_session *s, bool *open) {
    int ret = 0;
    switch ((enum fk_tls_state)s->state) {
    case FK_TLS_CLOSED: ret = FK_E_CLOSED; break;
    case FK_TLS_OVER: ret = s->err; break;
    case FK_TLS_HANDSHAKE: ret = handshake(s); break;
    case FK_TLS_OPEN: break;
    }
    *open = ret == 0 && s->state == FK_TLS_OPEN;
    return ret;
}

static int session_recv(void *ctx, void *buf, size_t cap) {
    struct fk_tls_session *s = ctx;
    struct fk_crypto_source *former = enter(s);
    bool open;
    int ret = not_yet(s, &open);
    if (open) {
        ret = receive(s, buf, cap);
    }
    (void)fk_crypto_swap(former);
    return ret;
}

static int session_send(void *ctx, const void *buf, size_t len) {
    struct fk_tls_session *s = ctx;
    struct fk_crypto_source *former = enter(s);
    bool open;
    int ret = not_yet(s, &open);
    if (open) {
        ret = transmit(s, buf, len);
    }
    (void)fk_crypto_swap(former);
    return ret;
}

/* ---- The listener --------------------------------------------------------------------------- */

static bool server_waiting(void *ctx) {
    const struct fk_tls_server *s = ctx;
    return s->identity != NULL && s->cfg.under.ops->waiting(s->cfg.under.ctx);
}

static struct fk_pipe server_pipe(void *ctx, unsigned slot) {
    static const struct fk_pipe_ops ops = {session_open, session_recv, session_send, session_close};
    struct fk_tls_server *s = ctx;
    FK_ASSERT(slot < FK_SERVER_CONNECTIONS);
    return (struct fk_pipe){&ops, &s->sessions[slot]};
}

static bool server_established(void *ctx, unsigned slot) {
    const struct fk_tls_server *s = ctx;
    return s->sessions[slot].state == FK_TLS_OPEN;
}

static const struct fk_user *server_peer(void *ctx, unsigned slot) {
    const struct fk_tls_server *s = ctx;
    return fk_tls_peer_now(&s->sessions[slot]);
}

static bool server_ready(void *ctx, unsigned slot) {
    const struct fk_tls_server *s = ctx;
    const struct fk_tls_session *session = &s->sessions[slot];
    return session->more ||
           (session->state == FK_TLS_OPEN && mbedtls_ssl_check_pending(&session->ssl) != 0);
}

static bool server_amid(void *ctx, unsigned slot) {
    const struct fk_tls_server *s = ctx;
    const struct fk_tls_session *session = &s->sessions[slot];
    return session->state == FK_TLS_OPEN && session->ssl.MBEDTLS_PRIVATE(in_left) != 0;
}

struct fk_listener fk_tls_server_listener(struct fk_tls_server *s) {
    static const struct fk_listener_ops ops = {.waiting = server_waiting,
                                               .pipe = server_pipe,
                                               .established = server_established,
                                               .peer = server_peer,
                                               .ready = server_ready,
                                               .amid = server_amid};
    const unsigned below = s->cfg.under.count;
    return (struct fk_listener){&ops, s,
                                below < FK_SERVER_CONNECTIONS ? below : FK_SERVER_CONNECTIONS};
}

bool fk_tls_server_wants_out(const struct fk_tls_server *s, unsigned slot) {
    const struct fk_tls_session *session = &s->sessions[slot];
    return (session->state == FK_TLS_HANDSHAKE || session->state == FK_TLS_OPEN) &&
           session->ssl.MBEDTLS_PRIVATE(out_left) != 0;
}

#endif
