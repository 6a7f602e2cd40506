/* link/tcp_lwip against a played server: see support/net_peer.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/net_world.h"

static struct net_world world;
static struct net_peer *const peer = &world.peer;
static struct fk_tcp_lwip tcp;
static struct fk_pipe pipe_;
static uint8_t pattern[16384];

static void use(const char *host) {
    fk_tcp_lwip_init(&tcp, &world.net, host, 6443);
    pipe_ = fk_tcp_lwip_pipe(&tcp);
}

static int set_up(void **state) {
    (void)state;
    uint32_t x = 7;
    for (size_t i = 0; i < sizeof pattern; i++) {
        x = x * 1664525u + 1013904223u;
        pattern[i] = (uint8_t)(x >> 24);
    }
    const int err = net_world_up(&world);
    use("192.0.2.7");
    return err;
}

static int tear_down(void **state) {
    (void)state;
    fk_pipe_close(pipe_);
    return net_world_end(&world) == 0 ? 0 : -1;
}

static void run(uint64_t ms) { net_world_run(&world, ms); }

static void connect_now(void) {
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    assert_int_equal(tcp.pcb->state, ESTABLISHED);
}

static int recv_some(void *buf, size_t cap) { return fk_pipe_recv(pipe_, buf, cap); }

static void assert_failed(int err, const char *words) {
    uint8_t byte = 0;
    for (int i = 0; i < 3; i++) { /* the same until close */
        assert_int_equal(fk_pipe_recv(pipe_, &byte, 1), err);
        assert_int_equal(fk_pipe_send(pipe_, &byte, 1), err);
    }
    assert_string_equal(fk_tcp_lwip_error(&tcp), words);
    fk_pipe_close(pipe_);
    assert_string_equal(fk_tcp_lwip_error(&tcp), words);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static void bytes_pass_both_ways(void **state) {
    (void)state;
    uint8_t buf[8];
    assert_int_equal(recv_some(buf, sizeof buf), FK_E_CLOSED);
    assert_int_equal(fk_pipe_open(pipe_), 0);
    assert_int_equal(recv_some(buf, sizeof buf), 0);
    assert_int_equal(fk_pipe_send(pipe_, "hello", 5), 0);
    run(0);
    assert_int_equal(peer->last.to, 6443);
    assert_int_equal(fk_pipe_send(pipe_, "hello", 5), 5);
    assert_int_equal(peer->got_len, 5); /* sent at once */
    assert_memory_equal(peer->got, "hello", 5);
    assert_int_equal(peer->last.flags & NET_PSH, NET_PSH);
    assert_int_equal(recv_some(buf, sizeof buf), 0);
    net_peer_tcp(peer, NET_ACK | NET_PSH, "world", 5);
    run(0);
    assert_int_equal(recv_some(buf, sizeof buf), 5);
    assert_memory_equal(buf, "world", 5);
    assert_int_equal(recv_some(buf, sizeof buf), 0);
    assert_string_equal(fk_tcp_lwip_error(&tcp), "");
}

static void the_syn_says_how_much_we_take(void **state) {
    (void)state;
    peer->manual = true;
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    assert_int_equal(peer->last.flags, NET_SYN);
    assert_int_equal(peer->last.mss, TCP_MSS);
    assert_int_equal(peer->last.window, TCP_WND);
}

static void ports_and_numbers_cannot_be_guessed(void **state) {
    (void)state;
    uint16_t port[4];
    uint32_t seq[4];
    peer->manual = true;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fk_pipe_open(pipe_), 0);
        run(0);
        port[i] = peer->last.from;
        seq[i] = peer->last.seq;
        assert_true(port[i] >= 49152);
        for (size_t k = 0; k < i; k++) {
            assert_true(abs(port[i] - port[k]) > 1);
            assert_true(seq[i] - seq[k] > 100000 && seq[k] - seq[i] > 100000);
        }
    }
}

static void without_an_address_there_is_no_way(void **state) {
    (void)state;
    assert_int_equal(net_world_end(&world), 0);
    net_peer_init(peer);
    assert_int_equal(net_world_begin(&world, NULL), 0);
    assert_int_equal(fk_pipe_open(pipe_), FK_E_UNREACHABLE);
    assert_failed(FK_E_UNREACHABLE, "no route: no address yet");
}

static void a_refusal_is_told_from_silence(void **state) {
    (void)state;
    peer->manual = true;
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    net_peer_tcp(peer, NET_RST | NET_ACK, NULL, 0);
    run(0);
    assert_failed(FK_E_UNREACHABLE, "connection refused");

    assert_int_equal(fk_pipe_open(pipe_), 0);
    assert_string_equal(fk_tcp_lwip_error(&tcp), "");
    run(0);
    const unsigned before = peer->segments;
    run(5000);
    uint8_t byte;
    assert_int_equal(recv_some(&byte, 1), 0);
    assert_int_equal(peer->segments - before, 5); /* a SYN every second */
    run(3000);
    assert_failed(FK_E_TIMEOUT, "connect: no answer");
}

/* A server that is not there: ARP finds nobody. */
static void a_neighbor_that_is_not_there(void **state) {
    (void)state;
    peer->no_arp = true;
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(9000);
    uint8_t byte;
    assert_int_equal(recv_some(&byte, 1), 0);
    assert_string_equal(fk_tcp_lwip_error(&tcp), "");
    fk_pipe_close(pipe_); /* the client's patience is over: the log says where it stood */
    assert_string_equal(fk_tcp_lwip_error(&tcp), "connect: no answer");
}

static void no_memory_for_a_connection_is_said(void **state) {
    (void)state;
    void *hog = mem_malloc(MEM_SIZE - 100);
    assert_non_null(hog);
    assert_int_equal(fk_pipe_open(pipe_), FK_E_NOMEM);
    assert_string_equal(fk_tcp_lwip_error(&tcp), "network: out of buffers");
    mem_free(hog);
    connect_now();
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void names_are_looked_up(void **state) {
    (void)state;
    use("api.example.net");
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    assert_int_equal(peer->queries, 1);
    assert_memory_equal(peer->dns_query + 12, "\3api\7example\3net", 17);
    assert_int_equal(fk_pipe_send(pipe_, "x", 1), 1);
    const uint16_t port = peer->dns_port, id = peer->dns_id;
    assert_int_equal(fk_pipe_open(pipe_), 0); /* remembered for the TTL */
    run(3000);
    assert_int_equal(peer->queries, 1);
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    assert_int_equal(peer->queries, 2);
    assert_int_not_equal(peer->dns_port, port);
    assert_int_not_equal(peer->dns_id, id);
}

/* A wrong answer must not keep us away for the 136 years that it claims. */
static void names_are_remembered_for_half_a_minute_at_most(void **state) {
    (void)state;
    use("api.example.net");
    peer->dns_ttl = UINT32_MAX;
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(DNS_MAX_TTL * 1000 - 1000);
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(2000);
    assert_int_equal(peer->queries, 1);
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    assert_int_equal(peer->queries, 2);
}

static void names_that_do_not_exist(void **state) {
    (void)state;
    use("api.example.net");
    peer->dns = NET_DNS_REFUSES;
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    assert_failed(FK_E_RESOLVE, "DNS: no such name, or no answer");
}

static void a_name_server_that_is_silent(void **state) {
    (void)state;
    use("api.example.net");
    peer->dns = NET_DNS_SILENT;
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(3000);
    uint8_t byte;
    assert_int_equal(recv_some(&byte, 1), 0);
    run(2500);
    assert_int_equal(peer->queries, 3);
    assert_failed(FK_E_RESOLVE, "DNS: no such name, or no answer");
}

static void names_have_a_longest(void **state) {
    (void)state;
    static char name[DNS_MAX_NAME_LENGTH + 1];
    memset(name, 'a', sizeof name);
    for (size_t i = 60; i < sizeof name; i += 60) name[i] = '.';
    name[DNS_MAX_NAME_LENGTH] = '\0';
    use(name);
    assert_int_equal(fk_pipe_open(pipe_), FK_E_RESOLVE);
    assert_string_equal(fk_tcp_lwip_error(&tcp), "DNS: the name is too long");
    name[DNS_MAX_NAME_LENGTH - 1] = '\0';
    connect_now();
}

static void no_name_server_is_known(void **state) {
    (void)state;
    dns_setserver(0, NULL);
    use("api.example.net");
    assert_int_equal(fk_pipe_open(pipe_), FK_E_RESOLVE);
    assert_string_equal(fk_tcp_lwip_error(&tcp), "DNS: DHCP named no server");
}

/* Answers that a stranger could send: wrong port, wrong id, wrong name. */
static void forged_answers_are_ignored(void **state) {
    (void)state;
    use("api.example.net");
    peer->dns = NET_DNS_SILENT;
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    peer->dns_answer = 0xc0000263;
    net_peer_dns_reply(peer, (uint16_t)(peer->dns_port + 1), peer->dns_id);
    net_peer_dns_reply(peer, peer->dns_port, (uint16_t)(peer->dns_id + 1));
    peer->dns_query[13] ^= 1;
    net_peer_dns_reply(peer, peer->dns_port, peer->dns_id);
    peer->dns_query[13] ^= 1;
    run(0);
    assert_int_equal(peer->segments, 0);
    peer->dns_answer = NET_PEER_SERVER;
    net_peer_dns_reply(peer, peer->dns_port, peer->dns_id);
    run(0);
    assert_int_equal(fk_pipe_send(pipe_, "x", 1), 1);
}

static void the_answer_to_a_former_open(void **state) {
    (void)state;
    use("api.example.net");
    peer->dns = NET_DNS_SILENT;
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    fk_pipe_close(pipe_);
    peer->dns = NET_DNS_ANSWERS;
    net_peer_dns_reply(peer, peer->dns_port, peer->dns_id);
    run(0);
    assert_int_equal(peer->segments, 0); /* closed: nobody connects */

    peer->dns = NET_DNS_SILENT;
    peer->now_ms += 5000; /* forgotten by now */
    run(0);
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(0);
    const unsigned queries = peer->queries;
    assert_int_equal(fk_pipe_open(pipe_), 0); /* takes the lookup over */
    run(0);
    assert_int_equal(peer->queries, queries);
    peer->dns = NET_DNS_ANSWERS;
    net_peer_dns_reply(peer, peer->dns_port, peer->dns_id);
    run(0);
    assert_int_equal(fk_pipe_send(pipe_, "x", 1), 1);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void a_fin_comes_behind_the_last_byte(void **state) {
    (void)state;
    connect_now();
    net_peer_tcp(peer, NET_ACK | NET_FIN, "last", 4);
    run(0);
    uint8_t buf[3];
    assert_int_equal(recv_some(buf, 3), 3);
    assert_int_equal(recv_some(buf, 3), 1);
    assert_int_equal(recv_some(buf, 3), FK_E_CLOSED);
    assert_int_equal(fk_pipe_send(pipe_, "more", 4), 4); /* our direction is open */
    run(0);
    assert_memory_equal(peer->got, "more", 4);
    assert_int_equal(recv_some(buf, 3), FK_E_CLOSED);
    fk_pipe_close(pipe_);
    run(0);
    assert_true(peer->got_fin);
    assert_string_equal(fk_tcp_lwip_error(&tcp), "");
    connect_now();
    assert_int_equal(recv_some(buf, 3), 0);
}

static void a_reset_comes_behind_the_last_byte(void **state) {
    (void)state;
    connect_now();
    net_peer_tcp(peer, NET_ACK, "alert", 5);
    net_peer_tcp(peer, NET_RST | NET_ACK, NULL, 0);
    run(0);
    uint8_t buf[8];
    assert_int_equal(recv_some(buf, 8), 5);
    assert_failed(FK_E_RESET, "connection reset by the server");
    connect_now();
}

static void a_peer_that_vanishes(void **state) {
    (void)state;
    connect_now();
    peer->manual = true;
    assert_int_equal(fk_pipe_send(pipe_, "anybody?", 8), 8);
    run(4500);                             /* the client's patience */
    assert_in_range(peer->segments, 5, 6); /* SYN, ACK, and three tries at the least */
    run(80000);
    assert_failed(FK_E_TIMEOUT, "connection lost: no answer any more, or our address is gone");
}

static void another_address_ends_the_connection(void **state) {
    (void)state;
    connect_now();
    peer->lease_address = NET_PEER_NODE + 1;
    peer->link = false;
    run(100);
    peer->link = true;
    run(3000);
    assert_string_equal(fk_net_address(&world.net), "192.0.2.51");
    assert_failed(FK_E_TIMEOUT, "connection lost: no answer any more, or our address is gone");
    connect_now();
}

static void a_cable_pulled_for_five_seconds(void **state) {
    (void)state;
    connect_now();
    peer->link = false;
    run(100);
    assert_int_equal(fk_pipe_send(pipe_, "held", 4), 4);
    run(5000);
    peer->link = true;
    run(9000);
    assert_int_equal(peer->got_len, 4);
}

/* A router that was replaced, or the cable moved to a network with the same addresses: lwIP knows
 * whom it asked once for five minutes. */
static void another_machine_with_the_same_address(void **state) {
    (void)state;
    use("api.example");
    connect_now();
    peer->chip = 1;
    assert_int_equal(fk_pipe_send(pipe_, "hello", 5), 5);
    run(4500);
    assert_int_equal(peer->got_len, 0);
    fk_pipe_close(pipe_); /* the client's patience is over */
    assert_int_equal(fk_pipe_open(pipe_), 0);
    run(2000);
    assert_non_null(tcp.pcb);
    assert_int_equal(tcp.pcb->state, ESTABLISHED);
}

static void close_hangs_up_in_order(void **state) {
    (void)state;
    connect_now();
    assert_int_equal(fk_pipe_send(pipe_, pattern, 600), 600);
    run(0);
    assert_int_equal(fk_pipe_send(pipe_, "bye", 3), 3); /* not acknowledged yet */
    fk_pipe_close(pipe_);
    run(0);
    assert_int_equal(peer->got_len, 603);
    assert_true(peer->got_fin);
    fk_pipe_close(pipe_);
    uint8_t byte;
    assert_int_equal(recv_some(&byte, 1), FK_E_CLOSED);
    net_peer_tcp(peer, NET_ACK | NET_FIN, NULL, 0);
    run(0);
    assert_null(tcp_active_pcbs);
}

static void close_resets_what_would_hold_memory(void **state) {
    (void)state;
    const unsigned used = net_world_used();
    connect_now();
    peer->manual = true;
    assert_int_equal(fk_pipe_send(pipe_, pattern, 129), 129);
    fk_pipe_close(pipe_);
    assert_int_equal(peer->last.flags & NET_RST, NET_RST);
    assert_int_equal(net_world_used(), used);
    peer->manual = false;
    connect_now();
    net_peer_tcp(peer, NET_ACK, pattern, 100); /* and never read */
    run(0);
    fk_pipe_close(pipe_);
    assert_int_equal(peer->last.flags & NET_RST, NET_RST);
    assert_int_equal(net_world_used(), used);
}

/* A peer that never answers a FIN: reconnecting goes on for ever all the same. */
static void old_connections_give_way(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        peer->manual = false;
        connect_now();
        peer->manual = true;
        assert_int_equal(fk_pipe_send(pipe_, "bye", 3), 3);
        fk_pipe_close(pipe_);
    }
    peer->manual = false;
    connect_now();
    run(70000);
    assert_null(tcp_active_pcbs->next);
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* Sends what the window admits, in segments of at most mss. */
static size_t fill_window(size_t at, size_t mss, size_t window) {
    size_t sent = 0;
    while (sent < window) {
        const size_t len = window - sent < mss ? window - sent : mss;
        net_peer_tcp(peer, NET_ACK | NET_PSH, pattern + at + sent, len);
        sent += len;
    }
    return sent;
}

static void the_window_opens_as_bytes_are_read(void **state) {
    (void)state;
    connect_now();
    size_t at = fill_window(0, TCP_MSS, TCP_WND);
    run(1000);
    assert_int_equal(peer->last.window, 0);
    assert_int_equal(peer->last.ack, peer->snd_nxt);
    uint8_t buf[TCP_WND];
    const unsigned segments = peer->segments;
    assert_int_equal(recv_some(buf, 535), 535); /* less than a segment is not worth a word */
    assert_int_equal(peer->segments, segments);
    assert_int_equal(recv_some(buf + 535, 1), 1);
    assert_int_equal(peer->last.window, 536);
    at += fill_window(at, TCP_MSS, 536);
    run(1000);
    assert_int_equal(peer->last.window, 0);
    assert_int_equal(recv_some(buf + 536, 1), 1);
    assert_int_equal(recv_some(buf + 537, TCP_WND - 537), TCP_WND - 537);
    assert_memory_equal(buf, pattern, TCP_WND);
    assert_int_equal(recv_some(buf, sizeof buf), 536);
    assert_memory_equal(buf, pattern + TCP_WND, 536);
    run(1000);
    assert_int_equal(peer->last.window, TCP_WND);
    assert_int_equal(fk_net_dropped(&world.net), 0);
}

/* In segments and reads of all kinds of sizes, the reader being slow. Of small segments the pool
 * holds less than the window: what is dropped comes again. */
static void a_stream_arrives_whole(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 5, 93, 94, 95, 147, 148, 149, 400, 535, 536};
    const size_t kinds = sizeof sizes / sizeof sizes[0];
    for (size_t i = 0; i < kinds; i++) {
        connect_now();
        uint8_t buf[TCP_WND];
        const uint32_t start = peer->snd_nxt;
        for (size_t got = 0, turn = 0; got < 3000; turn++) {
            assert_true(turn < 2000);
            peer->snd_nxt = peer->last.ack;
            const size_t most = sizes[i] * 4, window = peer->last.window;
            (void)fill_window(peer->snd_nxt - start, sizes[i], window < most ? window : most);
            run(200);
            const int n = recv_some(buf, sizes[(i + turn) % kinds]);
            assert_true(n >= 0);
            assert_memory_equal(buf, pattern + got, (size_t)n);
            got += (size_t)n;
        }
        fk_pipe_close(pipe_);
        run(0);
    }
}

static void segments_out_of_order_wait_for_the_gap(void **state) {
    (void)state;
    connect_now();
    const uint32_t seq = peer->snd_nxt;
    net_peer_tcp_at(peer, seq + 2 * TCP_MSS, NET_ACK, pattern + 2 * TCP_MSS, TCP_MSS);
    net_peer_tcp_at(peer, seq + TCP_MSS, NET_ACK, pattern + TCP_MSS, TCP_MSS);
    run(0);
    uint8_t buf[TCP_WND];
    assert_int_equal(recv_some(buf, sizeof buf), 0);
    assert_int_equal(peer->last.ack, seq); /* a duplicate: says that one is missing */
    net_peer_tcp_at(peer, seq, NET_ACK, pattern, TCP_MSS);
    run(0);
    assert_int_equal(recv_some(buf, sizeof buf), TCP_WND);
    assert_memory_equal(buf, pattern, TCP_WND);
    net_peer_tcp_at(peer, seq, NET_ACK, pattern, TCP_MSS); /* once more: nothing */
    run(0);
    assert_int_equal(recv_some(buf, sizeof buf), 0);
}

/* What waits behind the gap must not keep out what fills it. */
static void crumbs_behind_a_gap_give_way(void **state) {
    (void)state;
    connect_now();
    const uint32_t seq = peer->snd_nxt;
    enum { CRUMB = PBUF_POOL_BUFSIZE - 40 }; /* with its headers, two buffers */
    for (uint32_t i = 0; i < PBUF_POOL_SIZE / 2; i++)
        net_peer_tcp_at(peer, seq + 600 + (CRUMB + 1) * i, NET_ACK, pattern, CRUMB);
    run(0);
    struct pbuf *rest = NULL;
    for (struct pbuf *p; (p = pbuf_alloc(PBUF_RAW, 1, PBUF_POOL)) != NULL; rest = p)
        if (rest != NULL) pbuf_cat(p, rest);
    net_peer_tcp_at(peer, seq, NET_ACK, pattern, TCP_MSS);
    run(0);
    uint8_t buf[TCP_WND];
    assert_int_equal(recv_some(buf, sizeof buf), TCP_MSS);
    (void)pbuf_free(rest);
}

static void a_flood_leaves_room_for_the_connection(void **state) {
    (void)state;
    connect_now();
    uint8_t buf[TCP_WND];
    size_t got = 0;
    for (uint32_t i = 0; i < 500; i++) {
        const uint32_t from = 0xc0000264 + i % 150;
        net_peer_arp(peer, from, NET_PEER_NODE);
        net_peer_ping(peer, from, 1400);
        net_peer_tcp_stray(peer, from, 1, (uint16_t)i, NET_SYN);
        net_peer_tcp(peer, NET_ACK, pattern + i, 100);
        net_peer_udp(peer, from, 1, 2, pattern, 1400);
        run(1);
        const int n = recv_some(buf, sizeof buf);
        assert_int_equal(n, 100);
        assert_memory_equal(buf, pattern + i, 100);
        assert_int_equal(fk_pipe_send(pipe_, pattern + i, 1), 1);
        run(1);
        got += 1;
        assert_int_equal(peer->got_len, got);
    }
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void send_takes_what_there_is_room_for(void **state) {
    (void)state;
    connect_now();
    peer->manual = true;
    assert_int_equal(fk_pipe_send(pipe_, pattern, 3000), TCP_SND_BUF);
    assert_int_equal(fk_pipe_send(pipe_, pattern + TCP_SND_BUF, 100), 0);
    assert_int_equal(peer->got_len, TCP_SND_BUF);
    net_peer_tcp(peer, NET_ACK, NULL, 0);
    run(0);
    assert_int_equal(fk_pipe_send(pipe_, pattern + TCP_SND_BUF, 100), 100);
    assert_int_equal(peer->got_len, TCP_SND_BUF + 100);
    assert_int_equal(fk_pipe_send(pipe_, pattern + TCP_SND_BUF + 100, 3000), TCP_SND_BUF - 100);
    assert_int_equal(peer->got_len, 2 * TCP_SND_BUF);
    assert_memory_equal(peer->got, pattern, 2 * TCP_SND_BUF);
}

static void small_records_have_a_bound_of_their_own(void **state) {
    (void)state;
    connect_now();
    peer->manual = true;
    for (size_t i = 0; i < TCP_SND_QUEUELEN; i++) {
        assert_int_equal(fk_pipe_send(pipe_, pattern + i, 1), 1);
        assert_int_equal(peer->got_len, i + 1); /* none waits for another's acknowledgement */
    }
    assert_int_equal(fk_pipe_send(pipe_, "x", 1), 0);
    net_peer_tcp(peer, NET_ACK, NULL, 0);
    run(0);
    assert_int_equal(fk_pipe_send(pipe_, "x", 1), 1);
}

static void a_full_heap_means_later(void **state) {
    (void)state;
    connect_now();
    run(1000);
    size_t sent = 0;
    bool one_segment = false;
    for (unsigned size = MEM_SIZE; size > 600; size -= 8) {
        void *hog = mem_malloc((mem_size_t)size);
        if (hog == NULL) continue;
        const int n = fk_pipe_send(pipe_, pattern + sent, 1000);
        assert_in_range(n, 0, 1000);
        one_segment = one_segment || n == TCP_MSS;
        sent += (size_t)n;
        run(0);
        mem_free(hog);
        run(1000);
        assert_int_equal(peer->got_len, sent);
        if (sent > 6000) break;
    }
    assert_true(sent > 1000 && one_segment);
    assert_memory_equal(peer->got, pattern, sent);
}

static void a_chip_without_room_means_later(void **state) {
    (void)state;
    connect_now();
    peer->full = true;
    assert_int_equal(fk_pipe_send(pipe_, pattern, 1000), 1000);
    run(150);
    peer->full = false;
    run(300);
    assert_int_equal(peer->got_len, 1000);
    assert_memory_equal(peer->got, pattern, 1000);
}

static void lost_segments_are_repeated(void **state) {
    (void)state;
    connect_now();
    for (size_t i = 0; i < 5; i++) { /* the tick of TCP has any phase */
        peer->lose = 1;
        assert_int_equal(fk_pipe_send(pipe_, pattern + 700 * i, 700), 700);
        run(1100 + i * 30);
        assert_int_equal(peer->got_len, 700 * (i + 1));
    }
    assert_memory_equal(peer->got, pattern, 3500);
}

/* A twentieth of all frames lost, both ways, for an hour of requests and replies. */
static void five_percent_loss_loses_nothing(void **state) {
    (void)state;
    connect_now();
    uint32_t x = 1;
    size_t got = 0;
    uint8_t buf[600];
    uint64_t slowest_ms = 0;
    for (int i = 0; i < 360; i++) {
        peer->got_len = 0;
        const uint32_t reply = peer->snd_nxt;
        assert_int_equal(fk_pipe_send(pipe_, pattern, 130), 130);
        const uint64_t begun_ms = peer->now_ms;
        while (peer->got_len < 130) {
            x = x * 1664525u + 1013904223u;
            peer->lose = x >> 24 < 13;
            run(50);
        }
        for (got = 0; got < 150;) {
            x = x * 1664525u + 1013904223u;
            if (x >> 24 >= 13) net_peer_tcp_at(peer, reply, NET_ACK, pattern, 150);
            run(200);
            const int n = recv_some(buf, sizeof buf);
            assert_true(n >= 0);
            got += (size_t)n;
        }
        peer->snd_nxt = reply + 150;
        assert_int_equal(got, 150);
        if (peer->now_ms - begun_ms > slowest_ms) slowest_ms = peer->now_ms - begun_ms;
        run(10000);
    }
    assert_true(slowest_ms < 4500);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void an_idle_connection_sleeps(void **state) {
    (void)state;
    connect_now();
    assert_int_equal(fk_pipe_send(pipe_, "x", 1), 1);
    assert_true(fk_net_due(&world.net) <= peer->now_ms + TCP_TMR_INTERVAL);
    net_peer_tcp(peer, NET_ACK, "y", 1);
    run(0);
    assert_true(fk_net_due(&world.net) <= peer->now_ms + TCP_TMR_INTERVAL); /* owes an ACK */
    const unsigned segments = peer->segments;
    run(TCP_TMR_INTERVAL);
    assert_int_equal(peer->segments, segments + 1);
    run(10000);
    (void)fk_net_step(&world.net);
    assert_true(fk_net_due(&world.net) > peer->now_ms + TCP_TMR_INTERVAL);
    assert_true(fk_net_due(&world.net) <= peer->now_ms + FK_NET_IDLE_MS);
    assert_int_equal(peer->segments, segments + 1);
}

static void a_lookup_keeps_awake(void **state) {
    (void)state;
    use("api.example.net");
    peer->dns = NET_DNS_SILENT;
    run(60000);
    assert_int_equal(fk_pipe_open(pipe_), 0);
    (void)fk_net_step(&world.net);
    assert_true(fk_net_due(&world.net) <= peer->now_ms + TCP_TMR_INTERVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(bytes_pass_both_ways),
        TEST(the_syn_says_how_much_we_take),
        TEST(ports_and_numbers_cannot_be_guessed),
        TEST(without_an_address_there_is_no_way),
        TEST(a_refusal_is_told_from_silence),
        TEST(a_neighbor_that_is_not_there),
        TEST(no_memory_for_a_connection_is_said),
        TEST(names_are_looked_up),
        TEST(names_are_remembered_for_half_a_minute_at_most),
        TEST(names_that_do_not_exist),
        TEST(a_name_server_that_is_silent),
        TEST(names_have_a_longest),
        TEST(no_name_server_is_known),
        TEST(forged_answers_are_ignored),
        TEST(the_answer_to_a_former_open),
        TEST(a_fin_comes_behind_the_last_byte),
        TEST(a_reset_comes_behind_the_last_byte),
        TEST(a_peer_that_vanishes),
        TEST(another_address_ends_the_connection),
        TEST(a_cable_pulled_for_five_seconds),
        TEST(another_machine_with_the_same_address),
        TEST(close_hangs_up_in_order),
        TEST(close_resets_what_would_hold_memory),
        TEST(old_connections_give_way),
        TEST(the_window_opens_as_bytes_are_read),
        TEST(a_stream_arrives_whole),
        TEST(segments_out_of_order_wait_for_the_gap),
        TEST(crumbs_behind_a_gap_give_way),
        TEST(a_flood_leaves_room_for_the_connection),
        TEST(send_takes_what_there_is_room_for),
        TEST(small_records_have_a_bound_of_their_own),
        TEST(a_full_heap_means_later),
        TEST(a_chip_without_room_means_later),
        TEST(lost_segments_are_repeated),
        TEST(five_percent_loss_loses_nothing),
        TEST(an_idle_connection_sleeps),
        TEST(a_lookup_keeps_awake),
    };
    return cmocka_run_group_tests_name("link/tcp_lwip", tests, NULL, NULL);
}
