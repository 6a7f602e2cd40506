#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>

#include "base/assert.h"
#include "base/clock.h"
#include "link/self_signed.h"
#include "link/tls_server_internal.h"

/* With FK_TLS_SERVER 0 Mbed TLS does not even declare its server's side. */
#if FK_TLS_SERVER

/* What can be under way at once: four keys for each connection amid its handshake, ours to the API
 * server included, whose keys must never be missing; our two own ones, one that has been replaced,
 * and two within a call. */
_Static_assert(MBEDTLS_PSA_KEY_SLOT_COUNT >= 4 * (FK_SERVER_CONNECTIONS + 1) + 5,
               "FK_TLS_KEY_SLOTS is too small for FK_SERVER_CONNECTIONS");

/* ---- Identities ----------------------------------------------------------------------------- */

struct fk_tls_identity *fk_tls_identity_new(void) {
    struct fk_tls_identity *id = mbedtls_calloc(1, sizeof *id);
    if (id != NULL) {
        mbedtls_x509_crt_init(&id->cert);
        mbedtls_pk_init(&id->key);
        id->users = 1;
    }
    return id;
}

struct fk_tls_identity *fk_tls_identity_take(struct fk_tls_identity *id) {
    if (id != NULL) {
        id->users++;
    }
    return id;
}

void fk_tls_identity_drop(struct fk_tls_identity *id) {
    if (id == NULL || --id->users > 0) {
        return;
    }
    mbedtls_x509_crt_free(&id->cert);
    mbedtls_pk_free(&id->key);
    mbedtls_free(id);
}

bool fk_tls_server_ready(const struct fk_tls_server *s) { return s->identity != NULL; }

int64_t fk_tls_server_not_after(const struct fk_tls_server *s) {
    return s->identity == NULL ? FK_WALL_UNKNOWN : fk_tls_unix(&s->identity->cert.valid_to);
}

/* ---- Self-signed ---------------------------------------------------------------------------- */

static int sign(struct fk_tls_identity *id, const struct fk_self_signed *what) {
    uint8_t *der = mbedtls_calloc(1, FK_SELF_SIGNED_MAX);
    if (der == NULL) {
        return MBEDTLS_ERR_X509_ALLOC_FAILED;
    }
    int ret = fk_self_signed_write(what, &id->key, der);
    if (ret > 0) {
        ret = mbedtls_x509_crt_parse_der(&id->cert, der + FK_SELF_SIGNED_MAX - ret, (size_t)ret);
    }
    mbedtls_free(der);
    return ret;
}

static int make(struct fk_tls_identity *id, const struct fk_self_signed *what) {
    if (id == NULL) {
        return MBEDTLS_ERR_X509_ALLOC_FAILED;
    }
    const int ret = fk_self_signed_key(&id->key);
    return ret != 0 ? ret : sign(id, what);
}

/* Of a failed make. No key slot of PSA's free (link/mbedtls_config.h) is want of memory, too. */
static int why_not(const struct fk_tls_server *s, int ret) {
    const int err = s->source.failed ? FK_E_ENTROPY : ret == FK_E_RANGE ? FK_E_RANGE : FK_E_NOMEM;
    fk_log(s->cfg.log, FK_ERROR, "no certificate for the kubelet's port could be made",
           FK_STR("because", fk_err_text(err)), FK_INT("code", ret));
    return err;
}

int fk_tls_server_self_sign(struct fk_tls_server *s, const char *name, const char *hostname,
                            const char *address, int64_t wall_us) {
    const struct fk_self_signed what = {name, hostname, address, wall_us / 1000000};
    struct fk_crypto_source *former = fk_crypto_swap(&s->source);
    s->source.failed = false;
    struct fk_tls_identity *id = fk_tls_identity_new();
    const int ret = make(id, &what);
    if (ret == 0) {
        fk_tls_identity_drop(s->identity);
        s->identity = fk_tls_identity_take(id);
    }
    fk_tls_identity_drop(id);
    (void)fk_crypto_swap(former);
    return ret == 0 ? 0 : why_not(s, ret);
}

/* ---- Configuration -------------------------------------------------------------------------- */

static const char *client_ca_name(const struct fk_tls_server_config *c) {
    return c->client_ca_name == NULL ? "client-ca" : c->client_ca_name;
}

/* Nobody's certificate will be signed by it: a file taken for another. (Before X.509 v3 nothing
 * told CAs from others.) */
static void look_at_client_ca(const struct fk_tls_server *s) {
    for (const mbedtls_x509_crt *crt = &s->client_ca; crt != NULL; crt = crt->next) {
        if (crt->version < 3 || mbedtls_x509_crt_get_ca_istrue(crt) > 0) {
            return;
        }
    }
    fk_log(
        s->cfg.log, FK_WARN,
        "no certificate of the client CA is a CA's (CA:TRUE): client certificates will not count",
        FK_STR("what", client_ca_name(&s->cfg)));
}

static int load(struct fk_tls_server *s, struct fk_tls_identity *id) {
    const struct fk_tls_server_config *c = &s->cfg;
    const struct fk_tls_files files = {
        .log = c->log,
        .source = &s->source,
        .failures = c->heap->failures,
        .ca_name = client_ca_name(c),
        .cert_name = c->cert_name == NULL ? "tls-cert" : c->cert_name,
        .key_name = c->key_name == NULL ? "tls-private-key" : c->key_name,
        .ca = c->client_ca,
        .ca_len = c->client_ca_len,
        .cert = c->cert,
        .cert_len = c->cert_len,
        .key = c->key,
        .key_len = c->key_len,
        .to_ca = c->client_ca == NULL ? NULL : &s->client_ca,
        .to_cert = &id->cert,
        .to_key = &id->key,
    };
    return fk_tls_load(&files);
}

static int no_memory(const struct fk_tls_server *s) {
    fk_log(s->cfg.log, FK_ERROR, "no memory for the kubelet's port: enlarge the server's heap",
           FK_INT("heap_bytes", s->cfg.heap->size));
    return FK_E_NOMEM;
}

static int load_all(struct fk_tls_server *s) {
    struct fk_tls_identity *id = fk_tls_identity_new();
    if (id == NULL) {
        return no_memory(s);
    }
    const int ret = load(s, id);
    if (ret == 0 && s->cfg.cert != NULL) {
        s->identity = fk_tls_identity_take(id);
    }
    fk_tls_identity_drop(id);
    if (ret == 0 && s->cfg.client_ca != NULL) {
        look_at_client_ca(s);
    }
    return ret;
}

/* The session's own, whichever the server's is by now. A second ClientHello brings us here again.
 */
static int choose_certificate(mbedtls_ssl_context *ssl) {
    const struct fk_tls_session *session = mbedtls_ssl_get_user_data_p(ssl);
    struct fk_tls_identity *id = session->identity;
    (void)mbedtls_ssl_set_hs_own_cert(ssl, NULL, NULL);
    return mbedtls_ssl_set_hs_own_cert(ssl, &id->cert, &id->key);
}

static int configure(struct fk_tls_server *s) {
    mbedtls_ssl_config *conf = &s->conf;
    int ret = mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT);
    if (ret == 0) {
        s->alpn[0] = "http/1.1";
        ret = mbedtls_ssl_conf_alpn_protocols(conf, s->alpn);
    }
    conf->MBEDTLS_PRIVATE(in_content_first) = FK_SERVER_IN_BUF;
    conf->MBEDTLS_PRIVATE(in_content_max) = FK_TLS_RECORD_MAX;
    mbedtls_ssl_conf_cert_cb(conf, choose_certificate);
    mbedtls_ssl_conf_rng(conf, fk_crypto_random, NULL);
    if (s->cfg.client_ca == NULL) {
        mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_NONE);
    } else {
        mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_OPTIONAL);
        mbedtls_ssl_conf_ca_chain(conf, &s->client_ca, NULL);
    }
    return ret == 0 ? 0 : no_memory(s);
}

static void release(struct fk_tls_server *s) {
    mbedtls_ssl_config_free(&s->conf);
    mbedtls_x509_crt_free(&s->client_ca);
    fk_tls_identity_drop(s->identity);
    s->identity = NULL;
}

static void clear(struct fk_tls_server *s, const struct fk_tls_server_config *config) {
    *s = (struct fk_tls_server){
        .cfg = *config,
        .source = {.entropy = config->entropy, .ctx = config->entropy_ctx, .heap = config->heap}};
    mbedtls_x509_crt_init(&s->client_ca);
    mbedtls_ssl_config_init(&s->conf);
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) {
        struct fk_tls_session *session = &s->sessions[i];
        session->server = s;
        session->slot = (uint8_t)i;
        session->source = s->source;
        mbedtls_ssl_init(&session->ssl);
    }
}

int fk_tls_server_init(struct fk_tls_server *s, const struct fk_tls_server_config *config) {
    FK_ASSERT(config->entropy != NULL && config->log != NULL && config->heap != NULL);
    clear(s, config);
    struct fk_crypto_source *former = fk_crypto_swap(&s->source);
    int ret = fk_crypto_start();
    if (ret == 0) {
        ret = load_all(s);
        if (ret == 0) {
            ret = configure(s);
        }
        if (ret != 0) {
            release(s);
            fk_crypto_stop();
        }
    }
    (void)fk_crypto_swap(former);
    return ret;
}

void fk_tls_server_free(struct fk_tls_server *s) {
    const struct fk_listener sessions = fk_tls_server_listener(s);
    for (unsigned i = 0; i < sessions.count; i++) {
        fk_pipe_close(sessions.ops->pipe(sessions.ctx, i));
    }
    struct fk_crypto_source *former = fk_crypto_swap(&s->source);
    release(s);
    fk_crypto_stop();
    (void)fk_crypto_swap(former);
    mbedtls_platform_zeroize(s, sizeof *s);
}

#endif
