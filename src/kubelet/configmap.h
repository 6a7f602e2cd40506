/* What the cluster configures while the node runs: the ConfigMaps named in its settings.
 *
 * memory_values: "0=0x42,1=0x43" sets bytes of the memory region, at their decimal or 0x addresses.
 * log_level, led_brightness, status_period: options; a key that is absent, or goes away, is the
 * setting's own value again. Any other key is left alone, but for a line in the log.
 *
 * A change counts as a whole or not at all: one bad value, and the former state stays, an Event on
 * the Node says which value and what would be right, and so does /femto/status. What counts is kept
 * by the port with the object's UID and resourceVersion, so that it is there after a reboot without
 * an API server, and an object that has not changed is not applied again over what a program wrote
 * meanwhile. With several ConfigMaps the last change wins. */
#ifndef FK_KUBELET_CONFIGMAP_H
#define FK_KUBELET_CONFIGMAP_H

#include "api/watch.h"
#include "base/heap.h"
#include "kubelet/configmap_keep.h"
#include "kubelet/configmap_parse.h"
#include "kubelet/duty.h"
#include "kubelet/events.h"
#include "kubelet/node.h"
#include "port.h"

/* What is kept for a reboot is written at most this often, ms: flash wears. The first change after
 * a while is written at once. After a failure it is tried again this much later. */
#define FK_CONFIGMAP_KEEP_MS 5000
#define FK_CONFIGMAP_KEEP_MAX_MS 640000 /* doubled up to this while changes never rest */
#define FK_CONFIGMAP_KEEP_FAILED_MS 60000

/* Without the right to read an object: how often to ask, ms; twice as long each time. An API server
 * that is starting denies, too. */
#define FK_CONFIGMAP_DENIED_MIN_MS 1000
#define FK_CONFIGMAP_DENIED_MAX_MS 120000

/* "NAMESPACE/NAME" of an object, bytes: what fits the path of a watch. */
#define FK_CONFIGMAP_REF_MAX (FK_WATCH_NAMES_MAX + 1)

enum fk_configmap_state {
    FK_CONFIGMAP_UNKNOWN, /* not heard of since start */
    FK_CONFIGMAP_ABSENT,  /* there is no such object, or we may not read it: see why */
    FK_CONFIGMAP_APPLIED,
    FK_CONFIGMAP_REFUSED, /* its last change was: see why */
};

struct fk_configmaps;

/* Members are for reading: /femto/ shows them. */
struct fk_configmap {
    const char *ref; /* "default/rack-1", up to a comma or the end */
    enum fk_configmap_state state;
    char resource_version[FK_RESOURCE_VERSION_MAX + 1]; /* of what is applied; "" for none */
    char uid[FK_UID_MAX + 1];
    uint32_t applied, refused; /* counts */
    char why[FK_MESSAGE_MAX];
    struct fk_watch watch;
    /* private from here */
    struct fk_configmaps *house;
    struct fk_options options; /* those of them that set says */
    uint8_t set;               /* FK_SET_… */
    uint16_t ref_len;
    bool in_flight;
    bool news;            /* why is to be told */
    uint32_t turn;        /* of the last change: the larger one wins */
    uint32_t refused_crc; /* of UID and resourceVersion of what is refused; 0: nothing is */
    uint64_t due_ms;
    struct fk_retry retry;
    struct fk_backoff denied;
    uint32_t denials; /* 403 in a row */
};

/* What is held only while a change arrives, or the document for a reboot is written or read. */
union fk_configmap_work {
    struct fk_configmap_parse parse;
    uint8_t document[FK_CONFIGMAP_DOCUMENT];
};

struct fk_configmaps {
    struct fk_duty_env env;
    struct fk_port port;
    struct fk_events *events;
    struct fk_options defaults; /* of the settings */
    struct fk_options options;  /* as they are */
    uint8_t memory[FK_MEMORY_BYTES];
    uint32_t writes; /* of memory: counts changes that were applied */
    struct fk_configmap all[FK_CONFIGMAPS_MAX];
    uint8_t count;
    /* private from here */
    bool dirty;                   /* what is kept is not what is */
    bool apply;                   /* the port is to hear of options */
    uint32_t turns;               /* counts changes */
    struct fk_now stepped;        /* the last step's */
    uint64_t keep_ms;             /* the next write, not before this */
    uint32_t pause_ms;            /* between the last write and that */
    struct fk_status *status;     /* NULL: not attached */
    struct fk_configmap *parsing; /* whose change is arriving; NULL: nobody's */
    struct fk_heap *heap;
    union fk_configmap_work *work; /* of the heap, NULL: not needed now */
};

/* refs: "NAMESPACE/NAME,…" as fk_configmaps_check accepts it, must stay; "" for none. Recalls what
 * the port kept, and applies it. heap: the node's, for sizeof(union fk_configmap_work) while a
 * change arrives, when the handshake that needs the most of it is over; without room, it is asked
 * for again. */
void fk_configmaps_init(struct fk_configmaps *c, const struct fk_duty_env *env,
                        const struct fk_port *port, struct fk_heap *heap, struct fk_events *events,
                        const struct fk_options *defaults, const char *refs);

/* After both are initialized: the node gets a duty for each ConfigMap, its status the period that
 * they ask for, and Events are sent once the node is registered (their duty is fk_events_ops). */
void fk_configmaps_attach(struct fk_configmaps *c, struct fk_node *node);

/* 0, or FK_E_CONFIG and in why what would be right. */
int fk_configmaps_check(const char *refs, struct fk_writer *why);

/* Tells what there is to be told (Events, the port's options) and saves what has changed when it is
 * time. Before each sleep; false: nothing was done. */
bool fk_configmaps_step(struct fk_configmaps *c, struct fk_now now);
uint64_t fk_configmaps_due(const struct fk_configmaps *c);

/* The node ends in order: what has changed is saved now, whatever time it is. */
void fk_configmaps_flush(struct fk_configmaps *c, struct fk_now now);

extern const struct fk_duty_ops fk_configmap_ops; /* self: struct fk_configmap * */

#endif
