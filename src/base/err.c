#include "base/err.h"

const char *fk_err_text(int err) {
    switch (err) {
    case FK_OK: return "no error";
    case FK_E_CLOSED: return "connection closed by the peer";
    case FK_E_RESET: return "connection broke";
    case FK_E_TIMEOUT: return "no answer in time";
    case FK_E_UNREACHABLE: return "server cannot be reached";
    case FK_E_RESOLVE: return "host name cannot be resolved";
    case FK_E_TLS: return "TLS handshake failed";
    case FK_E_CERT: return "server certificate refused";
    case FK_E_REFUSED: return "stream refused by the server";
    case FK_E_CANCELLED: return "cancelled";
    case FK_E_PROTO: return "protocol violation by the server";
    case FK_E_PARSE: return "malformed reply";
    case FK_E_RANGE: return "value beyond its bound";
    case FK_E_NOMEM: return "out of memory";
    case FK_E_ENTROPY: return "no entropy";
    case FK_E_CONFIG: return "unusable setting";
    case FK_E_BUSY: return "busy";
    default: return "unknown error";
    }
}
