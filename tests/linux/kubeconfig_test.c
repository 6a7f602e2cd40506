/* Kubeconfigs: what is read, what is refused and in which words, and that nothing of a damaged file
 * is ever taken for a whole one. */
#include "linux/kubeconfig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/guard.h"

#define PATH "/etc/node/kubeconfig"

/* A kubeconfig around one cluster and one user; "current-context" comes last, so that a file that
 * was cut has none, or one that is not in it. */
#define CONFIG(cluster, user)                                                                      \
    "apiVersion: v1\nkind: Config\n"                                                               \
    "contexts:\n- {name: other, context: {cluster: x, user: y}}\n"                                 \
    "- name: main\n  context:\n    cluster: here\n    user: me\n"                                  \
    "clusters:\n- name: here\n  cluster:\n" cluster "users:\n- name: me\n  user:\n" user           \
    "current-context: main\n"
#define CLUSTER "    server: https://api.example:6443\n    certificate-authority-data: Q0E=\n"
#define USER "    client-certificate-data: Q0VSVA==\n    client-key-data: S0VZ\n"

struct outcome {
    struct fk_access access;
    int err;
    char why[512];
};

static struct outcome *parse_bytes(struct fk_bytes text) {
    static struct outcome o;
    memset(&o, 0, sizeof o);
    struct fk_writer why;
    fk_writer_init(&why, o.why, sizeof o.why);
    o.err = fk_kubeconfig_parse(text, PATH, &o.access, &why);
    (void)fk_writer_finish(&why);
    return &o;
}

static struct fk_access *good(const char *text) {
    struct outcome *o = parse_bytes(fk_bytes_str(text));
    if (o->err != 0) fail_msg("%s\n%s", text, o->why);
    return &o->access;
}

static void holds(const struct fk_blob *blob, const char *bytes) {
    assert_int_equal(blob->len, strlen(bytes));
    assert_memory_equal(blob->p, bytes, blob->len + 1); /* the zero behind it, too */
}

static void data_is_decoded(void **state) {
    (void)state;
    struct fk_access *a = good(CONFIG(CLUSTER, USER));
    assert_string_equal(a->host, "api.example");
    assert_int_equal(a->port, 6443);
    assert_string_equal(a->authority, "api.example:6443");
    assert_string_equal(a->server_name, "api.example");
    holds(&a->ca, "CA");
    holds(&a->cert, "CERT");
    holds(&a->key, "KEY");
    assert_string_equal(a->authorization, "");
    fk_access_wipe(a);
}

static void files_are_beside_the_kubeconfig(void **state) {
    (void)state;
    struct fk_access *a = good(CONFIG(
        "    server: https://h\n    certificate-authority: ca.crt\n",
        "    client-certificate: /abs/cert\n    client-key: sub/key\n    tokenFile: ../t\n"));
    assert_string_equal(a->ca_file, "/etc/node/ca.crt");
    assert_string_equal(a->cert_file, "/abs/cert");
    assert_string_equal(a->key_file, "/etc/node/sub/key");
    assert_string_equal(a->token_file, "/etc/node/../t");
    fk_access_wipe(a);
}

/* client-go: data before file, but tokenFile before token. */
static void precedence_is_client_gos(void **state) {
    (void)state;
    struct fk_access *a = good(
        CONFIG(CLUSTER "    certificate-authority: ca.crt\n    insecure-skip-tls-verify: false\n",
               USER "    client-key: k\n    token: t1\n    tokenFile: t2\n"));
    assert_string_equal(a->ca_file, "");
    assert_string_equal(a->key_file, "");
    assert_string_equal(a->token_file, "/etc/node/t2");
    assert_string_equal(a->authorization, "");
    fk_access_wipe(a);
    a = good(CONFIG(CLUSTER, "    token: ' abc.def '\n"));
    assert_string_equal(a->authorization, "Bearer abc.def");
    assert_null(a->cert.p);
    fk_access_wipe(a);
}

static void json_is_yaml(void **state) {
    (void)state;
    struct fk_access *a =
        good("{\"kind\":\"Config\",\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\","
             "\"context\":{\"cluster\":\"k\",\"user\":\"u\"}}],\"clusters\":[{\"name\":\"k\","
             "\"cluster\":{\"server\":\"https://[2001:db8::1]\",\"tls-server-name\":\"n.example\","
             "\"certificate-authority-data\":\"Q0E=\"}}],"
             "\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"t\"}}]}");
    assert_string_equal(a->host, "2001:db8::1");
    assert_string_equal(a->authority, "[2001:db8::1]:443");
    assert_string_equal(a->server_name, "n.example");
    fk_access_wipe(a);
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"", "not a kubeconfig"},
        {"- a\n", "not a kubeconfig"},
        {"just text", "not a kubeconfig"},
        {"a: [", PATH ":2: did not find"},
        {"kind: Config\n\tx: y\n", PATH ":2: "},
        {"kind: Secret\n", PATH ":1: kind: must be Config"},
        {"kind: Config\n", "current-context: missing"},
        {"current-context: ''\n", "current-context: missing"},
        {"current-context: ~\n", "current-context: missing"},
        {"current-context: [a]\n", "current-context: must be text"},
        {"current-context: a\ncurrent-context: b\n", PATH ":2: current-context: given twice"},
        {"current-context: a\n", "contexts: missing"},
        {"current-context: a\ncontexts: []\n", "\"a\" is not in the list contexts"},
        {"current-context: a\ncontexts: [{name: a}]\n", "context: missing"},
        {"current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n", "user: missing"},
        {"current-context: a\ncontexts: [{name: a, context: {user: c}}]\n", "cluster: missing"},
        {"a: &x 1\nb: *x\n", PATH ":1: YAML anchors"},
        {"b: *x\n", PATH ":1: YAML anchors"},
        {"a: &x [1]\n", "YAML anchors"},
        {"a: &x {b: 1}\n", "YAML anchors"},
        {CONFIG("    certificate-authority-data: Q0E=\n", USER), ":12: server: missing"},
        {CONFIG("    server: https://h\n", USER), "certificate-authority: missing"},
        {CONFIG(CLUSTER "    insecure-skip-tls-verify: true\n", USER),
         ":14: insecure-skip-tls-verify: this node always verifies"},
        {CONFIG(CLUSTER "    proxy-url: http://p\n", USER), ":14: proxy-url: "},
        {CONFIG("    server: http://h\n", USER), ":12: server: \"http://h\": http proves nobody"},
        {CONFIG("    server: h:6443\n", USER), "must be of the form https://host:port"},
        {CONFIG("    server: https://\n", USER), "no DNS name or IP address"},
        {CONFIG("    server: https://a..b\n", USER), "no DNS name or IP address"},
        {CONFIG("    server: https://[::1\n", USER), "no DNS name or IP address"},
        {CONFIG("    server: https://[h]\n", USER), "no DNS name or IP address"},
        {CONFIG("    server: 'https://::1'\n", USER), "no DNS name or IP address"},
        {CONFIG("    server: https://h:0\n", USER), "a number from 1 to 65535"},
        {CONFIG("    server: https://h:65536\n", USER), "a number from 1 to 65535"},
        {CONFIG("    server: https://h:12x\n", USER), "a number from 1 to 65535"},
        {CONFIG("    server: https://h/k8s/c1\n", USER), "a path before /api is not supported"},
        {CONFIG("    server: https://h?x\n", USER), "nothing may follow the port"},
        {CONFIG("    server: https://u:secret@h\n", USER), "a user name in the URL"},
        {CONFIG("    server: https://h\n    tls-server-name: a b\n", USER),
         ":13: tls-server-name: \"a b\" is neither"},
        {CONFIG("    server: https://h\n    certificate-authority-data: Q0E\n", USER),
         ":13: certificate-authority-data: is not base64"},
        {CONFIG("    server: \"https://h\\0\"\n", USER), "server: holds a zero byte"},
        {CONFIG(CLUSTER, "    {}\n"), "no credential"},
        {CONFIG(CLUSTER, "    client-key-data: S0VZ\n"), "client-certificate: missing"},
        {CONFIG(CLUSTER, "    client-certificate: c\n"), "client-key: missing"},
        {CONFIG(CLUSTER, USER "    exec: {command: x}\n"), ":19: exec: not supported"},
        {CONFIG(CLUSTER, USER "    auth-provider: {name: x}\n"), "auth-provider: not supported"},
        {CONFIG(CLUSTER, "    username: x\n    password: y\n"), "username: not supported"},
        {CONFIG(CLUSTER, USER "    as: root\n"), "as: impersonation"},
        {CONFIG(CLUSTER, "    token: \"a\\nb\"\n"), ":17: token: the token holds a byte"},
        {CONFIG(CLUSTER, "    token: ' '\n"), "token: the token is empty"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome *o = parse_bytes(fk_bytes_str(rows[i].text));
        if (o->err != FK_E_CONFIG || strstr(o->why, rows[i].said) == NULL ||
            strncmp(o->why, PATH ":", sizeof PATH) != 0)
            fail_msg("%s\n%d \"%s\"", rows[i].text, o->err, o->why);
        assert_null(strstr(o->why, "secret"));
        fk_access_wipe(&o->access);
    }
}

/* Each piece of a good file, up to an unreadable page. Only the last line feed may be missing. */
static void every_truncation(void **state) {
    (void)state;
    static const char text[] = CONFIG(CLUSTER, USER);
    for (size_t len = 0; len < sizeof text - 2; len++) {
        struct guard g = guard_copy(fk_bytes(text, len));
        struct outcome *o = parse_bytes(guard_bytes(&g));
        if (o->err != FK_E_CONFIG) fail_msg("%zu bytes: %d \"%s\"", len, o->err, o->why);
        fk_access_wipe(&o->access);
        guard_free(&g);
    }
}

static struct outcome *parse_nested(int depth) {
    static char text[2048];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    fk_put_str(&w, CONFIG(CLUSTER, USER) "extensions: ");
    for (int i = 1; i < depth; i++) fk_put_char(&w, '['); /* in the mapping at the top */
    for (int i = 1; i < depth; i++) fk_put_char(&w, ']');
    fk_put_char(&w, '\n');
    (void)fk_writer_finish(&w);
    return parse_bytes(fk_bytes_str(text));
}

static void depth_is_bounded(void **state) {
    (void)state;
    struct outcome *o = parse_nested(FK_KUBECONFIG_DEPTH_MAX);
    if (o->err != 0) fail_msg("%s", o->why);
    fk_access_wipe(&o->access);
    o = parse_nested(FK_KUBECONFIG_DEPTH_MAX + 1);
    assert_int_equal(o->err, FK_E_CONFIG);
    assert_string_equal(o->why, PATH ":20: nested more than 32 deep");
}

/* Deep, wide or alias-ridden files end soon, with an error. */
static void hostile_shapes(void **state) {
    (void)state;
    static char text[100000];
    memset(text, '[', sizeof text - 1);
    assert_int_equal(parse_bytes(fk_bytes_str(text))->err, FK_E_CONFIG);
    for (size_t i = 0; i + 1 < sizeof text; i++) text[i] = "- "[i % 2];
    assert_int_equal(parse_bytes(fk_bytes_str(text))->err, FK_E_CONFIG);
    for (size_t i = 0; i + 1 < sizeof text; i++) text[i] = "{[\n"[i % 3];
    assert_int_equal(parse_bytes(fk_bytes_str(text))->err, FK_E_CONFIG);
    for (size_t i = 0; i + 4 < sizeof text; i += 4) memcpy(text + i, "- a\n", 4);
    text[sizeof text - 4] = '\0';
    assert_int_equal(parse_bytes(fk_bytes_str(text))->err, FK_E_CONFIG);
    for (size_t i = 0; i + 5 < sizeof text; i += 5) memcpy(text + i, "- *a\n", 5);
    assert_int_equal(parse_bytes(fk_bytes_str(text))->err, FK_E_CONFIG);
}

/* ---- files -------------------------------------------------------------------------------------
 */

struct heard {
    unsigned warnings;
};

static void hear(void *ctx, enum fk_level level, const char *message, const struct fk_kv *pairs,
                 size_t count) {
    struct heard *h = ctx;
    (void)message, (void)pairs, (void)count;
    if (level == FK_WARN) h->warnings++;
}

static void put_file(const char *folder, const char *name, const char *text, mode_t mode) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void remove_file(const char *folder, const char *name) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)unlink(path);
}

static int load(const char *folder, struct outcome *o, struct heard *heard) {
    char path[256];
    const struct fk_log log = {.level = FK_DEBUG, .ctx = heard, .emit = hear};
    struct fk_writer why;
    memset(o, 0, sizeof *o);
    *heard = (struct heard){0};
    (void)snprintf(path, sizeof path, "%s/kubeconfig", folder);
    fk_writer_init(&why, o->why, sizeof o->why);
    o->err = fk_kubeconfig_load(path, &o->access, &log, &why);
    (void)fk_writer_finish(&why);
    return o->err;
}

static void files_are_read(void **state) {
    (void)state;
    static struct outcome o;
    struct heard heard;
    char folder[] = "/tmp/fk-kubeconfig-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(load(folder, &o, &heard), FK_E_CONFIG);
    assert_non_null(strstr(o.why, "No such file"));
    put_file(folder, "kubeconfig",
             CONFIG("    server: https://h\n    certificate-authority: ca\n",
                    "    client-certificate: cert\n    client-key: key\n    tokenFile: token\n"),
             0644);
    put_file(folder, "ca", "CA", 0644);
    put_file(folder, "cert", "CERT", 0644);
    put_file(folder, "token", "abc\n", 0600);
    assert_int_equal(load(folder, &o, &heard), FK_E_CONFIG);
    assert_non_null(strstr(o.why, "/key: No such file"));
    fk_access_wipe(&o.access);
    put_file(folder, "key", "KEY", 0600);
    assert_int_equal(load(folder, &o, &heard), 0);
    holds(&o.access.key, "KEY");
    assert_string_equal(o.access.authorization, "Bearer abc");
    assert_int_equal(heard.warnings, 0); /* no secret in a file that others can read */
    put_file(folder, "token", "def", 0600);
    struct fk_writer why;
    fk_writer_init(&why, o.why, sizeof o.why);
    assert_int_equal(fk_access_read_token(&o.access, &why), 0);
    assert_string_equal(o.access.authorization, "Bearer def");
    put_file(folder, "token", "\n", 0600);
    assert_int_equal(fk_access_read_token(&o.access, &why), FK_E_CONFIG);
    assert_string_equal(o.access.authorization, "Bearer def"); /* the former one stays */
    fk_access_wipe(&o.access);
    put_file(folder, "token", "abc", 0600);
    put_file(folder, "key", "KEY", 0640);
    assert_int_equal(load(folder, &o, &heard), 0);
    assert_int_equal(heard.warnings, 1);
    fk_access_wipe(&o.access);
    put_file(folder, "kubeconfig", CONFIG(CLUSTER, USER), 0604);
    assert_int_equal(load(folder, &o, &heard), 0);
    assert_int_equal(heard.warnings, 1);
    fk_access_wipe(&o.access);
    put_file(folder, "kubeconfig", "", 0600);
    assert_int_equal(load(folder, &o, &heard), FK_E_CONFIG);
    assert_non_null(strstr(o.why, "the file is empty"));
    static const char *const names[] = {"kubeconfig", "ca", "cert", "key", "token"};
    for (size_t i = 0; i < 5; i++) remove_file(folder, names[i]);
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_decoded),
        cmocka_unit_test(files_are_beside_the_kubeconfig),
        cmocka_unit_test(precedence_is_client_gos),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(refusals),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(hostile_shapes),
        cmocka_unit_test(files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
