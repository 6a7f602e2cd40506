/* Follows the file of a bearer token, which is short-lived and renewed there by somebody else. */
#ifndef FK_PORTS_LINUX_TOKEN_H
#define FK_PORTS_LINUX_TOKEN_H

#include "api/client.h"
#include "linux/access.h"

/* Between two looks into the file: as client-go's cachingTokenSource (transport/token_source.go).
 */
#define FK_TOKEN_LOOK_MS 60000
/* The same after a 401, until there is another token: whoever waits may find it sooner. */
#define FK_TOKEN_REFUSED_LOOK_MS 1000

struct fk_token {
    struct fk_access *access;
    const struct fk_log *log;
    uint64_t looked_ms;    /* last look; at first, when the file was read to begin with */
    uint32_t opened;       /* connections begun, as of the last look */
    uint32_t unauthorized; /* answers of 401 that are known here */
    bool refused;          /* the token in use was answered 401 */
    bool unreadable;       /* that has been told */
};

/* To be called often, before requests are made; cheap unless the time has come: at each new
 * connection, or after one of the times above, and not while a request refers to the token. Reads
 * at most FK_ACCESS_FILE_MAX bytes. The text at access->authorization changes only when the token
 * did; while the file cannot be read, the former one stays in use. Sets no timer: a token that
 * nobody is about to use may be old. */
void fk_token_look(struct fk_token *t, const struct fk_client *client, uint64_t now_ms);

#endif
