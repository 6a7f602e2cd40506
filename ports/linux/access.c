#include "linux/access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(struct fk_writer *why, const char *a, const char *b, const char *c) {
    fk_put_str(why, a);
    fk_put_str(why, b);
    fk_put_str(why, c);
    return FK_E_CONFIG;
}

/* ---- the server's URL -------------------------------------------------------------------------
 */

int fk_access_set_server_name(struct fk_access *a, const char *name, struct fk_writer *why) {
    if (!fk_server_url_name_valid(fk_bytes_str(name)))
        return refuse(why, "\"", name, "\" is neither a DNS name nor an IP address");
    memcpy(a->server_name, name, strlen(name) + 1);
    return 0;
}

int fk_access_set_server(struct fk_access *a, const char *url, struct fk_writer *why) {
    struct fk_server_url parsed;
    const int err = fk_server_url_parse(&parsed, fk_bytes_str(url), why);
    if (err != 0) return err;
    memcpy(a->host, parsed.host.p, parsed.host.len);
    a->host[parsed.host.len] = '\0';
    a->port = parsed.port;
    struct fk_writer w;
    fk_writer_init(&w, a->authority, sizeof a->authority);
    fk_server_url_put_authority(&parsed, &w);
    (void)fk_writer_finish(&w);
    return a->server_name[0] == '\0' ? fk_access_set_server_name(a, a->host, why) : 0;
}

/* ---- tokens ------------------------------------------------------------------------------------
 */

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

int fk_access_set_token(struct fk_access *a, struct fk_bytes token, struct fk_writer *why) {
    const char scheme[] = "Bearer ";
    while (token.len > 0 && is_space(token.p[token.len - 1])) token.len--;
    for (; token.len > 0 && is_space(token.p[0]); token.p++) token.len--;
    if (token.len == 0) return refuse(why, "the token is empty", "", "");
    if (token.len > FK_TOKEN_MAX) return refuse(why, "the token is longer than 8192 bytes", "", "");
    for (size_t i = 0; i < token.len; i++)
        if (token.p[i] <= ' ' || token.p[i] >= 0x7F)
            return refuse(why, "the token holds a byte that no token has", "",
                          ": it must be one line of printable ASCII");
    char *text = a->authorization + sizeof scheme - 1;
    if (strlen(text) == token.len && memcmp(text, token.p, token.len) == 0) return 0;
    explicit_bzero(a->authorization, sizeof a->authorization);
    memcpy(a->authorization, scheme, sizeof scheme - 1);
    memcpy(text, token.p, token.len);
    a->token_changes++;
    return 0;
}

/* ---- files -------------------------------------------------------------------------------------
 */

int fk_access_set_path(char path[PATH_MAX], const char *name, const char *beside,
                       struct fk_writer *why) {
    struct fk_writer w;
    fk_writer_init(&w, path, PATH_MAX);
    const char *slash = beside == NULL || name[0] == '/' ? NULL : strrchr(beside, '/');
    if (slash != NULL) fk_put(&w, beside, (size_t)(slash - beside) + 1);
    fk_put_str(&w, name);
    if (fk_writer_finish(&w) != 0)
        return refuse(why, "the file name is longer than Linux allows", "", "");
    return 0;
}

size_t fk_blob_tls_len(const struct fk_blob *blob) {
    if (blob->p == NULL) return 0;
    return blob->len + (strstr((const char *)blob->p, "-----BEGIN ") != NULL ? 1 : 0);
}

void fk_blob_free(struct fk_blob *blob) {
    if (blob->p != NULL) explicit_bzero(blob->p, blob->len);
    free(blob->p);
    *blob = (struct fk_blob){0};
}

/* Up to cap bytes; the count, or -1 with errno. */
static ssize_t read_all(int fd, uint8_t *buf, size_t cap) {
    size_t len = 0;
    while (len < cap) {
        const ssize_t got = read(fd, buf + len, cap - len);
        if (got == 0) break;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

/* Into one block of the largest size, so that no copy of a secret is left behind by growing. */
static int read_fd(struct fk_blob *blob, int fd, const char *path, struct fk_writer *why) {
    blob->p = malloc(FK_ACCESS_FILE_MAX + 1);
    if (blob->p == NULL) {
        (void)refuse(why, path, ": no memory to read it", "");
        return FK_E_NOMEM;
    }
    const ssize_t got = read_all(fd, blob->p, FK_ACCESS_FILE_MAX + 1);
    if (got < 0) return refuse(why, path, ": ", strerror(errno));
    blob->len = (size_t)got;
    if (blob->len > FK_ACCESS_FILE_MAX)
        return refuse(why, path, ": larger than 1 MiB", ", so this is not the right file");
    if (blob->len == 0) return refuse(why, path, ": the file is empty", "");
    blob->p[blob->len] = 0;
    return 0;
}

int fk_blob_read(struct fk_blob *blob, const char *path, bool *others_read, struct fk_writer *why) {
    *blob = (struct fk_blob){0};
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return refuse(why, path, ": ", strerror(errno));
    *others_read = fstat(fd, &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
    const int err = read_fd(blob, fd, path, why);
    (void)close(fd);
    if (err != 0) fk_blob_free(blob);
    return err;
}

void fk_access_warn_shared(const char *path, const struct fk_log *log) {
    fk_log(log, FK_WARN, "other users can read this file, which holds a secret: chmod 600 it",
           FK_STR("file", path));
}

int fk_access_read_token(struct fk_access *a, struct fk_writer *why) {
    struct fk_blob blob;
    bool others_read;
    int err = fk_blob_read(&blob, a->token_file, &others_read, why);
    if (err != 0) return err;
    err = fk_access_set_token(a, fk_bytes(blob.p, blob.len), why);
    if (err != 0) refuse(why, " (", a->token_file, ")");
    fk_blob_free(&blob);
    return err;
}

int fk_access_read_files(struct fk_access *a, const struct fk_log *log, struct fk_writer *why) {
    bool others_read = false;
    int err = 0;
    if (a->ca_file[0] != '\0') err = fk_blob_read(&a->ca, a->ca_file, &others_read, why);
    if (err == 0 && a->cert_file[0] != '\0')
        err = fk_blob_read(&a->cert, a->cert_file, &others_read, why);
    if (err == 0 && a->key_file[0] != '\0') {
        err = fk_blob_read(&a->key, a->key_file, &others_read, why);
        if (err == 0 && others_read) fk_access_warn_shared(a->key_file, log);
    }
    if (err == 0 && a->token_file[0] != '\0') err = fk_access_read_token(a, why);
    return err;
}

void fk_access_wipe(struct fk_access *a) {
    fk_blob_free(&a->ca);
    fk_blob_free(&a->cert);
    fk_blob_free(&a->key);
    explicit_bzero(a, sizeof *a);
}
