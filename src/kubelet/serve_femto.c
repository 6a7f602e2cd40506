#include "kubelet/serve.h"

#define LATER "this path is not answered by this build"

int fk_serve_femto_status(struct fk_exchange *x) { return fk_serve_refuse(x, 501, LATER); }
int fk_serve_femto_memory(struct fk_exchange *x) { return fk_serve_refuse(x, 501, LATER); }
int fk_serve_femto_gpio(struct fk_exchange *x) { return fk_serve_refuse(x, 501, LATER); }
int fk_serve_femto_led(struct fk_exchange *x) { return fk_serve_refuse(x, 501, LATER); }
