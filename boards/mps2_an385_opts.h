/* The bounds of src/opts.h on the mps2-an385. */
#ifndef FK_BOARDS_MPS2_AN385_OPTS_H
#define FK_BOARDS_MPS2_AN385_OPTS_H

#ifndef FK_TLS_SERVER
#define FK_TLS_SERVER 1
#endif
#if FK_TLS_SERVER
#define FK_TLS_KEY_SLOTS 24
#endif

#include "boards/small_opts.h"

#define FK_STORE_PAGE_MAX 64 /* what flash_file.c programs at once */
#define FK_SERVER_CONNECTIONS 3

#endif
