/* Under /femto/: what no other kubelet has. */
#include "kubelet/serve.h"

#include "base/err.h"

/* ---- /femto/status ------------------------------------------------------------------------------
 */

static const char *connection_text(enum fk_link_state state) {
    switch (state) {
    case FK_LINK_DOWN: break;
    case FK_LINK_CONNECTING: return "connecting";
    case FK_LINK_UP: return "up";
    case FK_LINK_DRAINING: return "draining";
    case FK_LINK_LEAVING: return "leaving";
    }
    return "down";
}

static void put_lease(const struct fk_exchange *x, struct fk_json *j) {
    const struct fk_lease *lease = &x->house->node->lease;
    fk_json_object(j, "lease");
    fk_json_i64(j, "renewals", lease->renewals);
    fk_json_i64(j, "failures", lease->failures);
    if (lease->renewed_ms != FK_NEVER) {
        const uint64_t now_ms = x->now.mono_ms;
        fk_json_i64(j, "age_ms",
                    now_ms > lease->renewed_ms ? (int64_t)(now_ms - lease->renewed_ms) : 0);
    }
    fk_json_i64(j, "longest_gap_ms", (int64_t)lease->longest_gap_ms);
    fk_json_object_end(j);
}

static void put_connection(const struct fk_exchange *x, struct fk_json *j) {
    const struct fk_client *client = &x->house->node->client;
    fk_json_object(j, "connection");
    fk_json_str(j, "state", connection_text(client->state));
    fk_json_i64(j, "tries", client->stats.connect_tries);
    fk_json_i64(j, "connects", client->stats.connects);
    fk_json_i64(j, "requests", client->stats.requests);
    fk_json_i64(j, "failures", client->stats.failures);
    fk_json_object_end(j);
}

static bool put_head(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    const struct fk_node *n = x->house->node;
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_str(&j, "node", n->config->name);
    fk_json_str(&j, "version", n->config->system.kubelet_version);
    fk_json_i64(&j, "uptime_ms", (int64_t)fk_serve_uptime_ms(x));
    if (x->now.wall_us != FK_WALL_UNKNOWN) fk_json_time(&j, "time", x->now.wall_us);
    fk_json_str(&j, "address", n->port.ops->address(n->port.ctx));
    if (n->config->reset_reason != NULL) fk_json_str(&j, "reset", n->config->reset_reason);
    put_lease(x, &j);
    put_connection(x, &j);
    return true;
}

/* From here on each piece begins behind others. */
static void go_on(struct fk_json *j, struct fk_writer *w) {
    fk_json_init(j, w);
    j->more = true;
}

static const char *truth_text(enum fk_condition_status status) {
    switch (status) {
    case FK_CONDITION_TRUE: return "True";
    case FK_CONDITION_FALSE: return "False";
    case FK_CONDITION_UNKNOWN: break;
    }
    return "Unknown";
}

/* All of them in one item: a name, a status and a reason each. */
static bool put_conditions(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    struct fk_json j;
    if (index > 0) return false;
    go_on(&j, w);
    fk_json_array(&j, "conditions");
    for (size_t i = 0; i < FK_CONDITIONS; i++) {
        const struct fk_condition *condition = &x->house->node->conditions.all[i];
        if (!condition->known) continue;
        fk_json_object(&j, NULL);
        fk_json_str(&j, "type", fk_conditions_type(i));
        fk_json_str(&j, "status", truth_text(condition->now.status));
        if (condition->now.reason != NULL) fk_json_str(&j, "reason", condition->now.reason);
        fk_json_object_end(&j);
    }
    fk_json_array_end(&j);
    return true;
}

static const char *level_text(uint8_t level) {
    static const char texts[][6] = {"error", "warn", "info", "debug"};
    return level <= FK_DEBUG ? texts[level] : "unknown";
}

static bool put_options(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_configmaps *c = x->house->configmaps;
    struct fk_json j;
    if (index > 0 || c == NULL) return false;
    go_on(&j, w);
    fk_json_object(&j, "options");
    fk_json_str(&j, "log_level", level_text(c->options.log_level));
    fk_json_i64(&j, "led_brightness", c->options.led_brightness);
    fk_json_i64(&j, "status_period_ms", c->options.status_period_ms);
    fk_json_object_end(&j);
    fk_json_object(&j, "memory");
    fk_json_i64(&j, "size", FK_MEMORY_BYTES);
    fk_json_i64(&j, "writes", c->writes);
    fk_json_object_end(&j);
    return true;
}

static void put_configmap(const struct fk_configmap *c, struct fk_json *j) {
    fk_json_object(j, NULL);
    fk_json_bytes(j, "name", fk_serve_configmap_ref(c));
    fk_json_str(j, "state", fk_serve_configmap_state(c->state));
    fk_json_str(j, "resourceVersion", c->resource_version);
    fk_json_i64(j, "applied", c->applied);
    fk_json_i64(j, "refused", c->refused);
    fk_json_str(j, "message", c->why);
    fk_json_object_end(j);
}

/* A piece for each, the first with the bracket before it, the last with the one behind it. */
static bool put_configmaps(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_configmaps *c = x->house->configmaps;
    struct fk_json j;
    if (c == NULL || (index > 0 && index >= c->count)) return false;
    go_on(&j, w);
    if (index == 0) fk_json_array(&j, "configmaps");
    if (index < c->count) put_configmap(&c->all[index], &j);
    if (index + 1 >= c->count) fk_json_array_end(&j);
    return true;
}

static void put_heap(struct fk_json *j, const struct fk_port_facts *facts,
                     const struct fk_port_figures *f) {
    fk_json_object(j, "heap");
    fk_json_i64(j, "size_bytes", facts->heap_total_bytes);
    fk_json_i64(j, "free_bytes", facts->heap_free_bytes);
    if (fk_serve_heap_known(f)) {
        fk_json_i64(j, "low_water_bytes", f->heap_low_bytes);
        fk_json_i64(j, "largest_free_bytes", f->heap_largest_bytes);
        fk_json_i64(j, "failures", f->heap_failures);
    }
    fk_json_object_end(j);
    if (f->server_heap_bytes == 0) return;
    fk_json_object(j, "server_heap");
    fk_json_i64(j, "size_bytes", f->server_heap_bytes);
    fk_json_i64(j, "free_bytes", f->server_heap_free_bytes);
    fk_json_i64(j, "low_water_bytes", f->server_heap_low_bytes);
    fk_json_object_end(j);
}

static void put_color(struct fk_json *j, const uint8_t rgb[3]) {
    static const char hex[] = "0123456789abcdef";
    fk_json_text(j, "color");
    fk_put_char(j->w, '#');
    for (unsigned i = 0; i < 3; i++) {
        fk_put_char(j->w, hex[rgb[i] >> 4]);
        fk_put_char(j->w, hex[rgb[i] & 15]);
    }
    fk_json_text_end(j);
}

static void put_led(const struct fk_exchange *x, struct fk_json *j,
                    const struct fk_port_figures *f) {
    fk_json_str(j, "pattern", f->led_pattern);
    put_color(j, f->led_rgb);
    if (x->house->configmaps != NULL)
        fk_json_i64(j, "brightness", x->house->configmaps->options.led_brightness);
}

static bool put_machine(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_port *port = &x->house->node->port;
    struct fk_port_facts facts = {0};
    struct fk_port_figures f;
    struct fk_json j;
    if (index > 0) return false;
    go_on(&j, w);
    port->ops->facts(port->ctx, &facts);
    (void)fk_serve_figures(x, &f);
    put_heap(&j, &facts, &f);
    if (f.stack_size_bytes > 0) {
        fk_json_object(&j, "stack");
        fk_json_i64(&j, "size_bytes", f.stack_size_bytes);
        fk_json_i64(&j, "high_water_bytes", f.stack_peak_bytes);
        fk_json_object_end(&j);
    }
    if (f.led_pattern != NULL) {
        fk_json_object(&j, "led");
        put_led(x, &j, &f);
        fk_json_object_end(&j);
    }
    fk_json_object_end(&j); /* the document's */
    return true;
}

static bool status_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    static const fk_serve_part parts[] = {put_head, put_conditions, put_options, put_configmaps,
                                          put_machine};
    return FK_SERVE_PARTS(ctx, parts, cursor, w);
}

int fk_serve_femto_status(struct fk_exchange *x) {
    return fk_serve_ok(x, FK_SERVE_JSON, status_items);
}

/* ---- /femto/memory ------------------------------------------------------------------------------
 *
 * Bytes `from` to `to` of the region. `seen` is the count of its changes when it was asked for: an
 * answer that takes several pieces and finds another count later breaks off, so that nobody reads
 * half of one change and half of the next.
 */

#define NUMBERS_PER_ITEM 64 /* bytes written as JSON, 4 characters each at most */

static bool unchanged(const struct fk_exchange *x, struct fk_writer *w) {
    if (x->house->configmaps->writes == x->seen) return true;
    if (w->err == 0) w->err = FK_E_CANCELLED;
    return false;
}

static bool bytes_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    const struct fk_exchange *x = ctx;
    const uint32_t left = x->to - x->from - *cursor;
    const uint32_t len = left < FK_HTTP1_ITEM_MAX ? left : FK_HTTP1_ITEM_MAX;
    if (len == 0) return false;
    if (unchanged(x, w)) fk_put(w, x->house->configmaps->memory + x->from + *cursor, len);
    *cursor += len;
    return true;
}

static bool put_range(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    if (index > 0) return false;
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_i64(&j, "size", FK_MEMORY_BYTES);
    fk_json_i64(&j, "writes", x->seen);
    fk_json_i64(&j, "offset", x->from);
    fk_json_i64(&j, "length", x->to - x->from);
    fk_json_array(&j, "bytes");
    return true;
}

static bool put_numbers(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const uint32_t begin = x->from + index * NUMBERS_PER_ITEM;
    if (begin >= x->to) return false;
    if (!unchanged(x, w)) return true;
    struct fk_json j;
    fk_json_init(&j, w);
    j.more = index > 0;
    for (uint32_t at = begin; at < x->to && at < begin + NUMBERS_PER_ITEM; at++)
        fk_json_i64(&j, NULL, x->house->configmaps->memory[at]);
    return true;
}

static bool put_end(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    (void)x;
    if (index > 0) return false;
    fk_put_str(w, "]}");
    return true;
}

static bool numbers_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    static const fk_serve_part parts[] = {put_range, put_numbers, put_end};
    return FK_SERVE_PARTS(ctx, parts, cursor, w);
}

static int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* Decimal or 0x, up to max. */
static bool number(const char *text, uint32_t max, uint32_t *value) {
    const int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    uint64_t sum = 0;
    if (base == 16) text += 2;
    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        const int digit = digit_of(*text);
        if (digit >= base) return false;
        sum = sum * (unsigned)base + (unsigned)digit;
        if (sum > max) return false;
    }
    *value = (uint32_t)sum;
    return true;
}

/* A parameter of the query, left as it is without one; false: it is no number up to max. */
static bool parameter(const struct fk_exchange *x, const char *name, uint32_t max,
                      uint32_t *value) {
    char text[12];
    const int len = fk_http1_query(x->query, name, text, sizeof text);
    return len == -1 || (len > 0 && number(text, max, value));
}

static int memory_format(struct fk_exchange *x) {
    char text[8];
    const int len = fk_http1_query(x->query, "format", text, sizeof text);
    if (len == -1 || (len > 0 && strcmp(text, "bytes") == 0))
        return fk_serve_ok(x, "application/octet-stream", bytes_items);
    if (len > 0 && strcmp(text, "json") == 0) return fk_serve_ok(x, FK_SERVE_JSON, numbers_items);
    return fk_serve_refuse(x, 400, "format is bytes or json");
}

int fk_serve_femto_memory(struct fk_exchange *x) {
    const struct fk_configmaps *c = x->house->configmaps;
    if (c == NULL) return fk_serve_refuse(x, 404, "this node has no memory region");
    uint32_t offset = 0;
    if (!parameter(x, "offset", FK_MEMORY_BYTES, &offset))
        return fk_serve_refuse(x, 400, "offset is a number up to the region's size, as 16 or 0x10");
    uint32_t length = FK_MEMORY_BYTES - offset;
    if (!parameter(x, "length", length, &length))
        return fk_serve_refuse(x, 400, "length is a number that ends inside the region");
    x->from = offset;
    x->to = offset + length;
    x->seen = c->writes;
    return memory_format(x);
}

/* ---- /femto/gpio --------------------------------------------------------------------------------
 */

static bool put_begin(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    (void)x;
    if (index > 0) return false;
    fk_put_str(w, "{\"pins\":[");
    return true;
}

static bool put_pin(const struct fk_exchange *x, uint32_t index, struct fk_writer *w) {
    const struct fk_port *port = &x->house->node->port;
    struct fk_gpio pin;
    if (!port->ops->gpio(port->ctx, index, &pin)) return false;
    struct fk_json j;
    fk_json_init(&j, w);
    j.more = index > 0;
    fk_json_object(&j, NULL);
    fk_json_str(&j, "name", pin.name);
    fk_json_bool(&j, "output", pin.output);
    fk_json_bool(&j, "level", pin.level);
    fk_json_object_end(&j);
    return true;
}

static bool gpio_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    static const fk_serve_part parts[] = {put_begin, put_pin, put_end};
    return FK_SERVE_PARTS(ctx, parts, cursor, w);
}

int fk_serve_femto_gpio(struct fk_exchange *x) {
    if (x->house->node->port.ops->gpio == NULL)
        return fk_serve_refuse(x, 404, "this node has no pins");
    return fk_serve_ok(x, FK_SERVE_JSON, gpio_items);
}

/* ---- /femto/led ---------------------------------------------------------------------------------
 */

static bool led_items(const void *ctx, uint32_t *cursor, struct fk_writer *w) {
    struct fk_port_figures f;
    struct fk_json j;
    if ((*cursor)++ > 0 || !fk_serve_figures(ctx, &f) || f.led_pattern == NULL) return false;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    put_led(ctx, &j, &f);
    fk_json_object_end(&j);
    return true;
}

int fk_serve_femto_led(struct fk_exchange *x) {
    struct fk_port_figures f;
    if (!fk_serve_figures(x, &f) || f.led_pattern == NULL)
        return fk_serve_refuse(x, 404, "this node has no LED");
    return fk_serve_ok(x, FK_SERVE_JSON, led_items);
}
