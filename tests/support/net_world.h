/* A node's network stack on a played network (support/net_peer), in virtual time. lwIP lives in
 * globals: one world at a time, and the end of each checks that every pool is as full as before. */
#ifndef FK_TESTS_SUPPORT_NET_WORLD_H
#define FK_TESTS_SUPPORT_NET_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/tcp_lwip.h"
#include "support/net_peer.h"

#include <lwip/dns.h>
#include <lwip/memp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>

struct net_world {
    struct net_peer peer;
    struct fk_net net;
    struct fk_log log;
    char lines[2048]; /* the log, "message key=value ...\n" */
    bool quiet;       /* log nothing */
};

static inline void net_world_emit(void *ctx, enum fk_level level, const char *message,
                                  const struct fk_kv *kvs, size_t count) {
    struct net_world *w = ctx;
    (void)level;
    size_t len = strlen(w->lines);
    if (w->quiet || sizeof w->lines - len < 300) return;
    len += (size_t)snprintf(w->lines + len, sizeof w->lines - len, "%s", message);
    for (size_t i = 0; i < count; i++)
        if (kvs[i].str != NULL)
            len += (size_t)snprintf(w->lines + len, sizeof w->lines - len, " %s=%s", kvs[i].key,
                                    kvs[i].str);
    (void)snprintf(w->lines + len, sizeof w->lines - len, "\n");
}

static inline int net_world_begin(struct net_world *w, const char *hostname) {
    w->lines[0] = '\0';
    w->quiet = false;
    w->log = (struct fk_log){FK_INFO, w, net_world_emit};
    const struct fk_net_config config = {.nic = net_peer_nic(&w->peer),
                                         .hostname = hostname,
                                         .mono_ms = net_peer_mono_ms,
                                         .entropy = net_peer_entropy,
                                         .ctx = &w->peer,
                                         .log = &w->log};
    return fk_net_init(&w->net, &config);
}

/* As a port's loop: steps while there is more, then sleeps until what is due, never past ms. */
static inline void net_world_run(struct net_world *w, uint64_t ms) {
    const uint64_t end_ms = w->peer.now_ms + ms;
    for (;;) {
        while (fk_net_step(&w->net)) continue;
        if (w->peer.count > 0) continue;
        if (w->peer.now_ms >= end_ms) return;
        const uint64_t due_ms = fk_net_due(&w->net);
        if (due_ms <= w->peer.now_ms) abort();
        w->peer.now_ms = due_ms < end_ms ? due_ms : end_ms;
    }
}

/* With an address. */
static inline int net_world_up(struct net_world *w) {
    net_peer_init(&w->peer);
    const int err = net_world_begin(w, "node-1");
    w->peer.link = true;
    if (err == 0) net_world_run(w, 10);
    return err;
}

/* What is in use: elements of all pools, and bytes that the heap lacks in one piece. (lwIP's own
 * count of the heap errs when a block is trimmed.) */
static inline unsigned net_world_used(void) {
    unsigned used = MEM_SIZE;
    void *whole = NULL;
    for (; whole == NULL; used -= MEM_ALIGNMENT) whole = mem_malloc((mem_size_t)used);
    mem_free(whole);
    used = MEM_SIZE - used;
    for (int i = 0; i < MEMP_MAX; i++) used += lwip_stats.memp[i]->used;
    return used;
}

/* Ends lwIP: connections, DHCP, lookups. 0, or what is in use still and has leaked. */
static inline unsigned net_world_end(struct net_world *w) {
    while (tcp_active_pcbs != NULL) tcp_abort(tcp_active_pcbs);
    while (tcp_tw_pcbs != NULL) tcp_abort(tcp_tw_pcbs);
    while (tcp_listen_pcbs.pcbs != NULL) (void)tcp_close(tcp_listen_pcbs.pcbs);
    for (int i = 0; i < 30; i++) dns_tmr();
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++) dns_setserver(i, NULL);
    dhcp_stop(&w->net.netif);
    netif_remove(&w->net.netif);
    const unsigned used = net_world_used();
    mem_init();
    return used - net_world_used();
}

#endif
