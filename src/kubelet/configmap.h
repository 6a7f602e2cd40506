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
#include "kubelet/duty.h"
#include "kubelet/events.h"
#include "port.h"

/* What is kept for a reboot is written at most this often, ms: flash wears. The first change after
 * a while is written at once. */
#define FK_CONFIGMAP_KEEP_MS 5000

/* "NAMESPACE/NAME" of an object, bytes. */
#define FK_CONFIGMAP_REF_MAX (63 + 1 + 253)

enum fk_configmap_state {
    FK_CONFIGMAP_UNKNOWN, /* not heard of since start */
    FK_CONFIGMAP_ABSENT,  /* there is no such object, or we may not read it: see why */
    FK_CONFIGMAP_APPLIED,
    FK_CONFIGMAP_REFUSED, /* its last change was: see why */
};

/* Members are for reading: /femto/ shows them. */
struct fk_configmap {
    const char *ref; /* "default/rack-1" */
    enum fk_configmap_state state;
    char resource_version[FK_RESOURCE_VERSION_MAX + 1]; /* of what is applied */
    char uid[FK_UID_MAX + 1];
    uint32_t applied, refused; /* counts */
    char why[FK_MESSAGE_MAX];
    struct fk_watch watch;
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
    /* private: parsing in the staging copy, saving */
    struct fk_configmap_parse *parse;
};

/* refs: "NAMESPACE/NAME,…" as fk_configmaps_check accepts it, must stay; "" for none. Recalls what
 * the port kept, and applies it. */
void fk_configmaps_init(struct fk_configmaps *c, const struct fk_duty_env *env,
                        const struct fk_port *port, struct fk_events *events,
                        const struct fk_options *defaults, const char *refs);

/* 0, or FK_E_CONFIG and in why what would be right. */
int fk_configmaps_check(const char *refs, struct fk_writer *why);

/* Saves what has changed when it is time. Before each sleep; false: nothing was done. */
bool fk_configmaps_step(struct fk_configmaps *c, struct fk_now now);
uint64_t fk_configmaps_due(const struct fk_configmaps *c);

#endif
