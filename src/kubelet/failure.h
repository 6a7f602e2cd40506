/* What a client is told that gets no document: a metav1.Status, as kubectl and client-go read it.
 */
#ifndef FK_KUBELET_FAILURE_H
#define FK_KUBELET_FAILURE_H

#include "base/writer.h"
#include "kubelet/authz.h"

struct fk_failure {
    int status;          /* HTTP, 400 to 599 */
    const char *message; /* NULL: the status says it all */

    /* of a 403: who was refused what */
    const struct fk_user *user;
    const char *verb;
    enum fk_subresource subresource;
};

void fk_failure_put(const struct fk_failure *failure, struct fk_writer *w);

#endif
