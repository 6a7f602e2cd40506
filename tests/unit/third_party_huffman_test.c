/* The Huffman code of HPACK as our patch of nghttp2 has it (third_party/patches), against a
 * reference of this test's own, built from the lengths in RFC 7541, Appendix B.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nghttp2_hd.h>
#include <nghttp2_hd_huffman.h>

#include "base/bytes.h"
#include "support/guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SYMBOLS = 257, EOS = 256, MAX_TEXT = 64, MAX_CODE = 4 * MAX_TEXT + 8 };

/* --- the reference --- */

/* Appendix B: the length of each symbol's code; the last is EOS. */
static const uint8_t lengths[SYMBOLS] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,
    5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,
    7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,  5,  6,  7,  7,
    7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
};

static uint32_t codes[SYMBOLS]; /* right-aligned */

/* The tree that the codes spell: children by bit; a leaf is -1 - symbol, 0 is no child. */
static int16_t tree[SYMBOLS][2];

static void plant(int symbol) {
    static int16_t nodes = 1;
    int16_t node = 0;
    for (int bit = lengths[symbol] - 1; bit > 0; bit--) {
        int16_t *child = &tree[node][codes[symbol] >> bit & 1U];
        if (*child == 0) *child = nodes++;
        assert_true(*child > 0);
        node = *child;
    }
    tree[node][codes[symbol] & 1U] = (int16_t)(-1 - symbol);
}

/* The code is canonical: by length, then by symbol, each is its predecessor plus one. */
static int build_reference(void **state) {
    (void)state;
    uint32_t next = 0;
    for (unsigned length = 1; length <= 30; length++) {
        next <<= 1;
        for (int symbol = 0; symbol < SYMBOLS; symbol++) {
            if (lengths[symbol] != length) continue;
            codes[symbol] = next++;
            plant(symbol);
        }
    }
    return next == UINT32_C(1) << 30 ? 0 : -1; /* every bit string begins with a code */
}

/* A sequence of codes and what is to become of it. */
struct sequence {
    uint8_t code[MAX_CODE];
    size_t bits; /* whole bytes when finished */
};

static void put_bits(struct sequence *s, uint32_t value, unsigned count) {
    while (count-- > 0) {
        const uint8_t mask = (uint8_t)(0x80U >> s->bits % 8);
        uint8_t *byte = &s->code[s->bits++ / 8];
        *byte = (uint8_t)(value >> count & 1U ? *byte | mask : *byte & ~mask);
    }
}

static struct sequence encoded(const uint8_t *text, size_t len) {
    struct sequence s = {.bits = 0};
    for (size_t i = 0; i < len; i++) put_bits(&s, codes[text[i]], lengths[text[i]]);
    put_bits(&s, 0x7f, (unsigned)(-s.bits % 8));
    return s;
}

struct decoded {
    uint8_t text[2 * MAX_CODE];
    size_t len;
    bool eos; /* found, and nothing after it looked at */
    bool good_end;
};

/* Section 5.2, bit by bit: what is left at the end must be ones, and fewer than 8. */
static struct decoded decoded_by_reference(const uint8_t *code, size_t len) {
    struct decoded d = {.good_end = true};
    int16_t node = 0;
    unsigned pending = 0;
    for (size_t i = 0; i < 8 * len && !d.eos; i++) {
        const unsigned bit = (unsigned)code[i / 8] >> (7 - i % 8) & 1U;
        node = tree[node][bit];
        pending++;
        d.good_end = d.good_end && bit == 1 && pending < 8;
        if (node >= 0) continue;
        d.eos = node == -1 - EOS;
        if (!d.eos) d.text[d.len++] = (uint8_t)(-1 - node);
        node = 0;
        pending = 0;
        d.good_end = !d.eos;
    }
    return d;
}

/* --- ours, beside the reference --- */

static void decode_part(nghttp2_hd_huff_decode_context *context, nghttp2_buf *out,
                        struct guard *part, int final, const struct decoded *want) {
    const nghttp2_ssize got = nghttp2_hd_huff_decode(context, out, part->p, part->len, final);
    if (final && !want->good_end) {
        assert_int_equal(got, NGHTTP2_ERR_HEADER_COMP);
    } else {
        assert_int_equal(got, part->len);
    }
}

/* Decodes it in two parts, each of which ends where memory does. */
static void assert_decodes_split(const uint8_t *code, size_t len, size_t split,
                                 const struct decoded *want) {
    uint8_t text[2 * MAX_CODE];
    nghttp2_buf out;
    nghttp2_hd_huff_decode_context context;
    struct guard parts[2] = {guard_copy((struct fk_bytes){code, split}),
                             guard_copy((struct fk_bytes){code + split, len - split})};
    nghttp2_buf_wrap_init(&out, text, sizeof text);
    nghttp2_hd_huff_decode_context_init(&context);
    decode_part(&context, &out, &parts[0], 0, want);
    decode_part(&context, &out, &parts[1], 1, want);
    assert_int_equal(nghttp2_hd_huff_decode_failure_state(&context) != 0, want->eos);
    assert_int_equal(nghttp2_buf_len(&out), want->len);
    assert_memory_equal(text, want->text, want->len);
    guard_free(&parts[0]);
    guard_free(&parts[1]);
}

/* The same without the guards' cost, in one part. */
static void assert_decodes(const uint8_t *code, size_t len) {
    const struct decoded want = decoded_by_reference(code, len);
    uint8_t text[2 * MAX_CODE];
    nghttp2_buf out;
    nghttp2_hd_huff_decode_context context;
    nghttp2_buf_wrap_init(&out, text, sizeof text);
    nghttp2_hd_huff_decode_context_init(&context);
    const nghttp2_ssize got = nghttp2_hd_huff_decode(&context, &out, code, len, 1);
    assert_int_equal(got, want.good_end ? (nghttp2_ssize)len : NGHTTP2_ERR_HEADER_COMP);
    assert_int_equal(nghttp2_hd_huff_decode_failure_state(&context) != 0, want.eos);
    assert_int_equal(nghttp2_buf_len(&out), want.len);
    assert_memory_equal(text, want.text, want.len);
}

static void assert_decodes_at_every_split(const uint8_t *code, size_t len) {
    const struct decoded want = decoded_by_reference(code, len);
    for (size_t split = 0; split <= len; split++) assert_decodes_split(code, len, split, &want);
}

/* Encodes into chunks of so many bytes: the encoder writes 4 at once where they fit. */
static void assert_encodes(const uint8_t *text, size_t len, size_t chunk) {
    const struct sequence want = encoded(text, len);
    nghttp2_bufs bufs;
    uint8_t *got = NULL;
    assert_int_equal(nghttp2_hd_huff_encode_count(text, len), want.bits / 8);
    assert_int_equal(nghttp2_bufs_init(&bufs, chunk, MAX_CODE, nghttp2_mem_default()), 0);
    assert_int_equal(nghttp2_hd_huff_encode(&bufs, text, len), 0);
    assert_int_equal(nghttp2_bufs_remove(&bufs, &got), want.bits / 8);
    assert_memory_equal(got, want.code, want.bits / 8);
    free(got);
    nghttp2_bufs_free(&bufs);
}

static void assert_round_trip(const uint8_t *text, size_t len) {
    const struct sequence s = encoded(text, len);
    const struct decoded back = decoded_by_reference(s.code, s.bits / 8);
    assert_true(back.good_end && back.len == len && memcmp(back.text, text, len) == 0);
    assert_decodes(s.code, s.bits / 8);
}

static uint32_t random_below(uint32_t limit) {
    static uint32_t state = 1;
    state = state * 1664525U + 1013904223U;
    return (state >> 8) % limit;
}

/* --- the Huffman code --- */

static void the_examples_of_the_rfc(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        uint8_t code[24];
    } rows[] = {
        /* Appendix C.4 and C.6 */
        {"www.example.com",
         12,
         {0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff}},
        {"no-cache", 6, {0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf}},
        {"custom-value", 9, {0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf}},
        {"302", 2, {0x64, 0x02}},
        {"private", 5, {0xae, 0xc3, 0x77, 0x1a, 0x4b}},
        {"Mon, 21 Oct 2013 20:13:21 GMT", 22, {0xd0, 0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44,
                                               0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66,
                                               0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct decoded want = {.good_end = true, .len = strlen(rows[i].text)};
        memcpy(want.text, rows[i].text, want.len);
        for (size_t split = 0; split <= rows[i].len; split++) {
            assert_decodes_split(rows[i].code, rows[i].len, split, &want);
        }
        const struct sequence s = encoded(want.text, want.len);
        assert_int_equal(s.bits, 8 * rows[i].len);
        assert_memory_equal(s.code, rows[i].code, rows[i].len);
        assert_encodes(want.text, want.len, 16);
    }
}

static void every_symbol_and_every_pair(void **state) {
    (void)state;
    for (unsigned a = 0; a < EOS; a++) {
        const uint8_t one[1] = {(uint8_t)a};
        const struct sequence s = encoded(one, 1);
        assert_decodes_at_every_split(s.code, s.bits / 8);
        assert_encodes(one, 1, 8);
        for (unsigned b = 0; b < EOS; b++) {
            const uint8_t two[2] = {(uint8_t)a, (uint8_t)b};
            assert_round_trip(two, 2);
            assert_encodes(two, 2, 16);
        }
    }
}

static void random_texts_at_every_split(void **state) {
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        uint8_t text[MAX_TEXT];
        const size_t len = random_below(MAX_TEXT + 1);
        const bool ascii = round % 2 == 0;
        for (size_t i = 0; i < len; i++) {
            text[i] = (uint8_t)(ascii ? 0x20 + random_below(0x5f) : random_below(EOS));
        }
        const struct sequence s = encoded(text, len);
        assert_round_trip(text, len);
        assert_decodes_at_every_split(s.code, s.bits / 8);
        for (size_t chunk = 1; chunk <= 9; chunk++) assert_encodes(text, len, chunk);
    }
}

static void every_input_of_up_to_two_bytes(void **state) {
    (void)state;
    assert_decodes(NULL, 0);
    for (unsigned a = 0; a < 256; a++) {
        assert_decodes((const uint8_t[]){(uint8_t)a}, 1);
        for (unsigned b = 0; b < 256; b++) {
            assert_decodes((const uint8_t[]){(uint8_t)a, (uint8_t)b}, 2);
        }
    }
}

/* Ones are what leads to the long codes and to EOS. */
static void random_inputs_at_every_split(void **state) {
    (void)state;
    unsigned bad_ends = 0;
    unsigned with_eos = 0;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t code[24];
        const size_t len = random_below(sizeof code + 1);
        const uint32_t ones = random_below(5);
        for (size_t i = 0; i < len; i++) {
            code[i] = (uint8_t)(random_below(5) < ones ? 0xff : random_below(256));
        }
        const struct decoded want = decoded_by_reference(code, len);
        with_eos += want.eos;
        bad_ends += !want.good_end && !want.eos;
        assert_decodes_at_every_split(code, len);
    }
    assert_true(with_eos > 200 && bad_ends > 200);
}

/* Ends with a symbol whose code is so long, then with so many ones (or one zero among them). */
static void padding_is_ones_and_less_than_a_byte(void **state) {
    (void)state;
    unsigned good = 0;
    for (int symbol = 0; symbol < EOS; symbol++) {
        for (unsigned pad = (unsigned)-lengths[symbol] % 8; pad < 32; pad += 8) {
            for (unsigned zero = 0; zero <= pad; zero++) { /* 0: none */
                struct sequence s = {.bits = 0};
                const uint32_t ones = (UINT32_C(1) << pad) - 1;
                put_bits(&s, codes[symbol], lengths[symbol]);
                put_bits(&s, zero == 0 ? ones : ones & ~(UINT32_C(1) << (zero - 1)), pad);
                const struct decoded want = decoded_by_reference(s.code, s.bits / 8);
                /* A zero may complete another code, and what follows then be padding. */
                if (zero == 0) assert_int_equal(want.good_end, pad < 8);
                good += zero == 0 && want.good_end;
                assert_decodes_at_every_split(s.code, s.bits / 8);
            }
        }
    }
    assert_int_equal(good, EOS);
}

/* EOS at each place within a byte: a failure at once, whatever follows, until a new beginning. */
static void eos_fails_and_stays_failed(void **state) {
    (void)state;
    for (unsigned before = 0; before < 8; before++) { /* of '0': 5 bits each */
        struct sequence s = {.bits = 0};
        for (unsigned i = 0; i < before; i++) put_bits(&s, codes['0'], lengths['0']);
        put_bits(&s, codes[EOS], lengths[EOS]);
        put_bits(&s, 0, (unsigned)(-s.bits % 8));
        assert_decodes_at_every_split(s.code, s.bits / 8);

        uint8_t text[MAX_CODE];
        nghttp2_buf out;
        nghttp2_hd_huff_decode_context context;
        nghttp2_buf_wrap_init(&out, text, sizeof text);
        nghttp2_hd_huff_decode_context_init(&context);
        assert_int_equal(nghttp2_hd_huff_decode(&context, &out, s.code, s.bits / 8, 0), s.bits / 8);
        assert_true(nghttp2_hd_huff_decode_failure_state(&context));
        assert_int_equal(nghttp2_hd_huff_decode(&context, &out, s.code, 1, 0), 1);
        assert_true(nghttp2_hd_huff_decode_failure_state(&context));
        assert_int_equal(nghttp2_hd_huff_decode(&context, &out, s.code, 0, 1),
                         NGHTTP2_ERR_HEADER_COMP);
        assert_int_equal(nghttp2_buf_len(&out), before);
        nghttp2_hd_huff_decode_context_init(&context);
        assert_false(nghttp2_hd_huff_decode_failure_state(&context));
        assert_int_equal(nghttp2_hd_huff_decode(&context, &out, s.code, 0, 1), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc),
        cmocka_unit_test(every_symbol_and_every_pair),
        cmocka_unit_test(random_texts_at_every_split),
        cmocka_unit_test(every_input_of_up_to_two_bytes),
        cmocka_unit_test(random_inputs_at_every_split),
        cmocka_unit_test(padding_is_ones_and_less_than_a_byte),
        cmocka_unit_test(eos_fails_and_stays_failed),
    };
    return cmocka_run_group_tests(tests, build_reference, NULL);
}
