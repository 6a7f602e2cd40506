/* The bounds of src/opts.h on the mps2-an385. */
#ifndef FK_BOARDS_MPS2_AN385_OPTS_H
#define FK_BOARDS_MPS2_AN385_OPTS_H

#ifndef FK_TLS_SERVER
#define FK_TLS_SERVER 1
#endif
#if FK_TLS_SERVER
#define FK_TLS_KEY_SLOTS 21 /* as link/tls_server_setup.c wants it */
#endif

#include "boards/small_opts.h"

#define FK_STORE_PAGE_MAX 64 /* what flash_file.c programs at once */

/* The kubelet's port, for three that ask regularly: API server, metrics-server, Prometheus. A
 * record of 1 KB is held at once; a larger one, such as a request with a token, makes the buffer
 * grow for its while. The heap has room for two that are open, and a third amid its handshake with
 * a certificate of an RSA key (15,296), and a tenth; where all are of P-256, 12,192 would do. */
#define FK_SERVER_CONNECTIONS 3
#define FK_SERVER_HANDSHAKES 2
#define FK_SERVER_IN_BUF 1024
#define FK_BOARD_SERVER_HEAP_BYTES 16896

/* A token of 1.3 KB and a path. */
#define FK_HTTP1_BUF 1536

/* Those of Prometheus and metrics-server have some 160 bytes. */
#define FK_USER_MAX 224

#endif
