/* wire/h2_client when memory runs out: with heaps of every size from none to enough, and with each
 * single allocation failing in turn. It never crashes, leaks, or forgets a stream's end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The real heap under other names, behind one whose n-th request fails. */
#define fk_heap_init real_heap_init
#define fk_heap_alloc real_heap_alloc
#define fk_heap_calloc real_heap_calloc
#define fk_heap_realloc real_heap_realloc
#define fk_heap_free real_heap_free
#define fk_heap_largest real_heap_largest
#include "../../src/base/heap.c"
#undef fk_heap_init
#undef fk_heap_alloc
#undef fk_heap_calloc
#undef fk_heap_realloc
#undef fk_heap_free
#undef fk_heap_largest
#undef HEADER

void *fk_heap_alloc(struct fk_heap *h, size_t size);
void *fk_heap_calloc(struct fk_heap *h, size_t count, size_t size);
void *fk_heap_realloc(struct fk_heap *h, void *p, size_t size);
void fk_heap_free(struct fk_heap *h, void *p);

#include "base/err.h"
#include "support/h2_peer.h"

void fk_assert_failed(const char *file, int line) {
    fail_msg("assertion at %s:%d", file, line);
    abort();
}

static struct {
    unsigned requests;
    unsigned fail_from, fail_to; /* these requests fail, counted from 1 */
} faults;

static bool fails(struct fk_heap *h) {
    faults.requests++;
    if (faults.requests < faults.fail_from || faults.requests >= faults.fail_to) return false;
    h->failures++;
    return true;
}
void *fk_heap_alloc(struct fk_heap *h, size_t size) {
    return fails(h) ? NULL : real_heap_alloc(h, size);
}
void *fk_heap_calloc(struct fk_heap *h, size_t count, size_t size) {
    return fails(h) ? NULL : real_heap_calloc(h, count, size);
}
void *fk_heap_realloc(struct fk_heap *h, void *p, size_t size) {
    return fails(h) ? NULL : real_heap_realloc(h, p, size);
}
void fk_heap_free(struct fk_heap *h, void *p) { real_heap_free(h, p); }

/* ---- a session with a bit of everything ------------------------------------------------------ */

#define STREAMS_MAX 64
static _Alignas(8) uint8_t memory[65536];
static struct fk_heap heap;
static struct fk_h2 h;
static struct h2_peer peer;
static int submitted, refused, complete;
static int ended[STREAMS_MAX]; /* by stream id */

static void on_head(void *ctx, int32_t stream, const struct fk_h2_head *head) {
    (void)ctx;
    if (head->status >= 400) (void)fk_h2_grant(&h, stream, 300);
}
static void on_data(void *ctx, int32_t stream, struct fk_bytes piece) {
    (void)ctx;
    if (stream == 9 && piece.len > 0) fk_h2_cancel(&h, stream);
}
static void on_end(void *ctx, int32_t stream, int err) {
    (void)ctx;
    assert_in_range(stream, 1, STREAMS_MAX - 1);
    ended[stream]++;
    if (err == 0) complete++;
}
static void on_plain(void *ctx) { (void)ctx; }
static const struct fk_h2_events events = {on_head, on_data, on_end, on_plain, on_plain};

static void put_body(const void *ctx, struct fk_writer *w) {
    (void)ctx;
    for (int i = 0; i < 1500; i++) fk_put_char(w, 'b');
}

static int32_t ask(const char *path, uint32_t window, bool body) {
    const struct fk_h2_header headers[] = {
        {fk_bytes_str("accept"), fk_bytes_str("application/json"), false},
        {fk_bytes_str("authorization"), fk_bytes_str("Bearer 0123456789abcdef"), true},
    };
    const struct fk_h2_request request = {
        .method = body ? "PATCH" : "GET",
        .scheme = "https",
        .authority = "10.0.0.1:6443",
        .path = path,
        .path_repeats = true,
        .headers = headers,
        .header_count = 2,
        .body = body ? put_body : NULL,
        .window = window,
        .lingers = window == 0,
    };
    const int32_t id = fk_h2_submit(&h, &request);
    if (id > 0) submitted++;
    else refused++;
    return id;
}

static void answer(void *ctx, struct h2_peer *p, struct h2_peer_stream *s) {
    (void)ctx;
    static const char *const fields[] = {"content-type",
                                         "application/json",
                                         "audit-id",
                                         "5d1a7a6e-6b0c-4d6e-9a3f-1f1f5a2b7c11",
                                         "date",
                                         "Sun, 06 Nov 1994 08:49:37 GMT",
                                         NULL};
    const bool fault = strstr(s->head, "missing") != NULL;
    h2_peer_reply(p, s->id,
                  &(struct h2_peer_reply){
                      .status = fault ? "404" : "200", .fields = fields, .body_len = 2000});
}

static void session(void) {
    if (h2_peer_run(&peer, &h, 512) != 0) return;
    (void)ask("/lease", 0, true);
    (void)ask("/nodes", 700, false);
    (void)ask("/missing", 0, false);
    (void)fk_h2_ping(&h);
    if (h2_peer_run(&peer, &h, 512) != 0) return;
    (void)nghttp2_submit_ping(peer.session, 0, NULL);
    fk_h2_cancel(&h, ask("/lease", 10, true));
    (void)ask("/watch", 100, true);
    if (h2_peer_run(&peer, &h, 100) != 0) return;
    (void)ask("/last", 100, false);
    h2_peer_goaway(&peer, 9, NGHTTP2_NO_ERROR);
    if (h2_peer_run(&peer, &h, 512) != 0) return;
    fk_h2_goodbye(&h);
    (void)h2_peer_run(&peer, &h, 512);
}

/* Returns whether memory sufficed. */
static bool try_session(size_t heap_size) {
    real_heap_init(&heap, memory, heap_size);
    submitted = refused = complete = 0;
    memset(ended, 0, sizeof ended);
    const int err = fk_h2_open(&h, &heap, &events, NULL);
    if (err == 0) {
        peer.asked = answer;
        h2_peer_open(&peer, NULL, 0);
        session();
        h2_peer_close(&peer);
    } else {
        assert_int_equal(err, FK_E_NOMEM);
    }
    const int fatal = h.fatal;
    assert_true(fatal == 0 || fatal == FK_E_NOMEM);
    fk_h2_close(&h);
    assert_int_equal(heap.used_bytes, 0);
    assert_int_equal(real_heap_largest(&heap), heap_size - 8);
    int ends = 0;
    for (int id = 1; id < STREAMS_MAX; id++) {
        assert_true(ended[id] <= 1);
        ends += ended[id];
    }
    assert_int_equal(ends, submitted);
    return err == 0 && fatal == 0 && refused == 0;
}

static void heaps_of_every_size(void **state) {
    (void)state;
    faults.fail_from = faults.fail_to = UINT32_MAX;
    size_t enough = 0;
    for (size_t size = 64; size < 20000; size += 8) {
        const bool sufficed = try_session(size);
        if (sufficed && enough == 0) enough = size;
        if (size > 16384 && !sufficed) fail_msg("%zu bytes do not suffice", size);
    }
    assert_true(enough > 0);
    assert_true(complete >= 4);
    printf("[ MEASURE  ] smallest heap for a session with 3 requests at once: %zu\n", enough);
}

static void each_allocation_fails_once(void **state) {
    (void)state;
    unsigned n = 1;
    for (bool sufficed = false; !sufficed; n++) {
        faults.requests = 0;
        faults.fail_from = n;
        faults.fail_to = n + 1;
        const bool ok = try_session(sizeof memory);
        sufficed = faults.requests < n;
        assert_int_equal(ok, sufficed);
        assert_true(n < 10000);
    }
    assert_true(n > 50);
}

/* Memory that ran out stays out. */
static void all_allocations_fail_from_then_on(void **state) {
    (void)state;
    unsigned n = 1;
    for (bool sufficed = false; !sufficed; n++) {
        faults.requests = 0;
        faults.fail_from = n;
        faults.fail_to = UINT32_MAX;
        const bool ok = try_session(sizeof memory);
        sufficed = faults.requests < n;
        assert_int_equal(ok, sufficed);
    }
    assert_true(n > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heaps_of_every_size),
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(all_allocations_fail_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
