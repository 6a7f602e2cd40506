#include "link/tls.h"

#include <limits.h>
#include <mbedtls/error.h>
#include <mbedtls/platform.h>

#include "base/assert.h"
#include "base/clock.h"
#include "link/tls_internal.h"
#include "opts.h"

/* Records without data for us (session tickets, warnings) that one recv swallows before it lets
 * the node do something else. */
#define IDLE_RECORDS_MAX 16

/* ---- The pipe below, as Mbed TLS wants it --------------------------------------------------- */

static size_t at_most_int_max(size_t len) { return len < INT_MAX ? len : INT_MAX; }

static int bio_send(void *ctx, const unsigned char *buf, size_t len) {
    struct fk_tls *t = ctx;
    if (t->source.failed) { /* nothing, not even an alert, leaves us after that */
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    const int n = fk_pipe_send(t->cfg.under, buf, at_most_int_max(len));
    if (n < 0) {
        t->under_err = (int16_t)n;
        return MBEDTLS_ERR_SSL_CONN_EOF;
    }
    return n == 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : n;
}

static int bio_recv(void *ctx, unsigned char *buf, size_t cap) {
    struct fk_tls *t = ctx;
    const int n = fk_pipe_recv(t->cfg.under, buf, at_most_int_max(cap));
    if (n < 0) {
        t->under_err = (int16_t)n;
        return MBEDTLS_ERR_SSL_CONN_EOF;
    }
    t->starved = n == 0;
    return n == 0 ? MBEDTLS_ERR_SSL_WANT_READ : n;
}

/* ---- Calls ---------------------------------------------------------------------------------- */

static struct fk_crypto_source *enter(struct fk_tls *t) {
    t->starved = false;
    t->more = false;
    t->failures = fk_crypto_heap()->failures;
    return fk_crypto_swap(&t->source);
}

static bool later(int ret) {
    return ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int end(struct fk_tls *t, int err) {
    t->state = FK_TLS_OVER;
    t->more = false;
    t->err = (int16_t)err;
    return err;
}

/* A length in the last record's header, or in the handshake message's, that does not fit our
 * buffer; 0 when that was not the reason. Mbed TLS has one code for many things here, so its input
 * buffer is looked at. */
static size_t oversize(const struct fk_tls *t) {
    const uint8_t *h = t->ssl.MBEDTLS_PRIVATE(in_hdr);
    const size_t record = (size_t)h[3] << 8 | h[4];
    const size_t message = t->ssl.MBEDTLS_PRIVATE(in_hslen);
    const size_t larger = record > message ? record : message;
    return larger > FK_TLS_IN_MAX ? larger : 0;
}

/* Record types change_cipher_spec to application_data, version 3.x. */
static bool looks_like_tls(const struct fk_tls *t) {
    const uint8_t *h = t->ssl.MBEDTLS_PRIVATE(in_hdr);
    return h[0] >= 20 && h[0] <= 23 && h[1] == 3;
}

static int bad_bytes(const struct fk_tls *t, int ret) {
    const struct fk_log *log = t->cfg.log;
    if (!looks_like_tls(t)) {
        fk_log(log, FK_ERROR, "what answers there does not speak TLS: is it an https port?",
               FK_STR("server_name", t->cfg.server_name));
        return FK_E_PROTO;
    }
    if (oversize(t) != 0) {
        fk_log(log, FK_ERROR,
               "the server sent a TLS record or certificate chain larger than FK_TLS_IN_MAX: build "
               "with a larger one",
               FK_INT("bytes", oversize(t)), FK_INT("FK_TLS_IN_MAX", FK_TLS_IN_MAX));
        return FK_E_RANGE;
    }
    fk_log(log, FK_ERROR, "the server's TLS records are invalid", FK_INT("mbedtls_code", ret));
    return FK_E_PROTO;
}

/* What is wrong with ourselves, or 0. */
static int own_error(const struct fk_tls *t) {
    const struct fk_heap *heap = fk_crypto_heap();
    if (t->source.failed) {
        fk_log(t->cfg.log, FK_ERROR, "no random numbers fit for keys: TLS is not possible",
               FK_STR("server_name", t->cfg.server_name));
        return FK_E_ENTROPY;
    }
    if (heap->failures != t->failures) {
        fk_log(t->cfg.log, FK_ERROR, "no memory for TLS: enlarge the TLS heap",
               FK_INT("heap_bytes", heap->size), FK_INT("used_bytes", heap->used_bytes),
               FK_INT("largest_free", fk_heap_largest(heap)));
        return FK_E_NOMEM;
    }
    return 0;
}

static int under_error(const struct fk_tls *t) {
    /* TLS ends with close_notify; without it, anybody could have cut the connection. */
    return t->under_err == 0 || t->under_err == FK_E_CLOSED ? FK_E_RESET : t->under_err;
}

/* ret: not "later". */
static int reason(struct fk_tls *t, int ret) {
    const bool hello = t->state == FK_TLS_HANDSHAKE;
    const int own = own_error(t);
    if (own != 0) {
        return own;
    }
    if (hello && fk_tls_verify_rest(t, mbedtls_ssl_get_verify_result(&t->ssl))) {
        return FK_E_CERT;
    }
    switch (ret) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return fk_tls_alert(t, t->ssl.MBEDTLS_PRIVATE(in_msg)[1]);
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return FK_E_CLOSED;
    case 0: /* mbedtls_ssl_read's word for the end without close_notify */
    case MBEDTLS_ERR_SSL_CONN_EOF: return under_error(t);
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:
    case MBEDTLS_ERR_ERROR_CORRUPTION_DETECTED: return bad_bytes(t, ret);
    default:
        fk_log(t->cfg.log, FK_ERROR, hello ? "TLS handshake failed" : "TLS failed",
               FK_INT("mbedtls_code", ret), FK_STR("server_name", t->cfg.server_name));
        return hello ? FK_E_TLS : FK_E_PROTO;
    }
}

void mbedtls_ssl_handshake_free(mbedtls_ssl_context *ssl); /* library/ssl_misc.h, as pinned */

/* Mbed TLS 3.6 keeps all of a TLS 1.3 handshake until the connection ends: the ephemeral key, the
 * handshake's own traffic keys; 5 KB on 64 bits. It never looks at it again (after a handshake of
 * TLS 1.2 it gives it back itself), nor do we look at the server's certificate, now verified. */
void fk_tls_forget_handshake(mbedtls_ssl_context *ssl) {
    mbedtls_ssl_handshake_free(ssl);
    mbedtls_free(ssl->MBEDTLS_PRIVATE(handshake));
    ssl->MBEDTLS_PRIVATE(handshake) = NULL;
#if FK_TLS_1_2
    mbedtls_free(ssl->MBEDTLS_PRIVATE(transform_negotiate)); /* never filled in 1.3 */
    ssl->MBEDTLS_PRIVATE(transform_negotiate) = NULL;
#endif
    mbedtls_ssl_session *session = ssl->MBEDTLS_PRIVATE(session);
    mbedtls_x509_crt_free(session->MBEDTLS_PRIVATE(peer_cert));
    mbedtls_free(session->MBEDTLS_PRIVATE(peer_cert));
    session->MBEDTLS_PRIVATE(peer_cert) = NULL;
}

static int finish_handshake(struct fk_tls *t) {
    if (mbedtls_ssl_get_alpn_protocol(&t->ssl) == NULL) {
        fk_log(t->cfg.log, FK_ERROR,
               "the server did not choose HTTP/2 (ALPN h2): it is not an HTTP/2 API server",
               FK_STR("server_name", t->cfg.server_name));
        return end(t, FK_E_PROTO);
    }
    char cert_end[FK_TLS_DATE_CAP];
    fk_log(t->cfg.log, FK_DEBUG, "TLS established",
           FK_STR("version", mbedtls_ssl_get_version(&t->ssl)),
           FK_STR("cipher", mbedtls_ssl_get_ciphersuite(&t->ssl)),
           FK_STR("chain_not_after", fk_tls_date(cert_end, t->not_after_s)),
           FK_INT("heap_peak", fk_crypto_heap()->peak_bytes));
    fk_tls_forget_handshake(&t->ssl);
    t->state = FK_TLS_OPEN;
    return 0;
}

/* 0 with state OPEN, 0 for later, or negative. */
static int handshake(struct fk_tls *t) {
    int ret;
    do {
        ret = mbedtls_ssl_handshake_step(&t->ssl);
        if (mbedtls_ssl_is_handshake_over(&t->ssl)) {
            return finish_handshake(t);
        }
        if (ret == MBEDTLS_ERR_SSL_WANT_READ && !t->starved) {
            ret = 0; /* something was read, and was nothing: go on */
        }
    } while (ret == 0 && !t->cfg.step_by_step);
    if (later(ret)) {
        return 0;
    }
    t->more = ret == 0;
    return ret == 0 ? 0 : end(t, reason(t, ret));
}

bool fk_tls_wants_out(const struct fk_tls *t) {
    return (t->state == FK_TLS_HANDSHAKE || t->state == FK_TLS_OPEN) &&
           t->ssl.MBEDTLS_PRIVATE(out_left) != 0;
}

/* Sends what is left of a record. Mbed TLS would do it in the next mbedtls_ssl_write, but takes for
 * granted that this brings the same bytes again: it would count as sent what it has not looked at.
 * So it gets a call of its own, whose byte it does not look at.
 * 0: nothing is left; positive: later; negative: failed. */
static int flush(struct fk_tls *t) {
    if (!fk_tls_wants_out(t)) {
        return 0;
    }
    const int ret = mbedtls_ssl_write(&t->ssl, (const unsigned char *)"", 1);
    if (ret > 0) {
        return 0;
    }
    if (later(ret)) {
        return 1;
    }
    t->send_err = (int16_t)under_error(t);
    return t->send_err;
}

static int receive(struct fk_tls *t, void *buf, size_t cap) {
    if (t->send_err == 0) {
        (void)flush(t);
    }
    for (int i = 0; i < IDLE_RECORDS_MAX; i++) {
        const int ret = mbedtls_ssl_read(&t->ssl, buf, at_most_int_max(cap));
        if (ret > 0) {
            return ret;
        }
        if (!later(ret)) {
            return end(t, reason(t, ret));
        }
        if (t->starved) {
            return t->send_err == 0 ? 0 : end(t, t->send_err);
        }
    }
    t->more = true;
    return 0;
}

/* A failure to send is told one call later: a recv in between may find the alert that says why. */
static int transmit(struct fk_tls *t, const void *buf, size_t len) {
    if (t->send_err != 0) {
        return end(t, t->send_err);
    }
    if (flush(t) != 0) {
        return 0;
    }
    const size_t max = (size_t)mbedtls_ssl_get_max_out_record_payload(&t->ssl);
    const size_t taken = len < max ? len : max;
    const int ret = mbedtls_ssl_write(&t->ssl, buf, taken);
    if (ret > 0) {
        return ret;
    }
    if (later(ret)) { /* it is encrypted and waits in Mbed TLS's buffer */
        return (int)taken;
    }
    if (t->under_err != 0) {
        t->send_err = (int16_t)under_error(t);
        return 0;
    }
    return end(t, reason(t, ret));
}

/* ---- The pipe ------------------------------------------------------------------------------- */

static void tls_close(void *ctx) {
    struct fk_tls *t = ctx;
    if (t->state == FK_TLS_CLOSED) {
        return;
    }
    struct fk_crypto_source *former = enter(t);
    const bool in_order = t->state == FK_TLS_OPEN || t->err == FK_E_CLOSED;
    if (in_order && flush(t) == 0) {
        (void)mbedtls_ssl_close_notify(&t->ssl);
    }
    fk_pipe_close(t->cfg.under);
    mbedtls_ssl_free(&t->ssl);
    t->state = FK_TLS_CLOSED;
    t->more = false;
    (void)fk_crypto_swap(former);
}

static void start_over(struct fk_tls *t) {
    t->state = FK_TLS_HANDSHAKE;
    t->source.failed = false;
    t->refused = false;
    t->err = 0;
    t->under_err = 0;
    t->send_err = 0;
    t->not_before_s = INT64_MIN;
    t->not_after_s = INT64_MAX;
}

/* The buffers live from here to close: while waiting to reconnect, the heap is for others. */
static int set_up(struct fk_tls *t) {
    mbedtls_ssl_init(&t->ssl);
    int ret = mbedtls_ssl_setup(&t->ssl, &t->conf);
    if (ret == 0) { /* an IP literal is no server name indication, RFC 6066 §3 */
        ret = mbedtls_ssl_set_hostname(&t->ssl, t->server_ip_len > 0 ? NULL : t->cfg.server_name);
    }
    mbedtls_ssl_set_bio(&t->ssl, t, bio_send, bio_recv, NULL);
    return ret;
}

static int tls_open(void *ctx) {
    struct fk_tls *t = ctx;
    tls_close(t);
    const int under = fk_pipe_open(t->cfg.under);
    if (under < 0) {
        return under;
    }
    struct fk_crypto_source *former = enter(t);
    start_over(t);
    int ret = set_up(t);
    if (ret != 0) {
        ret = reason(t, ret);
        tls_close(t);
    }
    (void)fk_crypto_swap(former);
    return ret;
}

/* 0: open for data; otherwise what recv and send return. */
static int not_yet(struct fk_tls *t, bool *open) {
    *open = t->state == FK_TLS_OPEN;
    if (t->state == FK_TLS_CLOSED) {
        return FK_E_CLOSED;
    }
    if (t->state == FK_TLS_OVER) {
        return t->err;
    }
    if (t->state == FK_TLS_HANDSHAKE) {
        const int ret = handshake(t);
        *open = t->state == FK_TLS_OPEN;
        return ret;
    }
    return 0;
}

static int tls_recv(void *ctx, void *buf, size_t cap) {
    struct fk_tls *t = ctx;
    struct fk_crypto_source *former = enter(t);
    bool open;
    int ret = not_yet(t, &open);
    if (open) {
        ret = receive(t, buf, cap);
    }
    (void)fk_crypto_swap(former);
    return ret;
}

static int tls_send(void *ctx, const void *buf, size_t len) {
    struct fk_tls *t = ctx;
    struct fk_crypto_source *former = enter(t);
    bool open;
    int ret = not_yet(t, &open);
    if (open) {
        ret = transmit(t, buf, len);
    }
    (void)fk_crypto_swap(former);
    return ret;
}

struct fk_pipe fk_tls_pipe(struct fk_tls *t) {
    static const struct fk_pipe_ops ops = {tls_open, tls_recv, tls_send, tls_close};
    return (struct fk_pipe){&ops, t};
}

bool fk_tls_ready(const struct fk_tls *t) {
    return t->more || (t->state == FK_TLS_OPEN && mbedtls_ssl_check_pending(&t->ssl) != 0);
}

bool fk_tls_connected(const struct fk_tls *t) { return t->state == FK_TLS_OPEN; }

/* ---- Settings ------------------------------------------------------------------------------- */

void fk_tls_use_heap(struct fk_heap *heap) { fk_crypto_use_heap(heap); }

/* What a server may sign with, the preferred first. PKCS #1 v1.5 before PSS: with TLS 1.3 in the
 * build, Mbed TLS 3.6 offers PSS to TLS 1.2 servers, too, and then refuses it from them. Servers
 * follow our order; under TLS 1.3, where v1.5 is not allowed, they pass over it. */
static const uint16_t signature_algorithms[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
    MBEDTLS_TLS1_3_SIG_NONE,
};

static int configure(struct fk_tls *t) {
    mbedtls_ssl_config *conf = &t->conf;
    int ret = mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT);
    if (ret == 0) {
        t->alpn[0] = "h2";
        ret = mbedtls_ssl_conf_alpn_protocols(conf, t->alpn);
    }
    if (ret == 0 && t->cfg.cert != NULL) {
        ret = mbedtls_ssl_conf_own_cert(conf, &t->cert, &t->key);
    }
    mbedtls_ssl_conf_sig_algs(conf, signature_algorithms);
    mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(conf, &t->ca, NULL);
    mbedtls_ssl_conf_verify(conf, fk_tls_verify, t);
    mbedtls_ssl_conf_rng(conf, fk_crypto_random, NULL);
    return ret == 0 ? 0 : reason(t, ret);
}

static void release(struct fk_tls *t) {
    mbedtls_ssl_config_free(&t->conf);
    mbedtls_pk_free(&t->key);
    mbedtls_x509_crt_free(&t->cert);
    mbedtls_x509_crt_free(&t->ca);
}

static int check_server_name(struct fk_tls *t) {
    const char *name = t->cfg.server_name;
    if (name == NULL || name[0] == '\0' || strlen(name) > MBEDTLS_SSL_MAX_HOST_NAME_LEN) {
        fk_log(t->cfg.log, FK_ERROR, "TLS needs the server's name or IP address to verify",
               FK_STR("server_name", name == NULL ? "" : name));
        return FK_E_CONFIG;
    }
    t->server_ip_len = (uint8_t)mbedtls_x509_crt_parse_cn_inet_pton(name, t->server_ip);
    return 0;
}

static int load(struct fk_tls *t) {
    const struct fk_tls_config *c = &t->cfg;
    const struct fk_tls_files files = {
        .log = c->log,
        .source = &t->source,
        .failures = t->failures,
        .ca_name = "certificate-authority",
        .cert_name = "client-certificate",
        .key_name = "client-key",
        .ca = c->ca,
        .ca_len = c->ca_len,
        .cert = c->cert,
        .cert_len = c->cert_len,
        .key = c->key,
        .key_len = c->key_len,
        .pair_unchecked = c->pair_unchecked,
        .to_ca = &t->ca,
        .to_cert = &t->cert,
        .to_key = &t->key,
    };
    return fk_tls_load(&files);
}

int fk_tls_init(struct fk_tls *t, const struct fk_tls_config *config) {
    FK_ASSERT(config->entropy != NULL && config->log != NULL && fk_crypto_heap() != NULL);
    *t = (struct fk_tls){.cfg = *config,
                         .source = {.entropy = config->entropy, .ctx = config->entropy_ctx}};
    mbedtls_x509_crt_init(&t->ca);
    mbedtls_x509_crt_init(&t->cert);
    mbedtls_pk_init(&t->key);
    mbedtls_ssl_config_init(&t->conf);
    mbedtls_ssl_init(&t->ssl);

    struct fk_crypto_source *former = enter(t);
    int ret = check_server_name(t);
    bool started = false;
    if (ret == 0) {
        ret = fk_crypto_start();
        started = ret == 0;
    }
    if (ret == 0) {
        ret = load(t);
    }
    if (ret == 0) {
        ret = configure(t);
    }
    if (ret != 0) {
        release(t);
    }
    if (ret != 0 && started) {
        fk_crypto_stop();
    }
    (void)fk_crypto_swap(former);
    return ret;
}

void fk_tls_free(struct fk_tls *t) {
    tls_close(t);
    release(t);
    fk_crypto_stop();
    mbedtls_platform_zeroize(t, sizeof *t);
}
