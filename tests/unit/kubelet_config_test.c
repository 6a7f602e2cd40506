/* What a node may be called and say of itself. */
#include "kubelet/config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/duty_case.h"

struct row {
    const char *text;
    bool valid;
};

#define SIXTY_THREE "a23456789012345678901234567890123456789012345678901234567890123"

static void names(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"a", true},      {"board-1", true}, {"b.example.com", true}, {"1.2.3.4", true},
        {"", false},      {"Board", false},  {"board_1", false},      {"-a", false},
        {"a-", false},    {".a", false},     {"a.", false},           {"a..b", false},
        {"a.-b", false},  {"a-.b", false},   {"a b", false},          {"a/b", false},
        {"a\x80", false}, {"a\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fk_config_name_valid(rows[i].text) != rows[i].valid) fail_msg("%s", rows[i].text);
    char longest[FK_NODE_NAME_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[FK_NODE_NAME_MAX] = '\0';
    assert_true(fk_config_name_valid(longest));
    longest[FK_NODE_NAME_MAX] = 'a';
    longest[FK_NODE_NAME_MAX + 1] = '\0';
    assert_false(fk_config_name_valid(longest));
}

static void label_keys(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"a", true},
        {"A_b-C.d", true},
        {"example.com/a", true},
        {SIXTY_THREE, true},
        {"", false},
        {SIXTY_THREE "4", false},
        {"/a", false},
        {"example.com/", false},
        {"a/b/c", false},
        {"Example.com/a", false},
        {"-a", false},
        {"a=b", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fk_config_label_key_valid(rows[i].text) != rows[i].valid) fail_msg("%s", rows[i].text);
    assert_true(fk_config_label_value_valid(""));
    assert_true(fk_config_label_value_valid(SIXTY_THREE));
    assert_false(fk_config_label_value_valid(SIXTY_THREE "4"));
    assert_false(fk_config_label_value_valid("a b"));
}

static void labels_that_a_node_may_give_itself(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"site", true},
        {"example.com/site", true},
        {"notkubernetes.io/site", true},
        {"kubernetes.io/arch", true},
        {"topology.kubernetes.io/zone", true},
        {"node.kubernetes.io/instance-type", true},
        {"anything.node.kubernetes.io/x", true},
        {"kubelet.kubernetes.io/x", true},
        {"kubernetes.io/role", false},
        {"node-role.kubernetes.io/worker", false},
        {"node-restriction.kubernetes.io/x", false},
        {"a.node-restriction.kubernetes.io/x", false},
        {"k8s.io/x", false},
        {"a.k8s.io/x", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fk_config_label_allowed(rows[i].text) != rows[i].valid) fail_msg("%s", rows[i].text);
}

static void quantities(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"0", true},    {"240m", true}, {"320Ki", true}, {"1.5", true},    {"1.5Gi", true},
        {"10k", true},  {"", false},    {"m", false},    {"-1", false},    {"1 Ki", false},
        {"1KB", false}, {"1e3", false}, {".", false},    {"1.2.3", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fk_config_quantity_valid(rows[i].text) != rows[i].valid) fail_msg("%s", rows[i].text);
}

/* Each refusal says what is wrong. */
static void expect_refused(const struct fk_node_config *config, const char *part) {
    char text[256];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    assert_int_equal(fk_config_check(config, &why), FK_E_CONFIG);
    assert_int_equal(fk_writer_finish(&why), 0);
    if (strstr(text, part) == NULL) fail_msg("\"%s\" not in: %s", part, text);
}

static void a_configuration_is_checked_whole(void **state) {
    (void)state;
    char text[256];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    assert_int_equal(fk_config_check(&duty_case_config, &why), 0);

    struct fk_node_config c = duty_case_config;
    c.name = "Not A Name";
    expect_refused(&c, "node name \"Not A Name\"");
    static const char endless[] = SIXTY_THREE SIXTY_THREE SIXTY_THREE SIXTY_THREE SIXTY_THREE;
    c.name = endless;
    expect_refused(&c, "123a...\" is not valid: lower-case"); /* cut, but the rule is there */
    c = duty_case_config;
    c.hostname = SIXTY_THREE "4";
    expect_refused(&c, "kubernetes.io/hostname");
    c.hostname = SIXTY_THREE;
    assert_int_equal(fk_config_check(&c, &why), 0);
    c = duty_case_config;
    c.system.operating_system = "linux";
    expect_refused(&c, "linux");
    c = duty_case_config;
    c.labels[0] = (struct fk_pair){"kubernetes.io/os", "linux"};
    expect_refused(&c, "DaemonSets");
    c = duty_case_config;
    c.labels[0] = (struct fk_pair){"node-role.kubernetes.io/worker", ""};
    expect_refused(&c, "NodeRestriction");
    c = duty_case_config;
    c.taints[0].effect = "NoWay";
    expect_refused(&c, "NoSchedule, PreferNoSchedule or NoExecute");
    c = duty_case_config;
    c.resources[0].value = "much";
    expect_refused(&c, "quantity \"much\"");
    c = duty_case_config;
    c.lease_renew_ms = 40000;
    expect_refused(&c, "renewed before it expires");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(label_keys),
        cmocka_unit_test(labels_that_a_node_may_give_itself),
        cmocka_unit_test(quantities),
        cmocka_unit_test(a_configuration_is_checked_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
