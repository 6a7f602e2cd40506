/* The mps2-an385 without a port of its own: it reports to the cluster, and nobody calls it. */
#ifndef FK_BOARDS_MPS2_AN385_NO_SERVER_OPTS_H
#define FK_BOARDS_MPS2_AN385_NO_SERVER_OPTS_H

#define FK_SERVER 0
#define FK_TLS_SERVER 0

#include "boards/mps2_an385_opts.h"

#endif
