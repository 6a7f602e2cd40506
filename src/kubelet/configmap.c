#include "kubelet/configmap.h"

#include "base/assert.h"
#include "base/crc32.h"
#include "base/err.h"
#include "kubelet/config.h"

#define NAMESPACE_MAX 63 /* RFC 1123 label */
#define SHOWN_MAX 24     /* bytes of a name in a message */

_Static_assert(FK_CONFIGMAPS_MAX <= FK_WATCHES_MAX, "each ConfigMap has its watch");

static const struct fk_reply_ops reply;
static const struct fk_watch_ops watch_ops;

/* v1.ConfigMap in k8s.io/api/core/v1/generated.proto: data is 2, a map's entry {1: key, 2: value}.
 */
enum { OWN_KEY, OWN_VALUE, PATHS = FK_WATCH_OWN + 2 };
static const struct fk_pb_path list_paths[PATHS] = {
    FK_WATCH_LIST_PATHS,
    [FK_WATCH_OWN + OWN_KEY] = {{FK_WATCH_LIST_ITEM, 2, 1}, FK_PB_PIECES},
    [FK_WATCH_OWN + OWN_VALUE] = {{FK_WATCH_LIST_ITEM, 2, 2}, FK_PB_PIECES},
};
static const struct fk_pb_path event_paths[PATHS] = {
    FK_WATCH_EVENT_PATHS,
    [FK_WATCH_OWN + OWN_KEY] = {{FK_WATCH_EVENT_OBJECT, 2, 1}, FK_PB_PIECES},
    [FK_WATCH_OWN + OWN_VALUE] = {{FK_WATCH_EVENT_OBJECT, 2, 2}, FK_PB_PIECES},
};
static const struct fk_pb_visitor list_visitor = {list_paths, PATHS, fk_watch_leaf, NULL};
static const struct fk_pb_visitor event_visitor = {event_paths, PATHS, fk_watch_leaf, NULL};
static const struct fk_watch_kind kind = {"/api/v1", "configmaps", &list_visitor, &event_visitor};

/* ---- texts -----------------------------------------------------------------------------------
 */

static void put_cut(struct fk_writer *w, struct fk_bytes text) {
    fk_put(w, text.p, text.len < SHOWN_MAX ? text.len : SHOWN_MAX);
    if (text.len > SHOWN_MAX) fk_put_str(w, "...");
}

static void put_ref(const struct fk_configmap *m, struct fk_writer *w) {
    put_cut(w, m->watch.namespace_name);
    fk_put_char(w, '/');
    put_cut(w, m->watch.name);
}

/* For a line of the log. */
static const char *ref_text(const struct fk_configmap *m, char *text, size_t cap) {
    struct fk_writer w;
    fk_writer_init(&w, text, cap);
    put_ref(m, &w);
    (void)fk_writer_finish(&w);
    return text;
}
#define REF_TEXT (2 * (SHOWN_MAX + 3) + 2)

static void say(struct fk_configmap *m, const char *before) {
    struct fk_writer w;
    fk_writer_init(&w, m->why, sizeof m->why);
    fk_put_str(&w, before);
    put_ref(m, &w);
    (void)fk_writer_finish(&w);
}

/* Says in an Event why the last change was refused, or that the object may not be read. */
static void tell(struct fk_configmap *m, struct fk_now now) {
    char text[FK_MESSAGE_MAX];
    struct fk_writer w;
    if (!m->news) return;
    fk_writer_init(&w, text, sizeof text);
    put_ref(m, &w);
    fk_put_str(&w, ": ");
    fk_put_str(&w, m->why);
    (void)fk_writer_finish(&w);
    m->news = false;
    if (m->house->events != NULL)
        fk_events_tell(m->house->events, now, true,
                       m->state == FK_CONFIGMAP_REFUSED ? "ConfigMapRefused" : "ConfigMapForbidden",
                       text);
}

/* ---- options ---------------------------------------------------------------------------------
 */

/* The ConfigMap that has this option and changed last; NULL: the setting's own value counts. */
static const struct fk_configmap *winner(const struct fk_configmaps *c, uint8_t option) {
    const struct fk_configmap *last = NULL;
    for (uint8_t i = 0; i < c->count; i++) {
        const struct fk_configmap *m = &c->all[i];
        if ((m->set & option) != 0 && (last == NULL || m->turn > last->turn)) last = m;
    }
    return last;
}

static void merge_options(struct fk_configmaps *c) {
    const struct fk_configmap *level = winner(c, FK_SET_LOG_LEVEL);
    const struct fk_configmap *led = winner(c, FK_SET_LED_BRIGHTNESS);
    const struct fk_configmap *period = winner(c, FK_SET_STATUS_PERIOD);
    struct fk_options o = c->defaults;
    if (level != NULL) o.log_level = level->options.log_level;
    if (led != NULL) o.led_brightness = led->options.led_brightness;
    if (period != NULL) o.status_period_ms = period->options.status_period_ms;
    const bool same = o.log_level == c->options.log_level &&
                      o.led_brightness == c->options.led_brightness &&
                      o.status_period_ms == c->options.status_period_ms;
    c->options = o;
    if (!same) c->apply = true;
}

/* ---- what the watch brings -------------------------------------------------------------------
 */

static bool hold(struct fk_configmaps *c) {
    if (c->work == NULL) c->work = fk_heap_alloc(c->heap, sizeof *c->work);
    return c->work != NULL;
}

static void release(struct fk_configmaps *c) {
    fk_heap_free(c->heap, c->work);
    c->work = NULL;
    c->parsing = NULL;
}

static bool begin(void *ctx) {
    struct fk_configmap *m = ctx;
    if (m->house->parsing != NULL || !hold(m->house)) return false;
    m->house->parsing = m;
    fk_configmap_parse_begin(&m->house->work->parse);
    return true;
}

static void broken(void *ctx) {
    struct fk_configmap *m = ctx;
    release(m->house);
}

static void piece(void *ctx, size_t path, struct fk_bytes bytes) {
    struct fk_configmap *m = ctx;
    struct fk_configmap_parse *p = &m->house->work->parse;
    if (path == OWN_VALUE) {
        fk_configmap_parse_value(p, bytes);
    } else if (!fk_configmap_parse_key(p, bytes)) {
        char text[REF_TEXT];
        fk_log(m->house->env.log, FK_INFO, "a key of the ConfigMap means nothing here",
               FK_STR("configmap", ref_text(m, text, sizeof text)), FK_STR("key", p->key));
    }
}

static uint32_t version_crc(const char *uid, const char *resource_version) {
    const uint32_t crc = fk_crc32(0, uid, strlen(uid));
    const uint32_t both = fk_crc32(crc, resource_version, strlen(resource_version));
    return both != 0 ? both : 1;
}

static void apply(struct fk_configmap *m, const char *uid, const char *resource_version) {
    struct fk_configmaps *c = m->house;
    fk_configmap_parse_commit(&c->work->parse, c->memory);
    if (c->work->parse.memory) c->writes++;
    m->options = c->work->parse.options;
    m->set = c->work->parse.set;
    m->turn = ++c->turns;
    memcpy(m->uid, uid, strlen(uid) + 1);
    memcpy(m->resource_version, resource_version, strlen(resource_version) + 1);
    m->applied++;
    c->dirty = true;
    merge_options(c);
    char text[REF_TEXT];
    fk_log(c->env.log, FK_INFO, "ConfigMap applied",
           FK_STR("configmap", ref_text(m, text, sizeof text)),
           FK_STR("resource_version", m->resource_version));
}

static void refuse(struct fk_configmap *m, uint32_t crc) {
    struct fk_configmaps *c = m->house;
    struct fk_writer w;
    fk_writer_init(&w, m->why, sizeof m->why);
    fk_configmap_parse_why(&c->work->parse, &w);
    (void)fk_writer_finish(&w);
    m->state = FK_CONFIGMAP_REFUSED;
    if (crc == m->refused_crc) return; /* listed again */
    m->refused_crc = crc;
    m->refused++;
    m->news = true;
    char text[REF_TEXT];
    fk_log(c->env.log, FK_WARN, "ConfigMap refused: what was before stays",
           FK_STR("configmap", ref_text(m, text, sizeof text)), FK_STR("reason", m->why));
}

/* After a start, or when it may be read again. */
static void unchanged(const struct fk_configmap *m) {
    char text[REF_TEXT];
    if (m->state == FK_CONFIGMAP_APPLIED) return;
    fk_log(m->house->env.log, FK_INFO, "ConfigMap is as it was applied",
           FK_STR("configmap", ref_text(m, text, sizeof text)),
           FK_STR("resource_version", m->resource_version));
}

static void judge(struct fk_configmap *m, const char *uid, const char *resource_version) {
    const bool same =
        strcmp(uid, m->uid) == 0 && strcmp(resource_version, m->resource_version) == 0;
    if (!same && !fk_configmap_parse_good(&m->house->work->parse)) {
        refuse(m, version_crc(uid, resource_version));
        return;
    }
    if (!same) apply(m, uid, resource_version);
    else unchanged(m);
    m->state = FK_CONFIGMAP_APPLIED;
    m->why[0] = '\0';
    m->refused_crc = 0;
}

static void changed(void *ctx, const char *uid, const char *resource_version) {
    struct fk_configmap *m = ctx;
    tell(m, m->house->stepped); /* of the one before, as why will be another's */
    judge(m, uid, resource_version);
    release(m->house);
}

/* What the object set is the setting's own value again; what it wrote stays. */
static void gone(void *ctx) {
    struct fk_configmap *m = ctx;
    tell(m, m->house->stepped);
    if (m->uid[0] != '\0') {
        m->set = 0;
        m->uid[0] = m->resource_version[0] = '\0';
        m->house->dirty = true;
        merge_options(m->house);
    }
    const bool known = m->state == FK_CONFIGMAP_ABSENT;
    m->state = FK_CONFIGMAP_ABSENT;
    m->refused_crc = 0;
    say(m, "there is no ConfigMap ");
    if (!known)
        fk_log(m->house->env.log, FK_INFO, m->why, FK_STR("options", "those of the settings"));
}

static const struct fk_watch_ops watch_ops = {begin, piece, changed, broken, gone};

/* ---- the duty --------------------------------------------------------------------------------
 */

static uint64_t due(const void *self) {
    const struct fk_configmap *m = self;
    return m->in_flight ? FK_NEVER : m->due_ms;
}

static bool request(void *self, struct fk_now now, struct fk_request *req) {
    struct fk_configmap *m = self;
    fk_watch_request(&m->watch, now, m->house->env.rng, req);
    req->reply = &reply;
    req->owner = m;
    m->in_flight = true;
    return true;
}

static void body(void *owner, struct fk_bytes bytes) {
    struct fk_configmap *m = owner;
    fk_watch_feed(&m->watch, bytes);
}

/* Whoever runs the cluster has to grant it; what is applied stays until then. */
static uint32_t denied(struct fk_configmap *m) {
    struct fk_configmaps *c = m->house;
    const bool first = m->denied.next_ms == 0;
    const uint32_t wait_ms = fk_backoff_next(&m->denied, c->env.rng);
    tell(m, c->stepped);
    m->state = FK_CONFIGMAP_ABSENT;
    say(m, "no right to get, list and watch ConfigMap ");
    m->news = ++m->denials == 2; /* once may be an API server that has just started */
    fk_log(c->env.log, first ? FK_WARN : FK_DEBUG, m->why, FK_STR("node", c->env.config->name),
           FK_STR("advice", "is its name right? Then bind a Role with these verbs to the user "
                            "system:node:<name>: deploy/rbac.yaml"),
           FK_INT("retry_ms", wait_ms));
    return wait_ms;
}

static uint32_t wait_after(struct fk_configmap *m, struct fk_now now,
                           const struct fk_response *response) {
    const bool watched = m->watch.watching;
    struct fk_response why;
    const enum fk_watch_next next = fk_watch_end(&m->watch, now, response, &why);
    if (next == FK_WATCH_FAILED && why.status == 403) return denied(m);
    if (next == FK_WATCH_FAILED)
        return fk_retry_after(&m->retry, &m->house->env, "configmap", &why);
    if (next == FK_WATCH_TURN) return fk_retry_turn(&m->retry, &m->house->env);
    if (watched) fk_retry_reset(&m->retry); /* a list alone proves nothing of the watch */
    if (watched) fk_backoff_reset(&m->denied);
    if (watched) m->denials = 0;
    return 0;
}

static void response(void *owner, struct fk_now now, const struct fk_response *res) {
    struct fk_configmap *m = owner;
    m->in_flight = false;
    m->due_ms = fk_after(now.mono_ms, wait_after(m, now, res));
}

static const struct fk_reply_ops reply = {body, response};
const struct fk_duty_ops fk_configmap_ops = {due, request};

/* ---- what the port hears ---------------------------------------------------------------------
 */

static void apply_options(struct fk_configmaps *c, struct fk_now now) {
    c->apply = false;
    if (c->port.ops->apply != NULL) c->port.ops->apply(c->port.ctx, &c->options);
    if (c->status != NULL) fk_status_set_period(c->status, now, c->options.status_period_ms);
}

static bool may_keep(const struct fk_configmaps *c) {
    return c->dirty && c->parsing == NULL && c->port.ops->keep != NULL;
}

static int write_document(struct fk_configmaps *c) {
    if (!hold(c)) return FK_E_NOMEM;
    const size_t len = fk_configmap_keep_write(c);
    const int err = c->port.ops->keep(c->port.ctx, c->work->document, len);
    release(c);
    return err;
}

/* Until the next write, ms: twice as long while one follows the other, so that flash outlives a
 * program that never rests. */
static uint32_t pause(struct fk_configmaps *c, uint64_t now_ms) {
    const bool rested = c->keep_ms == 0 || now_ms >= fk_after(c->keep_ms, c->pause_ms);
    const uint32_t twice_ms = 2 * c->pause_ms;
    c->pause_ms = rested                                ? FK_CONFIGMAP_KEEP_MS
                  : twice_ms > FK_CONFIGMAP_KEEP_MAX_MS ? FK_CONFIGMAP_KEEP_MAX_MS
                                                        : twice_ms;
    return c->pause_ms;
}

static void keep(struct fk_configmaps *c, struct fk_now now) {
    const int err = write_document(c);
    c->dirty = err != 0;
    c->keep_ms =
        fk_after(now.mono_ms, err == 0 ? pause(c, now.mono_ms) : FK_CONFIGMAP_KEEP_FAILED_MS);
    if (err != 0)
        fk_log(c->env.log, FK_WARN, "what ConfigMaps set could not be saved for a reboot",
               FK_STR("reason", fk_err_text(err)), FK_INT("retry_ms", FK_CONFIGMAP_KEEP_FAILED_MS));
}

bool fk_configmaps_step(struct fk_configmaps *c, struct fk_now now) {
    c->stepped = now;
    if (fk_configmaps_due(c) > now.mono_ms) return false;
    if (c->apply) apply_options(c, now);
    for (uint8_t i = 0; i < c->count; i++) tell(&c->all[i], now);
    if (may_keep(c) && c->keep_ms <= now.mono_ms) keep(c, now);
    return true;
}

void fk_configmaps_flush(struct fk_configmaps *c, struct fk_now now) {
    if (may_keep(c)) keep(c, now);
}

uint64_t fk_configmaps_due(const struct fk_configmaps *c) {
    bool news = c->apply;
    for (uint8_t i = 0; i < c->count; i++) news = news || c->all[i].news;
    if (news) return 0;
    return may_keep(c) ? c->keep_ms : FK_NEVER;
}

/* ---- beginning -------------------------------------------------------------------------------
 */

/* The next of "NAMESPACE/NAME,…"; parts are empty where it has none. */
static struct fk_bytes next_ref(struct fk_bytes *list, struct fk_bytes parts[2]) {
    const uint8_t *comma = memchr(list->p, ',', list->len);
    const struct fk_bytes ref =
        comma == NULL ? *list : fk_bytes(list->p, (size_t)(comma - list->p));
    *list = comma == NULL ? fk_bytes(NULL, 0) : fk_bytes(comma + 1, list->len - ref.len - 1);
    const uint8_t *slash = ref.len == 0 ? NULL : memchr(ref.p, '/', ref.len);
    const size_t first = slash == NULL ? ref.len : (size_t)(slash - ref.p);
    parts[0] = fk_bytes(ref.p, first);
    parts[1] = slash == NULL ? fk_bytes(NULL, 0) : fk_bytes(slash + 1, ref.len - first - 1);
    return ref;
}

static bool name_valid(struct fk_bytes name) {
    char text[FK_CONFIGMAP_REF_MAX + 1];
    if (name.len == 0 || name.len >= sizeof text) return false;
    memcpy(text, name.p, name.len);
    text[name.len] = '\0';
    return strlen(text) == name.len && fk_config_name_valid(text);
}

static bool ref_valid(const struct fk_bytes parts[2]) {
    return parts[0].len <= NAMESPACE_MAX && parts[0].len + parts[1].len <= FK_WATCH_NAMES_MAX &&
           memchr(parts[0].p, '.', parts[0].len) == NULL && name_valid(parts[0]) &&
           name_valid(parts[1]);
}

/* Whether ref, which is part of refs, stands before it as well. */
static bool again(const char *refs, struct fk_bytes ref) {
    struct fk_bytes list = fk_bytes_str(refs), parts[2];
    for (;;) {
        const struct fk_bytes other = next_ref(&list, parts);
        if (other.p == ref.p) return false;
        if (other.len == ref.len && memcmp(other.p, ref.p, ref.len) == 0) return true;
    }
}

int fk_configmaps_check(const char *refs, struct fk_writer *why) {
    struct fk_bytes list = fk_bytes_str(refs);
    if (list.len == 0) return 0;
    unsigned count = 0;
    do {
        struct fk_bytes parts[2];
        const struct fk_bytes ref = next_ref(&list, parts);
        if (++count > FK_CONFIGMAPS_MAX) {
            fk_put_str(why, "more ConfigMaps than ");
            fk_put_u64(why, FK_CONFIGMAPS_MAX);
            return FK_E_CONFIG;
        }
        if (ref.len > 0 && again(refs, ref)) {
            put_cut(why, ref);
            fk_put_str(why, " is named twice");
            return FK_E_CONFIG;
        }
        if (ref.len == 0 || !ref_valid(parts)) {
            put_cut(why, ref);
            fk_put_str(why, " is no ConfigMap: use NAMESPACE/NAME, several with commas between");
            return FK_E_CONFIG;
        }
    } while (list.p != NULL);
    return 0;
}

static int read_document(struct fk_configmaps *c) {
    if (!hold(c)) return FK_E_NOMEM;
    int len = c->port.ops->recall(c->port.ctx, c->work->document, sizeof c->work->document);
    if (len > 0) len = fk_configmap_keep_read(c, (size_t)len);
    release(c);
    return len;
}

static void recall(struct fk_configmaps *c) {
    if (c->port.ops->recall == NULL) return;
    const int len = read_document(c);
    if (len < 0)
        fk_log(c->env.log, FK_WARN, "what ConfigMaps set before is lost",
               FK_STR("reason", len == FK_E_PARSE
                                    ? "damaged, or of another version: the next change "
                                      "replaces it"
                                    : fk_err_text(len)));
    c->turns = c->count;
}

void fk_configmaps_init(struct fk_configmaps *c, const struct fk_duty_env *env,
                        const struct fk_port *port, struct fk_heap *heap, struct fk_events *events,
                        const struct fk_options *defaults, const char *refs) {
    memset(c, 0, sizeof *c);
    c->env = *env;
    c->port = *port;
    c->heap = heap;
    c->pause_ms = FK_CONFIGMAP_KEEP_MS;
    c->events = events;
    c->defaults = c->options = *defaults;
    c->stepped.wall_us = FK_WALL_UNKNOWN;
    struct fk_bytes list = fk_bytes_str(refs);
    while (list.len > 0 && c->count < FK_CONFIGMAPS_MAX) {
        struct fk_configmap *m = &c->all[c->count++];
        struct fk_bytes parts[2];
        const struct fk_bytes ref = next_ref(&list, parts);
        m->ref = (const char *)ref.p;
        m->ref_len = (uint16_t)ref.len;
        m->house = c;
        fk_watch_init(&m->watch, &kind, &watch_ops, m, parts[0], parts[1]);
        fk_retry_init(&m->retry);
        fk_backoff_init(&m->denied, FK_CONFIGMAP_DENIED_MIN_MS, FK_CONFIGMAP_DENIED_MAX_MS);
    }
    recall(c);
    merge_options(c);
    if (c->apply && port->ops->apply != NULL) port->ops->apply(port->ctx, &c->options);
    c->apply = false;
}

void fk_configmaps_attach(struct fk_configmaps *c, struct fk_node *node) {
    const struct fk_now now = {0, FK_WALL_UNKNOWN};
    c->status = &node->status;
    fk_status_set_period(c->status, now, c->options.status_period_ms);
    for (uint8_t i = 0; i < c->count; i++) fk_node_add_duty(node, &fk_configmap_ops, &c->all[i]);
    if (c->events != NULL) fk_events_start(c->events, now, node->registration.uid);
}
