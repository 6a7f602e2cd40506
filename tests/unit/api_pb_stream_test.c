/* The walk over protobuf: hand-made messages, the events they must give, at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/pb_stream.h"
#include "base/err.h"
#include "support/guard.h"

/* --- what is seen, as text: "0=ab; 1#150; " --- */

struct seen {
    char text[4096];
    size_t len;
};

static void on_leaf(void *ctx, size_t path, struct fk_bytes bytes) {
    struct seen *s = ctx;
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%zu=%.*s; ", path,
                               (int)bytes.len, (const char *)bytes.p);
}

static void on_varint(void *ctx, size_t path, uint64_t value) {
    struct seen *s = ctx;
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%zu#%llu; ", path,
                               (unsigned long long)value);
}

static const struct fk_pb_path paths[] = {
    {{1, 5}, false}, {{3, 4}, false}, {{2}, true}, {{9, 1, 1, 1, 1, 1}, false}, {{255}, false},
};
static const struct fk_pb_visitor visitor = {paths, 5, on_leaf, on_varint};
static const struct fk_pb_visitor leaves_only = {paths, 5, on_leaf, NULL};

/* --- making messages --- */

struct message {
    uint8_t p[4096];
    size_t len;
};

static void put_varint(struct message *m, uint64_t value) {
    do {
        const uint8_t more = value > 0x7F ? 0x80 : 0;
        m->p[m->len++] = (uint8_t)((value & 0x7F) | more);
        value >>= 7;
    } while (value != 0);
}

static void put_bytes(struct message *m, uint32_t field, const void *bytes, size_t len) {
    put_varint(m, (uint64_t)field << 3 | 2);
    put_varint(m, len);
    if (len > 0) memcpy(m->p + m->len, bytes, len);
    m->len += len;
}

static void put_text(struct message *m, uint32_t field, const char *text) {
    put_bytes(m, field, text, strlen(text));
}

static void put_number(struct message *m, uint32_t field, uint64_t value) {
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, value);
}

static void put_message(struct message *m, uint32_t field, const struct message *inner) {
    put_bytes(m, field, inner->p, inner->len);
}

static void envelop(struct message *m, const struct message *object, const char *encoding) {
    memcpy(m->p, "k8s\0", 4);
    m->len = 4;
    struct message type = {.len = 0};
    put_text(&type, 1, "v1");
    put_text(&type, 2, "Node");
    put_message(m, 1, &type);
    put_message(m, 2, object);
    put_text(m, 3, encoding);
    put_text(m, 4, "");
}

/* --- walking them --- */

static int walk(struct fk_pb *pb, bool enveloped, struct fk_bytes bytes, size_t split,
                struct seen *seen) {
    *seen = (struct seen){.len = 0};
    fk_pb_begin(pb, enveloped, &visitor, seen);
    (void)fk_pb_feed(pb, fk_bytes(bytes.p, split));
    (void)fk_pb_feed(pb, fk_bytes(bytes.p + split, bytes.len - split));
    return fk_pb_end(pb);
}

static int walk_bytewise(bool enveloped, struct fk_bytes bytes, struct seen *seen) {
    *seen = (struct seen){.len = 0};
    struct fk_pb pb;
    fk_pb_begin(&pb, enveloped, &visitor, seen);
    for (size_t i = 0; i < bytes.len; i++) (void)fk_pb_feed(&pb, fk_bytes(bytes.p + i, 1));
    return fk_pb_end(&pb);
}

/* Whole, bytewise, at every split and against a guard page: the same events and the same end. */
static void expect(bool enveloped, const struct message *m, int end, const char *events) {
    struct guard g = guard_copy(fk_bytes(m->p, m->len));
    struct seen seen;
    struct fk_pb pb;
    for (size_t split = 0; split <= g.len; split++) {
        assert_int_equal(walk(&pb, enveloped, guard_bytes(&g), split, &seen), end);
        assert_string_equal(seen.text, events);
    }
    assert_int_equal(walk_bytewise(enveloped, guard_bytes(&g), &seen), end);
    assert_string_equal(seen.text, events);
    guard_free(&g);
}

/* A node-like object; events: object_events. */
static struct message object(void) {
    struct message meta = {.len = 0}, status = {.len = 0}, all = {.len = 0};
    put_text(&meta, 1, "name");
    put_text(&meta, 5, "uid");
    put_text(&meta, 17, "managed fields managed fields");
    put_message(&all, 1, &meta);
    put_text(&status, 3, "Running");
    put_text(&status, 4, "one");
    put_text(&status, 4, "");
    put_number(&status, 4, 150);
    put_text(&status, 4, "three");
    put_message(&all, 3, &status);
    put_number(&all, 200, UINT64_MAX);
    put_number(&all, 255, UINT64_MAX);
    put_text(&all, 2, "two");
    return all;
}
static const char object_events[] =
    "0=uid; 1=one; 1=; 1#150; 1=three; 4#18446744073709551615; 2=two; ";

static void finds_leaves_at_every_split(void **state) {
    (void)state;
    const struct message m = object();
    expect(false, &m, 0, object_events);
}

static void opens_the_envelope(void **state) {
    (void)state;
    const struct message m = object();
    struct message e = {.len = 0};
    envelop(&e, &m, "");
    expect(true, &e, 0, object_events);
}

static void refuses_an_encoded_envelope(void **state) {
    (void)state;
    const struct message m = object();
    struct message e = {.len = 0};
    envelop(&e, &m, "gzip");
    expect(true, &e, FK_E_PARSE, object_events); /* seen before, void by the end */
}

static void refuses_a_wrong_magic(void **state) {
    (void)state;
    static const char *const bodies[] = {"{\"kind\":\"Status\"}", "k8s", "k8t\0", "k8s1", ""};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct message m = {.len = strlen(bodies[i]) + (i == 2 ? 1 : 0)};
        memcpy(m.p, bodies[i], m.len);
        expect(true, &m, FK_E_PARSE, "");
    }
}

static void an_empty_object_is_whole(void **state) {
    (void)state;
    struct message m = {.len = 0}, e = {.len = 0};
    expect(false, &m, 0, "");
    envelop(&e, &m, "");
    expect(true, &e, 0, "");
}

static void every_truncation_is_noticed(void **state) {
    (void)state;
    const struct message m = object();
    struct message e = {.len = 0};
    envelop(&e, &m, "");
    struct guard g = guard_copy(fk_bytes(e.p, e.len));
    /* Only these lengths end between two fields of the envelope, its object included. */
    const size_t raw_end = e.len - 4; /* fields 3 and 4 are empty */
    for (size_t len = 0; len < e.len; len++) {
        struct seen seen;
        struct fk_pb pb;
        const bool whole = len == raw_end || len == raw_end + 2;
        assert_int_equal(walk(&pb, true, fk_bytes(g.p, len), len / 2, &seen),
                         whole ? 0 : FK_E_PARSE);
    }
    guard_free(&g);
}

static void malformed_fields_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *what;
        size_t len;
        const char *bytes;
    } rows[] = {
        {"field number 0", 2, "\x00\x01"},
        {"group start", 1, "\x0B"},
        {"group end", 1, "\x0C"},
        {"wire type 6", 1, "\x0E"},
        {"wire type 7", 1, "\x0F"},
        {"tag of 33 bits", 6, "\x80\x80\x80\x80\x10\x00"},
        {"varint of 65 bits", 11, "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"},
        {"varint of 11 bytes", 12, "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"},
        {"length beyond 2 GB", 6, "\x22\x80\x80\x80\x80\x08"},
        {"length of 64 bits", 11, "\x22\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"},
        {"leaf longer than its message", 4, "\x0A\x02\x2A\x01"},
        {"message longer than its message", 4, "\x4A\x02\x0A\x01"},
        {"varint runs out of its message", 4, "\x0A\x02\x08\x80"},
        {"fixed64 longer than its message", 5, "\x0A\x03\x09\x00\x00"},
        {"fixed32 longer than its message", 5, "\x0A\x03\x0D\x00\x00"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message m = {.len = rows[i].len};
        memcpy(m.p, rows[i].bytes, m.len);
        print_message("%s\n", rows[i].what);
        expect(false, &m, FK_E_PARSE, "");
    }
}

static void an_error_stays(void **state) {
    (void)state;
    struct seen seen = {.len = 0};
    struct fk_pb pb;
    fk_pb_begin(&pb, false, &visitor, &seen);
    assert_int_equal(fk_pb_feed(&pb, fk_bytes("\x0B", 1)), FK_E_PARSE);
    assert_int_equal(fk_pb_feed(&pb, fk_bytes("\x12\x01x", 3)), FK_E_PARSE);
    assert_int_equal(fk_pb_end(&pb), FK_E_PARSE);
    assert_string_equal(seen.text, "");
}

static void fixed_and_foreign_types_are_skipped(void **state) {
    (void)state;
    struct message m = {.len = 0};
    memcpy(m.p,
           "\x11"
           "12345678"
           "\x15"
           "1234",
           14); /* field 2, wanted as bytes */
    m.len = 14;
    put_number(&m, 3, 7);            /* a message on the way, as a varint */
    put_text(&m, 256 + 2, "not us"); /* numbers that would be ours if cut to 8 bits */
    put_text(&m, 256, "nor us");
    put_number(&m, 536870911, 1); /* the largest there is */
    put_text(&m, 2, "two");
    expect(false, &m, 0, "2=two; ");
}

static void varints_may_be_unwanted(void **state) {
    (void)state;
    const struct message m = object();
    struct seen seen = {.len = 0};
    struct fk_pb pb;
    fk_pb_begin(&pb, false, &leaves_only, &seen);
    assert_int_equal(fk_pb_feed(&pb, fk_bytes(m.p, m.len)), 0);
    assert_string_equal(seen.text, "0=uid; 1=one; 1=; 1=three; 2=two; ");
}

static void the_deepest_path_is_found(void **state) {
    (void)state;
    struct message m = {.len = 0}, e = {.len = 0};
    put_text(&m, 1, "deep");
    for (int depth = 0; depth < FK_PB_DEPTH_MAX - 1; depth++) {
        const struct message inner = m;
        m.len = 0;
        put_message(&m, depth == FK_PB_DEPTH_MAX - 2 ? 9 : 1, &inner);
    }
    envelop(&e, &m, "");
    expect(true, &e, 0, "3=deep; ");
}

static void oversize_leaves_are_counted_or_cut(void **state) {
    (void)state;
    char text[FK_PB_LEAF_MAX + 1];
    memset(text, 'x', sizeof text);
    for (size_t len = FK_PB_LEAF_MAX - 1; len <= FK_PB_LEAF_MAX + 1; len++) {
        struct message m = {.len = 0}, status = {.len = 0};
        put_bytes(&m, 2, text, len);      /* cut */
        put_bytes(&status, 4, text, len); /* not */
        put_text(&status, 4, "after");
        put_message(&m, 3, &status);
        struct fk_pb pb;
        struct seen seen;
        for (size_t split = 0; split <= m.len; split++) {
            assert_int_equal(walk(&pb, false, fk_bytes(m.p, m.len), split, &seen), 0);
            const size_t cut = len < FK_PB_LEAF_MAX ? len : FK_PB_LEAF_MAX;
            const bool fits = len <= FK_PB_LEAF_MAX;
            assert_int_equal(pb.oversize, fits ? 0 : 1);
            const size_t texts = cut + 4 + (fits ? len + 4 : 0);
            assert_int_equal(seen.len, texts + strlen("1=after; "));
        }
    }
}

static void a_cut_leaf_needs_no_end(void **state) {
    (void)state;
    struct message m = {.len = 0};
    char text[2000];
    memset(text, 'x', sizeof text);
    put_bytes(&m, 2, text, sizeof text);
    struct fk_pb pb;
    struct seen seen = {.len = 0};
    fk_pb_begin(&pb, false, &visitor, &seen);
    assert_int_equal(fk_pb_feed(&pb, fk_bytes(m.p, 3 + FK_PB_LEAF_MAX)), 0);
    assert_int_equal(seen.len, FK_PB_LEAF_MAX + 4);
}

/* A 2 GB field costs a counter: fed as the same page over and over. */
static void size_does_not_matter(void **state) {
    (void)state;
    static const uint8_t zeros[1 << 20];
    struct message m = {.len = 0};
    put_varint(&m, 7 << 3 | 2);
    put_varint(&m, INT32_MAX);
    struct fk_pb pb;
    struct seen seen = {.len = 0};
    fk_pb_begin(&pb, false, &visitor, &seen);
    for (int field = 0; field < 3; field++) { /* more than 32 bits can count */
        assert_int_equal(fk_pb_feed(&pb, fk_bytes(m.p, m.len)), 0);
        uint32_t rest = INT32_MAX;
        while (rest > 0) {
            const uint32_t len = rest < sizeof zeros ? rest : (uint32_t)sizeof zeros;
            assert_int_equal(fk_pb_feed(&pb, fk_bytes(zeros, len)), 0);
            rest -= len;
        }
        assert_int_equal(fk_pb_end(&pb), 0);
    }
}

/* --- pieces, and the envelope inside an event --- */

/* Pieces of one leaf are put together: "ab/0; ". */
static void on_piece(void *ctx, size_t path, struct fk_bytes bytes) {
    struct seen *s = ctx;
    if (bytes.len == 0)
        s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "/%zu; ", path);
    else
        s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%.*s",
                                   (int)bytes.len, (const char *)bytes.p);
}

static const struct fk_pb_path event_paths[] = {
    {{1}, FK_PB_PIECES},
    {{2, 1, 2, 1, 5}, FK_PB_PIECES},
    {{2, 1, 2, 2, 2}, FK_PB_PIECES},
};
static const struct fk_pb_visitor event_visitor = {event_paths, 3, on_piece, on_varint};

/* In pieces of step bytes. */
static int walk_event(struct fk_bytes bytes, size_t step, struct seen *seen) {
    *seen = (struct seen){.len = 0};
    struct fk_pb_walk w;
    fk_pb_walk_begin(&w, FK_PB_EVENT, &event_visitor, seen);
    for (size_t at = 0; at < bytes.len; at += step)
        (void)fk_pb_walk_feed(
            &w, fk_bytes(bytes.p + at, bytes.len - at < step ? bytes.len - at : step));
    return fk_pb_walk_end(&w);
}

/* WatchEvent{type, object{raw: magic, Unknown{raw: object}}}. */
static struct message event(const char *magic, const char *encoding) {
    struct message meta = {.len = 0}, data = {.len = 0}, all = {.len = 0};
    put_text(&meta, 5, "uid");
    put_text(&meta, 17, "managed fields");
    put_message(&all, 1, &meta);
    put_text(&data, 1, "key");
    put_text(&data, 2, "a value");
    put_message(&all, 2, &data);
    put_message(&all, 3, &data);
    struct message unknown = {.len = 0}, raw = {.len = 0}, out = {.len = 0};
    envelop(&unknown, &all, encoding);
    memcpy(unknown.p, magic, 4);
    put_message(&raw, 1, &unknown);
    put_text(&out, 1, "MODIFIED");
    put_message(&out, 2, &raw);
    return out;
}

static void an_event_holds_an_envelope(void **state) {
    (void)state;
    const struct message m = event("k8s\0", "");
    struct seen seen;
    for (size_t step = 1; step <= m.len; step++) {
        assert_int_equal(walk_event(fk_bytes(m.p, m.len), step, &seen), 0);
        assert_string_equal(seen.text, "MODIFIED/0; uid/1; a value/2; ");
    }
    for (size_t len = 0; len < m.len; len++) { /* only a whole one is whole */
        const int end = walk_event(fk_bytes(m.p, len), 1, &seen);
        assert_int_equal(end, len == 0 || len == 10 ? 0 : FK_E_PARSE);
    }
}

static void an_event_with_a_bad_envelope_is_refused(void **state) {
    (void)state;
    struct seen seen;
    const struct message magic = event("k8t\0", ""), encoded = event("k8s\0", "gzip");
    assert_int_equal(walk_event(fk_bytes(magic.p, magic.len), 1, &seen), FK_E_PARSE);
    assert_string_equal(seen.text, "MODIFIED/0; ");
    assert_int_equal(walk_event(fk_bytes(encoded.p, encoded.len), 1, &seen), FK_E_PARSE);
    for (size_t len = 0; len < 4; len++) { /* no room for the magic */
        struct message raw = {.len = 0}, out = {.len = 0};
        put_bytes(&raw, 1, "k8s", len);
        put_message(&out, 2, &raw);
        assert_int_equal(walk_event(fk_bytes(out.p, out.len), 1, &seen), FK_E_PARSE);
    }
    struct message raw = {.len = 0}, out = {.len = 0}; /* an empty runtime.Unknown */
    put_bytes(&raw, 1, "k8s\0", 4);
    put_message(&out, 2, &raw);
    assert_int_equal(walk_event(fk_bytes(out.p, out.len), 1, &seen), 0);
    assert_string_equal(seen.text, "");
}

/* A leaf of any length, and an empty one. */
static void pieces_have_no_limit(void **state) {
    (void)state;
    static const size_t lens[] = {0, 1, FK_PB_LEAF_MAX, FK_PB_LEAF_MAX + 1, 2000};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct message m = {.len = 0};
        char text[2001];
        memset(text, 'x', sizeof text);
        put_bytes(&m, 1, text, lens[i]);
        struct seen seen;
        for (size_t step = 1; step < 400; step += 7) {
            assert_int_equal(walk_event(fk_bytes(m.p, m.len), step, &seen), 0);
            assert_int_equal(seen.len, lens[i] + 4);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_leaves_at_every_split),
        cmocka_unit_test(opens_the_envelope),
        cmocka_unit_test(refuses_an_encoded_envelope),
        cmocka_unit_test(refuses_a_wrong_magic),
        cmocka_unit_test(an_empty_object_is_whole),
        cmocka_unit_test(every_truncation_is_noticed),
        cmocka_unit_test(malformed_fields_are_refused),
        cmocka_unit_test(an_error_stays),
        cmocka_unit_test(fixed_and_foreign_types_are_skipped),
        cmocka_unit_test(varints_may_be_unwanted),
        cmocka_unit_test(the_deepest_path_is_found),
        cmocka_unit_test(oversize_leaves_are_counted_or_cut),
        cmocka_unit_test(a_cut_leaf_needs_no_end),
        cmocka_unit_test(size_does_not_matter),
        cmocka_unit_test(an_event_holds_an_envelope),
        cmocka_unit_test(an_event_with_a_bad_envelope_is_refused),
        cmocka_unit_test(pieces_have_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
