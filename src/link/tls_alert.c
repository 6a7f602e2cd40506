#include "link/tls_internal.h"

struct alert {
    uint8_t description;
    bool about_our_certificate;
    const char *message;
};

/* RFC 8446 §6.2: those that say something to an operator. */
static const struct alert alerts[] = {
    {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, true,
     "the API server refused our client certificate as bad: is it of this cluster?"},
    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, true,
     "the API server does not support our kind of client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, true,
     "the API server says that our client certificate has been revoked"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, true,
     "the API server says that our client certificate has expired (or its clock is wrong)"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, true, "the API server refused our client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, true,
     "the API server does not know the CA of our client certificate: is it of this cluster?"},
    {MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR, true,
     "the API server could not verify our signature: does the key belong to the certificate?"},
    {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, true, "the API server refused us at the TLS level"},
    {116, true, "the API server demands a client certificate"}, /* certificate_required */
    {MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL, false,
     "the server does not speak HTTP/2 here: it is not an HTTP/2 API server"},
    {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, false,
     "the server ended the handshake: it wants other algorithms than ours (P-256 or P-384, AES-GCM "
     "or ChaCha20-Poly1305), or a client certificate"},
    {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, false,
     "the server speaks neither TLS 1.2 nor TLS 1.3"},
    {MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME, false,
     "the server does not know the name that we asked for: see server and tls-server-name"},
};

int fk_tls_alert(const struct fk_tls *t, uint8_t description) {
    const struct alert *a = NULL;
    for (size_t i = 0; a == NULL && i < sizeof alerts / sizeof alerts[0]; i++) {
        a = alerts[i].description == description ? &alerts[i] : NULL;
    }
    char date[FK_TLS_DATE_CAP] = "none";
    if (a != NULL && a->about_our_certificate && t->cfg.cert != NULL) {
        fk_tls_date(date, fk_tls_client_not_after(t));
    }
    if (a != NULL && a->about_our_certificate) {
        fk_log(t->cfg.log, FK_ERROR, a->message, FK_INT("alert", description),
               FK_STR("client_certificate_not_after", date));
    } else {
        fk_log(t->cfg.log, FK_ERROR, a != NULL ? a->message : "the server ended TLS with an alert",
               FK_INT("alert", description));
    }
    return description == MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL ? FK_E_PROTO : FK_E_TLS;
}
