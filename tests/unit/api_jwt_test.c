/* When tokens say that they expire: claims, and the answer. */
#include "api/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/guard.h"

/* Head and signature, claims in between as RFC 7515 §2 encodes them: no padding. */
static size_t encode(char *out, const char *claims) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = (size_t)sprintf(out, "eyJhbGciOiJSUzI1NiJ9.");
    unsigned bits = 0, count = 0;
    for (; *claims != '\0'; claims++) {
        bits = bits << 8 | (unsigned char)*claims;
        for (count += 8; count >= 6; count -= 6) out[len++] = letters[bits >> (count - 6) & 63u];
        bits &= (1u << count) - 1;
    }
    if (count > 0) out[len++] = letters[bits << (6 - count) & 63u];
    return len + (size_t)sprintf(out + len, ".c2ln");
}

static int64_t expiry_of(const char *claims) {
    char token[1024];
    const struct fk_bytes bytes = fk_bytes(token, encode(token, claims));
    struct guard g = guard_copy(bytes);
    const int64_t expiry = fk_jwt_expiry(guard_bytes(&g));
    guard_free(&g);
    return expiry;
}

static void claims_say_it(void **state) {
    (void)state;
    static const struct {
        const char *claims;
        int64_t expected;
    } rows[] = {
        {"{\"exp\":1795290661}", 1795290661},
        {"{\"exp\":1795290661,\"iat\":1}", 1795290661},
        {"{ \"iat\" : 1 ,\n\"exp\" :\t1795290661 }", 1795290661},
        {"{\"aud\":[\"https://kubernetes.default.svc.cluster.local\"],\"exp\":1795290661,"
         "\"iat\":1795290061,\"kubernetes.io\":{\"namespace\":\"default\"},\"sub\":\"x\"}",
         1795290661},
        {"{\"kubernetes.io\":{\"pod\":{\"exp\":1}},\"exp\":5}", 5},
        {"{\"exp\":7,\"exp\":6,\"exp\":8}", 6}, /* the soonest */
        {"{\"exp\":0}", 0},
        {"{\"exp\":12.75}", 12},
        {"{\"exp\":1e9}", 1},
        {"{\"exp\":253402300799}", INT64_C(253402300799)},
        {"{\"exp\":253402300800}", -1},
        {"{\"exp\":99999999999999999999999999999999}", -1},
        {"{\"exp\":-5}", -1},
        {"{\"exp\":\"5\"}", -1},
        {"{\"exp\":null}", -1},
        {"{\"exp\":[5]}", -1},
        {"{\"exp\":{\"exp\":5}}", -1},
        {"[\"exp\",5]", -1},
        {"{\"sub\":\"exp\",\"x\":5}", -1},
        {"{\"sub\":\"\\\"exp\\\":5\"}", -1},
        {"{\"sub\":\"a\\\\\",\"exp\":5}", 5},
        {"{\"ex\":5}", -1},
        {"{\"exp2\":5}", -1},
        {"{\"\\u0065xp\":5}", -1}, /* nobody writes it so; it is kept for its usual time */
        {"{\"nexp\":5}", -1},
        {"{}", -1},
        {"", -1},
        {"}}}}{\"exp\":5}", 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(expiry_of(rows[i].claims) == rows[i].expected);
}

/* Whatever the length, so whatever remains of the last letters. */
static void at_every_length(void **state) {
    (void)state;
    char claims[64];
    for (int pad = 0; pad < 8; pad++) {
        (void)snprintf(claims, sizeof claims, "{\"a\":\"%.*s\",\"exp\":1795290661}", pad,
                       "xxxxxxxx");
        assert_true(expiry_of(claims) == 1795290661);
    }
}

static void other_tokens_say_nothing(void **state) {
    (void)state;
    static const char *const rows[] = {
        "",        ".",     "..",   "...",   "abc",
        "a.b",     "a.!.c", "a.=.", ".e30.", "07401b.f395accd246ae52d",
        "a.e30=.b"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(fk_jwt_expiry(fk_bytes_str(rows[i])) == -1);
    assert_true(fk_jwt_expiry(fk_bytes(NULL, 0)) == -1);
}

static void cut_anywhere(void **state) {
    (void)state;
    char token[256];
    const size_t len = encode(token, "{\"exp\":1795290661}");
    const size_t signature = strlen(".c2ln");
    for (size_t cut = 0; cut < len; cut++) {
        struct guard g = guard_copy(fk_bytes(token, cut));
        const bool whole = cut > len - signature; /* the second dot is there */
        assert_true(fk_jwt_expiry(guard_bytes(&g)) == (whole ? 1795290661 : -1));
        guard_free(&g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_say_it),
        cmocka_unit_test(at_every_length),
        cmocka_unit_test(other_tokens_say_nothing),
        cmocka_unit_test(cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
