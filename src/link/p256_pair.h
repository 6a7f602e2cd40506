/* Between PSA and p256-m: PSA asks for the public key of a pair right after p256-m has made it, and
 * p256-m would compute it a second time, an eighth of a handshake. So the last pair made is kept
 * until it is asked for, once, and wiped then. In builds with FK_TLS_P256M (cmake/board.cmake has
 * PSA's driver call these two). */
#ifndef FK_LINK_P256_PAIR_H
#define FK_LINK_P256_PAIR_H

#include <stdint.h>

/* As p256_gen_keypair and p256_public_from_private of p256-m.h: 0, or one of its negatives. */
int fk_p256_gen_keypair(uint8_t priv[32], uint8_t pub[64]);
int fk_p256_public_from_private(uint8_t pub[64], const uint8_t priv[32]);

#endif
