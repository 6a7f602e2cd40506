#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>

#include "base/clock.h"
#include "base/date.h"
#include "link/tls_internal.h"

#define NAME_CAP 128
#define NAMES_CAP 192

int64_t fk_tls_unix(const mbedtls_x509_time *time) {
    const struct fk_civil civil = {time->year, time->mon, time->day,
                                   time->hour, time->min, time->sec};
    int64_t unix_s = 0;
    if (fk_date_to_unix(&civil, &unix_s) != 0) {
        return 0;
    }
    return unix_s;
}

const char *fk_tls_date(char buf[FK_TLS_DATE_CAP], int64_t unix_s) {
    struct fk_writer w;
    fk_writer_init(&w, buf, FK_TLS_DATE_CAP);
    fk_date_put_seconds(&w, unix_s * 1000000);
    (void)fk_writer_finish(&w);
    return buf;
}

/* ---- What a certificate is for -------------------------------------------------------------- */

static unsigned san_type(const mbedtls_x509_sequence *san) {
    return (unsigned)san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
}

/* The first of its subject alternative names, or NULL: the list's head is part of the struct. */
static const mbedtls_x509_sequence *names_of(const mbedtls_x509_crt *crt) {
    const bool any = mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME);
    return any && crt->subject_alt_names.buf.p != NULL ? &crt->subject_alt_names : NULL;
}

static void put_ip(struct fk_writer *w, const uint8_t *p, size_t len) {
    for (size_t i = 0; len == 4 && i < 4; i++) {
        fk_put_str(w, i == 0 ? "" : ".");
        fk_put_u64(w, p[i]);
    }
    for (size_t i = 0; len == 16 && i < 16; i++) {
        fk_put_str(w, i == 0 || i % 2 == 1 ? "" : ":");
        fk_put_char(w, "0123456789abcdef"[p[i] >> 4]);
        fk_put_char(w, "0123456789abcdef"[p[i] & 15]);
    }
}

/* The peer's bytes do not reach a terminal raw, nor pass for what we put between them. */
static void put_readable(struct fk_writer *w, const mbedtls_asn1_buf *text) {
    for (size_t i = 0; i < text->len; i++) {
        const uint8_t c = text->p[i];
        fk_put_str(w, c != 0 && strchr(",+=\\", c) != NULL ? "\\" : "");
        fk_put_char(w, c >= ' ' && c < 0x7f ? (char)c : '?');
    }
}

static void put_san(struct fk_writer *w, const mbedtls_x509_sequence *san) {
    if (san_type(san) == MBEDTLS_X509_SAN_IP_ADDRESS) {
        put_ip(w, san->buf.p, san->buf.len);
        return;
    }
    put_readable(w, &san->buf);
}

static void names_text(char buf[NAMES_CAP], const mbedtls_x509_crt *crt) {
    struct fk_writer w;
    fk_writer_init(&w, buf, NAMES_CAP);
    for (const mbedtls_x509_sequence *san = names_of(crt); san != NULL; san = san->next) {
        const unsigned type = san_type(san);
        if (type == MBEDTLS_X509_SAN_IP_ADDRESS || type == MBEDTLS_X509_SAN_DNS_NAME) {
            fk_put_str(&w, w.len == 0 ? "" : ", ");
            put_san(&w, san);
        }
    }
    if (w.len == 0) {
        fk_put_str(&w, "(no subject alternative name)");
    }
    (void)fk_writer_finish(&w);
}

/* An IP address matches an IP entry and nothing else; Mbed TLS has compared DNS names, but also
 * accepts the common name when there are no alternative names, which nobody does any more (RFC 9525
 * §6.3) and which would let any subject pose as a host. */
static bool name_matches(const struct fk_tls *t, const mbedtls_x509_crt *crt) {
    const mbedtls_x509_sequence *san = names_of(crt);
    if (t->server_ip_len == 0) {
        return san != NULL;
    }
    for (; san != NULL; san = san->next) {
        if (san_type(san) == MBEDTLS_X509_SAN_IP_ADDRESS && san->buf.len == t->server_ip_len &&
            memcmp(san->buf.p, t->server_ip, t->server_ip_len) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Telling why ---------------------------------------------------------------------------- */

struct reason {
    uint32_t flag;
    const char *message;
};

/* The first that applies is told. */
static const struct reason reasons[] = {
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, "API server's certificate refused: issued by a CA that is "
                                       "not in certificate-authority (or the "
                                       "server does not send the intermediate certificate)"},
    {MBEDTLS_X509_BADCERT_EXPIRED,
     "API server's certificate refused: it has expired; renew it, or see to this machine's clock"},
    {MBEDTLS_X509_BADCERT_FUTURE,
     "API server's certificate refused: it is not valid yet; see to this machine's clock or the "
     "server's"},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH,
     "API server's certificate refused: it is for other names; address the server by one of them "
     "or set tls-server-name"},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_KEY_USAGE |
         MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
     "API server's certificate refused: its key usage does not allow a TLS server"},
    {MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK,
     "API server's certificate refused: its key or signature is too weak or of an unknown kind"},
    {UINT32_MAX, "API server's certificate refused"},
};

static const char *message_of(uint32_t flags) {
    const struct reason *r = reasons;
    while ((r->flag & flags) == 0) {
        r++;
    }
    return r->message;
}

static bool self_signed(const mbedtls_x509_crt *crt) {
    return crt->issuer_raw.len == crt->subject_raw.len &&
           memcmp(crt->issuer_raw.p, crt->subject_raw.p, crt->issuer_raw.len) == 0;
}

/* A cluster that was made anew has a CA of the same name with another key: worth saying. */
static bool ca_of_that_name(const struct fk_tls *t, const mbedtls_x509_crt *crt) {
    for (const mbedtls_x509_crt *ca = &t->ca; ca != NULL; ca = ca->next) {
        if (ca->subject_raw.len == crt->issuer_raw.len &&
            memcmp(ca->subject_raw.p, crt->issuer_raw.p, crt->issuer_raw.len) == 0) {
            return true;
        }
    }
    return false;
}

static const char *message_for(const struct fk_tls *t, const mbedtls_x509_crt *crt,
                               uint32_t flags) {
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 && self_signed(crt)) {
        return "API server's certificate refused: it is self-signed and not in "
               "certificate-authority";
    }
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 && ca_of_that_name(t, crt)) {
        return "API server's certificate refused: certificate-authority has a CA of that name, but "
               "with another key; was the cluster made anew?";
    }
    return message_of(flags);
}

/* The last byte of those of X.520 (2.5.4.x) that certificates of clusters have. */
static const struct {
    uint8_t id;
    char name[3];
} attributes[] = {{3, "CN"}, {6, "C"}, {7, "L"}, {8, "ST"}, {10, "O"}, {11, "OU"}};

static void put_attribute(struct fk_writer *w, const mbedtls_asn1_buf *oid) {
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (oid->len == MBEDTLS_OID_SIZE(MBEDTLS_OID_AT) + 1 &&
            memcmp(oid->p, MBEDTLS_OID_AT, oid->len - 1) == 0 &&
            oid->p[oid->len - 1] == attributes[i].id) {
            fk_put_str(w, attributes[i].name);
            return;
        }
    }
    fk_put_char(w, '?');
}

/* Much as RFC 4514 has it, for people: what is not ASCII is a question mark each byte. Our own
 * since that of Mbed TLS knows twenty attributes and brings printf along, 3 KB. */
static void dn_text(char buf[NAME_CAP], const mbedtls_x509_name *name) {
    struct fk_writer w;
    fk_writer_init(&w, buf, NAME_CAP);
    for (; name != NULL && name->oid.p != NULL; name = name->next) {
        fk_put_str(&w, w.len == 0 ? "" : ", ");
        put_attribute(&w, &name->oid);
        fk_put_char(&w, '=');
        put_readable(&w, &name->val);
    }
    (void)fk_writer_finish(&w);
}

static void fingerprint_text(char hex[65], const mbedtls_x509_crt *crt) {
    uint8_t digest[32] = {0};
    (void)mbedtls_sha256(crt->raw.p, crt->raw.len, digest, 0);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[64] = '\0';
}

static int64_t wall_us(const struct fk_tls *t) {
    return t->cfg.wall_us == NULL ? FK_WALL_UNKNOWN : t->cfg.wall_us(t->cfg.wall_ctx);
}

static int64_t seconds(int64_t us) { return us >= 0 ? us / 1000000 : -((-us + 999999) / 1000000); }

/* About 700 bytes of stack, which only a refusal needs. */
static void log_refusal(const struct fk_tls *t, const mbedtls_x509_crt *crt, int depth,
                        uint32_t flags) {
    char subject[NAME_CAP], issuer[NAME_CAP], names[NAMES_CAP], hex[65];
    char from[FK_TLS_DATE_CAP], to[FK_TLS_DATE_CAP], now[FK_TLS_DATE_CAP] = "not known";
    dn_text(subject, &crt->subject);
    dn_text(issuer, &crt->issuer);
    names_text(names, crt);
    fingerprint_text(hex, crt);
    const int64_t us = wall_us(t);
    if (us != FK_WALL_UNKNOWN) {
        fk_tls_date(now, seconds(us));
    }
    fk_log(t->cfg.log, FK_ERROR, message_for(t, crt, flags), FK_STR("subject", subject),
           FK_STR("issuer", issuer), FK_STR("names", names),
           FK_STR("server_name", t->cfg.server_name),
           FK_STR("not_before", fk_tls_date(from, fk_tls_unix(&crt->valid_from))),
           FK_STR("not_after", fk_tls_date(to, fk_tls_unix(&crt->valid_to))), FK_STR("clock", now),
           FK_STR("sha256", hex), FK_INT("depth", depth));
}

/* ---- Verification --------------------------------------------------------------------------- */

static uint32_t check_time(struct fk_tls *t, const mbedtls_x509_crt *crt) {
    const int64_t from = fk_tls_unix(&crt->valid_from);
    const int64_t to = fk_tls_unix(&crt->valid_to);
    if (from > t->not_before_s) {
        t->not_before_s = from;
    }
    if (to < t->not_after_s) {
        t->not_after_s = to;
    }
    const int64_t us = wall_us(t);
    if (us == FK_WALL_UNKNOWN) {
        return 0;
    }
    const int64_t now = seconds(us);
    return (now < from ? MBEDTLS_X509_BADCERT_FUTURE : 0U) |
           (now > to ? MBEDTLS_X509_BADCERT_EXPIRED : 0U);
}

int fk_tls_verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags) {
    struct fk_tls *t = ctx;
    *flags |= check_time(t, crt);
    if (depth == 0 && !name_matches(t, crt)) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    /* Mbed TLS would find this out as well, but when the certificate is out of our sight. */
    if (depth == 0 &&
        mbedtls_x509_crt_check_extended_key_usage(crt, MBEDTLS_OID_SERVER_AUTH,
                                                  MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0) {
        *flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    }
    if (*flags != 0 && fk_crypto_heap()->failures != t->failures) {
        return 0; /* not trusted for want of memory, and that is what will be logged */
    }
    if (*flags != 0) {
        t->refused = true;
        log_refusal(t, crt, depth, *flags);
    }
    return 0;
}

bool fk_tls_verify_rest(struct fk_tls *t, uint32_t flags) {
    if (!t->refused && flags != 0 && flags != UINT32_MAX) { /* UINT32_MAX: it did not come to it */
        fk_log(t->cfg.log, FK_ERROR, message_of(flags), FK_INT("flags", flags),
               FK_STR("server_name", t->cfg.server_name));
        t->refused = true;
    }
    return t->refused;
}

int fk_tls_check_validity(const struct fk_tls *t, int64_t now_us) {
    if (t->state != FK_TLS_OPEN || now_us == FK_WALL_UNKNOWN) {
        return 0;
    }
    const int64_t now_s = seconds(now_us);
    if (now_s >= t->not_before_s && now_s <= t->not_after_s) {
        return 0;
    }
    char from[FK_TLS_DATE_CAP], to[FK_TLS_DATE_CAP], now[FK_TLS_DATE_CAP];
    fk_log(t->cfg.log, FK_ERROR,
           now_s < t->not_before_s ? "API server's certificate refused: it is not valid yet"
                                   : "API server's certificate refused: it has expired",
           FK_STR("not_before", fk_tls_date(from, t->not_before_s)),
           FK_STR("not_after", fk_tls_date(to, t->not_after_s)),
           FK_STR("clock", fk_tls_date(now, now_s)));
    return FK_E_CERT;
}

int64_t fk_tls_client_not_after(const struct fk_tls *t) {
    return t->cfg.cert == NULL ? FK_WALL_UNKNOWN : fk_tls_unix(&t->cert.valid_to);
}
