/* The tokens that nghttp2 gives to names of headers, since our patch searches them in HPACK's
 * static table (third_party/patches).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <nghttp2_hd.h>

/* Reads one header of a block; the name it has, and its token. */
static nghttp2_hd_nv read_header(nghttp2_hd_inflater *inflater, const uint8_t *block, size_t len) {
    nghttp2_hd_nv header = {0};
    int flags = 0;
    assert_int_equal(nghttp2_hd_inflate_hd_nv(inflater, &header, &flags, block, len, 1), len);
    assert_true(flags & NGHTTP2_HD_INFLATE_EMIT);
    return header;
}

static void assert_token(const char *name, size_t len, int32_t token) {
    /* Literal, never indexed, both strings as they are, the value empty */
    uint8_t block[64] = {0x10, (uint8_t)len};
    nghttp2_hd_inflater *inflater = NULL;
    assert_true(len > 0 && len + 3 <= sizeof block);
    memcpy(block + 2, name, len);
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    const nghttp2_hd_nv header = read_header(inflater, block, len + 3);
    assert_memory_equal(header.name->base, name, len);
    assert_int_equal(header.token, token);
    nghttp2_hd_inflate_del(inflater);
}

/* The name has the token, and no name that is nearly it has one. */
static void assert_token_of_only(const char *name, int32_t token) {
    char other[64];
    const size_t len = strlen(name);
    assert_token(name, len, token);
    for (size_t i = 0; i < len; i++) {
        memcpy(other, name, len);
        other[i] = '~';
        assert_token(other, len, -1);
    }
    memcpy(other, name, len);
    other[len] = '~';
    assert_token(other, len + 1, -1);
}

static void a_token_is_the_first_place_of_its_name(void **state) {
    (void)state;
    char before[64] = "";
    int32_t token = -1;
    for (uint8_t place = 0; place < NGHTTP2_STATIC_TABLE_LENGTH; place++) {
        const uint8_t block[1] = {(uint8_t)(0x80U | (place + 1U))};
        nghttp2_hd_inflater *inflater = NULL;
        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        const nghttp2_hd_nv header = read_header(inflater, block, 1);
        const char *name = (const char *)header.name->base;
        if (strcmp(name, before) != 0) token = place; /* the same names are neighbours */
        assert_true(header.name->len < sizeof before);
        (void)strcpy(before, name);
        assert_int_equal(header.token, token);
        nghttp2_hd_inflate_del(inflater);
        assert_token_of_only(before, token);
    }
    assert_int_equal(token, NGHTTP2_TOKEN_WWW_AUTHENTICATE);
}

static void seven_names_are_tokens_without_a_place(void **state) {
    (void)state;
    assert_token_of_only("te", NGHTTP2_TOKEN_TE);
    assert_token_of_only("connection", NGHTTP2_TOKEN_CONNECTION);
    assert_token_of_only("keep-alive", NGHTTP2_TOKEN_KEEP_ALIVE);
    assert_token_of_only("proxy-connection", NGHTTP2_TOKEN_PROXY_CONNECTION);
    assert_token_of_only("upgrade", NGHTTP2_TOKEN_UPGRADE);
    assert_token_of_only(":protocol", NGHTTP2_TOKEN__PROTOCOL);
    assert_token_of_only("priority", NGHTTP2_TOKEN_PRIORITY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_the_first_place_of_its_name),
        cmocka_unit_test(seven_names_are_tokens_without_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
