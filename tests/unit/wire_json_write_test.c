#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/guard.h"
#include "wire/json_write.h"

static const char *written(char *buf, size_t cap, struct fk_bytes value) {
    struct fk_writer w;
    struct fk_json j;
    fk_writer_init(&w, buf, cap);
    fk_json_init(&j, &w);
    struct guard g = guard_copy(value);
    fk_json_bytes(&j, NULL, guard_bytes(&g));
    guard_free(&g);
    assert_int_equal(fk_writer_finish(&w), 0);
    return buf;
}

/* RFC 8259 §7: what must be escaped, and nothing else. */
static void every_ascii_byte(void **state) {
    (void)state;
    for (unsigned c = 0; c < 0x80; c++) {
        const uint8_t byte = (uint8_t)c;
        char buf[16], want[16];
        static const char named[] = "\"\\\n\r\t", letters[] = "\"\\nrt";
        const char *const at = c == 0 ? NULL : strchr(named, (int)c);
        struct fk_writer w;
        fk_writer_init(&w, want, sizeof want);
        fk_put_char(&w, '"');
        if (at != NULL || c < 0x20) fk_put_char(&w, '\\');
        if (at != NULL) {
            fk_put_char(&w, letters[at - named]);
        } else if (c < 0x20) {
            fk_put_str(&w, "u00");
            fk_put_char(&w, "01"[c >> 4]);
            fk_put_char(&w, "0123456789abcdef"[c & 15]);
        } else {
            fk_put(&w, &byte, 1);
        }
        fk_put_char(&w, '"');
        assert_int_equal(fk_writer_finish(&w), 0);
        assert_string_equal(written(buf, sizeof buf, fk_bytes(&byte, 1)), want);
    }
}

#define R "\xEF\xBF\xBD" /* U+FFFD */

/* RFC 3629 §4, at the edge of each row of its syntax; also cut short by the value's end. */
static void utf8(void **state) {
    (void)state;
    static const struct {
        const char *value, *json;
    } rows[] = {
        {"", "\"\""},
        {"gr\xC3\xBC\xC3\x9F", "\"gr\xC3\xBC\xC3\x9F\""},
        {"\x7F\xC2\x80\xDF\xBF", "\"\x7F\xC2\x80\xDF\xBF\""},
        {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
         "\"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\""},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", "\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\""},
        {"\x80", "\"" R "\""},
        {"\xC1\xBF", "\"" R R "\""},             /* overlong */
        {"\xE0\x9F\xBF", "\"" R R R "\""},       /* overlong */
        {"\xED\xA0\x80", "\"" R R R "\""},       /* surrogate */
        {"\xF0\x8F\xBF\xBF", "\"" R R R R "\""}, /* overlong */
        {"\xF4\x90\x80\x80", "\"" R R R R "\""}, /* past U+10FFFF */
        {"\xF5\x80\x80\x80", "\"" R R R R "\""},
        {"\xFF\xFE", "\"" R R "\""},
        {"\xC3", "\"" R "\""},
        {"\xE2\x82", "\"" R R "\""},
        {"\xF0\x9F\x92", "\"" R R R "\""},
        {"\xC3\"", "\"" R "\\\"\""}, /* a broken sequence swallows no quote */
        {"a\xE2(\xA1"
         "b",
         "\"a" R "(" R "b\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char buf[64];
        assert_string_equal(written(buf, sizeof buf, fk_bytes_str(rows[i].value)), rows[i].json);
    }
}

static void document(struct fk_writer *w) {
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_object(&j, "empty");
    fk_json_object_end(&j);
    fk_json_array(&j, "none");
    fk_json_array_end(&j);
    fk_json_array(&j, "list");
    fk_json_str(&j, NULL, "a\"b");
    fk_json_i64(&j, NULL, INT64_MIN);
    fk_json_bool(&j, NULL, true);
    fk_json_object(&j, NULL);
    fk_json_bool(&j, "no", false);
    fk_json_object_end(&j);
    fk_json_array(&j, NULL);
    fk_json_array_end(&j);
    fk_json_array_end(&j);
    fk_json_member(&j, fk_bytes_str("la\\bel"), fk_bytes_str("\xC3\xA4\xFF"));
    fk_json_bytes(&j, "bytes", fk_bytes(NULL, 0));
    fk_json_time(&j, "t", 1782909296000001);
    fk_json_micro_time(&j, "m", 1782909296000001);
    fk_json_text(&j, "text");
    fk_put_str(j.w, "v");
    fk_put_u64(j.w, 7);
    fk_json_text_part(&j, "\"");
    fk_json_text_end(&j);
    fk_json_i64(&j, "last", 0);
    fk_json_object_end(&j);
}
static const char json[] =
    "{\"empty\":{},\"none\":[],\"list\":[\"a\\\"b\",-9223372036854775808,true,{\"no\":false},[]],"
    "\"la\\\\bel\":\"\xC3\xA4" R "\",\"bytes\":\"\",\"t\":\"2026-07-01T12:34:56Z\","
    "\"m\":\"2026-07-01T12:34:56.000001Z\",\"text\":\"v7\\\"\",\"last\":0}";
#define LEN (sizeof json - 1)

static void a_whole_document(void **state) {
    (void)state;
    char buf[LEN + 1];
    struct fk_writer w;
    fk_writer_init(&w, buf, sizeof buf);
    document(&w);
    assert_int_equal(fk_writer_finish(&w), 0);
    assert_string_equal(buf, json);
}

static void one_byte_short(void **state) {
    (void)state;
    for (size_t cap = 0; cap < LEN; cap++) {
        struct guard g = guard_new(cap);
        struct fk_writer w;
        fk_writer_init(&w, (char *)g.p, cap);
        document(&w);
        assert_int_equal(w.err, FK_E_NOMEM);
        assert_memory_equal(g.p, json, cap);
        guard_free(&g);
    }
}

/* Sent in pieces of any size, the document is the same. */
static void pieces_make_the_whole(void **state) {
    (void)state;
    for (size_t cap = 1; cap <= LEN + 1; cap++) {
        char all[LEN + 1] = {0};
        struct guard g = guard_new(cap);
        size_t sent = 0;
        for (struct fk_writer w = {.len = 1}; sent < w.len;) {
            fk_writer_window(&w, (char *)g.p, cap, sent);
            document(&w);
            const size_t kept = fk_writer_kept(&w);
            assert_true(kept > 0 && sent + kept <= LEN);
            memcpy(all + sent, g.p, kept);
            sent += kept;
        }
        assert_string_equal(all, json);
        guard_free(&g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ascii_byte),      cmocka_unit_test(utf8),
        cmocka_unit_test(a_whole_document),      cmocka_unit_test(one_byte_short),
        cmocka_unit_test(pieces_make_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
