/* Any body under any content type, cut anywhere: the same message, printable and terminated. The
 * first byte chooses content type (2 bits) and cut (6 bits). */
#include "api/status.h"
#include "base/assert.h"

static void read_in_steps(struct fk_status_reader *r, enum fk_h2_content content,
                          struct fk_bytes bytes, size_t step) {
    fk_status_begin(r, content);
    while (bytes.len > 0) {
        const size_t len = bytes.len < step ? bytes.len : step;
        fk_status_feed(r, fk_bytes(bytes.p, len));
        bytes.p += len;
        bytes.len -= len;
    }
}

static void check(const struct fk_status_reader *r) {
    const size_t len = strlen(r->message);
    FK_ASSERT(len < FK_MESSAGE_MAX && len == r->message_len);
    for (size_t i = 0; i < len; i++) FK_ASSERT(r->message[i] >= ' ' && r->message[i] <= '~');
    FK_ASSERT(r->retry_after_s == -1 || (r->retry_after_s > 0 && r->retry_after_s <= 86400));
    FK_ASSERT(r->reason <= FK_REASON_SERVICE_UNAVAILABLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len == 0) return 0;
    const struct fk_bytes bytes = fk_bytes(data + 1, len - 1);
    const enum fk_h2_content content = (enum fk_h2_content)(data[0] & 3);
    struct fk_status_reader whole, cut;
    read_in_steps(&whole, content, bytes, len);
    read_in_steps(&cut, content, bytes, 1 + data[0] / 4u);
    check(&whole);
    FK_ASSERT(strcmp(whole.message, cut.message) == 0);
    FK_ASSERT(whole.reason == cut.reason && whole.retry_after_s == cut.retry_after_s);
    FK_ASSERT(whole.seen == bytes.len && cut.seen == bytes.len);
    return 0;
}
