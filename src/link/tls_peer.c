#include <mbedtls/oid.h>

#include "base/clock.h"
#include "link/tls_server_internal.h"

int fk_tls_peer_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags) {
    struct fk_tls_session *s = ctx;
    const int64_t from = fk_tls_unix(&crt->valid_from);
    const int64_t to = fk_tls_unix(&crt->valid_to);
    (void)depth, (void)flags; /* a chain that is not good shows in the result */
    if (from > s->not_before_s) {
        s->not_before_s = from;
    }
    if (to < s->not_after_s) {
        s->not_after_s = to;
    }
    return 0;
}

static bool is(const mbedtls_asn1_buf *oid, const char *other, size_t len) {
    return oid->len == len && memcmp(oid->p, other, len) == 0;
}

#define IS(name, id) is(&(name)->oid, id, MBEDTLS_OID_SIZE(id))

/* The kinds of text that issuers use. Others hold two bytes or four for each character, and would
 * be another name to the API server than to us. */
static bool is_text(const mbedtls_asn1_buf *value) {
    return value->tag == MBEDTLS_ASN1_UTF8_STRING || value->tag == MBEDTLS_ASN1_PRINTABLE_STRING;
}

/* The last one of several, as in Go's crypto/x509, by which all others of the cluster read it. */
static const mbedtls_x509_name *common_name(const mbedtls_x509_name *name) {
    const mbedtls_x509_name *last = NULL;
    for (; name != NULL; name = name->next) {
        last = IS(name, MBEDTLS_OID_AT_CN) ? name : last;
    }
    return last;
}

static bool add(struct fk_user *u, const mbedtls_asn1_buf *value) {
    if (!is_text(value)) {
        u->len = 0;
        return false;
    }
    return fk_user_add(u, fk_bytes(value->p, value->len));
}

/* As k8s.io/apiserver, authentication/request/x509, CommonNameUserConversion. */
static void user_of(struct fk_user *u, const mbedtls_x509_name *subject) {
    const mbedtls_x509_name *cn = common_name(subject);
    u->len = 0;
    bool good = cn != NULL && cn->val.len > 0 && add(u, &cn->val) &&
                fk_user_add(u, fk_bytes_str("")); /* UID */
    for (; good && subject != NULL; subject = subject->next) {
        good = !IS(subject, MBEDTLS_OID_AT_ORGANIZATION) || add(u, &subject->val);
    }
    if (good) {
        (void)fk_user_add(u, fk_bytes_str("system:authenticated"));
    }
}

void fk_tls_peer_note(struct fk_tls_session *s) {
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&s->ssl);
    s->peer.len = 0;
    if (crt != NULL && mbedtls_ssl_get_verify_result(&s->ssl) == 0) {
        user_of(&s->peer, &crt->subject);
    }
}

const struct fk_user *fk_tls_peer_now(const struct fk_tls_session *s) {
    const struct fk_tls_server_config *cfg = &s->server->cfg;
    const int64_t us = cfg->wall_us == NULL ? FK_WALL_UNKNOWN : cfg->wall_us(cfg->wall_ctx);
    if (s->state != FK_TLS_OPEN || !fk_user_known(&s->peer) || us < 0) { /* unknown is negative */
        return NULL;
    }
    const int64_t now = us / 1000000;
    return now >= s->not_before_s && now <= s->not_after_s ? &s->peer : NULL;
}
