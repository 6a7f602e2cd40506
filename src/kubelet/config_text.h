/* Lists of labels, resources and taints as people type them ("a=1,b=2", "key=value:Effect"), taken
 * apart into views. Judges the form alone; what a key or an effect may be is kubelet/config's. */
#ifndef FK_KUBELET_CONFIG_TEXT_H
#define FK_KUBELET_CONFIG_TEXT_H

#include "base/bytes.h"

/* The next item of a list with commas in between, without spaces around it; empty ones are passed
 * over. False at the end of the list. */
bool fk_config_text_item(struct fk_bytes *list, struct fk_bytes *item);

/* "key=value" into key and value, without spaces around either. 0, or FK_E_PARSE: no '=', or no
 * key. */
int fk_config_text_pair(struct fk_bytes item, struct fk_bytes parts[2]);

/* "key=value:Effect" or "key:Effect" into key, value (p NULL where there is none) and effect. 0, or
 * FK_E_PARSE: no ':', or no key or effect. */
int fk_config_text_taint(struct fk_bytes item, struct fk_bytes parts[3]);

#endif
