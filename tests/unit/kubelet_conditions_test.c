/* Each condition at every edge of its table, and what counts as a flip. */
#include "kubelet/conditions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define T0 INT64_C(1781870400000000)

/* A node that has just started and has all of 100,000 bytes free. */
static const struct fk_facts fresh = {
    .heap_free_bytes = 100000, .heap_total_bytes = 100000, .memory_pressure_bytes = 20480};

struct row {
    int condition;
    struct fk_facts facts;
    enum fk_condition_status status;
    const char *reason;
};

#define HEAP(bytes) .heap_free_bytes = (bytes), .heap_total_bytes = 100000
#define T FK_CONDITION_TRUE
#define F FK_CONDITION_FALSE
#define U FK_CONDITION_UNKNOWN

static const struct row rows[] = {
    {FK_CONDITION_READY, {HEAP(100000)}, T, "KubeletReady"},
    {FK_CONDITION_READY, {HEAP(100000), .leaving = true}, F, "KubeletNotReady"},
    {FK_CONDITION_MEMORY_PRESSURE,
     {HEAP(20480), .memory_pressure_bytes = 20480},
     F,
     "KubeletHasSufficientMemory"},
    {FK_CONDITION_MEMORY_PRESSURE,
     {HEAP(20479), .memory_pressure_bytes = 20480},
     T,
     "KubeletHasInsufficientMemory"},
    {FK_CONDITION_DISK_PRESSURE, {HEAP(0)}, F, "KubeletHasNoDiskPressure"},
    {FK_CONDITION_PID_PRESSURE, {HEAP(0)}, F, "KubeletHasSufficientPID"},
    {FK_CONDITION_NETWORK_UNAVAILABLE, {HEAP(0)}, F, "NoPodNetwork"},
    {FK_CONDITION_VIBES, {HEAP(70001)}, T, "Immaculate"},
    {FK_CONDITION_VIBES, {HEAP(70000)}, T, "Cromulent"},
    {FK_CONDITION_VIBES, {HEAP(70001), .reconnects = 1}, T, "Cromulent"},
    {FK_CONDITION_VIBES, {HEAP(70001), .uptime_ms = 599999}, T, "Immaculate"},
    {FK_CONDITION_VIBES, {HEAP(70001), .uptime_ms = 600000}, T, "Cromulent"},
    {FK_CONDITION_VIBES, {HEAP(50001)}, T, "Cromulent"},
    {FK_CONDITION_VIBES, {HEAP(50000)}, U, "Dissociating"},
    {FK_CONDITION_VIBES, {HEAP(30000)}, U, "Dissociating"},
    {FK_CONDITION_VIBES, {HEAP(29999)}, F, "Off"},
    {FK_CONDITION_VIBES, {HEAP(29999), .reconnects = 3}, F, "Cursed"},
    {FK_CONDITION_VIBES, {HEAP(100000), .reconnects = 2}, T, "Cromulent"},
    {FK_CONDITION_VIBES, {HEAP(100000), .reconnects = 3}, F, "Cursed"},
    {FK_CONDITION_CAFFEINATED, {HEAP(1), .uptime_ms = 599999}, T, "FreshlyBrewed"},
    {FK_CONDITION_CAFFEINATED, {HEAP(1), .uptime_ms = 600000}, F, "Decaf"},
    {FK_CONDITION_EXISTENTIAL, {HEAP(1), .renewals = 99}, F, "Innocent"},
    {FK_CONDITION_EXISTENTIAL, {HEAP(1), .renewals = 100}, T, "Questioning"},
    {FK_CONDITION_EXISTENTIAL, {HEAP(1), .renewals = 999}, T, "Questioning"},
    {FK_CONDITION_EXISTENTIAL, {HEAP(1), .renewals = 1000}, T, "Accepting"},
    {FK_CONDITION_EXISTENTIAL, {HEAP(1), .renewals = 9999}, T, "Accepting"},
    {FK_CONDITION_EXISTENTIAL, {HEAP(1), .renewals = 10000}, T, "Transcendent"},
    {FK_CONDITION_PECKISH, {HEAP(60001)}, F, "Sated"},
    {FK_CONDITION_PECKISH, {HEAP(60000)}, T, "CouldGoForASnack"},
    {FK_CONDITION_PECKISH, {HEAP(40001)}, T, "CouldGoForASnack"},
    {FK_CONDITION_PECKISH, {HEAP(40000)}, T, "Hungry"},
    {FK_CONDITION_HAUNTED, {HEAP(1)}, F, "Calm"},
    {FK_CONDITION_HAUNTED, {HEAP(1), .new_ghost = true}, T, "NewGhost"},
    {FK_CONDITION_HAUNTED, {HEAP(1), .time_slipped = true}, T, "TimeSlipped"},
    {FK_CONDITION_HAUNTED, {HEAP(1), .new_ghost = true, .time_slipped = true}, T, "NewGhost"},
};

static void each_edge(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fk_conditions c = {0};
        fk_conditions_judge(&c, &rows[i].facts, T0);
        const struct fk_judgement *now = &c.all[rows[i].condition].now;
        if (now->status != rows[i].status || strcmp(now->reason, rows[i].reason) != 0)
            fail_msg("row %zu: %s is %s", i, fk_conditions_type((size_t)rows[i].condition),
                     now->reason);
    }
}

static void transition_moves_only_on_flips(void **state) {
    (void)state;
    struct fk_conditions c = {0};
    struct fk_facts facts = fresh;
    assert_int_equal(fk_conditions_judge(&c, &facts, T0), FK_CONDITIONS);
    for (int64_t beat = 1; beat < 50; beat++)
        assert_int_equal(fk_conditions_judge(&c, &facts, T0 + beat * 10000000), 0);
    for (size_t i = 0; i < FK_CONDITIONS; i++) assert_true(c.all[i].transition_us == T0);

    facts.renewals = 100; /* Innocent, False, becomes Questioning, True */
    assert_int_equal(fk_conditions_judge(&c, &facts, T0 + 1000), 1);
    assert_true(c.all[FK_CONDITION_EXISTENTIAL].transition_us == T0 + 1000);
    facts.renewals = 1000; /* Accepting is True as well: a new reason, no flip */
    assert_int_equal(fk_conditions_judge(&c, &facts, T0 + 2000), 0);
    assert_string_equal(c.all[FK_CONDITION_EXISTENTIAL].now.reason, "Accepting");
    assert_true(c.all[FK_CONDITION_EXISTENTIAL].transition_us == T0 + 1000);
}

static void memory_pressure_ends_later_than_it_began(void **state) {
    (void)state;
    struct fk_conditions c = {0};
    struct fk_facts facts = fresh;
    static const struct {
        uint32_t free_bytes;
        enum fk_condition_status status;
    } steps[] = {{20480, F}, {20479, T}, {20480, T}, {25599, T}, {25600, F}, {20480, F}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        facts.heap_free_bytes = steps[i].free_bytes;
        fk_conditions_judge(&c, &facts, T0);
        assert_int_equal(c.all[FK_CONDITION_MEMORY_PRESSURE].now.status, steps[i].status);
    }
}

static void a_ripple_is_no_flip(void **state) {
    (void)state;
    struct fk_conditions c = {0};
    struct fk_facts facts = fresh;
    facts.heap_free_bytes = 60001;
    fk_conditions_judge(&c, &facts, T0);
    assert_string_equal(c.all[FK_CONDITION_PECKISH].now.reason, "Sated");
    static const uint32_t ripple[] = {59999, 60500, 57001, 62000, 58000};
    for (size_t i = 0; i < sizeof ripple / sizeof ripple[0]; i++) {
        facts.heap_free_bytes = ripple[i];
        assert_int_equal(fk_conditions_judge(&c, &facts, T0), 0);
    }
    facts.heap_free_bytes = 57000; /* more than 3 % of 100,000 below what it was */
    assert_int_equal(fk_conditions_judge(&c, &facts, T0), 1);
    assert_string_equal(c.all[FK_CONDITION_PECKISH].now.reason, "CouldGoForASnack");
}

static void adopts_what_an_earlier_life_wrote(void **state) {
    (void)state;
    struct fk_conditions c = {0};
    const struct fk_node_condition same = {"MemoryPressure", F, T0 - 5000};
    const struct fk_node_condition other = {"Ready", U, T0 - 4000};
    const struct fk_node_condition foreign = {"KernelDeadlock", T, T0 - 3000};
    const struct fk_node_condition undated = {"Haunted", F, FK_WALL_UNKNOWN};
    fk_conditions_adopt(&c, &same);
    fk_conditions_adopt(&c, &other);
    fk_conditions_adopt(&c, &foreign);
    fk_conditions_adopt(&c, &undated);
    assert_int_equal(fk_conditions_judge(&c, &fresh, T0), FK_CONDITIONS - 1);
    assert_true(c.all[FK_CONDITION_MEMORY_PRESSURE].transition_us == T0 - 5000);
    assert_true(c.all[FK_CONDITION_READY].transition_us == T0); /* Unknown became True */
    assert_true(c.all[FK_CONDITION_HAUNTED].transition_us == T0);
}

static void is_written_whole_or_short(void **state) {
    (void)state;
    struct fk_conditions c = {0};
    static char text[8192];
    struct fk_writer w;
    struct fk_json j;
    fk_conditions_judge(&c, &fresh, T0);
    fk_writer_init(&w, text, sizeof text);
    fk_json_init(&j, &w);
    fk_conditions_put(&c, &j, T0 + 1000000, true);
    assert_int_equal(fk_writer_finish(&w), 0);
    static const char ready[] =
        "{\"type\":\"Ready\",\"status\":\"True\",\"lastHeartbeatTime\":\"2026-06-19T12:00:01Z\","
        "\"lastTransitionTime\":\"2026-06-19T12:00:00Z\",\"reason\":\"KubeletReady\","
        "\"message\":\"femtokubelet is posting ready status\"}";
    assert_memory_equal(text, ready, sizeof ready - 1);
    const size_t whole = w.len;
    fk_writer_init(&w, text, sizeof text);
    fk_json_init(&j, &w);
    fk_conditions_put(&c, &j, T0 + 1000000, false);
    assert_int_equal(fk_writer_finish(&w), 0);
    static const char brief[] = ",{\"type\":\"MemoryPressure\",\"status\":\"False\","
                                "\"lastHeartbeatTime\":\"2026-06-19T12:00:01Z\"},{\"type\":\"Disk";
    assert_memory_equal(text, ready, sizeof ready - 1); /* others write to this one, too */
    assert_memory_equal(text + sizeof ready - 1, brief, sizeof brief - 1);
    assert_true(w.len < whole / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_edge),
        cmocka_unit_test(transition_moves_only_on_flips),
        cmocka_unit_test(memory_pressure_ends_later_than_it_began),
        cmocka_unit_test(a_ripple_is_no_flip),
        cmocka_unit_test(adopts_what_an_earlier_life_wrote),
        cmocka_unit_test(is_written_whole_or_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
