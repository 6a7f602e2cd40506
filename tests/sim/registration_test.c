/* How a node comes to be in the cluster, and stays when others delete what is its own. */
#include "story_assert.h"

/* ---- the first time ------------------------------------------------------------------------- */

static void the_first_registration_asks_in_this_order(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int status;
        const char *content_type;
        const char *says;
    } expected[] = {
        {"POST /api/v1/nodes", 201, "application/json", "\"kind\":\"Node\""},
        {"GET " LEASE_0, 404, "", ""},
        {"PATCH " NODE_0 "/status", 200, "application/strategic-merge-patch+json",
         "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\""},
        {"POST " LEASES, 201, "application/json", "\"holderIdentity\":\"sim-0\""},
        {"PATCH " NODE_0, 200, "application/merge-patch+json", "free-heap-bytes"},
        {"PATCH " LEASE_0, 200, "application/merge-patch+json",
         "{\"spec\":{\"renewTime\":\"2026-07-"},
    };
    struct story *s = story_plain(1);
    sim_world_run_for(s->w, 15000);
    /* Status and Lease run side by side: which is first may vary, what is asked may not. */
    bool used[6] = {false};
    for (size_t i = 0; i < 6; i++) {
        const struct story_line *line = story_line(s, i);
        assert_non_null(line);
        size_t k = 0;
        while (k < 6 && (used[k] || strcmp(line->text, expected[k].text) != 0)) k++;
        if (k == 6) fail_msg("not expected: %s", line->text);
        used[k] = true;
        assert_int_equal(line->status, expected[k].status);
        assert_string_equal(line->content_type, expected[k].content_type);
        if (strstr(line->body, expected[k].says) == NULL)
            fail_msg("%s: %s", line->text, line->body);
    }
    assert_string_equal(story_line(s, 0)->text, expected[0].text);
    assert_ready(s->w, "True");
    end_story(s);
}

static void the_renewal_is_nothing_but_a_time(void **state) {
    (void)state;
    struct story *s = story_plain(2);
    sim_world_run_for(s->w, 60000);
    const struct story_line *last = story_line(s, s->count - 1);
    assert_string_equal(last->text, "PATCH " LEASE_0);
    assert_int_equal(strlen(last->body),
                     strlen("{\"spec\":{\"renewTime\":\"2026-07-01T00:00:59.000001Z\"}}"));
    assert_in_range(record_of(s)->renewals, 6, 7);
    end_story(s);
}

/* ---- after a reset -------------------------------------------------------------------------- */

static void put_others_marks(struct story *s) {
    struct sim_api *a = sim_world_api(s->w);
    struct sim_json *doc = record_of(s)->node.doc;
    struct sim_json *meta = sim_json_need(doc, "metadata", SIM_JSON_OBJECT);
    struct sim_json *labels = sim_json_need(meta, "labels", SIM_JSON_OBJECT);
    struct sim_json *notes = sim_json_need(meta, "annotations", SIM_JSON_OBJECT);
    struct sim_json *spec = sim_json_need(doc, "spec", SIM_JSON_OBJECT);
    struct sim_json *taints = sim_json_need(spec, "taints", SIM_JSON_ARRAY);
    struct sim_json *taint = sim_json_new(SIM_JSON_OBJECT, "", "");
    sim_json_put_str(taint, "key", "node.kubernetes.io/unschedulable");
    sim_json_put_str(taint, "effect", "NoSchedule");
    sim_json_append(taints, taint);
    sim_json_put_str(labels, "node-role.kubernetes.io/roof", "");
    sim_json_put_str(notes, "example.com/note", "theirs");
    sim_api_set_condition(a, 0, "FrequentReboots", "False", "Fine");
}

static void assert_others_marks(struct story *s) {
    const struct sim_json *doc = record_of(s)->node.doc;
    const struct sim_json *meta = sim_json_get(doc, "metadata");
    const struct sim_json *taints = sim_json_get(sim_json_get(doc, "spec"), "taints");
    assert_non_null(sim_json_get(sim_json_get(meta, "labels"), "node-role.kubernetes.io/roof"));
    assert_string_equal(sim_json_str(sim_json_get(meta, "annotations"), "example.com/note"),
                        "theirs");
    assert_non_null(taints->child->next);
    assert_string_equal(sim_json_str(sim_api_condition(record_of(s), "FrequentReboots"), "reason"),
                        "Fine");
}

static void a_restart_adopts_what_is_there(void **state) {
    (void)state;
    struct story *s = story_plain(3);
    sim_world_run_for(s->w, 1000000);
    put_others_marks(s);
    char uid[40], since[40];
    (void)snprintf(uid, sizeof uid, "%s", record_of(s)->node.uid);
    (void)snprintf(since, sizeof since, "%s",
                   sim_json_str(sim_api_condition(record_of(s), "Ready"), "lastTransitionTime"));
    sim_world_power_off(s->w, 0);
    sim_world_run_for(s->w, 20000);
    const size_t from = s->count;
    sim_world_power_on(s->w, 0);
    sim_world_run_for(s->w, 700000);
    assert_string_equal(story_line(s, from)->text, "POST /api/v1/nodes");
    assert_int_equal(story_line(s, from)->status, 409);
    assert_string_equal(story_line(s, from + 1)->text, "GET " NODE_0);
    assert_int_equal(story_count(s, from, "GET " LEASE_0), 1);
    assert_int_equal(story_count(s, from, "POST"), 1);
    assert_others_marks(s);
    assert_string_equal(record_of(s)->node.uid, uid);
    assert_string_equal(
        sim_json_str(sim_api_condition(record_of(s), "Ready"), "lastTransitionTime"), since);
    assert_int_equal(record_of(s)->times_unknown, 0);
    end_story(s);
}

/* The label that is ours is put back, whatever was made of it. */
static void a_restart_repairs_its_labels(void **state) {
    (void)state;
    struct story *s = story_plain(4);
    sim_world_run_for(s->w, 30000);
    struct sim_json *meta = sim_json_get(record_of(s)->node.doc, "metadata");
    sim_json_drop(sim_json_get(meta, "labels"), "femtokubelet.dev/board");
    sim_world_power_off(s->w, 0);
    sim_world_power_on(s->w, 0);
    sim_world_run_for(s->w, 5000);
    meta = sim_json_get(record_of(s)->node.doc, "metadata");
    assert_string_equal(sim_json_str(sim_json_get(meta, "labels"), "femtokubelet.dev/board"),
                        "sim");
    end_story(s);
}

/* ---- deleted under it ----------------------------------------------------------------------- */

static void a_deleted_lease_is_created_again(void **state) {
    (void)state;
    struct story *s = story_plain(5);
    sim_world_run_for(s->w, 33000);
    sim_api_delete_lease(sim_world_api(s->w), 0);
    sim_world_run_for(s->w, 12000);
    assert_non_null(record_of(s)->lease.doc);
    assert_ready(s->w, "True");
    sim_world_run_for(s->w, 120000);
    end_story(s);
}

static void a_deleted_node_comes_back_with_a_lease_of_its_own(void **state) {
    (void)state;
    for (uint64_t seed = 10; seed < 30; seed++) { /* at 20 moments of the renewal period */
        struct story *s = story_plain(seed);
        sim_world_run_for(s->w, 60000 + (seed - 10) * 500);
        char old[40];
        (void)snprintf(old, sizeof old, "%s", record_of(s)->node.uid);
        sim_api_delete_node(sim_world_api(s->w), 0);
        sim_account_allow(&s->w->seats[0], 2000); /* the wait for the garbage collector */
        sim_world_run_for(s->w, 25000);
        const struct sim_record *r = record_of(s);
        assert_non_null(r->node.doc);
        assert_string_not_equal(r->node.uid, old);
        const struct sim_json *meta = sim_json_get(r->lease.doc, "metadata");
        const struct sim_json *owners = sim_json_get(meta, "ownerReferences");
        assert_non_null(owners);
        assert_string_equal(sim_json_str(owners->child, "uid"), r->node.uid);
        assert_ready(s->w, "True");
        sim_world_run_for(s->w, 400000);
        end_story(s);
    }
}

/* kubectl delete node, and somebody creates it by hand before the node has noticed. */
static void a_node_of_another_uid_is_adopted(void **state) {
    (void)state;
    struct story *s = story_plain(6);
    sim_world_run_for(s->w, 65000);
    struct sim_json *copy = sim_json_clone(record_of(s)->node.doc);
    sim_api_delete_node(sim_world_api(s->w), 0);
    record_of(s)->node.doc = copy;
    (void)snprintf(record_of(s)->node.uid, 37, "00000000-0000-4000-8000-00000000cafe");
    sim_account_allow(&s->w->seats[0], 2000);
    sim_world_run_for(s->w, 60000);
    const struct sim_json *meta = sim_json_get(record_of(s)->lease.doc, "metadata");
    const struct sim_json *owners = sim_json_get(meta, "ownerReferences");
    assert_string_equal(sim_json_str(owners->child, "uid"), record_of(s)->node.uid);
    end_story(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_registration_asks_in_this_order),
        cmocka_unit_test(the_renewal_is_nothing_but_a_time),
        cmocka_unit_test(a_restart_adopts_what_is_there),
        cmocka_unit_test(a_restart_repairs_its_labels),
        cmocka_unit_test(a_deleted_lease_is_created_again),
        cmocka_unit_test(a_deleted_node_comes_back_with_a_lease_of_its_own),
        cmocka_unit_test(a_node_of_another_uid_is_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
