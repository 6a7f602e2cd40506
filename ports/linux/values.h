/* Values as flags of Kubernetes programs have them: durations of Go, lists of pairs, taints. Pure:
 * text in, structs out. Nothing is cut or guessed; malformed text is FK_E_PARSE. */
#ifndef FK_PORTS_LINUX_VALUES_H
#define FK_PORTS_LINUX_VALUES_H

#include "base/err.h"
#include "base/number.h"
#include "kubelet/config.h"

/* "10s", "5m", "1m30s", "1.5h", "500ms", "0": time.ParseDuration of Go, without a sign. Less than
 * a millisecond is dropped. FK_E_PARSE, or FK_E_RANGE beyond 10 000 h. */
int fk_duration_parse(const char *text, uint64_t *ms);

/* "a=1,b=": appends to pairs, of which there are *count of cap. text is cut up in place and
 * referred to. Spaces around items are dropped, and so are empty items. An item without '=' or
 * without a key is FK_E_PARSE; one too many is FK_E_RANGE. */
int fk_pairs_parse(char *text, struct fk_pair *pairs, size_t cap, size_t *count);

/* "key=value:Effect,key:Effect": the same for taints; whether an effect exists is not asked. */
int fk_taints_parse(char *text, struct fk_taint *taints, size_t cap, size_t *count);

#endif
