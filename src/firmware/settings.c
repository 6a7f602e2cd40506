#include "firmware/settings.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/number.h"
#include "kubelet/config_text.h"
#include "kubelet/configmap.h"

#define SCHEME "https://"
#define LEASE_DEFAULT_S 40
#define UPDATE_DEFAULT_S 10
#define REPORT_DEFAULT_S 300
#define PORT_DEFAULT 10250
#define AUTH_CACHE_MAX_S 3600

const struct fk_setting fk_setting_table[] = {
    {FK_SETTING_SERVER, FK_SETTING_TEXT, false, true, "server", "https://HOST[:PORT]",
     "the API server"},
    {FK_SETTING_CA, FK_SETTING_PEM, false, true, "ca", "",
     "certificates of the CAs that may have signed its certificate"},
    {FK_SETTING_NODE_NAME, FK_SETTING_TEXT, false, true, "node-name", "NAME",
     "name of the node, as in its certificate"},
    {FK_SETTING_CERT, FK_SETTING_PEM, false, true, "cert", "",
     "the node's certificate, those that lead to its CA behind it"},
    {FK_SETTING_KEY, FK_SETTING_PEM, true, true, "key", "", "its private key"},
    {FK_SETTING_HOSTNAME, FK_SETTING_TEXT, false, false, "hostname", "NAME",
     "host name to report (default: node-name)"},
    {FK_SETTING_LABELS, FK_SETTING_LABEL_LIST, false, false, "labels", "KEY=VALUE,...",
     "labels of the node"},
    {FK_SETTING_TAINTS, FK_SETTING_TAINT_LIST, false, false, "taints", "KEY=VALUE:EFFECT,...",
     "taints at registration, or none (default: femtokubelet.dev/node=true:NoSchedule)"},
    {FK_SETTING_TLS_SERVER_NAME, FK_SETTING_TEXT, false, false, "tls-server-name", "NAME",
     "name in the server's certificate (default: the host of server)"},
    {FK_SETTING_LEASE_S, FK_SETTING_TEXT, false, false, "lease-duration", "SECONDS",
     "how long a Lease lasts; renewed every quarter of it (default: 40)"},
    {FK_SETTING_STATUS_UPDATE_S, FK_SETTING_TEXT, false, false, "status-update", "SECONDS",
     "how often the conditions are judged (default: 10)"},
    {FK_SETTING_STATUS_REPORT_S, FK_SETTING_TEXT, false, false, "status-report", "SECONDS",
     "how often an unchanged status is sent (default: 300)"},
    {FK_SETTING_LOG_LEVEL, FK_SETTING_TEXT, false, false, "log-level", "LEVEL",
     "error, warn, info or debug (default: info)"},
    {FK_SETTING_CLIENT_CA, FK_SETTING_PEM, false, false, "client-ca", "",
     "certificates of the CAs whose clients may log in at the port (default: tokens only)"},
    {FK_SETTING_SERVER_CERT, FK_SETTING_PEM, false, false, "server-cert", "",
     "the port's certificate, those that lead to its CA behind it (default: self-signed)"},
    {FK_SETTING_SERVER_KEY, FK_SETTING_PEM, true, false, "server-key", "",
     "its private key; both or none"},
    {FK_SETTING_PORT, FK_SETTING_TEXT, false, false, "port", "NUMBER",
     "the kubelet's own port, 0 for none (default: 10250)"},
    {FK_SETTING_API_SERVER_USER, FK_SETTING_TEXT, false, false, "api-server-user", "NAME",
     "CN of the API server's client certificate: always allowed (default: nobody is)"},
    {FK_SETTING_OPEN_HEALTH, FK_SETTING_TEXT, false, false, "anonymous-healthz", "yes|no",
     "whether everyone may ask for /healthz, /livez and /readyz (default: no)"},
    {FK_SETTING_CONFIG_MAP, FK_SETTING_TEXT, false, false, "config-map", "NAMESPACE/NAME,...",
     "ConfigMaps that set the memory region and options while the node runs"},
    {FK_SETTING_AUTH_CACHE_S, FK_SETTING_TEXT, false, false, "auth-cache", "SECONDS",
     "how long to remember who a token is and what it may (default: 120 and 300)"},
    {FK_SETTING_LED_BRIGHTNESS, FK_SETTING_TEXT, false, false, "led-brightness", "PERCENT",
     "of the LED's usual brightness (default: 100)"},
};
const size_t fk_setting_count = sizeof fk_setting_table / sizeof fk_setting_table[0];

const struct fk_setting *fk_setting_find(struct fk_bytes name) {
    for (size_t i = 0; i < fk_setting_count; i++)
        if (fk_bytes_is(name, fk_setting_table[i].name)) return &fk_setting_table[i];
    return NULL;
}

static int refuse(struct fk_writer *why, const char *a, const char *b) {
    fk_put_str(why, a);
    fk_put_str(why, b);
    return FK_E_CONFIG;
}

/* ---- what a text may be ------------------------------------------------------------------------
 */

/* The bounds of the numbers are those of the Linux node. What: "of seconds " or the like. */
static int check_number(const char *text, const char *what, uint32_t min, uint32_t max,
                        uint32_t *number, struct fk_writer *why) {
    uint64_t value = 0;
    if (fk_number_parse(text, min, max, &value) == 0) {
        *number = (uint32_t)value;
        return 0;
    }
    fk_put_str(why, "must be a whole number ");
    fk_put_str(why, what);
    fk_put_str(why, "from ");
    fk_put_u64(why, min);
    fk_put_str(why, " to ");
    fk_put_u64(why, max);
    return FK_E_CONFIG;
}

static int check_seconds(const char *text, uint32_t min, uint32_t max, uint32_t *seconds,
                         struct fk_writer *why) {
    return check_number(text, "of seconds ", min, max, seconds, why);
}

static int check_level(const char *text, uint8_t *level, struct fk_writer *why) {
    static const char names[][6] = {"error", "warn", "info", "debug"}; /* as enum fk_level */
    for (uint8_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *level = i;
        return 0;
    }
    return refuse(why, "must be error, warn, info or debug", "");
}

static int check_tls_name(const char *text, struct fk_writer *why) {
    if (fk_server_url_name_valid(fk_bytes_str(text))) return 0;
    fk_put_str(why, "\"");
    fk_put_cut(why, text, 64);
    return refuse(why, "\" is neither a DNS name nor an IP address", "");
}

static int check_user(const char *text, struct fk_writer *why) {
    const size_t max = FK_USER_MAX - 2; /* with an empty UID behind it */
    if (*text != '\0' && strlen(text) <= max) return 0;
    fk_put_str(why, "must be a name of at most ");
    fk_put_u64(why, max);
    return refuse(why, " bytes", "");
}

static int check_yes_no(const char *text, bool *yes, struct fk_writer *why) {
    *yes = strcmp(text, "yes") == 0;
    return *yes || strcmp(text, "no") == 0 ? 0 : refuse(why, "must be yes or no", "");
}

/* A wrong no is mended by whoever sees it, and soon: what is not allowed is asked for again no
 * later than by default. */
static void remember_for(struct fk_settings *out, uint32_t ms) {
    out->authn_hit_ms = out->authz_allowed_ms = ms;
    out->authn_miss_ms = ms < FK_AUTHN_MISS_MS ? ms : FK_AUTHN_MISS_MS;
    out->authz_denied_ms = ms < FK_AUTHZ_DENIED_MS ? ms : FK_AUTHZ_DENIED_MS;
}

/* Those of the kubelet's own port. */
static int take_port_text(struct fk_settings *out, unsigned number, const char *text,
                          struct fk_writer *why) {
    uint32_t value = 0;
    int err = 0;
    switch (number) {
    case FK_SETTING_PORT:
        err = check_number(text, "", 0, UINT16_MAX, &value, why);
        out->node.kubelet_port = (uint16_t)value;
        return err;
    case FK_SETTING_API_SERVER_USER: out->api_server_user = text; return check_user(text, why);
    case FK_SETTING_OPEN_HEALTH: return check_yes_no(text, &out->open_health, why);
    case FK_SETTING_CONFIG_MAP: out->config_maps = text; return fk_configmaps_check(text, why);
    case FK_SETTING_AUTH_CACHE_S:
        err = check_seconds(text, 0, AUTH_CACHE_MAX_S, &value, why);
        remember_for(out, value * 1000);
        return err;
    default: FK_ASSERT(false);
    }
}

/* One text that is right goes where it belongs. */
static int take_text(struct fk_settings *out, unsigned number, const char *text,
                     struct fk_writer *why) {
    uint32_t seconds = 0, percent = 0;
    int err = 0;
    switch (number) {
    case FK_SETTING_NODE_NAME: out->node.name = text; return fk_config_check_name(text, why);
    case FK_SETTING_HOSTNAME: out->node.hostname = text; return fk_config_check_hostname(text, why);
    case FK_SETTING_TLS_SERVER_NAME: out->tls_server_name = text; return check_tls_name(text, why);
    case FK_SETTING_LEASE_S: return check_seconds(text, 4, 3600, &out->node.lease_duration_s, why);
    case FK_SETTING_STATUS_UPDATE_S:
        err = check_seconds(text, 1, 3600, &seconds, why);
        out->node.status_update_ms = seconds * 1000;
        return err;
    case FK_SETTING_STATUS_REPORT_S:
        err = check_seconds(text, 1, 86400, &seconds, why);
        out->node.status_report_ms = seconds * 1000;
        return err;
    case FK_SETTING_LOG_LEVEL: return check_level(text, &out->log_level, why);
    case FK_SETTING_LED_BRIGHTNESS:
        err = check_number(text, "of percent ", 0, 100, &percent, why);
        out->led_brightness = (uint8_t)percent;
        return err;
    default: return take_port_text(out, number, text, why);
    }
}

/* ---- as typed ----------------------------------------------------------------------------------
 */

static void put_text(struct fk_writer *out, struct fk_bytes text) {
    fk_put(out, text.p, text.len);
    fk_put_char(out, '\0');
}

static int encode_server(struct fk_bytes value, struct fk_writer *out, struct fk_writer *why) {
    struct fk_server_url url;
    const int err = fk_server_url_parse(&url, value, why);
    if (err != 0) return err;
    fk_server_url_put_authority(&url, out);
    put_text(out, fk_bytes(NULL, 0));
    put_text(out, url.host);
    return 0;
}

static int encode_text(unsigned number, struct fk_bytes value, struct fk_writer *out,
                       struct fk_writer *why) {
    struct fk_settings scratch;
    const size_t start = out->len;
    if (value.len == 0 || memchr(value.p, '\0', value.len) != NULL)
        return refuse(why, "a value is needed", "");
    put_text(out, value);
    return out->err != 0 ? 0 : take_text(&scratch, number, out->buf + start, why);
}

/* A list's item in stored form: two or three texts. */
static int check_item(const char *item, bool taint, struct fk_writer *why) {
    const char *second = item + strlen(item) + 1;
    if (!taint) return fk_config_check_label(&(struct fk_pair){item, second}, why);
    return fk_config_check_taint(&(struct fk_taint){item, second, second + strlen(second) + 1},
                                 why);
}

static int encode_list(bool taint, struct fk_bytes value, struct fk_writer *out,
                       struct fk_writer *why) {
    struct fk_bytes item, parts[3];
    const size_t max = taint ? FK_TAINTS_MAX : FK_LABELS_MAX;
    if (taint && fk_bytes_is(value, "none")) {
        fk_put_char(out, '\0');
        return 0;
    }
    for (size_t count = 0; fk_config_text_item(&value, &item); count++) {
        const size_t start = out->len;
        int err = taint ? fk_config_text_taint(item, parts) : fk_config_text_pair(item, parts);
        if (err != 0 || count >= max || memchr(item.p, '\0', item.len) != NULL)
            return refuse(why,
                          taint ? "must be key=value:Effect or key:Effect with commas between"
                                : "must be key=value pairs with commas between",
                          taint ? ", at most 8, or none" : ", at most 16");
        for (size_t i = 0; i < (taint ? 3 : 2); i++) put_text(out, parts[i]);
        if (out->err != 0) return 0;
        err = check_item(out->buf + start, taint, why);
        if (err != 0) return err;
    }
    return 0;
}

int fk_setting_encode(const struct fk_setting *setting, struct fk_bytes value,
                      struct fk_writer *out, struct fk_writer *why) {
    FK_ASSERT(setting->kind != FK_SETTING_PEM);
    int err = 0;
    if (setting->kind != FK_SETTING_TEXT)
        err = encode_list(setting->kind == FK_SETTING_TAINT_LIST, value, out, why);
    else if (setting->number == FK_SETTING_SERVER) err = encode_server(value, out, why);
    else err = encode_text(setting->number, value, out, why);
    if (err != 0 || out->err == 0) return err;
    (void)refuse(why, "the value is too long", "");
    return FK_E_RANGE;
}

/* ---- as stored ---------------------------------------------------------------------------------
 */

/* The text that comes next, NULL when there is none or it has no end. */
static const char *next_text(struct fk_bytes *stored) {
    const uint8_t *end = stored->len == 0 ? NULL : memchr(stored->p, '\0', stored->len);
    if (end == NULL) return NULL;
    const char *text = (const char *)stored->p;
    *stored = fk_bytes(end + 1, stored->len - (size_t)(end + 1 - stored->p));
    return text;
}

static bool is_none(struct fk_bytes stored) { return stored.len == 1 && stored.p[0] == '\0'; }

/* Key, value and, of taints, effect. False at the end, or where the rest is no item. */
static bool next_item(struct fk_bytes *stored, bool taint, struct fk_taint *item) {
    item->key = next_text(stored);
    item->value = next_text(stored);
    item->effect = taint ? next_text(stored) : "";
    return item->key != NULL && item->value != NULL && item->effect != NULL;
}

static void decode_list(bool taint, struct fk_bytes stored, struct fk_writer *out) {
    struct fk_taint item;
    if (taint && is_none(stored)) fk_put_str(out, "none");
    for (const char *comma = ""; next_item(&stored, taint, &item); comma = ",") {
        fk_put_str(out, comma);
        fk_put_str(out, item.key);
        if (!taint || *item.value != '\0') fk_put_char(out, '=');
        fk_put_str(out, item.value);
        if (taint) fk_put_char(out, ':');
        fk_put_str(out, item.effect);
    }
}

void fk_setting_decode(const struct fk_setting *setting, struct fk_bytes stored,
                       struct fk_writer *out) {
    FK_ASSERT(setting->kind != FK_SETTING_PEM);
    if (setting->kind != FK_SETTING_TEXT) {
        decode_list(setting->kind == FK_SETTING_TAINT_LIST, stored, out);
        return;
    }
    const char *text = next_text(&stored);
    if (text == NULL) return;
    if (setting->number == FK_SETTING_SERVER) fk_put_str(out, SCHEME);
    fk_put_str(out, text);
}

/* ---- a record ----------------------------------------------------------------------------------
 */

/* Whether authority is host:port with host as it stands behind it. */
static bool take_server(struct fk_settings *out, struct fk_bytes stored) {
    const char *authority = out->authority = next_text(&stored);
    const char *host = out->host = next_text(&stored);
    if (authority == NULL || host == NULL || stored.len != 0) return false;
    const bool bracketed = *authority == '[';
    const char *rest = authority + bracketed;
    uint64_t port = 0;
    if (!fk_server_url_name_valid(fk_bytes_str(host))) return false;
    if (strncmp(rest, host, strlen(host)) != 0) return false;
    rest += strlen(host);
    if (bracketed && *rest++ != ']') return false;
    if (*rest++ != ':' || fk_number_parse(rest, 1, UINT16_MAX, &port) != 0) return false;
    out->port = (uint16_t)port;
    return true;
}

static bool take_list(struct fk_node_config *node, bool taint, struct fk_bytes stored) {
    struct fk_taint item;
    if (taint) node->taint_count = 0;
    if (taint && is_none(stored)) return true;
    while (stored.len > 0) {
        if (!next_item(&stored, taint, &item)) return false;
        if (taint ? node->taint_count >= FK_TAINTS_MAX : node->label_count >= FK_LABELS_MAX)
            return false;
        if (taint) node->taints[node->taint_count++] = item;
        else node->labels[node->label_count++] = (struct fk_pair){item.key, item.value};
    }
    return true;
}

/* Length of the DER SEQUENCE (X.690 §8.1.3, §8.9) that der begins with, 0: none or cut short. */
static size_t sequence_len(struct fk_bytes der) {
    if (der.len < 2 || der.p[0] != 0x30) return 0;
    const size_t octets = der.p[1] < 0x80 ? 0 : der.p[1] & 0x7fu;
    if (octets > 2 || der.p[1] == 0x80 || der.len < 2 + octets) return 0;
    size_t len = octets == 0 ? der.p[1] : 0;
    for (size_t i = 0; i < octets; i++) len = len << 8 | der.p[2 + i];
    len += 2 + octets;
    return len <= der.len ? len : 0;
}

static bool take_der(struct fk_bytes *out, struct fk_bytes der, size_t max_count) {
    *out = der;
    for (size_t count = 0; der.len > 0; count++) {
        const size_t len = sequence_len(der);
        if (len == 0 || count >= max_count) return false;
        der = fk_bytes(der.p + len, der.len - len);
    }
    return true;
}

static bool take(struct fk_settings *out, const struct fk_setting *setting, struct fk_bytes stored,
                 struct fk_writer *why) {
    switch (setting->number) {
    case FK_SETTING_SERVER: return take_server(out, stored);
    case FK_SETTING_CA: return take_der(&out->ca, stored, SIZE_MAX);
    case FK_SETTING_CERT: return take_der(&out->cert, stored, SIZE_MAX);
    case FK_SETTING_KEY: return take_der(&out->key, stored, 1);
    case FK_SETTING_CLIENT_CA: return take_der(&out->client_ca, stored, SIZE_MAX);
    case FK_SETTING_SERVER_CERT: return take_der(&out->server_cert, stored, SIZE_MAX);
    case FK_SETTING_SERVER_KEY: return take_der(&out->server_key, stored, 1);
    case FK_SETTING_LABELS: return take_list(&out->node, false, stored);
    case FK_SETTING_TAINTS: return take_list(&out->node, true, stored);
    default: break;
    }
    const char *text = next_text(&stored);
    return text != NULL && stored.len == 0 && take_text(out, setting->number, text, why) == 0;
}

static void set_defaults(struct fk_settings *out) {
    *out = (struct fk_settings){
        .log_level = FK_INFO,
        .led_brightness = 100,
        .api_server_user = "",
        .config_maps = "",
        .authn_hit_ms = FK_AUTHN_HIT_MS,
        .authn_miss_ms = FK_AUTHN_MISS_MS,
        .authz_allowed_ms = FK_AUTHZ_ALLOWED_MS,
        .authz_denied_ms = FK_AUTHZ_DENIED_MS,
        .node = {.system = {"", "", "", "", "", "", "", "", ""},
                 .taints = {{"femtokubelet.dev/node", "true", "NoSchedule"}},
                 .taint_count = 1,
                 .resources = {{"cpu", "240m"}, {"memory", "320Ki"}, {"pods", "0"}},
                 .resource_count = 3,
                 .kubelet_port = PORT_DEFAULT,
                 .lease_duration_s = LEASE_DEFAULT_S,
                 .status_update_ms = UPDATE_DEFAULT_S * 1000,
                 .status_report_ms = REPORT_DEFAULT_S * 1000},
    };
}

/* "node-name is not set: type set node-name NAME" */
static int say_missing(const struct fk_setting *setting, struct fk_writer *why) {
    (void)refuse(why, setting->name, " is not set: type set ");
    (void)refuse(why, setting->name, setting->kind == FK_SETTING_PEM ? " and paste PEM" : " ");
    return refuse(why, setting->argument, "");
}

int fk_settings_load(struct fk_settings *out, const struct fk_store *store, struct fk_writer *why) {
    set_defaults(out);
    for (size_t i = 0; i < fk_setting_count; i++) {
        const struct fk_setting *setting = &fk_setting_table[i];
        const struct fk_bytes stored = fk_store_get(store, setting->number);
        if (stored.p == NULL && setting->required) return say_missing(setting, why);
        if (stored.p == NULL || take(out, setting, stored, why)) continue;
        (void)refuse(why, why->len > 0 ? "" : "its bytes make no sense", " (");
        return refuse(why, setting->name, "; set it again)");
    }
    if (out->node.hostname == NULL) out->node.hostname = out->node.name;
    if (out->tls_server_name == NULL) out->tls_server_name = out->host;
    out->node.lease_renew_ms = out->node.lease_duration_s * 1000 / 4;
    return fk_config_check(&out->node, why);
}
