/* The command line: what is taken, and what the user is told about the rest. */
#include "linux/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"

#define ARGS_MAX 16

struct outcome {
    struct fk_flags flags;
    int err;
    char why[512];
};

/* args: separated by '|'. */
static struct outcome *parse(const char *args) {
    static struct outcome o;
    static char text[2048];
    char *argv[ARGS_MAX] = {(char *)(uintptr_t) "femtokubelet"};
    int argc = 1;
    (void)snprintf(text, sizeof text, "%s", args);
    for (char *p = text; *args != '\0' && p != NULL; argc++) {
        argv[argc] = p;
        p = strchr(p, '|');
        if (p != NULL) *p++ = '\0';
    }
    struct fk_writer why;
    fk_writer_init(&why, o.why, sizeof o.why);
    o.err = fk_flags_parse(&o.flags, argc, argv, &why);
    (void)fk_writer_finish(&why);
    return &o;
}

static struct fk_flags *good(const char *args) {
    struct outcome *o = parse(args);
    if (o->err != 0) fail_msg("%s: %s", args, o->why);
    return &o->flags;
}

static void defaults(void **state) {
    (void)state;
    const struct fk_flags *f = good("--kubeconfig=k");
    assert_int_equal(f->action, FK_FLAGS_RUN);
    assert_string_equal(f->kubeconfig, "k");
    assert_null(f->hostname_override);
    assert_null(f->node_ip);
    assert_int_equal(f->status_update_ms, 10000);
    assert_int_equal(f->status_report_ms, 300000);
    assert_int_equal(f->lease_duration_s, 40);
    assert_int_equal(f->verbosity, 0);
    assert_false(f->json);
    assert_int_equal(f->label_count, 0);
    assert_int_equal(f->taint_count, 1);
    assert_string_equal(f->taints[0].key, "femtokubelet.dev/node");
    assert_string_equal(f->taints[0].value, "true");
    assert_string_equal(f->taints[0].effect, "NoSchedule");
    assert_int_equal(f->resource_count, 3);
    assert_string_equal(f->resources[2].key, "pods");
    assert_string_equal(f->resources[2].value, "0");
}

static void both_ways_to_write_a_value(void **state) {
    (void)state;
    const struct fk_flags *f =
        good("--kubeconfig|a=b|--hostname-override=n|--node-status-update-frequency|1m30s|"
             "--node-status-report-frequency=1h|--lease-duration-seconds|8|--logging-format=json|"
             "--node-ip|2001:db8::1");
    assert_string_equal(f->kubeconfig, "a=b");
    assert_string_equal(f->hostname_override, "n");
    assert_string_equal(f->node_ip, "2001:db8::1");
    assert_int_equal(f->status_update_ms, 90000);
    assert_int_equal(f->status_report_ms, 3600000);
    assert_int_equal(f->lease_duration_s, 8);
    assert_true(f->json);
    static const char *const verbose[] = {"-v=4|--kubeconfig=k", "-v|4|--kubeconfig=k",
                                          "-v4|--kubeconfig=k", "--v=4|--kubeconfig=k",
                                          "--v|4|--kubeconfig=k"};
    for (size_t i = 0; i < sizeof verbose / sizeof verbose[0]; i++)
        assert_int_equal(good(verbose[i])->verbosity, 4);
    assert_string_equal(good("--kubeconfig=a|--kubeconfig=b")->kubeconfig, "b");
}

static void lists_grow_and_replace_the_default(void **state) {
    (void)state;
    const struct fk_flags *f = good("--kubeconfig=k|--node-labels=a=1, b=,|--node-labels=c=3=4");
    assert_int_equal(f->label_count, 3);
    assert_string_equal(f->labels[1].key, "b");
    assert_string_equal(f->labels[1].value, "");
    assert_string_equal(f->labels[2].value, "3=4");
    f = good("--kubeconfig=k|--register-with-taints=");
    assert_int_equal(f->taint_count, 0);
    f = good("--kubeconfig=k|--register-with-taints|x=y:NoExecute,z:NoSchedule");
    assert_int_equal(f->taint_count, 2);
    assert_string_equal(f->taints[0].value, "y");
    assert_string_equal(f->taints[1].key, "z");
    assert_string_equal(f->taints[1].value, "");
    f = good("--kubeconfig=k|--capacity=cpu=1");
    assert_int_equal(f->resource_count, 1);
}

static void the_port(void **state) {
    (void)state;
    const struct fk_flags *f = good("--kubeconfig=k");
    assert_string_equal(f->address, "0.0.0.0");
    assert_int_equal(f->port, 10250);
    assert_false(f->anonymous_healthz);
    assert_string_equal(f->api_server_user, "");
    assert_string_equal(f->config_map, "");
    assert_null(f->root_dir);
    assert_int_equal(f->authn_ms, 120000);
    assert_int_equal(f->allowed_ms, 300000);
    assert_int_equal(f->denied_ms, 30000);
    f = good("--kubeconfig=k|--anonymous-healthz|--address=::1|--port=0|--client-ca-file=c|"
             "--authentication-token-webhook-cache-ttl=0s|"
             "--authorization-webhook-cache-authorized-ttl=1h|"
             "--authorization-webhook-cache-unauthorized-ttl=1s|"
             "--config-map=default/a,kube-system/b|--root-dir=d|--api-server-user=u");
    assert_true(f->anonymous_healthz);
    assert_string_equal(f->address, "::1");
    assert_int_equal(f->port, 0);
    assert_int_equal(f->authn_ms, 0);
    assert_int_equal(f->allowed_ms, 3600000);
    assert_int_equal(f->denied_ms, 1000);
    assert_string_equal(f->config_map, "default/a,kube-system/b");
    assert_false(good("--kubeconfig=k|--anonymous-healthz=false")->anonymous_healthz);
    assert_int_equal(good("--kubeconfig=k|--port=65535")->port, 65535);
}

static void questions_need_nothing_else(void **state) {
    (void)state;
    assert_int_equal(good("--help")->action, FK_FLAGS_HELP);
    assert_int_equal(good("-h")->action, FK_FLAGS_HELP);
    assert_int_equal(good("-v=2|--version")->action, FK_FLAGS_VERSION);
}

/* Each line says what is wrong, and holds a hint at what would be right. */
static void mistakes(void **state) {
    (void)state;
    static const struct {
        const char *args, *said;
    } rows[] = {
        {"", "--kubeconfig FILE is needed"},
        {"--kubeconfig", "--kubeconfig needs a value: FILE"},
        {"--kubeconfig=", "--kubeconfig \"\": must not be empty"},
        {"--kubecofnig=k", "unknown flag --kubecofnig=k: see --help"},
        {"-kubeconfig=k", "long flags begin with two dashes"},
        {"--kube=k", "unknown flag --kube=k"},
        {"-x", "unknown flag -x"},
        {"-v4x", "must be a whole number"},
        {"--", "unknown flag --"},
        {"-", "unexpected argument \"-\""},
        {"join", "unexpected argument \"join\": there are only flags"},
        {"-v=11|--kubeconfig=k", "whole number from 0 to 10"},
        {"--node-ip=0.0.0.0", "one IPv4 or IPv6 address"},
        {"--node-ip=10.0.0.1,fd00::1", "one IPv4 or IPv6 address"},
        {"--node-ip=host", "one IPv4 or IPv6 address"},
        {"--node-labels=a", "key=value pairs"},
        {"--node-labels==b", "key=value pairs"},
        {"--node-labels=1=,2=,3=,4=,5=,6=,7=,8=,9=,10=,11=,12=,13=,14=,15=,16=,17=", "at most 16"},
        {"--register-with-taints=a=b", "key=value:Effect"},
        {"--register-with-taints=a=b:", "key=value:Effect"},
        {"--register-with-taints=:NoSchedule", "key=value:Effect"},
        {"--capacity=cpu", "resource=quantity"},
        {"--node-status-update-frequency=10", "a duration from 1s to 1h"},
        {"--node-status-update-frequency=999ms", "a duration from 1s to 1h"},
        {"--node-status-report-frequency=25h", "a duration from 1s to 24h"},
        {"--lease-duration-seconds=3", "from 4 to 3600"},
        {"--lease-duration-seconds=40s", "from 4 to 3600"},
        {"--logging-format=xml", "text or json"},
        {"--kubeconfig=k|--server=https://h", "exclude each other"},
        {"--kubeconfig=k|--ca=c", "--ca goes with --server"},
        {"--kubeconfig=k|--token-file=t", "--token-file goes with --server"},
        {"--server=https://h|--token-file=t", "needs --ca FILE"},
        {"--server=https://h|--ca=c", "needs --cert and --key, or --token-file"},
        {"--server=https://h|--ca=c|--cert=c", "--key is missing"},
        {"--server=https://h|--ca=c|--key=c|--token-file=t", "--cert is missing"},
        {"--port=65536", "be a port from 1 to 65535, or 0 for none"},
        {"--address=here", "an IPv4 or IPv6 address"},
        {"--anonymous-healthz=yes", "true or false"},
        {"--kubeconfig=k|--tls-cert-file=c", "the second is missing"},
        {"--kubeconfig=k|--tls-private-key-file=c", "the first is missing"},
        {"--authentication-token-webhook-cache-ttl=61m", "from 0s to 1h"},
        {"--config-map=name", "namespace/name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct outcome *o = parse(rows[i].args);
        if (o->err != FK_E_CONFIG || strstr(o->why, rows[i].said) == NULL)
            fail_msg("%s: %d \"%s\"", rows[i].args, o->err, o->why);
    }
    (void)good("--server=https://h|--ca=c|--cert=c|--key=k|--tls-server-name=n");
}

static void list_text_is_bounded(void **state) {
    (void)state;
    static char value[FK_FLAGS_TEXT_MAX + 8];
    static struct fk_flags flags;
    memset(value, ',', sizeof value - 1); /* items that are empty, but text that is long */
    char name[] = "--node-labels", program[] = "femtokubelet";
    char *argv[] = {program, name, value};
    char text[64];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    assert_int_equal(fk_flags_parse(&flags, 3, argv, &why), FK_E_CONFIG);
}

/* Everything that can be given is in there, in lines that a terminal holds. */
static void help_is_complete(void **state) {
    (void)state;
    static const char *const flags[] = {"kubeconfig",
                                        "hostname-override",
                                        "node-ip",
                                        "node-labels",
                                        "register-with-taints",
                                        "capacity",
                                        "node-status-update-frequency",
                                        "node-status-report-frequency",
                                        "lease-duration-seconds",
                                        "address",
                                        "port",
                                        "tls-cert-file",
                                        "tls-private-key-file",
                                        "client-ca-file",
                                        "api-server-user",
                                        "anonymous-healthz",
                                        "authentication-token-webhook-cache-ttl",
                                        "authorization-webhook-cache-authorized-ttl",
                                        "authorization-webhook-cache-unauthorized-ttl",
                                        "config-map",
                                        "root-dir",
                                        "logging-format",
                                        "server",
                                        "ca",
                                        "tls-server-name",
                                        "cert",
                                        "key",
                                        "token-file",
                                        "version",
                                        "help"};
    char text[8192];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    fk_flags_help(&w);
    assert_int_equal(fk_writer_finish(&w), 0);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "\n  --%s ", flags[i]);
        if (strstr(text, wanted) == NULL) fail_msg("--help lacks %s", flags[i]);
    }
    assert_non_null(strstr(text, "\n  -v "));
    for (const char *p = text; *p != '\0'; p += strcspn(p, "\n") + 1)
        assert_true(strcspn(p, "\n") <= 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(both_ways_to_write_a_value),
        cmocka_unit_test(lists_grow_and_replace_the_default),
        cmocka_unit_test(the_port),
        cmocka_unit_test(questions_need_nothing_else),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(list_text_is_bounded),
        cmocka_unit_test(help_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
