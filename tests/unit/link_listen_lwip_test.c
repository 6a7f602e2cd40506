/* link/listen_lwip against played clients (support/net_client.h), beside a connection to a played
 * API server (support/net_peer.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link/listen_lwip.h"
#include "support/net_client.h"
#include "support/net_world.h"

#define PORT 10250
#define NEAR 0xc0000209u /* a client on the network */
#define FAR 0x0a000001u  /* and one behind the router */

static struct net_world world;
static struct net_peer *const peer = &world.peer;
static struct fk_listen_lwip l;
static struct fk_listener listener;
static struct fk_tcp_lwip tcp;
static struct fk_pipe up; /* to the API server */
static struct net_client clients[12];
static struct net_client *const c = &clients[0];
static uint8_t pattern[8192];
static unsigned used; /* before the test */

static void run(uint64_t ms) { net_world_run(&world, ms); }

static struct fk_pipe slot(unsigned i) { return listener.ops->pipe(listener.ctx, i); }

static bool somebody_waits(void) { return listener.ops->waiting(listener.ctx); }

static int set_up(void **state) {
    (void)state;
    uint32_t x = 7;
    for (size_t i = 0; i < sizeof pattern; i++) {
        x = x * 1664525u + 1013904223u;
        pattern[i] = (uint8_t)(x >> 24);
    }
    memset(clients, 0, sizeof clients);
    int err = net_world_up(&world);
    run(5000); /* IPv6 has found its feet */
    if (err == 0) err = fk_listen_lwip_open(&l, &world.net, PORT);
    listener = fk_listen_lwip_listener(&l);
    fk_tcp_lwip_init(&tcp, &world.net, "192.0.2.7", 6443);
    up = fk_tcp_lwip_pipe(&tcp);
    used = net_world_used();
    return err;
}

/* All memory comes back, whatever the test did. */
static int tear_down(void **state) {
    (void)state;
    fk_pipe_close(up);
    fk_listen_lwip_close(&l);
    fk_listen_lwip_close(&l);
    return net_world_end(&world) == 0 ? 0 : -1;
}

/* As a machine does that knows nobody yet. */
static void call(struct net_client *who) {
    net_peer_arp(peer, NEAR, peer->lease_address);
    net_client_connect(peer, who, NEAR, (uint16_t)(40000 + (who - clients)), PORT);
}

static void connect_slot(struct net_client *who, unsigned i) {
    call(who);
    run(0);
    assert_true(who->connected);
    assert_true(somebody_waits());
    assert_int_equal(fk_pipe_open(slot(i)), 0);
}

static void connect_upstream(void) {
    assert_int_equal(fk_pipe_open(up), 0);
    run(0);
    assert_int_equal(tcp.pcb->state, ESTABLISHED);
}

/* The API server's connection moves a full record within ms, and gets an answer. */
static void assert_upstream_moves_in(uint64_t ms) {
    uint8_t buf[600];
    peer->got_len = 0;
    assert_int_equal(fk_pipe_send(up, pattern, TCP_SND_BUF), TCP_SND_BUF);
    net_peer_tcp(peer, NET_ACK, pattern, 536);
    const uint64_t begun_ms = peer->now_ms;
    run(0);
    while (peer->got_len < TCP_SND_BUF && peer->now_ms < begun_ms + ms) run(10);
    assert_int_equal(peer->got_len, TCP_SND_BUF);
    assert_memory_equal(peer->got, pattern, TCP_SND_BUF);
    assert_int_equal(fk_pipe_recv(up, buf, sizeof buf), 536);
}

static void assert_upstream_moves(void) { assert_upstream_moves_in(0); }

/* A flood from this network pushes the API server out of the ARP table: it is asked for, and one of
 * two segments comes again. */
#define ARP_AND_ONE_RETRANSMISSION_MS 1500

static bool is_alive(unsigned i) {
    uint8_t byte;
    return fk_pipe_recv(slot(i), &byte, 1) == 0;
}

/* ---- Taking in --------------------------------------------------------------------------------
 */

static void bytes_pass_both_ways(void **state) {
    (void)state;
    uint8_t buf[8];
    assert_int_equal(listener.count, FK_SERVER_CONNECTIONS);
    assert_false(somebody_waits());
    assert_int_equal(fk_pipe_open(slot(1)), FK_E_BUSY);
    assert_int_equal(fk_pipe_recv(slot(1), buf, sizeof buf), FK_E_CLOSED);
    assert_int_equal(fk_pipe_send(slot(1), "x", 1), FK_E_CLOSED);
    assert_false(listener.ops->established(listener.ctx, 1));
    connect_slot(c, 1);
    assert_true(listener.ops->established(listener.ctx, 1));
    assert_false(listener.ops->ready(listener.ctx, 1));
    assert_null(listener.ops->peer(listener.ctx, 1));
    assert_false(somebody_waits());
    assert_int_equal(fk_pipe_recv(slot(1), buf, sizeof buf), 0);
    net_client_send(peer, c, NET_ACK | NET_PSH, "hello", 5);
    run(0);
    assert_int_equal(fk_pipe_recv(slot(1), buf, sizeof buf), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(fk_pipe_recv(slot(1), buf, sizeof buf), 0);
    assert_int_equal(fk_pipe_send(slot(1), "world", 5), 5);
    assert_int_equal(c->got_len, 5); /* sent at once */
    assert_memory_equal(c->got, "world", 5);
    fk_pipe_close(slot(1));
    assert_true(c->got_fin);
    fk_pipe_close(slot(1));
    assert_int_equal(fk_pipe_recv(slot(1), buf, sizeof buf), FK_E_CLOSED);
}

static void the_answer_says_how_much_we_take(void **state) {
    (void)state;
    c->manual = true;
    call(c);
    run(0);
    assert_int_equal(c->last.flags, NET_SYN | NET_ACK);
    assert_int_equal(c->last.mss, TCP_MSS);
    assert_int_equal(c->last.window, FK_LISTEN_WND);
    net_client_connect(peer, &clients[1], NEAR, 1, PORT + 1); /* and no other port is open */
    run(0);
    assert_true(clients[1].got_rst);
}

/* His machine knows us still, and we have forgotten him. */
static void from_a_neighbor_whom_we_do_not_know(void **state) {
    (void)state;
    net_client_connect(peer, c, NEAR, 1, PORT);
    run(0);
    assert_int_equal(c->segments, 0);
    run(2 * TCP_TMR_INTERVAL);
    assert_true(c->connected);
}

static void from_behind_the_router(void **state) {
    (void)state;
    net_client_connect(peer, c, FAR, 1, PORT);
    run(1000); /* the router's address is looked for first */
    assert_true(c->connected);
    assert_int_equal(fk_pipe_open(slot(0)), 0);
    assert_int_equal(fk_pipe_send(slot(0), "x", 1), 1);
    assert_int_equal(c->got_len, 1);
}

/* What came with the handshake's end, and before somebody looks. */
static void bytes_that_came_early(void **state) {
    (void)state;
    uint8_t buf[16];
    call(c);
    run(0);
    net_client_send(peer, c, NET_ACK, "early", 5);
    net_client_send(peer, c, NET_ACK | NET_FIN, NULL, 0);
    run(0);
    assert_int_equal(fk_pipe_open(slot(0)), 0);
    assert_int_equal(fk_pipe_recv(slot(0), buf, sizeof buf), 5);
    assert_int_equal(fk_pipe_recv(slot(0), buf, sizeof buf), FK_E_CLOSED);
    assert_int_equal(fk_pipe_send(slot(0), "late", 4), 4);
    assert_int_equal(c->got_len, 4);
}

static void who_waits_longest_comes_first(void **state) {
    (void)state;
    uint8_t byte;
    for (uint8_t i = 0; i < 3; i++) {
        call(&clients[i]);
        run(0);
        net_client_send(peer, &clients[i], NET_ACK, &i, 1);
        run(0);
    }
    for (uint8_t i = 0; i < 3; i++) { /* whichever slot asks */
        const unsigned s = (i + 1u) % 3;
        assert_int_equal(fk_pipe_open(slot(s)), 0);
        assert_int_equal(fk_pipe_recv(slot(s), &byte, 1), 1);
        assert_int_equal(byte, i);
    }
    assert_false(somebody_waits());
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(fk_pipe_send(slot((i + 1u) % 3), &i, 1), 1);
        assert_int_equal(clients[i].got[0], i);
    }
}

/* The slots' pipes are all closed as yet, and the server closes what it does not use. */
static void close_of_a_slot_leaves_alone_who_waits(void **state) {
    (void)state;
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) call(&clients[i]);
    run(1500);
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) fk_pipe_close(slot(i));
    assert_true(somebody_waits());
    assert_int_equal(fk_pipe_open(slot(0)), 0);
    assert_int_equal(fk_pipe_send(slot(0), "x", 1), 1);
}

/* One more waits than there are slots; the next one asks again until there is room. */
static void more_connections_than_slots(void **state) {
    (void)state;
    enum { SLOTS = FK_SERVER_CONNECTIONS, ALL = SLOTS + FK_LISTEN_WAITING };
    for (unsigned i = 0; i < SLOTS; i++) connect_slot(&clients[i], i);
    for (unsigned i = SLOTS; i < ALL; i++) {
        call(&clients[i]);
        run(0);
        assert_true(clients[i].connected);
    }
    struct net_client *late = &clients[ALL];
    call(late);
    run(0);
    assert_int_equal(late->segments, 0);
    assert_int_equal(l.refused, 1);
    assert_true(somebody_waits());
    fk_pipe_close(slot(2));
    assert_int_equal(fk_pipe_open(slot(2)), 0);
    assert_false(somebody_waits());
    assert_int_equal(fk_pipe_send(slot(2), "x", 1), 1);
    assert_int_equal(clients[SLOTS].got_len, 1);
    call(late); /* as TCP does, a second later */
    run(1000);
    assert_true(late->connected && somebody_waits());
}

static void who_resets_while_he_waits_is_forgotten(void **state) {
    (void)state;
    call(c);
    run(0);
    net_client_send(peer, c, NET_ACK, "early", 5);
    run(0);
    assert_true(somebody_waits());
    net_client_send(peer, c, NET_RST | NET_ACK, NULL, 0);
    run(0);
    assert_false(somebody_waits());
    assert_int_equal(fk_pipe_open(slot(0)), FK_E_BUSY);
    assert_int_equal(net_world_used(), used);
}

static void no_memory_for_a_listener(void **state) {
    (void)state;
    struct fk_listen_lwip second;
    assert_int_equal(fk_listen_lwip_open(&second, &world.net, PORT + 1), FK_E_NOMEM);
    fk_listen_lwip_close(&second);
    assert_int_equal(net_world_used(), used);
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static void a_fin_comes_behind_the_last_byte(void **state) {
    (void)state;
    uint8_t buf[3];
    connect_slot(c, 0);
    net_client_send(peer, c, NET_ACK | NET_FIN, "last", 4);
    run(0);
    assert_int_equal(fk_pipe_recv(slot(0), buf, 3), 3);
    assert_int_equal(fk_pipe_recv(slot(0), buf, 3), 1);
    assert_int_equal(fk_pipe_recv(slot(0), buf, 3), FK_E_CLOSED);
    assert_int_equal(fk_pipe_send(slot(0), "more", 4), 4);
    fk_pipe_close(slot(0));
    run(0);
    assert_int_equal(c->got_len, 4);
    assert_true(c->got_fin);
    assert_false(c->got_rst);
    run(1000);
    assert_int_equal(net_world_used(), used); /* the peer was the first: nothing waits */
}

static void a_fin_of_ours_comes_behind_the_last_byte(void **state) {
    (void)state;
    connect_slot(c, 0);
    assert_int_equal(fk_pipe_send(slot(0), pattern, 500), 500);
    fk_pipe_close(slot(0));
    run(0);
    assert_int_equal(c->got_len, 500);
    assert_true(c->got_fin && !c->got_rst);
    net_client_send(peer, c, NET_ACK | NET_FIN, NULL, 0);
    run(0);
    assert_null(tcp_active_pcbs);
    run(130000); /* TIME_WAIT */
    assert_int_equal(net_world_used(), used);
}

/* A request that is refused before it was read: the refusal arrives all the same. */
static void last_words_arrive_although_bytes_are_unread(void **state) {
    (void)state;
    connect_slot(c, 0);
    net_client_send(peer, c, NET_ACK, pattern, 700);
    run(0);
    assert_int_equal(fk_pipe_send(slot(0), "413", 3), 3);
    fk_pipe_close(slot(0));
    run(0);
    assert_int_equal(c->got_len, 3);
    assert_true(c->got_fin && !c->got_rst);
    net_client_send(peer, c, NET_ACK, pattern, 100); /* but he goes on */
    run(0);
    assert_true(c->got_rst);
    assert_int_equal(net_world_used(), used);
}

static void a_reset_comes_behind_the_last_byte(void **state) {
    (void)state;
    uint8_t buf[8];
    connect_slot(c, 0);
    net_client_send(peer, c, NET_ACK, "alert", 5);
    net_client_send(peer, c, NET_RST | NET_ACK, NULL, 0);
    run(0);
    assert_int_equal(fk_pipe_recv(slot(0), buf, 8), 5);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fk_pipe_recv(slot(0), buf, 8), FK_E_RESET);
        assert_int_equal(fk_pipe_send(slot(0), buf, 8), FK_E_RESET);
    }
    fk_pipe_close(slot(0));
    assert_int_equal(fk_pipe_recv(slot(0), buf, 8), FK_E_CLOSED);
    assert_int_equal(net_world_used(), used);
}

/* In the middle of an answer: the server's patience ends, or lwIP's. */
static void a_peer_that_vanishes(void **state) {
    (void)state;
    uint8_t byte;
    connect_slot(c, 0);
    c->manual = true;
    assert_int_equal(fk_pipe_send(slot(0), pattern, 2000), TCP_MSS);
    run(4000);
    assert_int_equal(fk_pipe_send(slot(0), pattern, 2000), 0);
    fk_pipe_close(slot(0));
    assert_true(c->got_rst);
    assert_int_equal(net_world_used(), used);
    c->manual = false;
    connect_slot(c, 0);
    c->manual = true;
    assert_int_equal(fk_pipe_send(slot(0), pattern, 100), 100);
    run(90000);
    assert_int_equal(fk_pipe_recv(slot(0), &byte, 1), FK_E_TIMEOUT);
    fk_pipe_close(slot(0));
    assert_int_equal(net_world_used(), used);
}

/* And one that vanishes before our FIN, or takes it and never sends his own. */
static void nothing_lingers_for_ever(void **state) {
    (void)state;
    connect_slot(&clients[0], 0);
    connect_slot(&clients[1], 1);
    clients[0].manual = true;
    assert_int_equal(fk_pipe_send(slot(0), "bye", 3), 3);
    fk_pipe_close(slot(0));
    fk_pipe_close(slot(1));
    run(90000);
    assert_null(tcp_active_pcbs);
    assert_int_equal(net_world_used(), used);
}

static void a_thousand_connections_opened_and_left(void **state) {
    (void)state;
    connect_upstream();
    const unsigned before = net_world_used();
    net_peer_arp(peer, NEAR, NET_PEER_NODE);
    for (unsigned i = 0; i < 1000; i++) {
        struct net_client *who = &clients[i % 12];
        net_client_connect(peer, who, NEAR, (uint16_t)(1000 + i), PORT);
        run(0);
        assert_true(who->connected);
        if (i % 2 == 0) net_client_send(peer, who, NET_ACK, pattern, 300);
        if (i % 3 == 0) net_client_send(peer, who, NET_ACK | NET_FIN, NULL, 0);
        if (i % 5 == 0) net_client_send(peer, who, NET_ACK | NET_RST, NULL, 0);
        run(0);
        if (somebody_waits()) assert_int_equal(fk_pipe_open(slot(i % FK_SERVER_CONNECTIONS)), 0);
        if (i % 7 == 0) assert_upstream_moves();
        run(1);
        if (i % 4 == 0)
            for (unsigned k = 0; k < FK_SERVER_CONNECTIONS; k++) fk_pipe_close(slot(k));
    }
    for (unsigned k = 0; k < FK_SERVER_CONNECTIONS; k++) fk_pipe_close(slot(k));
    assert_upstream_moves();
    run(130000);
    assert_false(somebody_waits());
    assert_int_equal(net_world_used(), before);
}

static void another_address_ends_the_connections(void **state) {
    (void)state;
    uint8_t byte;
    connect_slot(&clients[0], 0);
    call(&clients[1]);
    run(0);
    peer->lease_address = NET_PEER_NODE + 1;
    peer->link = false;
    run(100);
    peer->link = true;
    run(3000);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.51");
    assert_int_equal(fk_pipe_recv(slot(0), &byte, 1), FK_E_TIMEOUT);
    assert_int_equal(fk_pipe_send(slot(0), &byte, 1), FK_E_TIMEOUT);
    assert_false(somebody_waits()); /* he is gone */
    fk_pipe_close(slot(0));
    connect_slot(&clients[2], 0); /* and the port is open at the new address */
    assert_int_equal(fk_pipe_send(slot(0), "x", 1), 1);
    assert_int_equal(clients[2].got_len, 1);
}

static void closing_hangs_up_on_everyone(void **state) {
    (void)state;
    connect_upstream();
    const unsigned before = net_world_used();
    connect_slot(&clients[0], 0);
    call(&clients[1]);
    net_client_send(peer, &clients[0], NET_ACK, pattern, 300);
    run(0);
    assert_int_equal(fk_pipe_send(slot(0), pattern, 300), 300);
    fk_listen_lwip_close(&l);
    assert_true(clients[0].got_rst && clients[1].got_rst);
    call(&clients[2]);
    run(0);
    assert_true(clients[2].got_rst);
    assert_upstream_moves();
    run(1000);
    assert_true(net_world_used() < before); /* less the listening one */
}

/* ---- Receiving --------------------------------------------------------------------------------
 */

static void the_window_opens_as_bytes_are_read(void **state) {
    (void)state;
    static uint8_t buf[FK_LISTEN_WND + 1];
    connect_slot(c, 0);
    for (size_t at = 0; at < 3 * FK_LISTEN_WND; at += FK_LISTEN_WND) {
        net_client_send(peer, c, NET_ACK, pattern + at, TCP_MSS);
        net_client_send(peer, c, NET_ACK, pattern + at + TCP_MSS, TCP_MSS);
        run(1000);
        assert_int_equal(c->last.ack, c->snd_nxt);
        assert_int_equal(c->last.window, 0);
        net_client_send_at(peer, c, c->snd_nxt, NET_ACK, pattern, 100); /* too much: dropped */
        run(1000);
        assert_int_equal(c->last.ack, c->snd_nxt);
        assert_int_equal(fk_pipe_recv(slot(0), buf, sizeof buf), FK_LISTEN_WND);
        assert_memory_equal(buf, pattern + at, FK_LISTEN_WND);
        run(1000);
        assert_int_equal(c->last.window, FK_LISTEN_WND);
    }
}

static void segments_out_of_order_wait_for_the_gap(void **state) {
    (void)state;
    static uint8_t buf[FK_LISTEN_WND];
    connect_slot(c, 0);
    net_client_send_at(peer, c, c->snd_nxt + TCP_MSS, NET_ACK, pattern + TCP_MSS, TCP_MSS);
    run(0);
    assert_int_equal(fk_pipe_recv(slot(0), buf, sizeof buf), 0);
    net_client_send(peer, c, NET_ACK, pattern, TCP_MSS);
    run(0);
    assert_int_equal(fk_pipe_recv(slot(0), buf, sizeof buf), FK_LISTEN_WND);
    assert_memory_equal(buf, pattern, FK_LISTEN_WND);
}

/* ---- Sending ----------------------------------------------------------------------------------
 */

/* Sends from at on what is taken. */
static size_t send_some(unsigned i, size_t at, size_t len) {
    const int n = fk_pipe_send(slot(i), pattern + at, len);
    assert_in_range(n, 0, len);
    return (size_t)n;
}

static void an_answer_larger_than_what_may_be_under_way(void **state) {
    (void)state;
    connect_slot(c, 0);
    size_t sent = 0;
    for (int turns = 0; sent < 8000; turns++) {
        assert_true(turns < 20);
        sent += send_some(0, sent, 8000 - sent);
        run(0);
        assert_int_equal(c->got_len, sent);
        assert_true(c->last.len <= TCP_MSS / 2);
    }
    assert_memory_equal(c->got, pattern, 8000);
}

static void each_has_its_own_measure_and_all_have_one(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        connect_slot(&clients[i], i);
        clients[i].manual = true;
    }
    assert_int_equal(send_some(0, 0, 5000), TCP_MSS); /* two halves */
    assert_int_equal(send_some(0, 0, 5000), 0);
    assert_int_equal(send_some(1, 0, 5000), TCP_MSS / 2);
    assert_int_equal(send_some(2, 0, 5000), 0);
    clients[0].rcv_nxt += TCP_MSS;
    net_client_send(peer, &clients[0], NET_ACK, NULL, 0);
    run(0);
    assert_int_equal(send_some(2, 0, 5000), TCP_MSS);
    assert_int_equal(send_some(0, 0, 5000), 0);
    assert_int_equal(l.evicted, 0);
}

/* A connection that is ending still has its last segments under way: they are waited for as long as
 * the peer may be there. */
static void who_is_leaving_silently_keeps_nobody_waiting(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) connect_slot(&clients[i], i);
    clients[0].manual = true;
    clients[1].manual = true;
    assert_int_equal(send_some(0, 0, 5000), TCP_MSS);
    fk_pipe_close(slot(0));
    assert_int_equal(send_some(1, 0, 5000), 0); /* two, and the FIN */
    assert_int_equal(send_some(2, 0, 5000), 0);
    run(4000);
    assert_int_equal(send_some(2, 0, 5000), TCP_MSS);
    assert_true(clients[0].got_rst);
}

static void a_slow_reader_is_waited_for(void **state) {
    (void)state;
    connect_slot(c, 0);
    size_t sent = 0;
    for (int i = 0; i < 40; i++) {
        c->window = i % 4 == 3 ? 300 : 0;
        net_client_send(peer, c, NET_ACK, NULL, 0);
        run(700);
        sent += send_some(0, sent, 2000 - sent > 0 ? 2000 - sent : 1);
        if (sent > 2000) break;
    }
    c->window = 8192;
    net_client_send(peer, c, NET_ACK, NULL, 0);
    run(20000);
    assert_true(sent > 1000);
    assert_int_equal(c->got_len, sent);
    assert_memory_equal(c->got, pattern, sent);
}

/* His window never opens: the server's patience ends. */
static void a_reader_who_never_reads(void **state) {
    (void)state;
    connect_slot(c, 0);
    c->window = 0;
    for (int i = 0; i < 2; i++) net_client_send(peer, c, NET_ACK, "x", 1); /* with news only */
    run(0);
    assert_true(send_some(0, 0, 2000) > 0);
    run(10000);
    assert_int_equal(c->got_len, 1); /* lwIP's probe */
    fk_pipe_close(slot(0));
    assert_true(c->got_rst);
    assert_int_equal(net_world_used(), used);
}

static void lost_segments_are_repeated(void **state) {
    (void)state;
    connect_slot(c, 0);
    size_t sent = 0;
    for (size_t i = 0; i < 5; i++) {
        peer->lose = 1;
        sent += send_some(0, sent, TCP_MSS);
        run(1600 + i * 30);
        assert_int_equal(c->got_len, sent);
    }
    assert_memory_equal(c->got, pattern, sent);
}

/* ---- Beside the API server --------------------------------------------------------------------
 */

/* SYNs from everywhere, at any rate: none of them is ever finished. */
static void flood(unsigned count) {
    static uint32_t n = 0;
    for (unsigned i = 0; i < count; i++, n++) {
        const uint32_t from = n % 2 == 0 ? 0xc0000264u + n % 100 : 0x0b000000u + n * 77;
        net_peer_tcp_stray(peer, from, (uint16_t)(n * 31 + 1), PORT, NET_SYN);
        if (i % 32 == 31) run(1);
    }
    run(1);
}

static void half_open_connections_are_few(void **state) {
    (void)state;
    connect_upstream();
    for (int i = 0; i < 50; i++) {
        flood(20);
        assert_true(lwip_stats.memp[MEMP_TCP_PCB]->used <= 1 + FK_LISTEN_HALF_OPEN);
        assert_upstream_moves_in(ARP_AND_ONE_RETRANSMISSION_MS);
    }
    assert_true(l.evicted > 900);
    run(30000); /* lwIP forgets them after 20 s */
    assert_null(tcp_active_pcbs->next);
}

static void a_flood_of_syns_keeps_nobody_out(void **state) {
    (void)state;
    flood(500);
    connect_slot(c, 0); /* between two of them */
    flood(500);
    assert_int_equal(send_some(0, 0, 500), 500);
    run(2 * ARP_AND_ONE_RETRANSMISSION_MS); /* those half-open still ask for theirs meanwhile */
    assert_int_equal(c->got_len, 500);
    assert_false(c->got_rst);
}

/* Nor the API server's connection from being made anew, all the time. */
static void a_flood_of_syns_while_we_reconnect(void **state) {
    (void)state;
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) connect_slot(&clients[i], i);
    for (int i = 0; i < 30; i++) {
        flood(40);
        assert_int_equal(fk_pipe_open(up), 0);
        flood(40);
        run(0);
        assert_int_equal(tcp.pcb->state, ESTABLISHED);
        assert_upstream_moves_in(ARP_AND_ONE_RETRANSMISSION_MS);
        peer->manual = i % 3 == 0; /* it vanishes: our FIN lingers */
        fk_pipe_close(up);
        peer->manual = false;
    }
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) assert_true(is_alive(i));
}

/* All places taken by connections that are waiting, open, or ending. */
static void full_of_strangers(void **state) {
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        call(&clients[i]);
        clients[i].manual = i >= FK_SERVER_CONNECTIONS;
        run(0);
        if (somebody_waits() && i < FK_SERVER_CONNECTIONS)
            assert_int_equal(fk_pipe_open(slot(i)), 0);
    }
    flood(10);
    connect_upstream();
    assert_upstream_moves_in(ARP_AND_ONE_RETRANSMISSION_MS);
}

/* Strangers fill the pool of received frames: tiny segments that nobody reads. */
static void the_pool_exhausted_by_strangers(void **state) {
    (void)state;
    connect_upstream();
    for (unsigned i = 0; i < 3; i++) connect_slot(&clients[i], i);
    net_client_send(peer, &clients[2], NET_ACK, pattern, 200); /* an honest one */
    for (unsigned k = 0; k < 300; k++) {
        net_client_send(peer, &clients[0], NET_ACK, pattern, 1);
        net_client_send_at(peer, &clients[1], clients[1].snd_nxt + 2 + 2 * k, NET_ACK, pattern, 1);
        run(0);
        if (k % 10 == 0) assert_upstream_moves();
    }
    assert_int_equal(fk_net_dropped(&world.net), 0);
    assert_true(l.evicted >= 2);
    uint8_t buf[200];
    assert_int_equal(fk_pipe_recv(slot(0), buf, 1), FK_E_TIMEOUT);
    assert_int_equal(fk_pipe_recv(slot(1), buf, 1), FK_E_TIMEOUT);
    assert_int_equal(fk_pipe_recv(slot(2), buf, 200), 200);
    run(1000);
}

/* What a connection left unread that has ended goes as well. */
static void remains_give_way(void **state) {
    (void)state;
    connect_upstream();
    connect_slot(c, 0);
    for (unsigned k = 0; k < PBUF_POOL_SIZE - 1; k++) net_client_send(peer, c, NET_ACK, pattern, 1);
    run(0);
    net_client_send(peer, c, NET_ACK | NET_RST, NULL, 0);
    run(0);
    assert_upstream_moves();
    uint8_t byte;
    assert_int_equal(fk_pipe_recv(slot(0), &byte, 1), FK_E_RESET);
}

/* The heap is full, by whomever: a record of the API server's connection finds room all the same.
 */
static void the_heap_exhausted_by_strangers(void **state) {
    (void)state;
    connect_upstream();
    for (unsigned i = 0; i < 2; i++) {
        connect_slot(&clients[i], i);
        clients[i].manual = true;
    }
    run(1000);
    assert_true(send_some(0, 0, 2000) + send_some(1, 0, 2000) > 0);
    assert_upstream_moves(); /* it fits beside what strangers may have */
    assert_int_equal(l.evicted, 0);
    void *hog = NULL;
    for (size_t size = MEM_SIZE; hog == NULL; size -= 8) hog = mem_malloc((mem_size_t)size);
    peer->got_len = 0;
    assert_true(fk_pipe_send(up, pattern, 200) > 0);
    assert_true(l.evicted > 0);
    mem_free(hog);
    run(3000);
    assert_upstream_moves();
}

static void a_syn_of_ours_finds_room(void **state) {
    (void)state;
    connect_slot(c, 0);
    c->manual = true;
    run(1000);
    assert_true(send_some(0, 0, 2000) > 0);
    void *hogs[40];
    unsigned count = 0; /* in as many pieces as it takes */
    for (size_t size = MEM_SIZE; size >= 32 && count < 40; size -= 8)
        while (count < 40 && (hogs[count] = mem_malloc((mem_size_t)size)) != NULL) count++;
    assert_true(count < 40);
    assert_int_equal(fk_pipe_open(up), 0);
    assert_int_equal(l.evicted, 1);
    while (count > 0) mem_free(hogs[--count]);
    run(2000);
    assert_int_equal(tcp.pcb->state, ESTABLISHED);
    assert_upstream_moves();
}

/* The end of an answer, lost on its way: no reason to cut the answer short. */
static void one_loss_at_the_end_is_forgiven(void **state) {
    (void)state;
    connect_slot(c, 0);
    peer->lose = 2;
    assert_int_equal(send_some(0, 0, 200), 200);
    run(1200); /* once more, and lost once more */
    assert_int_equal(c->got_len, 0);
    fk_pipe_close(slot(0));
    run(4000);
    assert_int_equal(c->got_len, 200);
    assert_true(c->got_fin && !c->got_rst);
}

static void nothing_to_take_from_strangers(void **state) {
    (void)state;
    connect_upstream();
    connect_slot(c, 0);
    run(1000);
    void *hog = NULL;
    for (size_t size = MEM_SIZE; hog == NULL; size -= 8) hog = mem_malloc((mem_size_t)size);
    assert_int_equal(fk_pipe_send(up, pattern, 200), 0); /* later */
    assert_int_equal(l.evicted, 0);
    assert_true(is_alive(0));
    fk_pipe_close(up);
    assert_int_equal(fk_pipe_open(up), FK_E_NOMEM);
    mem_free(hog);
    connect_upstream();
}

/* An hour of everything at once, from a seed: who talks, is silent, leaves, comes back. */
static void the_connection_moves_through_anything(void **state) {
    (void)state;
    uint32_t x = 3;
    static uint8_t buf[600];
    connect_upstream();
    for (int turn = 0; turn < 4000; turn++) {
        x = x * 1664525u + 1013904223u;
        struct net_client *who = &clients[(x >> 24) % 12];
        const unsigned s = (x >> 16) % FK_SERVER_CONNECTIONS, what = (x >> 8) % 12;
        const size_t len = (x >> 12) % 600;
        who->manual = (x >> 20) % 5 == 0;
        who->window = (x >> 21) % 7 == 0 ? (uint16_t)(x >> 28) : 8192;
        if (what < 3) call(who);
        if (what == 3) net_client_send(peer, who, NET_ACK, pattern, len);
        if (what == 4) net_client_send_at(peer, who, who->snd_nxt + 7, NET_ACK, pattern, len);
        if (what == 5) net_client_send(peer, who, NET_ACK | NET_FIN, NULL, 0);
        if (what == 6 && somebody_waits()) (void)fk_pipe_open(slot(s));
        if (what == 7) fk_pipe_close(slot(s));
        if (what == 8) (void)fk_pipe_send(slot(s), pattern, len + 1);
        if (what == 9) (void)fk_pipe_recv(slot(s), buf, len + 1);
        if (what == 10) run(len * 2);
        if (what == 11) flood(5);
        run(0);
        run(1);
        if (turn % 3 == 0) assert_upstream_moves_in(ARP_AND_ONE_RETRANSMISSION_MS);
    }
    for (unsigned k = 0; k < FK_SERVER_CONNECTIONS; k++) fk_pipe_close(slot(k));
    assert_int_equal(fk_net_dropped(&world.net), 0);
}

/* ---- IPv6 -------------------------------------------------------------------------------------
 */

#if LWIP_IPV6
/* A packet of fe80::9 for our link-local address; the sum at sum_at made (RFC 8200 §8.1). */
static void send_v6(uint8_t proto, uint8_t *body, size_t len, size_t sum_at) {
    uint8_t f[14 + 40 + 128] = {2,    0, 0, 0, 0,    0x50,         2,     0,
                                0,    0, 0, 9, 0x86, 0xdd, /* Ethernet */
                                0x60, 0, 0, 0, 0,    (uint8_t)len, proto, 255};
    uint8_t *const ip = f + 14;
    memcpy(ip + 8, (const uint8_t[16]){0xfe, 0x80, [15] = 9}, 16);
    memcpy(ip + 24, netif_ip6_addr(&world.net.netif, 0)->addr, 16);
    memcpy(ip + 40, body, len);
    uint32_t sum = (uint32_t)len + proto;
    for (size_t i = 8; i < 40 + len; i += 2) sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    ip[40 + sum_at] = (uint8_t)(~sum >> 8);
    ip[40 + sum_at + 1] = (uint8_t)~sum;
    net_peer_frame(peer, f, 14 + 40 + len);
    run(0);
}

/* Who are you? A neighbor solicitation (RFC 4861 §4.3) that says who asks. */
static void solicit(void) {
    uint8_t ns[32] = {135};
    memcpy(ns + 8, netif_ip6_addr(&world.net.netif, 0)->addr, 16);
    memcpy(ns + 24, (const uint8_t[8]){1, 1, 2, 0, 0, 0, 0, 9}, 8);
    send_v6(58, ns, sizeof ns, 2);
}

static void segment_v6(uint8_t flags, uint32_t seq, uint32_t ack) {
    uint8_t tcp_[24] = {7, 7, PORT >> 8, PORT & 0xff, [12] = 0x50, [13] = flags, [14] = 0x20};
    for (size_t i = 0; i < 4; i++) {
        tcp_[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
        tcp_[8 + i] = (uint8_t)(ack >> (24 - 8 * i));
    }
    memcpy(tcp_ + 20, "ping", 4);
    send_v6(6, tcp_, (flags & NET_PSH) != 0 ? 24 : 20, 16);
}

static void version_6_as_well(void **state) {
    (void)state;
    solicit();
    segment_v6(NET_SYN, 1000, 0);
    const uint8_t *const reply = peer->out + 14 + 40;
    assert_int_equal(peer->out[12], 0x86);
    assert_int_equal(reply[13], NET_SYN | NET_ACK);
    assert_int_equal(reply[14] << 8 | reply[15], FK_LISTEN_WND);
    uint32_t ack = 1;
    for (size_t i = 0; i < 4; i++) ack += (uint32_t)reply[4 + i] << (24 - 8 * i);
    segment_v6(NET_ACK | NET_PSH, 1001, ack);
    uint8_t buf[8];
    assert_int_equal(fk_pipe_open(slot(0)), 0);
    assert_int_equal(fk_pipe_recv(slot(0), buf, sizeof buf), 4);
    assert_memory_equal(buf, "ping", 4);
    assert_int_equal(fk_pipe_send(slot(0), "pong", 4), 4);
    assert_memory_equal(reply + 20, "pong", 4);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(bytes_pass_both_ways),
        TEST(the_answer_says_how_much_we_take),
        TEST(from_a_neighbor_whom_we_do_not_know),
        TEST(from_behind_the_router),
        TEST(bytes_that_came_early),
        TEST(who_waits_longest_comes_first),
        TEST(close_of_a_slot_leaves_alone_who_waits),
        TEST(more_connections_than_slots),
        TEST(who_resets_while_he_waits_is_forgotten),
        TEST(no_memory_for_a_listener),
        TEST(a_fin_comes_behind_the_last_byte),
        TEST(a_fin_of_ours_comes_behind_the_last_byte),
        TEST(last_words_arrive_although_bytes_are_unread),
        TEST(a_reset_comes_behind_the_last_byte),
        TEST(a_peer_that_vanishes),
        TEST(nothing_lingers_for_ever),
        TEST(a_thousand_connections_opened_and_left),
        TEST(another_address_ends_the_connections),
        TEST(closing_hangs_up_on_everyone),
        TEST(the_window_opens_as_bytes_are_read),
        TEST(segments_out_of_order_wait_for_the_gap),
        TEST(an_answer_larger_than_what_may_be_under_way),
        TEST(each_has_its_own_measure_and_all_have_one),
        TEST(who_is_leaving_silently_keeps_nobody_waiting),
        TEST(a_slow_reader_is_waited_for),
        TEST(a_reader_who_never_reads),
        TEST(lost_segments_are_repeated),
        TEST(half_open_connections_are_few),
        TEST(a_flood_of_syns_keeps_nobody_out),
        TEST(a_flood_of_syns_while_we_reconnect),
        TEST(full_of_strangers),
        TEST(the_pool_exhausted_by_strangers),
        TEST(remains_give_way),
        TEST(the_heap_exhausted_by_strangers),
        TEST(a_syn_of_ours_finds_room),
        TEST(one_loss_at_the_end_is_forgiven),
        TEST(nothing_to_take_from_strangers),
        TEST(the_connection_moves_through_anything),
#if LWIP_IPV6
        TEST(version_6_as_well),
#endif
    };
    return cmocka_run_group_tests_name("link/listen_lwip", tests, NULL, NULL);
}
