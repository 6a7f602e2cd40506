/* When a JSON Web Token says that it expires (RFC 7519 §4.1.4). Verifies nothing: it is for
 * forgetting in time what an API server said of a token, never for believing one. */
#ifndef FK_API_JWT_H
#define FK_API_JWT_H

#include "base/bytes.h"

/* Seconds since 1970, at most the end of year 9999; the soonest when there are several. -1: it does
 * not say, or is no such token. Goes through its bytes once. */
int64_t fk_jwt_expiry(struct fk_bytes token);

#endif
