/* The registration duty: what is sent for each answer. */
#include "kubelet/register.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/duty_case.h"

#define UID "11111111-2222-3333-4444-555555555555"
#define UID2 "99999999-2222-3333-4444-555555555555"

struct fixture {
    struct fk_rng rng;
    struct fk_conditions conditions;
    struct fk_register registration;
    struct duty_case d;
    uint8_t buf[1024];
};

static void begin(struct fixture *f) {
    memset(f, 0, sizeof *f);
    const struct fk_duty_env env = duty_case_env(&f->rng);
    fk_register_init(&f->registration, &env, &f->conditions);
    f->d = (struct duty_case){
        .ops = &fk_register_ops, .self = &f->registration, .now = {1000, FK_WALL_UNKNOWN}};
}

static void expect(struct fixture *f, const char *line) {
    assert_true(duty_case_ask(&f->d));
    assert_string_equal(f->d.line, line);
}

static void creates_the_node_with_what_is_true_of_it(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, "POST /api/v1/nodes");
    assert_true(f.d.request.metadata_only);
    assert_string_equal(
        f.d.document,
        "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"board-1\",\"labels\":{"
        "\"kubernetes.io/hostname\":\"board-1\",\"kubernetes.io/os\":\"none\","
        "\"kubernetes.io/arch\":\"armv6m\",\"example.com/site\":\"roof\"}},\"spec\":{\"taints\":[{"
        "\"key\":\"femtokubelet.dev/node\",\"value\":\"true\",\"effect\":\"NoSchedule\"}]},"
        "\"status\":{\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":0}},\"capacity\":{\"cpu\":"
        "\"240m\",\"memory\":\"320Ki\",\"pods\":\"0\"},"
        "\"allocatable\":{\"cpu\":\"240m\",\"memory\":\"320Ki\",\"pods\":\"0\"},\"nodeInfo\":{"
        "\"machineID\":\"m\",\"systemUUID\":\"\",\"bootID\":\"b\",\"kernelVersion\":\"none\","
        "\"osImage\":\"femtokubelet\",\"containerRuntimeVersion\":\"none://0.1.0\","
        "\"kubeletVersion\":\"v1.36.0+femtokubelet.0.1.0\",\"operatingSystem\":\"none\","
        "\"architecture\":\"armv6m\"}}}");
    duty_case_answer(&f.d, 201, FK_REASON_NONE, duty_case_node(f.buf, UID, NULL, NULL, 0));
    assert_string_equal(f.registration.uid, UID);
    assert_int_equal(f.registration.rounds, 1);
    assert_true(fk_register_ops.due(&f.registration) == FK_NEVER);
}

static void adopts_a_node_that_exists(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, "POST /api/v1/nodes");
    duty_case_answer(&f.d, 409, FK_REASON_ALREADY_EXISTS, fk_bytes(NULL, 0));
    expect(&f, "GET /api/v1/nodes/board-1");
    assert_false(f.d.request.metadata_only);
    duty_case_answer(&f.d, 200, FK_REASON_NONE,
                     duty_case_node(f.buf, UID, "Ready", "Unknown", 1781870000));
    assert_true(f.conditions.all[FK_CONDITION_READY].known);
    assert_true(f.conditions.all[FK_CONDITION_READY].transition_us == INT64_C(1781870000000000));
    expect(&f, "PATCH-STRATEGIC /api/v1/nodes/board-1");
    assert_string_equal(f.d.document,
                        "{\"metadata\":{\"labels\":{\"kubernetes.io/hostname\":\"board-1\","
                        "\"kubernetes.io/os\":\"none\",\"kubernetes.io/arch\":\"armv6m\","
                        "\"example.com/site\":\"roof\"}}}");
    duty_case_status(&f.d, 200);
    assert_int_equal(f.registration.rounds, 1);
    assert_string_equal(f.registration.uid, UID);
}

static void looks_again_and_creates_what_is_gone(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, "POST /api/v1/nodes");
    fk_register_again(&f.registration, f.d.now); /* under way already: nothing more */
    duty_case_answer(&f.d, 201, FK_REASON_NONE, duty_case_node(f.buf, UID, NULL, NULL, 0));
    fk_register_again(&f.registration, f.d.now);
    expect(&f, "GET /api/v1/nodes/board-1");
    duty_case_status(&f.d, 404);
    expect(&f, "POST /api/v1/nodes");
    duty_case_answer(&f.d, 201, FK_REASON_NONE, duty_case_node(f.buf, UID2, NULL, NULL, 0));
    assert_string_equal(f.registration.uid, UID2);
    assert_int_equal(f.registration.rounds, 2);
}

static void deleted_between_read_and_repair(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, "POST /api/v1/nodes");
    duty_case_answer(&f.d, 409, FK_REASON_ALREADY_EXISTS, fk_bytes(NULL, 0));
    expect(&f, "GET /api/v1/nodes/board-1");
    duty_case_answer(&f.d, 200, FK_REASON_NONE, duty_case_node(f.buf, UID, NULL, NULL, 0));
    expect(&f, "PATCH-STRATEGIC /api/v1/nodes/board-1");
    duty_case_status(&f.d, 404);
    duty_case_pass(&f.d, 250); /* the second turn: no longer at once */
    expect(&f, "POST /api/v1/nodes");
}

static void a_reply_that_is_no_node_is_asked_for_again(void **state) {
    (void)state;
    static const char *const bodies[] = {"", "k8s", "<html>", "{\"kind\":\"Node\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct fixture f;
        begin(&f);
        expect(&f, "POST /api/v1/nodes");
        duty_case_answer(&f.d, 201, FK_REASON_NONE, fk_bytes_str(bodies[i]));
        assert_false(duty_case_ask(&f.d)); /* not at once */
        duty_case_pass(&f.d, 1000);
        expect(&f, "GET /api/v1/nodes/board-1"); /* it was created, whatever the reply was */
    }
}

static void refusals_are_slow(void **state) {
    (void)state;
    static const int statuses[] = {401, 403, 422};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct fixture f;
        begin(&f);
        expect(&f, "POST /api/v1/nodes");
        duty_case_status(&f.d, statuses[i]);
        duty_case_pass(&f.d, FK_REFUSED_MIN_MS * 3 / 4 - 1);
        assert_false(duty_case_ask(&f.d));
        duty_case_pass(&f.d, FK_REFUSED_MIN_MS / 2 + 1);
        expect(&f, "POST /api/v1/nodes");
    }
}

/* How many requests a duty makes in a minute while `status` answers each. */
static unsigned asked_in_a_minute(struct fixture *f, int (*status)(const char *line)) {
    unsigned count = 0;
    for (int i = 0; i < 6000; i++, duty_case_pass(&f->d, 10))
        for (; count < 1000 && duty_case_ask(&f->d); count++) {
            const int code = status(f->d.line);
            duty_case_answer(&f->d, code, code == 409 ? FK_REASON_ALREADY_EXISTS : FK_REASON_NONE,
                             duty_case_node(f->buf, UID, NULL, NULL, 0));
        }
    return count;
}

static int there_but_not_found(const char *line) { return line[0] == 'P' ? 409 : 404; }
static int found_but_not_patched(const char *line) {
    return strncmp(line, "POST", 4) == 0 ? 409 : strncmp(line, "GET", 3) == 0 ? 200 : 404;
}

static void a_server_that_contradicts_itself_is_not_hammered(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    assert_in_range(asked_in_a_minute(&f, there_but_not_found), 5, 30);
    begin(&f);
    assert_in_range(asked_in_a_minute(&f, found_but_not_patched), 5, 45);
}

static void replies_that_are_no_nodes_are_backed_off_from(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    unsigned count = 0;
    for (int i = 0; i < 6000; i++, duty_case_pass(&f.d, 10))
        for (; count < 1000 && duty_case_ask(&f.d); count++)
            duty_case_answer(&f.d, 200, FK_REASON_NONE, fk_bytes_str("{}"));
    assert_in_range(count, 5, 30);
}

/* What went wrong before is forgotten once the Node is looked after, and no sooner. */
static void a_round_that_is_done_begins_the_delays_anew(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 8; i++) {
        expect(&f, "POST /api/v1/nodes");
        duty_case_status(&f.d, 500);
        duty_case_pass(&f.d, FK_RETRY_MAX_MS * 5 / 4);
    }
    expect(&f, "POST /api/v1/nodes");
    duty_case_answer(&f.d, 409, FK_REASON_ALREADY_EXISTS, fk_bytes(NULL, 0));
    expect(&f, "GET /api/v1/nodes/board-1");
    duty_case_answer(&f.d, 200, FK_REASON_NONE, duty_case_node(f.buf, UID, NULL, NULL, 0));
    expect(&f, "PATCH-STRATEGIC /api/v1/nodes/board-1");
    duty_case_status(&f.d, 500);
    assert_in_range(fk_register_ops.due(&f.registration) - f.d.now.mono_ms, FK_RETRY_MAX_MS * 3 / 4,
                    FK_RETRY_MAX_MS * 5 / 4);
    duty_case_pass(&f.d, FK_RETRY_MAX_MS * 5 / 4);
    expect(&f, "PATCH-STRATEGIC /api/v1/nodes/board-1");
    duty_case_status(&f.d, 200);
    fk_register_again(&f.registration, f.d.now);
    expect(&f, "GET /api/v1/nodes/board-1");
    duty_case_status(&f.d, 500);
    assert_in_range(fk_register_ops.due(&f.registration) - f.d.now.mono_ms, 150, 250);
    duty_case_pass(&f.d, 250);
    expect(&f, "GET /api/v1/nodes/board-1");
    duty_case_status(&f.d, 404);
    expect(&f, "POST /api/v1/nodes"); /* at once: the first turn of this round */
}

static void forbidden_labels_do_not_keep_a_node_away(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    expect(&f, "POST /api/v1/nodes");
    duty_case_answer(&f.d, 409, FK_REASON_ALREADY_EXISTS, fk_bytes(NULL, 0));
    expect(&f, "GET /api/v1/nodes/board-1");
    duty_case_answer(&f.d, 200, FK_REASON_NONE, duty_case_node(f.buf, UID, NULL, NULL, 0));
    expect(&f, "PATCH-STRATEGIC /api/v1/nodes/board-1");
    duty_case_answer(&f.d, 403, FK_REASON_FORBIDDEN, fk_bytes(NULL, 0));
    assert_int_equal(f.registration.rounds, 1);
    assert_int_equal(f.registration.state, FK_REGISTER_DONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creates_the_node_with_what_is_true_of_it),
        cmocka_unit_test(adopts_a_node_that_exists),
        cmocka_unit_test(looks_again_and_creates_what_is_gone),
        cmocka_unit_test(deleted_between_read_and_repair),
        cmocka_unit_test(a_reply_that_is_no_node_is_asked_for_again),
        cmocka_unit_test(refusals_are_slow),
        cmocka_unit_test(a_server_that_contradicts_itself_is_not_hammered),
        cmocka_unit_test(replies_that_are_no_nodes_are_backed_off_from),
        cmocka_unit_test(a_round_that_is_done_begins_the_delays_anew),
        cmocka_unit_test(forbidden_labels_do_not_keep_a_node_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
