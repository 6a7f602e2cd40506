/* link/net_lwip on a played network: addresses, the link, time, and what floods cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/net_world.h"

static struct net_world world;
static struct net_peer *const peer = &world.peer;

static int set_up(void **state) {
    (void)state;
    return net_world_up(&world);
}

static int tear_down(void **state) {
    (void)state;
    return net_world_end(&world) == 0 ? 0 : -1;
}

static unsigned count_lines(const char *word) {
    unsigned count = 0;
    for (const char *at = world.lines; (at = strstr(at, word)) != NULL; at += strlen(word)) count++;
    return count;
}

/* ---- DHCP ------------------------------------------------------------------------------------ */

static void dhcp_gives_an_address(void **state) {
    (void)state;
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
    assert_string_equal(peer->hostname, "node-1");
    assert_int_equal(peer->discovers, 1);
    assert_int_equal(peer->requests, 1);
    assert_int_equal(fk_net_changes(&world.net), 2); /* link, address */
    assert_string_equal(world.lines, "link up\n"
                                     "address obtained address=192.0.2.50 gateway=192.0.2.1 "
                                     "dns=192.0.2.1\n");
}

static void without_an_address_there_is_none(void **state) {
    (void)state;
    assert_int_equal(net_world_end(&world), 0);
    net_peer_init(peer);
    assert_int_equal(net_world_begin(&world, "node-1"), 0);
    net_world_run(&world, 4900);
    assert_string_equal(world.lines, "");
    net_world_run(&world, 55100);
    assert_string_equal(world.lines, "no link advice=plug the cable in, at both ends\n"); /* once */
    assert_int_equal(peer->frames, 0); /* no link: nothing is sent */
    assert_string_equal(fk_net_address(&world.net), "");
    assert_false(fk_net_link(&world.net));
    assert_int_equal(fk_net_gateway_id(&world.net), 0);
    assert_int_equal(fk_net_changes(&world.net), 0);
}

static void a_silent_dhcp_server_is_asked_again(void **state) {
    (void)state;
    assert_int_equal(net_world_end(&world), 0);
    net_peer_init(peer);
    peer->no_dhcp = true;
    peer->link = true;
    assert_int_equal(net_world_begin(&world, "node-1"), 0);
    const char *words = "waiting for an address: no DHCP server answers";
    net_world_run(&world, 6900);
    assert_int_equal(count_lines(words), 0);
    net_world_run(&world, 8600); /* after 0, 1, 3, 7 and 15 s */
    assert_int_equal(peer->discovers, 5);
    assert_int_equal(count_lines(words), 1);
    net_world_run(&world, 80000); /* and every 8 s */
    assert_int_equal(peer->discovers, 15);
    assert_int_equal(count_lines(words), 1);
    peer->no_dhcp = false;
    net_world_run(&world, 8100);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
}

static void each_discovery_has_an_id_of_its_own(void **state) {
    (void)state;
    const uint32_t first = peer->xid;
    assert_int_equal(net_world_end(&world), 0);
    peer->link = true;
    assert_int_equal(net_world_begin(&world, "node-1"), 0);
    net_world_run(&world, 10);
    assert_int_not_equal(peer->xid, first);
}

static void the_longest_host_name_is_sent(void **state) {
    (void)state;
    char name[FK_NET_HOSTNAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[FK_NET_HOSTNAME_MAX + 1] = '\0';
    for (unsigned len = FK_NET_HOSTNAME_MAX + 1; len >= FK_NET_HOSTNAME_MAX; len--) {
        name[len] = '\0';
        assert_int_equal(net_world_end(&world), 0);
        net_peer_init(peer);
        peer->link = true;
        assert_int_equal(net_world_begin(&world, name), 0);
        net_world_run(&world, 10);
        assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
        assert_string_equal(peer->hostname, len == FK_NET_HOSTNAME_MAX ? name : "");
        assert_int_equal(count_lines("host name too long"), len > FK_NET_HOSTNAME_MAX);
    }
}

static void a_lease_is_renewed_at_half_time(void **state) {
    (void)state;
    net_world_run(&world, 1800 * 1000 - 20000);
    assert_int_equal(peer->requests, 1);
    net_world_run(&world, 40000);
    assert_int_equal(peer->requests, 2);
    assert_true(peer->last_request_unicast);
    assert_int_equal(count_lines("address"), 2); /* the one line, which has the word twice */
    net_world_run(&world, 3600 * 1000);
    assert_int_equal(peer->requests, 4);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
    assert_int_equal(peer->discovers, 1);
    assert_int_equal(fk_net_changes(&world.net), 2);
}

/* dnsmasq's shortest, and 5 % of frames lost: never without an address. */
static void a_lease_of_two_minutes_is_kept(void **state) {
    (void)state;
    peer->lease_s = 120;
    peer->link = false;
    net_world_run(&world, 100);
    peer->link = true;
    net_world_run(&world, 100);
    const uint32_t changes = fk_net_changes(&world.net);
    for (int i = 0; i < 60; i++) {
        peer->lose = i % 4 == 0;
        net_world_run(&world, 60000);
    }
    assert_int_equal(fk_net_changes(&world.net), changes);
    assert_int_equal(peer->discovers, 1);
}

static void a_lost_server_is_asked_by_broadcast_and_then_the_address_goes(void **state) {
    (void)state;
    peer->no_dhcp = true;
    net_world_run(&world, 3150 * 1000 + 20000); /* T2 */
    assert_int_equal(peer->discovers, 1);
    assert_false(peer->last_request_unicast);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
    net_world_run(&world, 450 * 1000);
    assert_string_equal(fk_net_address(&world.net), "");
    assert_int_equal(count_lines("address lost address=192.0.2.50"), 1);
    assert_int_equal(fk_net_changes(&world.net), 3);
    peer->no_dhcp = false;
    net_world_run(&world, 9000);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
    assert_int_equal(count_lines("address obtained"), 2);
}

static void another_address_is_noticed(void **state) {
    (void)state;
    peer->lease_address = NET_PEER_NODE + 1; /* the renewal is refused */
    net_world_run(&world, 1830 * 1000);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.51");
    assert_int_equal(count_lines("address changed address=192.0.2.51"), 1);
    assert_int_equal(count_lines("address lost"), 0);
}

static void another_gateway_is_noticed(void **state) {
    (void)state;
    peer->lease_router = NET_PEER_SERVER;
    peer->lease_dns = NET_PEER_SERVER;
    net_world_run(&world, 1830 * 1000);
    assert_int_equal(
        count_lines("address changed address=192.0.2.50 gateway=192.0.2.7 dns=192.0.2.7"), 1);
    assert_int_equal(fk_net_changes(&world.net), 3);
}

/* A lease without end asks for nothing more. */
static void a_lease_for_ever_is_kept(void **state) {
    (void)state;
    assert_int_equal(net_world_end(&world), 0);
    net_peer_init(peer);
    peer->lease_s = 0xffffffff;
    peer->link = true;
    assert_int_equal(net_world_begin(&world, "node-1"), 0);
    net_world_run(&world, UINT64_C(100) * 24 * 3600 * 1000);
    assert_int_equal(peer->requests, 1);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
}

/* ---- Link ------------------------------------------------------------------------------------ */

static void a_cable_pulled_and_put_back(void **state) {
    (void)state;
    peer->link = false;
    net_world_run(&world, 5000);
    assert_false(fk_net_link(&world.net));
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
    const unsigned requests = peer->requests, frames = peer->frames;
    net_world_run(&world, 300 * 1000);
    assert_int_equal(peer->frames, frames); /* into a cable that is not there */
    peer->link = true;
    net_world_run(&world, 10);
    assert_true(fk_net_link(&world.net));
    assert_int_equal(peer->requests, requests + 1); /* whether the address still holds */
    assert_int_equal(fk_net_changes(&world.net), 4);
    assert_int_equal(count_lines("link up\n"), 2);
    assert_int_equal(count_lines("link down\n"), 1);
    assert_int_equal(count_lines("address obtained"), 1);
}

static void the_cable_leads_elsewhere_now(void **state) {
    (void)state;
    peer->link = false;
    net_world_run(&world, 100);
    peer->lease_address = NET_PEER_NODE + 9;
    peer->link = true;
    net_world_run(&world, 3000);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.59");
}

static void the_link_is_back_but_the_server_is_not(void **state) {
    (void)state;
    peer->link = false;
    net_world_run(&world, 100);
    peer->no_dhcp = true;
    peer->link = true;
    net_world_run(&world, 60000);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50"); /* the lease still runs */
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void a_quiet_stack_sleeps(void **state) {
    (void)state;
    net_world_run(&world, 60000); /* whatever is left of the start */
    (void)fk_net_step(&world.net);
    const uint64_t due_ms = fk_net_due(&world.net);
    assert_true(due_ms > peer->now_ms + FK_NET_IDLE_MS - 100);
    assert_true(due_ms <= peer->now_ms + FK_NET_IDLE_MS);
}

static void a_stack_that_waits_is_awake(void **state) {
    (void)state;
    peer->no_dhcp = true;
    peer->link = false;
    net_world_run(&world, 100);
    peer->link = true;
    (void)fk_net_step(&world.net);
    assert_true(fk_net_due(&world.net) <= peer->now_ms + TCP_TMR_INTERVAL);
}

/* However long the loop stood still: no burst, no wrong turn. */
static void a_long_standstill_is_survived(void **state) {
    (void)state;
    net_world_run(&world, 60000);
    const unsigned frames = peer->frames;
    peer->now_ms += UINT64_C(5000000000);
    (void)fk_net_step(&world.net);
    assert_true(peer->frames <= frames + 1);
    assert_true(fk_net_due(&world.net) > peer->now_ms);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static void a_step_moves_a_few_frames(void **state) {
    (void)state;
    for (int i = 0; i < 2 * FK_NET_FRAMES_PER_STEP; i++)
        net_peer_arp(peer, NET_PEER_ROUTER, NET_PEER_NODE);
    assert_true(fk_net_step(&world.net));
    assert_int_equal(peer->arp_answered, FK_NET_FRAMES_PER_STEP);
    assert_true(fk_net_step(&world.net));
    assert_int_equal(peer->arp_answered, 2 * FK_NET_FRAMES_PER_STEP);
    assert_false(fk_net_step(&world.net));
}

static void the_gateway_is_known_by_its_mac(void **state) {
    (void)state;
    assert_int_equal(fk_net_gateway_id(&world.net), 0);
    net_peer_arp(peer, NET_PEER_ROUTER, NET_PEER_NODE);
    net_world_run(&world, 0);
    assert_int_equal(fk_net_gateway_id(&world.net), UINT64_C(0x020000000001));
}

static void pings_are_answered(void **state) {
    (void)state;
    net_peer_ping(peer, NET_PEER_SERVER, 56); /* asks who that is */
    net_world_run(&world, 0);
    assert_int_equal(peer->pings_answered, 0);
    static const size_t lens[] = {0, 1, 56, 105, 106, 107, 1472}; /* at the edges of buffers */
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        net_peer_ping(peer, NET_PEER_SERVER, lens[i]);
        net_world_run(&world, 0);
        assert_int_equal(peer->pings_answered, i + 1);
    }
    net_peer_ping(peer, 0x08080808, 56); /* through the gateway */
    net_world_run(&world, 0);
    net_peer_ping(peer, 0x08080808, 56);
    net_world_run(&world, 0);
    assert_int_equal(peer->pings_answered, sizeof lens / sizeof lens[0] + 1);
}

/* Answers to strangers who do not say where they are: nothing is kept for them. */
static void unanswered_arp_holds_no_memory(void **state) {
    (void)state;
    net_world_run(&world, 0);
    const unsigned used = net_world_used();
    peer->no_arp = true;
    for (uint32_t i = 0; i < 100; i++) {
        net_peer_ping(peer, 0xc0000264 + i, 1000);
        net_peer_tcp_stray(peer, 0xc0000264 + i, 1, 2, NET_SYN);
        net_peer_udp(peer, 0xc0000264 + i, 1, 2, "x", 1);
        while (fk_net_step(&world.net)) continue;
        assert_int_equal(net_world_used(), used);
    }
    assert_true(peer->arp_asked >= 300);
}

static void a_full_pool_costs_a_frame(void **state) {
    (void)state;
    struct pbuf *hog = pbuf_alloc(PBUF_RAW, (PBUF_POOL_SIZE - 1) * PBUF_POOL_BUFSIZE, PBUF_POOL);
    assert_non_null(hog);
    net_peer_ping(peer, NET_PEER_SERVER, 200);          /* two buffers */
    net_peer_arp(peer, NET_PEER_ROUTER, NET_PEER_NODE); /* one */
    net_world_run(&world, 0);
    assert_int_equal(fk_net_dropped(&world.net), 1);
    assert_int_equal(peer->arp_answered, 1);
    (void)pbuf_free(hog);
}

static void a_chip_without_room_costs_a_frame(void **state) {
    (void)state;
    peer->full = true;
    net_peer_arp(peer, NET_PEER_ROUTER, NET_PEER_NODE);
    net_world_run(&world, 0);
    assert_int_equal(peer->arp_answered, 0);
    peer->full = false;
    net_peer_arp(peer, NET_PEER_ROUTER, NET_PEER_NODE);
    net_world_run(&world, 0);
    assert_int_equal(peer->arp_answered, 1);
}

static void fragments_and_options_are_dropped(void **state) {
    (void)state;
    net_world_run(&world, 9000); /* IPv6 settles */
    const unsigned used = net_world_used();
    uint8_t frame[200] = {2, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 7, 8, 0, 0x45, 0, 0, 100};
    frame[20] = 0x20; /* more fragments */
    frame[23] = 17;
    memcpy(frame + 26, (const uint8_t[]){192, 0, 2, 7, 192, 0, 2, 50}, 8);
    frame[24] = 0x96; /* its checksum */
    frame[25] = 0x58;
    for (int i = 0; i < 100; i++) net_peer_frame(peer, frame, sizeof frame);
    net_world_run(&world, 1000);
    assert_int_equal(net_world_used(), used);
}

/* Every length of a frame, nothing in it but what its type says. */
static void cut_frames_are_survived(void **state) {
    (void)state;
    static const uint8_t types[][2] = {{8, 0}, {8, 6}, {0x86, 0xdd}, {0x81, 0}, {0, 4}};
    uint8_t frame[FK_NIC_FRAME_MAX] = {2, 0, 0, 0, 0, 0x50};
    frame[14] = 0x45;
    const unsigned used = net_world_used();
    for (size_t len = 1; len <= sizeof frame; len += len < 100 ? 1 : 101) {
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
            memcpy(frame + 12, types[i], 2);
            net_peer_frame(peer, frame, len);
        }
        net_world_run(&world, 0);
    }
    assert_int_equal(net_world_used(), used);
}

static void floods_leave_everything_as_it_was(void **state) {
    (void)state;
    net_world_run(&world, 9000);
    const unsigned used = net_world_used();
    for (uint32_t i = 0; i < 3000; i++) {
        const uint32_t from = 0xc0000200 + i % 254 + 1;
        if (from == NET_PEER_NODE) continue;
        net_peer_arp(peer, from, NET_PEER_NODE);
        net_peer_ping(peer, from, i % 1400);
        net_peer_udp(peer, from, 1, (uint16_t)i, "junk", 4);
        net_peer_tcp_stray(peer, from, 1, (uint16_t)i, i % 64);
        net_world_run(&world, i % 3);
    }
    net_world_run(&world, 6000); /* ARP gives up */
    assert_int_equal(net_world_used(), used);
    assert_int_equal(fk_net_dropped(&world.net), 0);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
}

/* ---- Start ----------------------------------------------------------------------------------- */

static void what_is_missing_at_the_start_is_said(void **state) {
    (void)state;
    assert_int_equal(net_world_end(&world), 0);
    net_peer_init(peer);
    peer->no_entropy = true;
    assert_int_equal(net_world_begin(&world, NULL), FK_E_ENTROPY);
    peer->no_entropy = false;
    peer->start_err = FK_E_UNREACHABLE;
    assert_int_equal(net_world_begin(&world, NULL), FK_E_UNREACHABLE);
    peer->start_err = 0;
    peer->link = true;
    assert_int_equal(net_world_begin(&world, NULL), 0);
    net_world_run(&world, 10);
    assert_string_equal(peer->hostname, "");
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
}

/* ---- IPv6 ------------------------------------------------------------------------------------ */

#if LWIP_IPV6
/* RFC 1071 over the pseudo header of RFC 8200 §8.1. */
static uint16_t icmp6_sum(const uint8_t *ip, const uint8_t *icmp, size_t len) {
    uint32_t sum = (uint32_t)len + 58;
    for (size_t i = 8; i < 40; i += 2) sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    for (size_t i = 0; i < len; i += 2) sum += (uint32_t)(icmp[i] << 8 | icmp[i + 1]);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* A router advertisement (RFC 4861 §4.2) of fe80::1 to all nodes: prefix 2001:db8::/64, and the
 * name server 2001:db8::53 (RFC 8106). */
static void advertise(uint32_t lifetime_s) {
    uint8_t f[14 + 40 + 16 + 32 + 24] = {0x33, 0x33, 0, 0, 0,    1,    2,  0,
                                         0,    0,    0, 1, 0x86, 0xdd, /* Ethernet */
                                         0x60, 0,    0, 0, 0,    72,   58, 255};
    uint8_t *const ip = f + 14, *const ra = ip + 40, *const prefix = ra + 16,
                   *const dns = prefix + 32;
    memcpy(ip + 8, (const uint8_t[16]){0xfe, 0x80, [15] = 1}, 16);
    memcpy(ip + 24, (const uint8_t[16]){0xff, 2, [15] = 1}, 16);
    memcpy(ra, (const uint8_t[16]){134, 0, 0, 0, 64, 0, 7, 8}, 16); /* router for 1,800 s */
    memcpy(prefix, (const uint8_t[4]){3, 4, 64, 0xc0}, 4);          /* on link, autonomous */
    for (size_t i = 4; i < 12; i++) prefix[i] = (uint8_t)(lifetime_s >> (24 - 8 * (i % 4)));
    memcpy(prefix + 16, (const uint8_t[16]){0x20, 1, 0x0d, 0xb8}, 16);
    memcpy(dns, (const uint8_t[8]){25, 3, 0, 0, 0, 0, 7, 8}, 8);
    memcpy(dns + 8, (const uint8_t[16]){0x20, 1, 0x0d, 0xb8, [15] = 0x53}, 16);
    const uint16_t sum = icmp6_sum(ip, ra, 72);
    ra[2] = (uint8_t)(sum >> 8);
    ra[3] = (uint8_t)sum;
    net_peer_frame(peer, f, sizeof f);
}

static void begin_without_dhcp(void) {
    assert_int_equal(net_world_end(&world), 0);
    net_peer_init(peer);
    peer->link = true;
    peer->no_dhcp = true;
    assert_int_equal(net_world_begin(&world, "node-1"), 0);
}

static void a_router_gives_an_address(void **state) {
    (void)state;
    begin_without_dhcp();
    net_world_run(&world, 3000); /* the link-local address is probed first */
    assert_string_equal(fk_net_address(&world.net), "");
    advertise(3600);
    net_world_run(&world, 3000);
    /* RFC 4291 appendix A: of the MAC address 02:00:00:00:00:50 */
    assert_string_equal(fk_net_address(&world.net), "2001:db8::ff:fe00:50");
    assert_int_equal(count_lines("address obtained"), 1);
    assert_true(ip_addr_cmp(dns_getserver(0),
                            &(ip_addr_t)IPADDR6_INIT(PP_HTONL(0x20010db8), 0, 0, PP_HTONL(0x53))));
}

static void a_prefix_that_runs_out_takes_the_address_along(void **state) {
    (void)state;
    begin_without_dhcp();
    net_world_run(&world, 3000);
    advertise(20);
    net_world_run(&world, 5000);
    assert_string_equal(fk_net_address(&world.net), "2001:db8::ff:fe00:50");
    net_world_run(&world, 30000);
    assert_string_equal(fk_net_address(&world.net), "");
    assert_int_equal(count_lines("address lost"), 1);
}

/* The name server says (RFC 4861 §4.4) that 2001:db8::53 is it. */
static void answer_solicitation(void) {
    uint8_t f[14 + 40 + 32] = {2,    0, 0, 0, 0,    0x50, 2,  0,
                               0,    0, 0, 1, 0x86, 0xdd, /* Ethernet */
                               0x60, 0, 0, 0, 0,    32,   58, 255};
    uint8_t *const ip = f + 14, *const na = ip + 40;
    const uint8_t server[16] = {0x20, 1, 0x0d, 0xb8, [15] = 0x53};
    memcpy(ip + 8, server, 16);
    memcpy(ip + 24, netif_ip6_addr(&world.net.netif, 1)->addr, 16);
    memcpy(na, (const uint8_t[8]){136, 0, 0, 0, 0x60}, 8);
    memcpy(na + 8, server, 16);
    memcpy(na + 24, (const uint8_t[8]){2, 1, 2, 0, 0, 0, 0, 1}, 8);
    const uint16_t sum = icmp6_sum(ip, na, 32);
    na[2] = (uint8_t)(sum >> 8);
    na[3] = (uint8_t)sum;
    net_peer_frame(peer, f, sizeof f);
}

/* What the first query to the name server asks for: 1 is A, 28 AAAA. 0: none came. */
static unsigned query_type(void) {
    struct fk_tcp_lwip tcp;
    fk_tcp_lwip_init(&tcp, &world.net, "api.example.net", 6443);
    const struct fk_pipe pipe = fk_tcp_lwip_pipe(&tcp);
    unsigned type = 0;
    assert_int_equal(fk_pipe_open(pipe), 0);
    for (int i = 0; i < 30 && type == 0; i++) {
        net_world_run(&world, 100);
        const uint8_t *const dns = peer->out + 14 + 40 + 8;
        const bool to_server = peer->out[12] == 0x86 && peer->out[14 + 6] == 17 && dns[-5] == 53;
        if (to_server) type = dns[12 + 17 + 1];
        else if (i == 1) answer_solicitation();
    }
    fk_pipe_close(pipe);
    for (int i = 0; i < 30; i++) dns_tmr(); /* the lookup refers to tcp */
    return type;
}

/* A server that has both kinds of addresses cannot be reached by IPv4 from here. */
static void without_an_ipv4_address_names_have_ipv6_ones(void **state) {
    (void)state;
    begin_without_dhcp();
    net_world_run(&world, 3000);
    advertise(3600);
    net_world_run(&world, 3000);
    assert_int_equal(query_type(), 28);
}

static void an_ipv4_address_comes_first(void **state) {
    (void)state;
    net_world_run(&world, 3000);
    advertise(3600);
    net_world_run(&world, 3000);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.50");
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(dhcp_gives_an_address),
        TEST(without_an_address_there_is_none),
        TEST(a_silent_dhcp_server_is_asked_again),
        TEST(each_discovery_has_an_id_of_its_own),
        TEST(the_longest_host_name_is_sent),
        TEST(a_lease_is_renewed_at_half_time),
        TEST(a_lease_of_two_minutes_is_kept),
        TEST(a_lost_server_is_asked_by_broadcast_and_then_the_address_goes),
        TEST(another_address_is_noticed),
        TEST(another_gateway_is_noticed),
        TEST(a_lease_for_ever_is_kept),
        TEST(a_cable_pulled_and_put_back),
        TEST(the_cable_leads_elsewhere_now),
        TEST(the_link_is_back_but_the_server_is_not),
        TEST(a_quiet_stack_sleeps),
        TEST(a_stack_that_waits_is_awake),
        TEST(a_long_standstill_is_survived),
        TEST(a_step_moves_a_few_frames),
        TEST(the_gateway_is_known_by_its_mac),
        TEST(pings_are_answered),
        TEST(unanswered_arp_holds_no_memory),
        TEST(a_full_pool_costs_a_frame),
        TEST(a_chip_without_room_costs_a_frame),
        TEST(fragments_and_options_are_dropped),
        TEST(cut_frames_are_survived),
        TEST(floods_leave_everything_as_it_was),
        TEST(what_is_missing_at_the_start_is_said),
#if LWIP_IPV6
        TEST(a_router_gives_an_address),
        TEST(a_prefix_that_runs_out_takes_the_address_along),
        TEST(without_an_ipv4_address_names_have_ipv6_ones),
        TEST(an_ipv4_address_comes_first),
#endif
    };
    return cmocka_run_group_tests_name("link/net_lwip", tests, NULL, NULL);
}
