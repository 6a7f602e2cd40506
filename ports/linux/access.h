/* How to reach the API server, and what proves who it is and who we are: the outcome of reading a
 * kubeconfig or the flags that stand for one. Owns the secrets in memory, and wipes them. */
#ifndef FK_PORTS_LINUX_ACCESS_H
#define FK_PORTS_LINUX_ACCESS_H

#include <limits.h>

#include "api/server_url.h"
#include "base/err.h"
#include "base/log.h"
#include "base/writer.h"

#define FK_ACCESS_FILE_MAX (1u << 20) /* largest file that is read, bytes */
#define FK_TOKEN_MAX 8192             /* longest bearer token, bytes */

/* Bytes of a file or of a …-data field, in the heap. A zero stands behind them, not counted. */
struct fk_blob {
    uint8_t *p; /* NULL: none */
    size_t len;
};

struct fk_access {
    char host[FK_HOST_MAX + 1]; /* a DNS name or an IP literal, without brackets */
    uint16_t port;
    char authority[FK_AUTHORITY_MAX + 1]; /* host:port, with brackets where needed */
    char server_name[FK_HOST_MAX + 1];    /* what the server's certificate must be for */

    /* Files still to be read, "" when there is none or the bytes are there already. */
    char ca_file[PATH_MAX];
    char cert_file[PATH_MAX];
    char key_file[PATH_MAX];
    char token_file[PATH_MAX]; /* stays, to be read again */

    struct fk_blob ca, cert, key;

    /* "Bearer …", or "" when there is no token. */
    char authorization[sizeof "Bearer " + FK_TOKEN_MAX];
    uint32_t token_changes; /* how often another token was put there */
};

/* Every failure below is FK_E_CONFIG or FK_E_NOMEM, with one line for the user in `why`. */

/* "https://host[:port][/]" into host, port, authority and, unless it is set already, server_name.
 */
int fk_access_set_server(struct fk_access *a, const char *url, struct fk_writer *why);
int fk_access_set_server_name(struct fk_access *a, const char *name, struct fk_writer *why);

/* A token as it stands in a file or field; white space around it is dropped. The one that is there
 * already is left untouched. */
int fk_access_set_token(struct fk_access *a, struct fk_bytes token, struct fk_writer *why);

/* name, below the folder of `beside` (a file) unless it is absolute. beside NULL: as it is. */
int fk_access_set_path(char path[PATH_MAX], const char *name, const char *beside,
                       struct fk_writer *why);

/* Reads the files named, and warns about secrets that others can read. */
int fk_access_read_files(struct fk_access *a, const struct fk_log *log, struct fk_writer *why);

/* The token file, also again. On failure the former token stays. */
int fk_access_read_token(struct fk_access *a, struct fk_writer *why);

/* A whole file. Wipe it with fk_blob_free. others_read: whether any other user may read it. */
int fk_blob_read(struct fk_blob *blob, const char *path, bool *others_read, struct fk_writer *why);
void fk_blob_free(struct fk_blob *blob);

/* Its length for TLS: the zero behind it counts where it is PEM, by which the two forms are told
 * apart.
 */
size_t fk_blob_tls_len(const struct fk_blob *blob);

/* What is said of a file with a secret that any other user may read. */
void fk_access_warn_shared(const char *path, const struct fk_log *log);

void fk_access_wipe(struct fk_access *a);

#endif
