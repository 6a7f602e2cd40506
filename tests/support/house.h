/* A node with everything that endpoints look at, and somebody who asks: no connection, no server.
 * Each answer is also written in awkward ways, which must give the same bytes. */
#ifndef FK_TESTS_SUPPORT_HOUSE_H
#define FK_TESTS_SUPPORT_HOUSE_H

#include "kubelet/endpoints.h"

#define HOUSE_WALL_S INT64_C(1781870400) /* 2026-06-19T12:00:00Z: when the node started */
#define HOUSE_PINS_MAX 3

struct house {
    /* what the port says; the test may change all of it */
    struct fk_now now;
    struct fk_port_facts facts;
    struct fk_port_figures figures;
    unsigned figures_asked; /* how often */
    const char *address;
    struct fk_gpio pins[HOUSE_PINS_MAX];
    unsigned pin_count;
    struct fk_port_ops ops;

    struct fk_node_config config;
    struct fk_node node;
    struct fk_authn authn;
    struct fk_authz authz;
    struct fk_events events;
    struct fk_configmaps configmaps;
    struct fk_log_ring ring;
    char ring_bytes[1024];
    struct fk_house house;

    /* the last answer */
    struct fk_exchange exchange;
    const char *content_type;
    const char *message; /* of an error */
    unsigned items;
    size_t len;
    char body[65536]; /* zero-terminated */
};

/* A node that has just started: nothing sent, no time, no ConfigMaps, no LED. */
void house_begin(struct house *h);

/* An hour later, all well, as a board with everything: an LED, pins, two ConfigMaps, a busy port.
 */
void house_hour(struct house *h);

/* Asks for a path with its query; returns the status, the rest is in the members. */
int house_ask(struct house *h, const char *target);

/* The body is one JSON document (RFC 8259), or tests/golden/NAME. */
void house_check_json(const struct house *h);
void house_check_golden(const struct house *h, const char *name);
bool house_json_valid(struct fk_bytes text);

#endif
