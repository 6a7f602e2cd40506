/* Servers that say no, servers with a wrong clock, and a heap that is full. */
#include "story_assert.h"

/* ---- no ------------------------------------------------------------------------------------- */

struct refusal {
    enum sim_fault fault;
    const char *match;
    uint64_t for_ms;      /* how long the server goes on like that */
    size_t least, most;   /* requests that match meanwhile */
    uint64_t shortest_ms; /* between two of them, the first retry left out */
};

static void keep_refusing(const struct refusal *r) {
    struct story *s = story_plain(21);
    print_message("%s at %s\n", sim_fault_name(r->fault), r->match);
    sim_world_run_for(s->w, 100000);
    const size_t from = s->count;
    story_fail(s, r->fault, r->match, UINT32_MAX);
    sim_world_run_for(s->w, r->for_ms);
    assert_in_range(story_count(s, from, r->match), r->least, r->most);
    uint64_t last_ms = 0;
    size_t n = 0;
    for (size_t i = from; i < s->count; i++) {
        const struct story_line *line = story_line(s, i);
        if (line == NULL || strncmp(line->text, r->match, strlen(r->match)) != 0) continue;
        if (n++ > 1 && line->at_ms - last_ms < r->shortest_ms)
            fail_msg("%s: %llu ms after the one before", sim_fault_name(r->fault),
                     (unsigned long long)(line->at_ms - last_ms));
        last_ms = line->at_ms;
    }
    story_fail(s, SIM_FAULT_NONE, "", 0);
    assert_true(story_until_ready(s, "True", 50000));
    sim_world_run_for(s->w, 60000);
    end_story(s);
}

static void refusals_are_not_hammered(void **state) {
    (void)state;
    static const struct refusal rows[] = {
        {SIM_FAULT_401, "PATCH " LEASE_0, 300000, 5, 15, 7500},
        {SIM_FAULT_403, "PATCH " LEASE_0, 300000, 5, 15, 7500},
        {SIM_FAULT_422, "PATCH " LEASE_0, 300000, 5, 15, 7500},
        {SIM_FAULT_403, "PATCH " NODE_0 "/status", 600000, 5, 26, 7500},
        {SIM_FAULT_429, "PATCH " LEASE_0, 60000, 5, 30, 1000}, /* Retry-After: 1 to 3 s */
        {SIM_FAULT_503, "PATCH " LEASE_0, 60000, 5, 20, 300},
        {SIM_FAULT_500, "", 60000, 5, 40, 0},
        {SIM_FAULT_HTML, "PATCH " LEASE_0, 60000, 5, 20, 300},
        {SIM_FAULT_RESET, "PATCH " LEASE_0, 60000, 5, 20, 300},
        {SIM_FAULT_SILENT, "PATCH " LEASE_0, 60000, 2, 7, 10000},
        {SIM_FAULT_GOAWAY, "PATCH " LEASE_0, 60000, 4, 60, 0},
        {SIM_FAULT_CUT, "PATCH " LEASE_0, 60000, 4, 60, 0},
        {SIM_FAULT_DEAF, "PATCH " LEASE_0, 60000, 4, 12, 4000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) keep_refusing(&rows[i]);
}

static void retry_after_is_respected(void **state) {
    (void)state;
    for (uint64_t seed = 200; seed < 230; seed++) {
        struct story *s = story_plain(seed);
        sim_world_run_for(s->w, 50000);
        const size_t from = s->count;
        story_fail(s, SIM_FAULT_429, "PATCH " LEASE_0, 1);
        sim_world_run_for(s->w, 20000);
        size_t i = from;
        while (story_line(s, i) != NULL && story_line(s, i)->status != 429) i++;
        assert_non_null(story_line(s, i));
        const uint64_t told_ms = story_line(s, i)->at_ms;
        for (i++; strcmp(story_line(s, i)->text, "PATCH " LEASE_0) != 0;) i++;
        assert_in_range(story_line(s, i)->at_ms - told_ms, 1000,
                        3900); /* 3 s and a quarter of it, at most */
        end_story(s);
    }
}

/* Every kind of failure at every request of a first registration, with and without its effect. */
static void any_first_request_may_fail(void **state) {
    (void)state;
    static const char *const requests[] = {"POST /api/v1/nodes", "GET " LEASE_0,
                                           "POST " LEASES,       "PATCH " NODE_0 "/status",
                                           "PATCH " NODE_0,      "PATCH " LEASE_0};
    for (size_t r = 0; r < 6; r++)
        for (int fault = 1; fault <= (int)SIM_FAULT_DEAF; fault++)
            for (uint64_t seed = 300; seed < 304; seed++) {
                struct story *s = story_plain(seed);
                story_fail(s, (enum sim_fault)fault, requests[r], 2);
                sim_account_allow(&s->w->seats[0], 80000);
                sim_world_run_for(s->w, 150000);
                if (strcmp(sim_world_ready(s->w, 0), "True") != 0)
                    fail_msg("%s at %s", sim_fault_name((enum sim_fault)fault), requests[r]);
                end_story(s);
            }
}

/* ---- clocks --------------------------------------------------------------------------------- */

static const int64_t year_us = INT64_C(365) * 86400 * 1000000;

static void the_server_clock_jumps(int64_t by_us) {
    struct story *s = story_plain(31);
    sim_world_run_for(s->w, 100000);
    s->w->api.trusting = true;
    s->w->skew_us += by_us;
    sim_world_run_for(s->w, 30000);
    const struct sim_json *haunted = sim_api_condition(record_of(s), "Haunted");
    assert_string_equal(sim_json_str(haunted, "status"), "True");
    assert_string_equal(sim_json_str(haunted, "reason"), "TimeSlipped");
    sim_world_run_for(s->w, 1000000);
    haunted = sim_api_condition(record_of(s), "Haunted");
    assert_string_equal(sim_json_str(haunted, "reason"), "Calm");
    s->w->skew_us -= by_us;
    sim_world_run_for(s->w, 1000000);
    assert_int_equal(record_of(s)->times_unknown, 0); /* renewTime grew all the time */
    sim_world_power_off(s->w, 0);
    sim_world_power_on(s->w, 0); /* and beyond a restart */
    sim_world_run_for(s->w, 300000);
    assert_int_equal(record_of(s)->times_unknown, 0);
    end_story(s);
}

static void a_year_forwards_and_back(void **state) {
    (void)state;
    the_server_clock_jumps(year_us);
}
static void a_year_backwards_and_forwards(void **state) {
    (void)state;
    the_server_clock_jumps(-year_us);
}

static void without_a_date_nothing_is_dated(void **state) {
    (void)state;
    struct story *s = story_plain(32);
    s->w->no_date = true;
    sim_world_run_for(s->w, 600000);
    assert_non_null(record_of(s)->node.doc); /* registered, and waiting */
    assert_null(record_of(s)->lease.doc);
    for (size_t i = 0; i < s->count; i++)
        if (story_line(s, i) != NULL) assert_null(strstr(story_line(s, i)->body, "Time"));
    s->w->no_date = false;
    sim_account_allow(&s->w->seats[0], 700000);
    assert_true(story_until_ready(s, "True", 30000));
    end_story(s);
}

/* ---- memory --------------------------------------------------------------------------------- */

/* Takes all of the node's heap but about so many bytes, in blocks; gives it back by the list. */
static void *hoard(struct fk_heap *h, uint32_t leave) {
    void **last = NULL;
    for (;;) {
        const uint32_t left = h->size - h->used_bytes;
        if (left <= leave + 64) break;
        uint32_t size = fk_heap_largest(h);
        if (size > left - leave - 32) size = left - leave - 32;
        void **block = size >= sizeof(void *) ? fk_heap_alloc(h, size) : NULL;
        if (block == NULL) break;
        *block = last;
        last = block;
    }
    return last;
}

static void release(struct fk_heap *h, void *list) {
    while (list != NULL) {
        void *next = *(void **)list;
        fk_heap_free(h, list);
        list = next;
    }
}

static void a_full_heap_is_survived(uint32_t leave, uint64_t when_ms) {
    struct story *s = story_plain(41);
    struct sim_seat *seat = &s->w->seats[0];
    sim_world_run_for(s->w, when_ms);
    void *list = hoard(&seat->heap, leave);
    sim_account_trouble(seat, 20000);
    sim_world_run_for(s->w, 20000);
    release(&seat->heap, list);
    sim_world_run_for(s->w, 40000);
    if (strcmp(sim_world_ready(s->w, 0), "True") != 0)
        fail_msg("%u bytes left from %llu ms on", leave, (unsigned long long)when_ms);
    end_story(s);
}

/* With 16 bytes more each time, another allocation is the first that fails. */
static void the_heap_is_full_at_each_allocation(void **state) {
    (void)state;
    for (uint32_t leave = 0; leave < 6000; leave += 16) a_full_heap_is_survived(leave, 95000);
    for (uint32_t leave = 0; leave < 24000; leave += 64) a_full_heap_is_survived(leave, 0);
    for (uint64_t ms = 1; ms < 300; ms += 7) a_full_heap_is_survived(0, ms);
}

static void a_heap_too_small_fails_calmly(void **state) {
    (void)state;
    for (uint32_t bytes = 1024; bytes <= 24576; bytes += 512) {
        const struct sim_options options = {.nodes = 1, .seed = 42, .heap_bytes = bytes};
        struct sim_world *w = sim_world_new(&options);
        sim_account_trouble(&w->seats[0], 60000);
        sim_world_run_for(w, 60000);
        assert_no_violation(w);
        if (bytes >= 16384) assert_ready(w, "True");
        sim_world_free(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_not_hammered),
        cmocka_unit_test(retry_after_is_respected),
        cmocka_unit_test(any_first_request_may_fail),
        cmocka_unit_test(a_year_forwards_and_back),
        cmocka_unit_test(a_year_backwards_and_forwards),
        cmocka_unit_test(without_a_date_nothing_is_dated),
        cmocka_unit_test(the_heap_is_full_at_each_allocation),
        cmocka_unit_test(a_heap_too_small_fails_calmly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
