/* The bounds of src/opts.h for boards with 32 KB of RAM for everything. */
#ifndef FK_BOARDS_SMALL_OPTS_H
#define FK_BOARDS_SMALL_OPTS_H

#define FK_TLS_1_2 0
#define FK_TLS_CHACHA 0
#ifndef FK_TLS_SERVER
#define FK_TLS_SERVER 0
#endif
#define FK_TLS_P256M 1

#define FK_TLS_IN_MAX 2304
#define FK_TLS_OUT_MAX 1280
#ifndef FK_TLS_KEY_SLOTS
#define FK_TLS_KEY_SLOTS 8
#endif
#define FK_H2_DECODE_TABLE 1024
#define FK_H2_ENCODE_TABLE 512
#define FK_REQUESTS_MAX 2 /* the Lease's, and one for all else; watches have slots of their own */
#define FK_REPLY_WINDOW 640
#define FK_ERROR_BODY_MAX 640
#define FK_SEND_BUF 1024
#define FK_AUTHN_HITS 3 /* 346 bytes each; API server, metrics-server, Prometheus */
#define FK_AUTHN_MISSES 4
#define FK_AUTHZ_ALLOWED 6
#define FK_AUTHZ_DENIED 4
#define FK_EVENTS_MAX 3
#define FK_LOG_RING 1024
#define FK_RECV_BUF 128 /* below it the handshake runs, the deepest stack of all */

#endif
