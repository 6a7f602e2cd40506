/* The document that ConfigMaps leave for the next start: the memory region, and of each which
 * version was applied and which options it set. Little-endian: "FKC" and a version, the region's
 * length (2 bytes), a count (2), the region, the entries, CRC-32 of all that. An entry is the
 * CRC-32 of NAMESPACE/NAME (4), the options (set, log level, LED brightness, a turn: 1 each; status
 * period in ms: 4), UID and resourceVersion, each padded with zeros and one of them behind it. */
#ifndef FK_KUBELET_CONFIGMAP_KEEP_H
#define FK_KUBELET_CONFIGMAP_KEEP_H

#include "api/watch.h"
#include "port.h"

#define FK_CONFIGMAP_ENTRY (12 + FK_UID_MAX + 1 + FK_RESOURCE_VERSION_MAX + 1)
#define FK_CONFIGMAP_DOCUMENT (8 + FK_MEMORY_BYTES + FK_CONFIGMAPS_MAX * FK_CONFIGMAP_ENTRY + 4)

struct fk_configmaps;

/* Writes the document into c->work and returns its length. */
size_t fk_configmap_keep_write(struct fk_configmaps *c);

/* Takes what c->work holds, len bytes; entries of ConfigMaps that are not in c are left out,
 * and so is what of a longer region does not fit. 0, or FK_E_PARSE: then nothing has changed. */
int fk_configmap_keep_read(struct fk_configmaps *c, size_t len);

#endif
