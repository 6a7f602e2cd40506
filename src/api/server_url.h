/* The API server's URL as an operator gives it: https, a host, a port, and nothing else. */
#ifndef FK_API_SERVER_URL_H
#define FK_API_SERVER_URL_H

#include "base/writer.h"

#define FK_HOST_MAX 253                    /* longest host name, bytes (RFC 1035 §2.3.4 as text) */
#define FK_AUTHORITY_MAX (FK_HOST_MAX + 8) /* "[host]:65535", bytes */

struct fk_server_url {
    struct fk_bytes host; /* a DNS name or an IP literal, without brackets; inside the URL */
    bool bracketed;       /* it is an IPv6 address */
    uint16_t port;        /* 443 where none is given */
};

/* "https://host[:port][/]". 0, or FK_E_CONFIG and in why a sentence that quotes the URL, unless it
 * may hold a password. */
int fk_server_url_parse(struct fk_server_url *out, struct fk_bytes url, struct fk_writer *why);

/* host:port, with brackets where needed. */
void fk_server_url_put_authority(const struct fk_server_url *url, struct fk_writer *out);

/* Whether it has the form of a DNS name or of an IPv4 or IPv6 address (RFC 4291 §2.2). Whether it
 * resolves is the resolver's to say. */
bool fk_server_url_name_valid(struct fk_bytes name);

#endif
