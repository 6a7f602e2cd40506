/* Reads a kubeconfig (client-go's api/v1 Config, as YAML or JSON) for the one context that is
 * current.
 *
 * It refuses what would weaken the node (http, insecure-skip-tls-verify), and what it cannot do
 * (proxies, exec and auth-provider plugins, passwords), rather than ignore it. YAML aliases are
 * refused: no kubeconfig has them, and they make small files large. */
#ifndef FK_PORTS_LINUX_KUBECONFIG_H
#define FK_PORTS_LINUX_KUBECONFIG_H

#include "linux/access.h"

/* How deep it may be nested, count. Real ones need 6 or so; libyaml's time grows with the square.
 */
#define FK_KUBECONFIG_DEPTH_MAX 32

/* text is the file's content and path its name, for messages and for file names beside it. Fills
 * access, which must be zero; opens no file. After an error, fk_access_wipe.
 * Returns 0, or FK_E_CONFIG or FK_E_NOMEM with one line in `why`: "path:line: field: what is wrong;
 * what to do". */
int fk_kubeconfig_parse(struct fk_bytes text, const char *path, struct fk_access *access,
                        struct fk_writer *why);

/* The same for the file, which is read whole (FK_ACCESS_FILE_MAX), and the files named in it. */
int fk_kubeconfig_load(const char *path, struct fk_access *access, const struct fk_log *log,
                       struct fk_writer *why);

#endif
