/* wire/h2_client fed with what a hostile server may say.
 *
 * Input: byte 0 heap size, byte 1 how the rest is cut, bytes 2 to 9 actions, of which one is done
 * between two pieces; the rest is the server's.
 *
 * Holds whatever the input: each submitted stream ends exactly once and is silent afterwards, no
 * more of a body is reported than its window allows, the heap is empty after close. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "opts.h"
#include "wire/h2_client.h"

#define STREAMS_MAX 256
#define HEADER_LEN 10

#define MUST(fact) ((fact) ? (void)0 : fk_assert_failed(__FILE__, __LINE__))

void fk_assert_failed(const char *file, int line) {
    (void)fprintf(stderr, "assertion at %s:%d\n", file, line);
    abort();
}

enum { NEVER, OPEN, HEAD_IN, ENDED };

struct node {
    _Alignas(8) uint8_t memory[20480];
    struct fk_heap heap;
    struct fk_h2 h;
    uint8_t state[STREAMS_MAX]; /* by half the stream's id */
    uint8_t windowed[STREAMS_MAX];
    uint8_t seed; /* decides what handlers do */
    int32_t last; /* stream submitted last */
};

static int32_t submit(struct node *n, uint8_t how);

static uint8_t *state_of(struct node *n, int32_t stream) {
    MUST(stream > 0 && stream % 2 == 1 && stream / 2 < STREAMS_MAX);
    return &n->state[stream / 2];
}

static void on_head(void *ctx, int32_t stream, const struct fk_h2_head *head) {
    struct node *n = ctx;
    MUST(*state_of(n, stream) == OPEN);
    *state_of(n, stream) = HEAD_IN;
    MUST(head->status >= 200 && head->status <= 599);
    MUST(head->date_s >= -1);
    MUST(head->retry_after_s >= -1 && head->retry_after_s <= 86400);
    if (head->status >= 400 && fk_h2_grant(&n->h, stream, 100) == 0) n->windowed[stream / 2] = 1;
    if ((n->seed & 1) != 0) fk_h2_cancel(&n->h, stream);
    if ((n->seed & 2) != 0) fk_h2_cancel(&n->h, n->last);
}

static void on_data(void *ctx, int32_t stream, struct fk_bytes piece) {
    struct node *n = ctx;
    MUST(*state_of(n, stream) == HEAD_IN);
    MUST(piece.len > 0 && piece.len <= 100 && n->windowed[stream / 2] == 1);
    if ((n->seed & 4) != 0) fk_h2_cancel(&n->h, stream);
    if ((n->seed & 8) != 0) (void)submit(n, piece.p[0]);
}

static void on_end(void *ctx, int32_t stream, int err) {
    struct node *n = ctx;
    MUST(*state_of(n, stream) == OPEN || *state_of(n, stream) == HEAD_IN);
    MUST(err <= 0 && (err != 0 || *state_of(n, stream) == HEAD_IN));
    *state_of(n, stream) = ENDED;
    if ((n->seed & 16) != 0) (void)submit(n, (uint8_t)stream);
}

static void on_pong(void *ctx) {
    struct node *n = ctx;
    if ((n->seed & 32) != 0) fk_h2_cancel(&n->h, n->last);
}

static void on_goaway(void *ctx) {
    struct node *n = ctx;
    MUST(submit(n, 0) == FK_E_CLOSED || n->h.fatal != 0);
    if ((n->seed & 64) != 0) fk_h2_cancel(&n->h, n->last);
}

static const struct fk_h2_events events = {on_head, on_data, on_end, on_pong, on_goaway};

static void put_body(const void *ctx, struct fk_writer *w) {
    (void)ctx;
    for (int i = 0; i < 300; i++) fk_put_str(w, "body ");
}

static int32_t submit(struct node *n, uint8_t how) {
    if (n->last / 2 + 1 >= STREAMS_MAX) return FK_E_BUSY;
    const struct fk_h2_header header = {fk_bytes_str("accept"), fk_bytes_str("*/*"),
                                        (how & 1) != 0};
    const int32_t id = fk_h2_submit(&n->h, &(struct fk_h2_request){
                                               .method = "PATCH",
                                               .scheme = "https",
                                               .authority = "a:1",
                                               .path = "/p",
                                               .path_repeats = (how & 2) != 0,
                                               .headers = &header,
                                               .header_count = 1,
                                               .body = (how & 4) != 0 ? put_body : NULL,
                                               .window = (how & 8) != 0 ? 100 : 0,
                                               .lingers = (how & 16) != 0,
                                           });
    if (id < 0) return id;
    MUST(*state_of(n, id) == NEVER);
    *state_of(n, id) = OPEN;
    n->windowed[id / 2] = (how & 8) != 0;
    n->last = id;
    return id;
}

static void pull(struct node *n, size_t cap) {
    uint8_t buf[1024];
    for (int i = 0; i < 64; i++) {
        const int len = fk_h2_pull(&n->h, buf, cap);
        MUST(len >= 0 ? (size_t)len <= cap : len == n->h.fatal);
        if (len <= 0) return;
    }
}

static void act(struct node *n, uint8_t action) {
    n->seed = action;
    switch (action % 8) {
    case 0: pull(n, 1024); break;
    case 1: pull(n, 13); break;
    case 2: (void)submit(n, action / 8); break;
    case 3: fk_h2_cancel(&n->h, (action / 8) * 2 + 1); break;
    case 4: (void)fk_h2_ping(&n->h); break;
    case 5: fk_h2_cancel(&n->h, n->last); break;
    case 6: (void)fk_h2_grant(&n->h, n->last, 1); break;
    default:
        if (action == 255) fk_h2_goodbye(&n->h);
        break;
    }
}

static void talk(struct node *n, const uint8_t *header, struct fk_bytes rest) {
    static const size_t cuts[] = {1, 7, 64, SIZE_MAX};
    const size_t cut = cuts[header[1] % 4];
    for (uint8_t i = 0; i < 4; i++) (void)submit(n, (uint8_t)(header[1] / 4 + i * 4));
    if (header[1] < 128) pull(n, 1024);
    for (size_t at = 0, turn = 0; at < rest.len; turn++) {
        const size_t len = rest.len - at < cut ? rest.len - at : cut;
        const int err = fk_h2_feed(&n->h, fk_bytes(rest.p + at, len));
        MUST(err == n->h.fatal);
        at += len;
        act(n, header[2 + turn % 8]);
    }
    pull(n, 1024);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEADER_LEN) return 0;
    static struct node node; /* too large for the stack; cleared each time */
    struct node *n = &node;
    *n = (struct node){.last = -1};
    const size_t heap_size = 4096 + (size_t)data[0] * 64;
    fk_heap_init(&n->heap, n->memory, heap_size);
    if (fk_h2_open(&n->h, &n->heap, &events, n) == 0)
        talk(n, data, fk_bytes(data + HEADER_LEN, size - HEADER_LEN));
    fk_h2_close(&n->h);
    for (size_t i = 0; i < STREAMS_MAX; i++) MUST(n->state[i] == NEVER || n->state[i] == ENDED);
    MUST(n->heap.used_bytes == 0 && fk_heap_largest(&n->heap) == heap_size - 8);
    return 0;
}
