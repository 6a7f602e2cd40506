/* A kubeconfig from anywhere: read or refused, never more. No file that it names is opened.
 *
 * Holds whatever the input: an error comes with a line of text that begins with the file's name;
 * what is accepted has a server, a name to verify it by, a CA, and a credential that is complete.
 */
#include <stdlib.h>

#include "linux/kubeconfig.h"

#define PATH "/k/config"

static void expect(bool holds) {
    if (!holds) abort();
}

static void check_accepted(const struct fk_access *a) {
    const bool cert = a->cert.p != NULL || a->cert_file[0] != '\0';
    const bool key = a->key.p != NULL || a->key_file[0] != '\0';
    const bool token = a->authorization[0] != '\0' || a->token_file[0] != '\0';
    expect(a->host[0] != '\0' && a->port != 0);
    expect(a->authority[0] != '\0' && a->server_name[0] != '\0');
    expect(a->ca.p != NULL || a->ca_file[0] != '\0');
    expect(cert == key && (cert || token));
    for (const char *p = a->authorization; *p != '\0'; p++) expect(*p >= ' ' && *p <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static struct fk_access access;
    char text[512];
    struct fk_writer why;
    memset(&access, 0, sizeof access);
    fk_writer_init(&why, text, sizeof text);
    const int err = fk_kubeconfig_parse(fk_bytes(data, len), PATH, &access, &why);
    (void)fk_writer_finish(&why);
    if (err == 0) check_accepted(&access);
    else expect(strncmp(text, PATH ":", sizeof PATH) == 0);
    fk_access_wipe(&access);
    return 0;
}
