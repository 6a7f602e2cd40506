#include "kubelet/serve.h"

#define LATER "this path is not answered by this build"

int fk_serve_pods(struct fk_exchange *x) { return fk_serve_refuse(x, 501, LATER); }
int fk_serve_spec(struct fk_exchange *x) { return fk_serve_refuse(x, 501, LATER); }
int fk_serve_configz(struct fk_exchange *x) { return fk_serve_refuse(x, 501, LATER); }
