/* The one place where versions stand. */
#ifndef FK_VERSION_H
#define FK_VERSION_H

#define FK_VERSION "0.1.0"

/* The Kubernetes API that we were written and tested against. It leads the kubelet version, since
 * tools compare that with the API server's (version skew policy). */
#define FK_KUBERNETES_VERSION "1.36.0"
#define FK_KUBELET_VERSION "v" FK_KUBERNETES_VERSION "+femtokubelet." FK_VERSION

#endif
