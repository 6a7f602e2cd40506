/* Any path with any query: a status that the contract knows, JSON where JSON is said, lines that
 * Prometheus knows where metrics are, and no item too large (support/house asserts the latter).
 *
 * The first byte says which node is asked: bit 0, one that has run for an hour or one that has just
 * started; bit 1, the API server has been gone for a minute. */
#include "base/assert.h"
#include "support/house.h"

static struct house h;

static void make_house(uint8_t which) {
    if ((which & 1) != 0) house_hour(&h);
    else house_begin(&h);
    if ((which & 2) == 0) return;
    h.node.client.state = FK_LINK_DOWN;
    h.now.mono_ms += 60000;
}

/* name{labels} value, or a comment; the last line ends, too. */
static void check_metrics(void) {
    FK_ASSERT(h.len == 0 || h.body[h.len - 1] == '\n');
    for (const char *line = h.body; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n'), *space = strchr(line, ' ');
        FK_ASSERT(end != NULL && space != NULL && space < end);
        FK_ASSERT(strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0 ||
                  (line[0] >= 'a' && line[0] <= 'z'));
    }
}

static void check(int status) {
    if (h.exchange.items == NULL) {
        FK_ASSERT(status == 400 || status == 404 || status == 501 || status == 503);
        return;
    }
    FK_ASSERT(status == 200 || status == 500);
    FK_ASSERT(h.content_type != NULL);
    if (strcmp(h.content_type, "application/json") == 0)
        FK_ASSERT(house_json_valid(fk_bytes(h.body, h.len)));
    if (strncmp(h.content_type, "text/plain; version", 19) == 0) check_metrics();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    char target[FK_HTTP1_TARGET_MAX + 1];
    if (len == 0 || len > sizeof target) return 0;
    memcpy(target, data + 1, len - 1);
    target[len - 1] = '\0';
    make_house(data[0]);
    check(house_ask(&h, target));
    return 0;
}
