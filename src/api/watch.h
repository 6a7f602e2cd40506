/* A list and a watch of one named object, kept up. */
#ifndef FK_API_WATCH_H
#define FK_API_WATCH_H

#include "api/client.h"
#include "api/objects.h"
#include "api/pb_stream.h"

/* Longest resourceVersion, bytes: opaque, etcd's are decimal numbers of 64 bits. */
#define FK_RESOURCE_VERSION_MAX 31

struct fk_watch {
    uint64_t due_ms;
};

#endif
