/* What is typed, what is stored, and the configuration that comes of it. */
#include "firmware/settings.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/flash_model.h"

static struct flash_model flash;
static struct fk_store store;
static struct fk_settings settings;
static char stored[2048], said[512];
static struct fk_writer out, why;

static const struct fk_setting *named(const char *name) {
    const struct fk_setting *setting = fk_setting_find(fk_bytes_str(name));
    if (setting == NULL) fail_msg("no setting %s", name);
    return setting;
}

static int encode_into(size_t cap, const char *name, struct fk_bytes value) {
    fk_writer_init(&out, stored, cap);
    fk_writer_init(&why, said, sizeof said);
    const int err = fk_setting_encode(named(name), value, &out, &why);
    assert_int_equal(fk_writer_finish(&why), 0);
    assert_true((err == 0) == (why.len == 0));
    return err;
}

static int encode(const char *name, const char *value) {
    return encode_into(sizeof stored, name, fk_bytes_str(value));
}

/* ---- one setting -------------------------------------------------------------------------------
 */

static void the_table(void **state) {
    (void)state;
    uint32_t numbers = 0;
    for (size_t i = 0; i < fk_setting_count; i++) {
        const struct fk_setting *s = &fk_setting_table[i];
        assert_true(s->number >= 1 && s->number <= FK_STORE_NUMBER_MAX);
        assert_int_equal(numbers >> s->number & 1, 0);
        numbers |= UINT32_C(1) << s->number;
        assert_ptr_equal(named(s->name), s);
        assert_true(strlen(s->name) <= 17 && strlen(s->help) <= 90);
        assert_int_equal(s->secret,
                         s->number == FK_SETTING_KEY || s->number == FK_SETTING_SERVER_KEY);
        assert_int_equal(*s->argument == '\0', s->kind == FK_SETTING_PEM);
    }
    assert_int_equal(numbers, 0x7ffffe); /* 1 to 22 */
    assert_null(fk_setting_find(fk_bytes_str("")));
    assert_null(fk_setting_find(fk_bytes_str("serve")));
    assert_null(fk_setting_find(fk_bytes_str("server1")));
}

struct form {
    const char *name, *typed;
    const char *stored; /* "|" for zero bytes */
    const char *shown;  /* NULL: as typed */
};

static void typed_stored_and_shown(void **state) {
    (void)state;
    static const struct form rows[] = {
        {"server", "https://a", "a:443|a|", "https://a:443"},
        {"server", "https://a:6443/", "a:6443|a|", "https://a:6443"},
        {"server", "https://[::1]:6443", "[::1]:6443|::1|", NULL},
        {"node-name", "board-1", "board-1|", NULL},
        {"hostname", "Board_1", "Board_1|", NULL},
        {"tls-server-name", "10.0.0.1", "10.0.0.1|", NULL},
        {"tls-server-name", "::1", "::1|", NULL},
        {"lease-duration", "4", "4|", NULL},
        {"lease-duration", "3600", "3600|", NULL},
        {"status-update", "1", "1|", NULL},
        {"status-update", "3600", "3600|", NULL},
        {"status-report", "1", "1|", NULL},
        {"status-report", "86400", "86400|", NULL},
        {"log-level", "debug", "debug|", NULL},
        {"port", "0", "0|", NULL},
        {"port", "65535", "65535|", NULL},
        {"api-server-user", "kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client|",
         NULL},
        {"anonymous-healthz", "yes", "yes|", NULL},
        {"anonymous-healthz", "no", "no|", NULL},
        {"config-map", "default/rack-1", "default/rack-1|", NULL},
        {"config-map", "a/b,kube-system/c.d", "a/b,kube-system/c.d|", NULL},
        {"auth-cache", "0", "0|", NULL},
        {"auth-cache", "3600", "3600|", NULL},
        {"led-brightness", "0", "0|", NULL},
        {"led-brightness", "100", "100|", NULL},
        {"labels", "a=1,b=", "a|1|b||", NULL},
        {"labels", " a = 1 ,, ", "a|1|", "a=1"},
        {"labels", "", "", NULL},
        {"labels", " ,", "", ""},
        {"taints", "x=y:NoExecute,example.com/z:NoSchedule",
         "x|y|NoExecute|example.com/z||NoSchedule|", NULL},
        {"taints", "none", "|", NULL},
        {"taints", "", "", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct form *row = &rows[i];
        if (encode(row->name, row->typed) != 0) fail_msg("%s %s: %s", row->name, row->typed, said);
        assert_int_equal(fk_writer_finish(&out), 0);
        assert_int_equal(out.len, strlen(row->stored));
        const struct fk_bytes bytes = fk_bytes(stored, out.len);
        char text[256];
        struct fk_writer shown;
        fk_writer_init(&shown, text, sizeof text);
        fk_setting_decode(named(row->name), bytes, &shown);
        assert_int_equal(fk_writer_finish(&shown), 0);
        assert_string_equal(text, row->shown == NULL ? row->typed : row->shown);
        for (size_t c = 0; c < out.len; c++)
            if (stored[c] == '\0') stored[c] = '|';
        assert_string_equal(stored, row->stored);
    }
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *typed, *said;
    } rows[] = {
        {"server", "", "must be of the form https://host:port"},
        {"server", "http://a", "use https"},
        {"server", "https://a/b", "nothing may follow the port"},
        {"node-name", "", "a value is needed"},
        {"node-name", "Board", "node name \"Board\" is not valid"},
        {"hostname", "", "a value is needed"},
        {"hostname", "a b", "host name \"a b\" cannot be the label"},
        {"tls-server-name", "a/b", "\"a/b\" is neither a DNS name nor an IP address"},
        {"lease-duration", "3", "must be a whole number of seconds from 4 to 3600"},
        {"lease-duration", "3601", "4 to 3600"},
        {"lease-duration", "40s", "4 to 3600"},
        {"status-update", "0", "from 1 to 3600"},
        {"status-update", "3601", "from 1 to 3600"},
        {"status-report", "0", "from 1 to 86400"},
        {"status-report", "86401", "from 1 to 86400"},
        {"log-level", "verbose", "must be error, warn, info or debug"},
        {"port", "65536", "must be a whole number from 0 to 65535"},
        {"port", "https", "from 0 to 65535"},
        {"api-server-user", "", "a value is needed"},
        {"anonymous-healthz", "true", "must be yes or no"},
        {"config-map", "default", "default is no ConfigMap: use NAMESPACE/NAME"},
        {"config-map", ",", "no ConfigMap: use NAMESPACE/NAME"},
        {"config-map", "/a", "no ConfigMap: use NAMESPACE/NAME"},
        {"config-map", "a/", "no ConfigMap: use NAMESPACE/NAME"},
        {"config-map", "a/b/c", "no ConfigMap: use NAMESPACE/NAME"},
        {"config-map", "a.b/c", "no ConfigMap: use NAMESPACE/NAME"},
        {"config-map", "A/b", "no ConfigMap: use NAMESPACE/NAME"},
        {"config-map", "a/b,a/B", "no ConfigMap: use NAMESPACE/NAME"},
        {"auth-cache", "3601", "must be a whole number of seconds from 0 to 3600"},
        {"auth-cache", "-1", "from 0 to 3600"},
        {"led-brightness", "101", "must be a whole number of percent from 0 to 100"},
        {"led-brightness", "50%", "from 0 to 100"},
        {"labels", "a", "must be key=value pairs with commas between, at most 16"},
        {"labels", "a=1,=2", "must be key=value pairs"},
        {"labels", "a b=1", "label key \"a b\" is malformed"},
        {"labels", "a=b c", "label value \"b c\" is malformed"},
        {"labels", "node-role.kubernetes.io/x=", "NodeRestriction"},
        {"labels", "kubernetes.io/os=linux", "DaemonSets"},
        {"taints", "a", "must be key=value:Effect or key:Effect with commas between, at most 8"},
        {"taints", "None", "or none"},
        {"taints", "a:NoWay", "taint effect \"NoWay\" is unknown"},
        {"taints", "a b:NoSchedule", "taint key \"a b\""},
        {"taints", "a=b c:NoSchedule", "taint value \"b c\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(encode(rows[i].name, rows[i].typed), FK_E_CONFIG);
        if (strstr(said, rows[i].said) == NULL) fail_msg("%s: %s", rows[i].typed, said);
    }
    assert_int_equal(encode_into(sizeof stored, "node-name", fk_bytes("a\0b", 3)), FK_E_CONFIG);
    assert_int_equal(encode_into(sizeof stored, "labels", fk_bytes("a=\0", 3)), FK_E_CONFIG);
}

/* "a=1," or "a:NoSchedule," again and again. */
static const char *repeated(const char *item, size_t count) {
    static char text[512];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    for (size_t i = 0; i < count; i++) {
        fk_put_char(&w, (char)('a' + i));
        fk_put_str(&w, item);
    }
    assert_int_equal(fk_writer_finish(&w), 0);
    return text;
}

static void bounds(void **state) {
    (void)state;
    assert_int_equal(encode("labels", repeated("=1,", FK_LABELS_MAX)), 0);
    assert_int_equal(encode("labels", repeated("=1,", FK_LABELS_MAX + 1)), FK_E_CONFIG);
    const char *taints = repeated(":NoSchedule,", FK_TAINTS_MAX);
    assert_int_equal(encode("taints", taints), 0);
    assert_true(out.len <= strlen(taints) + FK_TAINTS_MAX + 1);
    assert_int_equal(encode("taints", repeated(":NoSchedule,", FK_TAINTS_MAX + 1)), FK_E_CONFIG);

    const char *maps = repeated("/n,", FK_CONFIGMAPS_MAX);
    assert_int_equal(encode_into(sizeof stored, "config-map", fk_bytes(maps, strlen(maps) - 1)), 0);
    maps = repeated("/n,", FK_CONFIGMAPS_MAX + 1);
    assert_int_equal(encode_into(sizeof stored, "config-map", fk_bytes(maps, strlen(maps) - 1)),
                     FK_E_CONFIG);

    char user[FK_USER_MAX];
    memset(user, 'u', sizeof user);
    user[FK_USER_MAX - 2] = '\0';
    assert_int_equal(encode("api-server-user", user), 0);
    user[FK_USER_MAX - 2] = 'u';
    user[FK_USER_MAX - 1] = '\0';
    assert_int_equal(encode("api-server-user", user), FK_E_CONFIG);

    char url[8 + FK_HOST_MAX + 7] = "https://";
    memset(url + 8, 'h', FK_HOST_MAX);
    memcpy(url + 8 + FK_HOST_MAX, ":65535", 7);
    assert_int_equal(encode_into(FK_SETTING_STORED_MAX, "server", fk_bytes_str(url)), 0);

    static const char *const rows[][2] = {{"server", "https://a:1"},
                                          {"node-name", "abc"},
                                          {"labels", "a=1"},
                                          {"taints", "a:NoExecute"},
                                          {"taints", "none"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fk_bytes value = fk_bytes_str(rows[i][1]);
        assert_int_equal(encode_into(sizeof stored, rows[i][0], value), 0);
        const size_t len = out.len;
        assert_int_equal(encode_into(len, rows[i][0], value), 0);
        for (size_t cap = 0; cap < len; cap++) {
            assert_int_equal(encode_into(cap, rows[i][0], value), FK_E_RANGE);
            assert_string_equal(said, "the value is too long");
        }
    }
}

/* ---- a record ----------------------------------------------------------------------------------
 */

static int empty_store(void **state) {
    (void)state;
    flash_model_init(&flash, 64, 1024, 8);
    return fk_store_open(&store, &flash.flash);
}

static int free_flash(void **state) {
    (void)state;
    flash_model_free(&flash);
    return 0;
}

static void save_bytes(const char *name, struct fk_bytes value) {
    assert_int_equal(fk_store_open(&store, &flash.flash), 0);
    assert_int_equal(fk_store_begin(&store), 0);
    assert_int_equal(fk_store_put(&store, named(name)->number, value.len), 0);
    assert_int_equal(fk_store_write(&store, value.p, value.len), 0);
    assert_int_equal(fk_store_commit(&store), 0);
}

static void save(const char *name, const char *typed) {
    if (encode(name, typed) != 0) fail_msg("%s: %s", typed, said);
    save_bytes(name, fk_bytes(stored, out.len));
}

static int load(void) {
    fk_writer_init(&why, said, sizeof said);
    const int err = fk_settings_load(&settings, &store, &why);
    assert_int_equal(fk_writer_finish(&why), 0);
    assert_true((err == 0) == (why.len == 0));
    return err;
}

static void expect_refused(const char *wanted) {
    assert_int_equal(load(), FK_E_CONFIG);
    if (strstr(said, wanted) == NULL) fail_msg("\"%s\" not in: %s", wanted, said);
}

static const uint8_t indefinite[2 + 0x80] = {0x30, 0x80};
static const uint8_t der[] = {0x30, 2, 5, 0, 0x30, 0x81, 1, 7, 0x30, 0x82, 0, 0};
#define KEY fk_bytes(der, 4)
#define TWO fk_bytes(der, 8)
#define THREE fk_bytes(der, 12)

static void save_required(void) {
    save("server", "https://k8s.example.com:6443");
    save_bytes("ca", THREE);
    save("node-name", "board-1");
    save_bytes("cert", TWO);
    save_bytes("key", KEY);
}

static void what_is_missing_is_named(void **state) {
    (void)state;
    expect_refused("server is not set: type set server https://HOST[:PORT]");
    save("server", "https://a");
    expect_refused("ca is not set: type set ca and paste PEM");
    save_bytes("ca", THREE);
    expect_refused("node-name is not set: type set node-name NAME");
    save("node-name", "n");
    expect_refused("cert is not set: type set cert and paste PEM");
    save_bytes("cert", TWO);
    expect_refused("key is not set: type set key and paste PEM");
    save_bytes("key", KEY);
    assert_int_equal(load(), 0);
}

static void defaults(void **state) {
    (void)state;
    save_required();
    assert_int_equal(load(), 0);
    const struct fk_node_config *n = &settings.node;
    assert_string_equal(settings.authority, "k8s.example.com:6443");
    assert_string_equal(settings.host, "k8s.example.com");
    assert_int_equal(settings.port, 6443);
    assert_string_equal(settings.tls_server_name, "k8s.example.com");
    assert_int_equal(settings.ca.len, 12);
    assert_int_equal(settings.cert.len, 8);
    assert_int_equal(settings.key.len, 4);
    assert_int_equal(settings.log_level, FK_INFO);
    assert_string_equal(n->name, "board-1");
    assert_string_equal(n->hostname, "board-1");
    assert_int_equal(n->label_count, 0);
    assert_int_equal(n->taint_count, 1);
    assert_string_equal(n->taints[0].key, "femtokubelet.dev/node");
    assert_string_equal(n->taints[0].value, "true");
    assert_string_equal(n->taints[0].effect, "NoSchedule");
    static const char *const resources[][2] = {{"cpu", "240m"}, {"memory", "320Ki"}, {"pods", "0"}};
    assert_int_equal(n->resource_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(n->resources[i].key, resources[i][0]);
        assert_string_equal(n->resources[i].value, resources[i][1]);
    }
    assert_int_equal(n->lease_duration_s, 40);
    assert_int_equal(n->lease_renew_ms, 10000);
    assert_int_equal(n->status_update_ms, 10000);
    assert_int_equal(n->status_report_ms, 300000);
    assert_int_equal(n->kubelet_port, 10250);
    assert_int_equal(settings.client_ca.len, 0);
    assert_int_equal(settings.server_cert.len, 0);
    assert_int_equal(settings.server_key.len, 0);
    assert_string_equal(settings.api_server_user, "");
    assert_string_equal(settings.config_maps, "");
    assert_false(settings.open_health);
    assert_int_equal(settings.authn_hit_ms, FK_AUTHN_HIT_MS);
    assert_int_equal(settings.authn_miss_ms, FK_AUTHN_MISS_MS);
    assert_int_equal(settings.authz_allowed_ms, FK_AUTHZ_ALLOWED_MS);
    assert_int_equal(settings.authz_denied_ms, FK_AUTHZ_DENIED_MS);
    assert_int_equal(settings.led_brightness, 100);
    assert_string_equal(n->system.kubelet_version, "");
    /* in place */
    assert_true((const uint8_t *)n->name >= flash.bytes &&
                (const uint8_t *)n->name < flash.bytes + flash.size);
}

static void all_set(void **state) {
    (void)state;
    save_required();
    save("server", "https://[2001:db8::1]");
    save("hostname", "Host");
    save("labels", "a=1,example.com/b=");
    save("taints", "x=y:NoExecute,z:PreferNoSchedule");
    save("tls-server-name", "kubernetes");
    save("lease-duration", "8");
    save("status-update", "20");
    save("status-report", "86400");
    save("log-level", "error");
    assert_int_equal(load(), 0);
    const struct fk_node_config *n = &settings.node;
    assert_string_equal(settings.authority, "[2001:db8::1]:443");
    assert_string_equal(settings.host, "2001:db8::1");
    assert_int_equal(settings.port, 443);
    assert_string_equal(settings.tls_server_name, "kubernetes");
    assert_int_equal(settings.log_level, FK_ERROR);
    assert_string_equal(n->hostname, "Host");
    assert_int_equal(n->label_count, 2);
    assert_string_equal(n->labels[0].value, "1");
    assert_string_equal(n->labels[1].key, "example.com/b");
    assert_string_equal(n->labels[1].value, "");
    assert_int_equal(n->taint_count, 2);
    assert_string_equal(n->taints[0].effect, "NoExecute");
    assert_string_equal(n->taints[1].key, "z");
    assert_string_equal(n->taints[1].value, "");
    assert_int_equal(n->lease_duration_s, 8);
    assert_int_equal(n->lease_renew_ms, 2000);
    assert_int_equal(n->status_update_ms, 20000);
    assert_int_equal(n->status_report_ms, 86400000);
    save("taints", "none");
    save("labels", repeated("=1,", FK_LABELS_MAX));
    assert_int_equal(load(), 0);
    assert_int_equal(n->taint_count, 0);
    assert_int_equal(n->label_count, FK_LABELS_MAX);
    save("taints", ""); /* the default again */
    save("labels", "");
    assert_int_equal(load(), 0);
    assert_int_equal(n->taint_count, 1);
    assert_int_equal(n->label_count, 0);
}

static void the_port_is_configured(void **state) {
    (void)state;
    save_required();
    save_bytes("client-ca", THREE);
    save_bytes("server-cert", TWO);
    save_bytes("server-key", KEY);
    save("port", "0");
    save("api-server-user", "kube-apiserver-kubelet-client");
    save("anonymous-healthz", "yes");
    save("config-map", "default/a,default/b");
    save("led-brightness", "7");
    assert_int_equal(load(), 0);
    assert_int_equal(settings.client_ca.len, 12);
    assert_int_equal(settings.server_cert.len, 8);
    assert_int_equal(settings.server_key.len, 4);
    assert_int_equal(settings.node.kubelet_port, 0);
    assert_int_equal(settings.port, 6443); /* the API server's */
    assert_string_equal(settings.api_server_user, "kube-apiserver-kubelet-client");
    assert_true(settings.open_health);
    assert_string_equal(settings.config_maps, "default/a,default/b");
    assert_int_equal(settings.led_brightness, 7);
}

/* A no is remembered no longer than by default, whatever is said of a yes. */
static void how_long_answers_are_remembered(void **state) {
    (void)state;
    static const struct {
        const char *typed;
        uint32_t yes_ms, no_ms;
    } rows[] = {{"0", 0, 0}, {"29", 29000, 29000}, {"31", 31000, 30000}, {"3600", 3600000, 30000}};
    save_required();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        save("auth-cache", rows[i].typed);
        assert_int_equal(load(), 0);
        assert_int_equal(settings.authn_hit_ms, rows[i].yes_ms);
        assert_int_equal(settings.authz_allowed_ms, rows[i].yes_ms);
        assert_int_equal(settings.authn_miss_ms, rows[i].no_ms);
        assert_int_equal(settings.authz_denied_ms, rows[i].no_ms);
    }
}

/* Trouble of the port is the port's: half a pair, which save refuses, keeps no node down. */
static void half_a_pair_is_for_the_port_to_refuse(void **state) {
    (void)state;
    save_required();
    save_bytes("server-cert", TWO);
    assert_int_equal(load(), 0);
    assert_int_equal(settings.server_cert.len, 8);
    assert_null(settings.server_key.p);
}

/* A name that is no label value needs a host name of its own. */
static void long_names(void **state) {
    (void)state;
    char name[65];
    memset(name, 'n', 64);
    name[64] = '\0';
    save_required();
    save("node-name", name);
    expect_refused("cannot be the label kubernetes.io/hostname");
    save("hostname", "short");
    assert_int_equal(load(), 0);
    save("hostname", name + 1);
    assert_int_equal(load(), 0);
}

/* Bytes that encode would not have written: said, not believed. */
static void strange_bytes(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct fk_bytes bytes;
    } rows[] = {
        {"server", {(const uint8_t *)"a:443", 5}},
        {"server", {(const uint8_t *)"a:443\0a", 7}},
        {"server", {(const uint8_t *)"a:443\0a\0x", 9}},
        {"server", {(const uint8_t *)"a:443\0b\0", 8}},
        {"server", {(const uint8_t *)"a:443\0aa\0", 9}},
        {"server", {(const uint8_t *)"aa:443\0a\0", 9}},
        {"server", {(const uint8_t *)"a:0\0a\0", 6}},
        {"server", {(const uint8_t *)"a:65536\0a\0", 10}},
        {"server", {(const uint8_t *)"a\0a\0", 4}},
        {"server", {(const uint8_t *)"[::1:443\0::1\0", 13}},
        {"server", {(const uint8_t *)"[::1x:443\0::1\0", 14}},
        {"server", {(const uint8_t *)" :443\0 \0", 8}},
        {"node-name", {(const uint8_t *)"a", 1}},
        {"node-name", {(const uint8_t *)"a\0b\0", 4}},
        {"node-name", {(const uint8_t *)"A\0", 2}},
        {"lease-duration", {(const uint8_t *)"3\0", 2}},
        {"log-level", {(const uint8_t *)"\0", 1}},
        {"labels", {(const uint8_t *)"a\0", 2}},
        {"labels", {(const uint8_t *)"a\0b", 3}},
        {"labels", {(const uint8_t *)"\0", 1}},
        {"taints", {(const uint8_t *)"a\0b\0", 4}},
        {"taints", {(const uint8_t *)"a\0b\0NoSchedule", 14}},
        {"ca", {der, 3}},
        {"ca", {der, 1}},
        {"ca", {der, 5}},
        {"ca", {der, 7}},
        {"ca", {der, 11}},
        {"ca", {der + 2, 2}},
        {"ca", {(const uint8_t *)"\x30\x80\0\0", 4}}, /* indefinite */
        {"ca", {indefinite, sizeof indefinite}},
        {"ca", {(const uint8_t *)"\x30\x83\0\0\1\0", 6}},   /* three octets of length */
        {"ca", {(const uint8_t *)"\x30\x82\xff\xff\0", 5}}, /* more than there is */
        {"cert", {der, 6}},
        {"key", {der, 8}}, /* two of them */
        {"key", {der, 3}},
        {"client-ca", {der, 3}},
        {"server-cert", {der, 6}},
        {"server-key", {der, 8}},
        {"port", {(const uint8_t *)"65536\0", 6}},
        {"port", {(const uint8_t *)"1\0002\0", 4}},
        {"api-server-user", {(const uint8_t *)"\0", 1}},
        {"anonymous-healthz", {(const uint8_t *)"\0", 1}},
        {"config-map", {(const uint8_t *)"/\0", 2}},
        {"config-map", {(const uint8_t *)"a/b", 3}},
        {"auth-cache", {(const uint8_t *)"x\0", 2}},
        {"led-brightness", {(const uint8_t *)"101\0", 4}},
    };
    save_required();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fk_bytes good = fk_store_get(&store, named(rows[i].name)->number);
        uint8_t copy[64];
        if (good.len > 0) memcpy(copy, good.p, good.len);
        save_bytes(rows[i].name, rows[i].bytes);
        if (load() != FK_E_CONFIG || strstr(said, rows[i].name) == NULL)
            if (strstr(said, "label key \"\"") == NULL) fail_msg("row %zu: %s", i, said);
        /* what is shown of it stays inside of it; the sanitizer looks */
        const struct fk_setting *s = named(rows[i].name);
        struct fk_writer shown;
        fk_writer_init(&shown, stored, sizeof stored);
        if (s->kind != FK_SETTING_PEM)
            fk_setting_decode(s, fk_store_get(&store, s->number), &shown);
        save_bytes(rows[i].name, fk_bytes(copy, good.len));
        assert_int_equal(load(), 0);
    }
}

/* More than there is room for, as a later version might have stored it. */
static void lists_that_are_too_long(void **state) {
    (void)state;
    save_required();
    char many[4 * (FK_LABELS_MAX + 1) + 1] = "";
    for (size_t i = 0; i <= FK_LABELS_MAX; i++) memcpy(many + 4 * i, "k\0v", 4);
    save_bytes("labels", fk_bytes(many, 4 * FK_LABELS_MAX));
    assert_int_equal(load(), 0);
    save_bytes("labels", fk_bytes(many, 4 * (FK_LABELS_MAX + 1)));
    expect_refused("labels");
    save("labels", "");
    char taints[15 * (FK_TAINTS_MAX + 1)];
    for (size_t i = 0; i <= FK_TAINTS_MAX; i++) memcpy(taints + 15 * i, "k\0v\0NoSchedule", 15);
    save_bytes("taints", fk_bytes(taints, 15 * FK_TAINTS_MAX));
    assert_int_equal(load(), 0);
    save_bytes("taints", fk_bytes(taints, 15 * (FK_TAINTS_MAX + 1)));
    expect_refused("taints");
}

#define RECORD_TEST(name) cmocka_unit_test_setup_teardown(name, empty_store, free_flash)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table),
        cmocka_unit_test(typed_stored_and_shown),
        cmocka_unit_test(refused),
        cmocka_unit_test(bounds),
        RECORD_TEST(what_is_missing_is_named),
        RECORD_TEST(defaults),
        RECORD_TEST(all_set),
        RECORD_TEST(the_port_is_configured),
        RECORD_TEST(how_long_answers_are_remembered),
        RECORD_TEST(half_a_pair_is_for_the_port_to_refuse),
        RECORD_TEST(long_names),
        RECORD_TEST(strange_bytes),
        RECORD_TEST(lists_that_are_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
