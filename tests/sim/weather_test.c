/* Lost links, stopped servers, silent peers: how soon the node notices, how calmly it comes back.
 */
#include "base/err.h"
#include "story_assert.h"

/* ---- silence -------------------------------------------------------------------------------- */

/* Whatever the moment at which the peer goes silent, 15 s later a new connection is up and the
 * Lease renewed on it. */
static void a_silent_peer_is_noticed_within_15_s(void **state) {
    (void)state;
    for (uint64_t moment_ms = 0; moment_ms < 10500; moment_ms += 50) {
        struct story *s = story_plain(7);
        sim_world_run_for(s->w, 300000 + moment_ms);
        struct sim_seat *seat = &s->w->seats[0];
        assert_int_equal(seat->link.opens, 1);
        sim_link_lose(&seat->link);
        sim_account_allow(seat, 6000);
        const uint64_t lost_ms = s->w->now_ms;
        while (seat->link.opens == 1) sim_world_run_for(s->w, 50);
        if (s->w->now_ms - lost_ms > 15300) /* with the first delay before the new connection */
            fail_msg("lost at %llu ms, noticed after %llu ms", (unsigned long long)lost_ms,
                     (unsigned long long)(s->w->now_ms - lost_ms));
        sim_world_run_for(s->w, 20000);
        assert_int_equal(seat->link.opens, 2);
        assert_int_equal(record_of(s)->times_unknown, 0);
        end_story(s);
    }
}

/* The same in the middle of things, in the first seconds of a node's life. */
static void silence_at_the_beginning_is_survived(void **state) {
    (void)state;
    for (uint64_t moment_ms = 1; moment_ms < 400; moment_ms += 3) {
        struct story *s = story_plain(8);
        sim_world_run_for(s->w, moment_ms);
        sim_link_lose(&s->w->seats[0].link);
        sim_account_allow(&s->w->seats[0], 15000);
        sim_world_run_for(s->w, 60000);
        assert_ready(s->w, "True");
        assert_true(s->w->seats[0].link.opens <= 3);
        end_story(s);
    }
}

/* ---- a server that is not there ------------------------------------------------------------- */

static void a_server_stopped_for_60_s_is_not_hammered(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 120; seed++) {
        struct story *s = story_plain(seed);
        sim_world_run_for(s->w, 100000 + seed * 137 % 10000);
        struct sim_seat *seat = &s->w->seats[0];
        const uint32_t before = seat->link.opens;
        sim_faults_stop_server(s->w, 60000);
        uint64_t last_ms = s->w->now_ms, gap_ms = 0;
        uint32_t opens = before;
        for (int i = 0; i < 6000; i++) {
            sim_world_run_for(s->w, 10);
            if (seat->link.opens == opens) continue;
            opens = seat->link.opens;
            gap_ms = s->w->now_ms - last_ms;
            last_ms = s->w->now_ms;
        }
        assert_in_range(opens - before, 9, 15);
        assert_in_range(gap_ms, 5900, 10200); /* grown to the largest, 8 s and its jitter */
        sim_faults_start_server(s->w);
        assert_true(story_until_ready(s, "True", 11000));
        sim_world_run_for(s->w, 60000);
        assert_int_equal(seat->link.opens, seat->node.client.stats.connect_tries);
        assert_int_equal(seat->node.client.stats.connects, 2);
        end_story(s);
    }
}

/* A slow server still answers PINGs: the connection stays, and the Lease in time. */
static void a_slow_server_is_waited_for(void **state) {
    (void)state;
    struct story *s = story_plain(14);
    sim_world_run_for(s->w, 100000);
    s->w->slow_ms = 6000;
    sim_world_run_for(s->w, 300000);
    s->w->slow_ms = 0;
    sim_world_run_for(s->w, 60000);
    assert_int_equal(s->w->seats[0].link.opens, 1);
    assert_int_equal(record_of(s)->times_unknown, 0);
    end_story(s);
}

/* Two seconds each way, suddenly: worse than a satellite, and still no reason to reconnect. */
static void a_latency_spike_is_no_silence(void **state) {
    (void)state;
    struct story *s = story_plain(15);
    sim_world_run_for(s->w, 100000);
    struct sim_link *l = &s->w->seats[0].link;
    l->latency_min_ms = l->latency_max_ms = 2000;
    sim_account_allow(&s->w->seats[0], 2000); /* the first renewal on the way */
    sim_world_run_for(s->w, 60000);
    l->latency_min_ms = 1;
    l->latency_max_ms = 20;
    sim_world_run_for(s->w, 60000);
    assert_int_equal(l->opens, 1);
    end_story(s);
}

/* ---- long enough to be told Unknown --------------------------------------------------------- */

static void back_from_unknown(enum sim_loss_kind kind, uint64_t seed) {
    struct story *s = story_plain(seed);
    sim_world_run_for(s->w, 1000000 + seed * 731 % 10000);
    sim_faults_lose_link(&s->w->seats[0], kind, 90000);
    assert_true(story_until_ready(s, "Unknown", 60000));
    char since[40];
    const struct sim_record *r = record_of(s);
    (void)snprintf(since, sizeof since, "%s",
                   sim_json_str(sim_api_condition(r, "Ready"), "lastTransitionTime"));
    assert_true(story_until_ready(s, "True", 90000));
    const struct sim_json *ready = sim_api_condition(r, "Ready");
    assert_true(strcmp(sim_json_str(ready, "lastTransitionTime"), since) > 0);
    assert_string_equal(sim_json_str(ready, "reason"), "KubeletReady");
    sim_world_run_for(s->w, 120000);
    assert_ready(s->w, "True");
    assert_in_range(r->times_unknown, 1, 2); /* twice: it had not seen the renewal yet */
    end_story(s);
}

static void a_lapse_ends_with_a_new_transition(void **state) {
    (void)state;
    for (int kind = 0; kind < SIM_LOSS_KINDS; kind++)
        for (uint64_t seed = 1; seed <= 20; seed++)
            back_from_unknown((enum sim_loss_kind)kind, seed);
}

/* The controller decides just when the node comes back: it acts on what it saw a moment ago, after
 * the node has looked at its conditions. */
static void a_late_unknown_is_answered_soon(void **state) {
    (void)state;
    for (uint64_t lapse_ms = 34000; lapse_ms < 46000; lapse_ms += 100) {
        struct story *s = story_plain(9);
        s->w->view_delay_ms = 2000;
        sim_world_run_for(s->w, 1000000);
        sim_faults_lose_link(&s->w->seats[0], SIM_LOSS_RESET, lapse_ms);
        sim_world_run_for(s->w, lapse_ms + 35000);
        if (strcmp(sim_world_ready(s->w, 0), "True") != 0)
            fail_msg("lapse of %llu ms: Ready is still %s", (unsigned long long)lapse_ms,
                     sim_world_ready(s->w, 0));
        end_story(s);
    }
}

/* ---- connections that end in order ---------------------------------------------------------- */

static void a_goaway_leads_to_one_new_connection(void **state) {
    (void)state;
    static const enum sim_fault kinds[] = {SIM_FAULT_GOAWAY, SIM_FAULT_LAST};
    for (size_t i = 0; i < 2; i++) {
        struct story *s = story_plain(11);
        sim_world_run_for(s->w, 50000);
        story_fail(s, kinds[i], "PATCH " LEASE_0, 1);
        sim_world_run_for(s->w, 15000);
        assert_int_equal(s->w->seats[0].link.opens, 2);
        assert_int_equal(s->times, 0);
        sim_world_run_for(s->w, 60000);
        end_story(s);
    }
}

/* A server that shuts down says so at once to those that still come. */
static void a_goaway_right_after_the_settings_is_heeded(void **state) {
    (void)state;
    struct story *s = story_plain(12);
    s->w->farewell = true;
    sim_world_run_for(s->w, 30000);
    s->w->farewell = false;
    const uint32_t opens = s->w->seats[0].link.opens;
    assert_in_range(opens, 2, 14);
    sim_account_allow(&s->w->seats[0], 45000);
    assert_true(story_until_ready(s, "True", 15000));
    sim_world_run_for(s->w, 60000);
    end_story(s);
}

/* ---- leaving -------------------------------------------------------------------------------- */

static void leaving_is_said_before_it_is_done(void **state) {
    (void)state;
    for (uint64_t moment_ms = 0; moment_ms < 12000; moment_ms += 370) {
        struct story *s = story_plain(13);
        sim_world_run_for(s->w, 60000 + moment_ms);
        sim_world_leave(s->w, 0);
        sim_world_run_for(s->w, 1000);
        assert_ready(s->w, "False");
        assert_false(s->w->seats[0].powered);
        assert_int_equal(s->w->seats[0].heap.used_bytes, 0);
        end_story(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_peer_is_noticed_within_15_s),
        cmocka_unit_test(silence_at_the_beginning_is_survived),
        cmocka_unit_test(a_server_stopped_for_60_s_is_not_hammered),
        cmocka_unit_test(a_slow_server_is_waited_for),
        cmocka_unit_test(a_latency_spike_is_no_silence),
        cmocka_unit_test(a_lapse_ends_with_a_new_transition),
        cmocka_unit_test(a_late_unknown_is_answered_soon),
        cmocka_unit_test(a_goaway_leads_to_one_new_connection),
        cmocka_unit_test(a_goaway_right_after_the_settings_is_heeded),
        cmocka_unit_test(leaving_is_said_before_it_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
