/* What of Mbed TLS 3.6 is in the build. Owns every setting of it; the library and its users see the
 * same header through MBEDTLS_CONFIG_FILE. Costs are those measured on a Cortex-M0+.
 *
 * Left out on purpose: files, sockets, timers and the wall clock (the core owns those), DTLS,
 * renegotiation, CBC suites, self-tests, error strings. PSA wants follow from the settings below.
 *
 * Without MBEDTLS_HAVE_TIME_DATE the library does not look at notBefore and notAfter: src/link
 * must, against a clock that knows whether it is anchored.
 */
#ifndef FK_LINK_MBEDTLS_CONFIG_H
#define FK_LINK_MBEDTLS_CONFIG_H

#include "opts.h"

/* --- Platform: memory from the caller, nothing else ------------------------------------------- */
#define MBEDTLS_HAVE_ASM /* long multiplication and AES instructions, where the target has them */
#define MBEDTLS_AESNI_C
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY /* mbedtls_platform_set_calloc_free(): src/link bounds the heap */
#define MBEDTLS_NO_PLATFORM_ENTROPY

/* --- Randomness: src/link defines mbedtls_psa_external_get_random() over the port's entropy; no
 * DRBG and no entropy pool in between (-740 bytes of RAM). For mbedtls_ssl_conf_rng():
 * mbedtls_psa_get_random with MBEDTLS_PSA_RANDOM_STATE. */
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_PSA_CRYPTO_C /* TLS 1.3 is built on it: psa_crypto_init() comes first */
/* One address space, one thread: no copies of input and output buffers (-0.6 KB at the peak). */
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS
/* Key slots are a process-wide table: a static one, since one that grows would do so in the heap of
 * whoever needs a key at the moment (link/crypto.h), and never give it back. 64 are enough for a
 * host, some 4 KB; a board sets FK_TLS_KEY_SLOTS to what its connections need. */
#ifdef FK_TLS_KEY_SLOTS
#define MBEDTLS_PSA_KEY_SLOT_COUNT FK_TLS_KEY_SLOTS
#else
#define MBEDTLS_PSA_KEY_SLOT_COUNT 64
#endif

/* ---- TLS ------------------------------------------------------------------------------------- */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C /* towards the API server */
#if FK_TLS_SERVER
#define MBEDTLS_SSL_SRV_C /* the kubelet's own port; also the far end in tests */
#define FK_SSL_IN_GROWS   /* mbedtls-2-growing-input.patch: its input buffers */
#endif
#if FK_TLS_1_2
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#else /* instead of a list of 190; of these, too, only those built in are offered */
#define MBEDTLS_SSL_CIPHERSUITES                                                                   \
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384,                    \
        MBEDTLS_TLS1_3_AES_128_GCM_SHA256
#endif
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE /* passes middleboxes that only know 1.2 */
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN                  /* "h2" */
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE /* 1.3 demands it, for 1.2 KB */
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES

#define MBEDTLS_SSL_IN_CONTENT_LEN FK_TLS_IN_MAX
#define MBEDTLS_SSL_OUT_CONTENT_LEN FK_TLS_OUT_MAX
#define MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY 1 /* 16 would pad every record on the wire */

/* ---- Certificates ---------------------------------------------------------------------------- */
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_REMOVE_INFO
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#if FK_TLS_SERVER /* its self-signed certificate; in tests, CAs */
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C
#define MBEDTLS_PK_WRITE_C
#endif
#if !FK_TLS_P256M /* for boards src/firmware/pem.h makes DER of what they are given */
#define MBEDTLS_X509_CSR_PARSE_C /* tests read the requests that we write */
#define MBEDTLS_X509_CSR_WRITE_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_BASE64_C
#endif

/* ---- Public keys: what API servers present ----------------------------------------------------
 */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_MPI_MAX_SIZE 512 /* bytes: RSA-4096 */
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21               /* PSS: the only RSA signature of TLS 1.3 … */
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT /* … which is not even offered without this */

#if FK_TLS_P256M
/* Boards: P-256 by p256-m, whose numbers live on the stack (-2.5 KB of heap at the handshake's
 * peak, -10 KB of flash), and no other curve, nor RSA keys of its own. What PSA then has is in the
 * second file. */
#define FK_RSA_VERIFY_ONLY /* mbedtls-1-rsa-verify-only.patch: the RSA keys are others' */
#define MBEDTLS_PSA_P256M_DRIVER_ENABLED
#define MBEDTLS_USE_PSA_CRYPTO
#define MBEDTLS_PSA_CRYPTO_CONFIG
#define MBEDTLS_PSA_CRYPTO_CONFIG_FILE "link/psa_config.h"
#else
#define MBEDTLS_ECP_C
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_WINDOW_SIZE 2 /* -1.9 KB at the handshake's peak, somewhat slower */
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#define MBEDTLS_GENPRIME /* RSA keys in tests */
#endif

/* ---- Symmetric ------------------------------------------------------------------------------- */
#if !FK_TLS_P256M /* boards: PSA goes past it, to GCM */
#define MBEDTLS_CIPHER_C
#endif
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES /* 8 KB of tables in flash instead of RAM */
#if FK_TLS_P256M               /* boards: GCM only encrypts, and a quarter of the tables does */
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT
#define MBEDTLS_AES_FEWER_TABLES
#endif
#define MBEDTLS_GCM_C
#if FK_TLS_CHACHA
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#endif
#define MBEDTLS_MD_C
#define MBEDTLS_HMAC_DRBG_C /* link/drbg: boards that are given a seed */
#define MBEDTLS_HKDF_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#if FK_TLS_P256M /* boards: 3 KB less flash, a few instructions more for each block */
#define MBEDTLS_SHA256_SMALLER
#define MBEDTLS_SHA512_SMALLER
#endif

#endif
