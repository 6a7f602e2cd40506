#include "linux/flags.h"

#include <arpa/inet.h>

#include "kubelet/configmap.h"
#include "linux/values.h"

typedef int set_fn(struct fk_flags *f, const char *value);

/* One flag: either `set` judges its value, or the value's address goes to `offset`. */
struct flag {
    const char *name;
    const char *argument;
    set_fn *set;
    size_t offset;
    const char *wants; /* completes "must be …" when set refuses */
    const char *help;
};

/* ---- one function per kind of value ---------------------------------------------------------- */

/* A copy of a list's text that may be cut up. */
static char *keep(struct fk_flags *f, const char *value) {
    const size_t size = strlen(value) + 1;
    if (size > sizeof f->text - f->text_len) return NULL;
    char *copy = memcpy(f->text + f->text_len, value, size);
    f->text_len += size;
    return copy;
}

static int set_labels(struct fk_flags *f, const char *value) {
    char *copy = keep(f, value);
    return copy == NULL ? FK_E_RANGE
                        : fk_pairs_parse(copy, f->labels, FK_LABELS_MAX, &f->label_count);
}

static int set_capacity(struct fk_flags *f, const char *value) {
    if (!f->resources_given) f->resource_count = 0;
    f->resources_given = true;
    char *copy = keep(f, value);
    return copy == NULL ? FK_E_RANGE
                        : fk_pairs_parse(copy, f->resources, FK_RESOURCES_MAX, &f->resource_count);
}

static int set_taints(struct fk_flags *f, const char *value) {
    if (!f->taints_given) f->taint_count = 0;
    f->taints_given = true;
    char *copy = keep(f, value);
    return copy == NULL ? FK_E_RANGE
                        : fk_taints_parse(copy, f->taints, FK_TAINTS_MAX, &f->taint_count);
}

/* 0.0.0.0 and :: ask the upstream kubelet for a family; that is not offered here. */
static int set_node_ip(struct fk_flags *f, const char *value) {
    static const uint8_t unspecified[16] = {0};
    uint8_t address[16];
    const bool v6 = inet_pton(AF_INET6, value, address) == 1;
    if (!v6 && inet_pton(AF_INET, value, address) != 1) return FK_E_PARSE;
    if (memcmp(address, unspecified, v6 ? 16 : 4) == 0) return FK_E_RANGE;
    f->node_ip = value;
    return 0;
}

static int set_ms(uint32_t *ms, const char *value, uint64_t min_ms, uint64_t max_ms) {
    uint64_t parsed = 0;
    const int err = fk_duration_parse(value, &parsed);
    if (err != 0) return err;
    if (parsed < min_ms || parsed > max_ms) return FK_E_RANGE;
    *ms = (uint32_t)parsed;
    return 0;
}

static int set_update(struct fk_flags *f, const char *value) {
    return set_ms(&f->status_update_ms, value, 1000, 3600000);
}

static int set_report(struct fk_flags *f, const char *value) {
    return set_ms(&f->status_report_ms, value, 1000, 86400000);
}

static int set_lease(struct fk_flags *f, const char *value) {
    uint64_t seconds = 0;
    const int err = fk_number_parse(value, 4, 3600, &seconds);
    if (err == 0) f->lease_duration_s = (uint32_t)seconds;
    return err;
}

/* Go writes a bool as the flag alone, or with =true and =false behind it. */
static int set_healthz(struct fk_flags *f, const char *value) {
    f->anonymous_healthz = strcmp(value, "true") == 0;
    return f->anonymous_healthz || strcmp(value, "false") == 0 ? 0 : FK_E_PARSE;
}

static int set_address(struct fk_flags *f, const char *value) {
    uint8_t address[16];
    if (inet_pton(AF_INET6, value, address) != 1 && inet_pton(AF_INET, value, address) != 1)
        return FK_E_PARSE;
    f->address = value;
    return 0;
}

static int set_port(struct fk_flags *f, const char *value) {
    uint64_t port = 0;
    const int err = fk_number_parse(value, 0, 65535, &port);
    if (err == 0) f->port = (uint16_t)port;
    return err;
}

static int set_authn(struct fk_flags *f, const char *value) {
    return set_ms(&f->authn_ms, value, 0, 3600000);
}

static int set_allowed(struct fk_flags *f, const char *value) {
    return set_ms(&f->allowed_ms, value, 0, 3600000);
}

static int set_denied(struct fk_flags *f, const char *value) {
    return set_ms(&f->denied_ms, value, 0, 3600000);
}

static int set_config_map(struct fk_flags *f, const char *value) {
    char text[200];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    f->config_map = value;
    return fk_configmaps_check(value, &why);
}

static int set_verbosity(struct fk_flags *f, const char *value) {
    uint64_t level = 0;
    const int err = fk_number_parse(value, 0, 10, &level);
    if (err == 0) f->verbosity = (uint32_t)level;
    return err;
}

static int set_format(struct fk_flags *f, const char *value) {
    f->json = strcmp(value, "json") == 0;
    return f->json || strcmp(value, "text") == 0 ? 0 : FK_E_PARSE;
}

/* ---- the table --------------------------------------------------------------------------------
 */

#define TEXT(member) NULL, offsetof(struct fk_flags, member), "not be empty"
#define JUDGED(function, wants) function, 0, "be " wants

static const struct flag table[] = {
    {"kubeconfig", "FILE", TEXT(kubeconfig), "how to reach the API server, and who we are"},
    {"hostname-override", "NAME", TEXT(hostname_override),
     "name of the node (default: this host's name)"},
    {"node-ip", "ADDRESS", JUDGED(set_node_ip, "one IPv4 or IPv6 address, not 0.0.0.0 or ::"),
     "address to report (default: that of the connection)"},
    {"node-labels", "KEY=VALUE,...",
     JUDGED(set_labels, "key=value pairs with commas between, at most 16"), "labels of the node"},
    {"register-with-taints", "KEY=VALUE:EFFECT,...",
     JUDGED(set_taints, "key=value:Effect or key:Effect with commas between, at most 8"),
     "taints at registration, \"\" for none\n"
     "(default: femtokubelet.dev/node=true:NoSchedule)"},
    {"capacity", "RESOURCE=QUANTITY,...",
     JUDGED(set_capacity, "resource=quantity pairs with commas between, at most 8"),
     "what the node offers\n(default: cpu=240m,memory=320Ki,pods=0)"},
    {"node-status-update-frequency", "DURATION",
     JUDGED(set_update, "a duration from 1s to 1h, for instance 10s"),
     "how often the conditions are judged (default: 10s)"},
    {"node-status-report-frequency", "DURATION",
     JUDGED(set_report, "a duration from 1s to 24h, for instance 5m or 1m30s"),
     "how often an unchanged status is sent (default: 5m)"},
    {"lease-duration-seconds", "N", JUDGED(set_lease, "a whole number from 4 to 3600"),
     "how long a Lease lasts; renewed every quarter of it\n(default: 40)"},
    {"address", "ADDRESS", JUDGED(set_address, "an IPv4 or IPv6 address"),
     "where the kubelet's port listens (default: 0.0.0.0)"},
    {"port", "N", JUDGED(set_port, "a port from 1 to 65535, or 0 for none"),
     "the kubelet's port (default: 10250; 0: none)"},
    {"tls-cert-file", "FILE", TEXT(tls_cert_file),
     "its certificate (default: self-signed at each start)"},
    {"tls-private-key-file", "FILE", TEXT(tls_private_key_file), "the key for it"},
    {"client-ca-file", "FILE", TEXT(client_ca_file),
     "CA whose client certificates say who asks\n(default: none, only tokens do)"},
    {"api-server-user", "NAME", TEXT(api_server_user),
     "CN in the API server's client certificate: may do\nall, without asking (default: nobody)"},
    {"anonymous-healthz", "", JUDGED(set_healthz, "true or false"),
     "/healthz, /livez and /readyz answer everyone"},
    {"authentication-token-webhook-cache-ttl", "DURATION",
     JUDGED(set_authn, "a duration from 0s to 1h"), "how long a token is believed (default: 2m)"},
    {"authorization-webhook-cache-authorized-ttl", "DURATION",
     JUDGED(set_allowed, "a duration from 0s to 1h"), "the same of permissions (default: 5m)"},
    {"authorization-webhook-cache-unauthorized-ttl", "DURATION",
     JUDGED(set_denied, "a duration from 0s to 1h"), "and of refusals (default: 30s)"},
    {"config-map", "NAMESPACE/NAME,...",
     JUDGED(set_config_map, "namespace/name, at most 2 with a comma between"),
     "ConfigMaps that configure the running node"},
    {"root-dir", "DIR", TEXT(root_dir),
     "where their effect is kept over a restart\n(default: nowhere)"},
    {"logging-format", "text|json", JUDGED(set_format, "text or json"),
     "how log lines look (default: text)"},
    {"v", "N", JUDGED(set_verbosity, "a whole number from 0 to 10"),
     "detail of the log: debug from 4 on (default: 0)"},
    {"server", "URL", TEXT(server), "instead of --kubeconfig: the API server,"},
    {"ca", "FILE", TEXT(ca), "the CA that signed its certificate,"},
    {"tls-server-name", "NAME", TEXT(tls_server_name),
     "the name in its certificate (default: the URL's),"},
    {"cert", "FILE", TEXT(cert), "our client certificate,"},
    {"key", "FILE", TEXT(key), "its private key,"},
    {"token-file", "FILE", TEXT(token_file), "or a bearer token"},
};
#define TABLE_LEN (sizeof table / sizeof table[0])

static int complain(struct fk_writer *why, const char *a, const char *b, const char *c) {
    fk_put_str(why, a);
    fk_put_str(why, b);
    fk_put_str(why, c);
    return FK_E_CONFIG;
}

static int apply(struct fk_flags *f, const struct flag *flag, const char *value,
                 struct fk_writer *why) {
    int err = *value == '\0' ? FK_E_PARSE : 0;
    if (flag->set != NULL) err = flag->set(f, value);
    if (flag->set == NULL && err == 0) memcpy((char *)f + flag->offset, &value, sizeof value);
    if (err == 0) return 0;
    fk_put_str(why, "--");
    fk_put_str(why, flag->name);
    fk_put_str(why, " \"");
    fk_put_cut(why, value, 64);
    return complain(why, "\": must ", flag->wants, "");
}

/* ---- reading argv -----------------------------------------------------------------------------
 */

/* One dash is for the short ones only, as with every Kubernetes program. */
static const struct flag *find(struct fk_bytes name, bool one_dash) {
    if (one_dash && !fk_bytes_is(name, "v")) return NULL;
    for (size_t i = 0; i < TABLE_LEN; i++)
        if (fk_bytes_is(name, table[i].name)) return &table[i];
    return NULL;
}

static bool asks(struct fk_flags *f, const char *arg) {
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) f->action = FK_FLAGS_HELP;
    if (strcmp(arg, "--version") == 0) f->action = FK_FLAGS_VERSION;
    return f->action != FK_FLAGS_RUN;
}

/* Takes argv[*i], and the one behind it where that is its value. */
static int take(struct fk_flags *f, int argc, char *const argv[], int *i, struct fk_writer *why) {
    const char *arg = argv[*i];
    if (arg[0] != '-' || arg[1] == '\0')
        return complain(why, "unexpected argument \"", arg, "\": there are only flags, see --help");
    const bool one_dash = arg[1] != '-';
    const char *name = arg + (one_dash ? 1 : 2);
    if (one_dash && arg[1] == 'v' && arg[2] >= '0' && arg[2] <= '9') /* -v4 */
        return apply(f, find(fk_bytes(name, 1), true), name + 1, why);
    const size_t len = strcspn(name, "=");
    const struct flag *flag = find(fk_bytes(name, len), one_dash);
    if (flag == NULL && one_dash && find(fk_bytes(name, len), false) != NULL)
        return complain(why, "unknown flag ", arg, ": long flags begin with two dashes");
    if (flag == NULL)
        return complain(why, "unknown flag ", arg, ": see --help for those there are");
    if (name[len] == '=') return apply(f, flag, name + len + 1, why);
    if (flag->argument[0] == '\0') return apply(f, flag, "true", why);
    if (*i + 1 >= argc) return complain(why, arg, " needs a value: ", flag->argument);
    return apply(f, flag, argv[++*i], why);
}

/* ---- flags that need or exclude each other -----------------------------------------------------
 */

static int check_without_server(const struct fk_flags *f, struct fk_writer *why) {
    if (f->kubeconfig == NULL)
        return complain(why, "--kubeconfig FILE is needed", "",
                        " (or --server URL --ca FILE and a credential); see --help");
    const char *stray = f->ca != NULL                ? "--ca"
                        : f->cert != NULL            ? "--cert"
                        : f->key != NULL             ? "--key"
                        : f->token_file != NULL      ? "--token-file"
                        : f->tls_server_name != NULL ? "--tls-server-name"
                                                     : NULL;
    if (stray == NULL) return 0;
    return complain(why, stray, " goes with --server", ": the kubeconfig has a field for it");
}

static int check_server(const struct fk_flags *f, struct fk_writer *why) {
    if (f->kubeconfig != NULL)
        return complain(why, "--kubeconfig and --server", " exclude each other", ": give one");
    if (f->ca == NULL)
        return complain(why, "--server needs --ca FILE", ": the server is always verified",
                        ", and the host's own list of CAs is not used");
    if ((f->cert == NULL) != (f->key == NULL))
        return complain(why, "--cert and --key", " go together: ",
                        f->cert == NULL ? "--cert is missing" : "--key is missing");
    if (f->cert == NULL && f->token_file == NULL)
        return complain(why, "--server needs --cert and --key, or --token-file", "",
                        ": an API server admits no anonymous nodes");
    return 0;
}

static int check_port(const struct fk_flags *f, struct fk_writer *why) {
    if ((f->tls_cert_file == NULL) == (f->tls_private_key_file == NULL)) return 0;
    return complain(why, "--tls-cert-file and --tls-private-key-file", " go together: ",
                    f->tls_cert_file == NULL ? "the first is missing" : "the second is missing");
}

static void set_defaults(struct fk_flags *f) {
    memset(f, 0, sizeof *f);
    f->address = "0.0.0.0";
    f->port = 10250;
    f->api_server_user = f->config_map = "";
    f->authn_ms = FK_AUTHN_HIT_MS;
    f->allowed_ms = FK_AUTHZ_ALLOWED_MS;
    f->denied_ms = FK_AUTHZ_DENIED_MS;
    f->status_update_ms = 10000;
    f->status_report_ms = 300000;
    f->lease_duration_s = 40;
    f->taints[f->taint_count++] = (struct fk_taint){"femtokubelet.dev/node", "true", "NoSchedule"};
    /* pods=0: no runtime yet, so nothing could run here. */
    f->resources[f->resource_count++] = (struct fk_pair){"cpu", "240m"};
    f->resources[f->resource_count++] = (struct fk_pair){"memory", "320Ki"};
    f->resources[f->resource_count++] = (struct fk_pair){"pods", "0"};
}

int fk_flags_parse(struct fk_flags *f, int argc, char *const argv[], struct fk_writer *why) {
    set_defaults(f);
    for (int i = 1; i < argc; i++) {
        if (asks(f, argv[i])) return 0;
        const int err = take(f, argc, argv, &i, why);
        if (err != 0) return err;
    }
    const int err = f->server == NULL ? check_without_server(f, why) : check_server(f, why);
    return err != 0 ? err : check_port(f, why);
}

/* ---- help -------------------------------------------------------------------------------------
 */

#define HELP_COLUMN 46

static void pad_to(struct fk_writer *w, size_t line, size_t column) {
    do fk_put_char(w, ' ');
    while (w->len - line < column);
}

static void put_flag(struct fk_writer *w, const char *name, const char *argument,
                     const char *help) {
    size_t line = w->len;
    fk_put_str(w, strlen(name) == 1 ? "  -" : "  --");
    fk_put_str(w, name);
    fk_put_char(w, ' ');
    fk_put_str(w, argument);
    for (const char *p = help; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
        pad_to(w, line, HELP_COLUMN);
        fk_put(w, p, strcspn(p, "\n"));
        fk_put_char(w, '\n');
        line = w->len;
    }
}

void fk_flags_help(struct fk_writer *w) {
    fk_put_str(w, "A Kubernetes node as small as can be, here as a process of Linux.\n\n"
                  "usage: femtokubelet --kubeconfig FILE [--hostname-override NAME] [flags]\n\n");
    for (size_t i = 0; i < TABLE_LEN; i++)
        put_flag(w, table[i].name, table[i].argument, table[i].help);
    put_flag(w, "version", "", "print version and Kubernetes API level");
    put_flag(w, "help", "", "print this");
    fk_put_str(w,
               "\nSIGTERM or SIGINT: report Ready=False, disconnect, exit 0; a second one exits\n"
               "at once. Exit status: 1 could not start, 2 wrong usage. More: man "
               "ports/linux/femtokubelet.8\n");
}
