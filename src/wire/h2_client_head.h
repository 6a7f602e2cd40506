/* What a reply's head says, taken from its header fields one by one. Part of wire/h2_client. */
#ifndef FK_WIRE_H2_CLIENT_HEAD_H
#define FK_WIRE_H2_CLIENT_HEAD_H

#include "wire/h2_client.h"

/* Takes in one field; names are lower case, as HTTP/2 sends them. ":status", which comes first in
 * each header block, begins a new head. A malformed value leaves its field unknown; a malformed
 * status is 0. */
void fk_h2_head_take(struct fk_h2_head *head, struct fk_bytes name, struct fk_bytes value);

#endif
