/* PEM as it is pasted: found, decoded, and refused with the right sentence. */
#include "firmware/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/guard.h"

#define NOT_BASE64 "not base64"
#define NO_END "no END line"
#define LENGTH "bytes are missing or too many"
#define ENCRYPTED "encrypted"

#define CERT(base64) "-----BEGIN CERTIFICATE-----\n" base64 "\n-----END CERTIFICATE-----\n"
#define KEY(label, base64) "-----BEGIN " label "-----\n" base64 "\n-----END " label "-----\n"

struct result {
    uint8_t der[1024];
    size_t len;
    int err;
    struct fk_pem pem;
};

/* Each line in a page of its own, that ends where the line does. */
static void one_line(struct result *r, const char *text, size_t len) {
    struct guard g = guard_copy(fk_bytes(text, len));
    const int got = fk_pem_line(&r->pem, (char *)g.p, len);
    if (got < 0) {
        r->err = got;
    } else {
        assert_true((size_t)got <= len && r->len + (size_t)got <= sizeof r->der);
        memcpy(r->der + r->len, g.p, (size_t)got);
        r->len += (size_t)got;
    }
    guard_free(&g);
}

static struct result read_lines(const char *text, size_t len, enum fk_pem_wanted wanted) {
    struct result r = {0};
    fk_pem_begin(&r.pem, wanted);
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        const size_t line_len = end == NULL ? len : (size_t)(end - text);
        one_line(&r, text, line_len);
        const size_t taken = end == NULL ? len : line_len + 1;
        text += taken;
        len -= taken;
    }
    const int err = fk_pem_end(&r.pem);
    if (r.err != 0) assert_int_equal(err, r.err);
    r.err = err;
    return r;
}

struct row {
    const char *text;
    enum fk_pem_wanted wanted;
    const char *der;     /* hexadecimal, NULL when refused */
    const char *problem; /* a part of it */
    unsigned line;       /* where it was noticed */
};

static const struct row rows[] = {
    /* What is taken. 30 01 00 needs no padding, 30 02 00 00 two '=', 30 03 00 00 00 one. */
    {CERT("MAEA"), FK_PEM_CERTIFICATES, "300100", NULL, 0},
    {CERT("MAIAAA=="), FK_PEM_CERTIFICATES, "30020000", NULL, 0},
    {CERT("MAMAAAA="), FK_PEM_CERTIFICATES, "3003000000", NULL, 0},
    {CERT("MAP//78="), FK_PEM_CERTIFICATES, "3003ffffbf", NULL, 0},
    {CERT("MAMA\nAAA="), FK_PEM_CERTIFICATES, "3003000000", NULL, 0},
    {CERT("M\nA\nM\nA\nA\nA\nA\n="), FK_PEM_CERTIFICATES, "3003000000", NULL, 0},
    {CERT("") CERT("MAEA"), FK_PEM_CERTIFICATES, NULL, LENGTH, 3},
    {CERT("MAA=") CERT("MAEA"), FK_PEM_CERTIFICATES, "3000300100", NULL, 0},
    {"# an authority\n\n" CERT("MAA=") "\nanother: one\n" CERT("MAEA") "the end\n",
     FK_PEM_CERTIFICATES, "3000300100", NULL, 0},
    {"  -----BEGIN CERTIFICATE-----  \n   MA EA \n\n  -----END CERTIFICATE-----",
     FK_PEM_CERTIFICATES, "300100", NULL, 0},
    {KEY("PRIVATE KEY", "MAEA"), FK_PEM_KEY, "300100", NULL, 0},
    {KEY("EC PRIVATE KEY", "MAEA"), FK_PEM_KEY, "300100", NULL, 0},
    {KEY("RSA PRIVATE KEY", "MAEA"), FK_PEM_KEY, "300100", NULL, 0},
    {KEY("EC PARAMETERS", "BggqhkjOPQMBBw==") KEY("EC PRIVATE KEY", "MAEA"), FK_PEM_KEY, "300100",
     NULL, 0},
    /* A file with both, as kubelets keep it, serves for both. */
    {CERT("MAA=") KEY("PRIVATE KEY", "MAEA"), FK_PEM_KEY, "300100", NULL, 0},
    {CERT("MAA=") KEY("PRIVATE KEY", "MAEA"), FK_PEM_CERTIFICATES, "3000", NULL, 0},
    {KEY("ENCRYPTED PRIVATE KEY", "?") CERT("MAA="), FK_PEM_CERTIFICATES, "3000", NULL, 0},

    /* What is not. */
    {"", FK_PEM_CERTIFICATES, NULL, "-----BEGIN CERTIFICATE-----", 0},
    {"", FK_PEM_KEY, NULL, "-----BEGIN PRIVATE KEY-----", 0},
    {CERT("MAEA"), FK_PEM_KEY, NULL, "no private key", 3},
    {KEY("PUBLIC KEY", "MAEA"), FK_PEM_KEY, NULL, "no private key", 3},
    {KEY("PRIVATE KEY", "MAEA"), FK_PEM_CERTIFICATES, NULL, "no certificate", 3},
    {KEY("TRUSTED CERTIFICATE", "MAEA"), FK_PEM_CERTIFICATES, NULL, "no certificate", 3},
    {"-----BEGIN CERTIFICATE----\nMAEA\n-----END CERTIFICATE-----\n", FK_PEM_CERTIFICATES, NULL,
     "no certificate", 3},
    {KEY("ENCRYPTED PRIVATE KEY", "MAEA"), FK_PEM_KEY, NULL, ENCRYPTED, 1},
    {KEY("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nMAEA"), FK_PEM_KEY, NULL,
     ENCRYPTED, 2},
    {KEY("PRIVATE KEY", "MAEA") KEY("EC PRIVATE KEY", "MAEA"), FK_PEM_KEY, NULL, "more than one",
     4},
    {CERT("MA$A"), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("MA-A"), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("MA\x80"), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("="), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("M="), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("MAEA="), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("MAIAAA=\n="), FK_PEM_CERTIFICATES, "30020000", NULL, 0},
    {CERT("MAIAAA=="), FK_PEM_CERTIFICATES, "30020000", NULL, 0},
    {CERT("MAIAAA==="), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("MAIAAA=\nA"), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 3},
    {CERT("MAMAAAA==\n"), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("MAA=MAA="), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("MAIAAB=="), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2}, /* bits left over */
    {CERT("MAMAAAB="), FK_PEM_CERTIFICATES, NULL, NOT_BASE64, 2},
    {CERT("MAIAAA="), FK_PEM_CERTIFICATES, NULL, LENGTH, 3},
    {CERT("MAIAAA"), FK_PEM_CERTIFICATES, NULL, LENGTH, 3},
    {CERT("MAMAAA"), FK_PEM_CERTIFICATES, NULL, LENGTH, 3},
    {CERT("MAIA"), FK_PEM_CERTIFICATES, NULL, LENGTH, 3},
    {CERT("MAEAAA=="), FK_PEM_CERTIFICATES, NULL, LENGTH, 3},
    {CERT("MA=="), FK_PEM_CERTIFICATES, NULL, LENGTH, 3},
    {CERT("MQEA"), FK_PEM_CERTIFICATES, NULL, LENGTH, 2}, /* 31: not a SEQUENCE */
    {CERT("MIAA"), FK_PEM_CERTIFICATES, NULL, LENGTH, 2}, /* 30 80: of no stated length */
    {CERT("MIMA"), FK_PEM_CERTIFICATES, NULL, LENGTH, 2}, /* 30 83: 64 KB and more */
    {"-----BEGIN CERTIFICATE-----\nMAEA\n", FK_PEM_CERTIFICATES, NULL, NO_END, 2},
    {"-----BEGIN CERTIFICATE-----\nMAEA\n" CERT("MAEA"), FK_PEM_CERTIFICATES, NULL, NO_END, 3},
    {CERT("MAEA") "-----BEGIN CERTIFICATE-----\n", FK_PEM_CERTIFICATES, NULL, NO_END, 4},
};
#define ROWS (sizeof rows / sizeof rows[0])

static void assert_der(const struct result *r, const char *hex) {
    char text[2 * sizeof r->der + 1] = "";
    for (size_t i = 0; i < r->len; i++) (void)snprintf(text + 2 * i, 3, "%02x", r->der[i]);
    assert_string_equal(text, hex);
}

static void each_row(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        const struct result r = read_lines(row->text, strlen(row->text), row->wanted);
        if ((row->der == NULL) != (r.err != 0)) print_message("%s", row->text);
        if (row->der != NULL) {
            assert_null(fk_pem_problem(&r.pem));
            assert_int_equal(r.err, 0);
            assert_der(&r, row->der);
        } else {
            assert_int_equal(r.err, FK_E_PARSE);
            assert_non_null(strstr(fk_pem_problem(&r.pem), row->problem));
            assert_int_equal(r.pem.bad_line, row->line);
        }
    }
}

/* The length in one, two and three bytes, at the edges of each. */
static void lengths(void **state) {
    (void)state;
    static const struct {
        uint8_t head[4];
        size_t head_len, body_len;
    } shapes[] = {
        {{0x30, 0x00}, 2, 0},
        {{0x30, 0x7e}, 2, 126},
        {{0x30, 0x7f}, 2, 127},
        {{0x30, 0x81, 0x80}, 3, 128},
        {{0x30, 0x81, 0xff}, 3, 255},
        {{0x30, 0x82, 0x01, 0x00}, 4, 256},
        {{0x30, 0x82, 0x02, 0x01}, 4, 513},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int off = -1; off <= 1; off++) {
            static const char alphabet[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            uint8_t der[600] = {0};
            memcpy(der, shapes[i].head, shapes[i].head_len);
            const size_t whole = shapes[i].head_len + shapes[i].body_len;
            const size_t len = (size_t)((int)whole + off);
            char base64[1024] = "";
            size_t at = 0;
            for (size_t b = 0; b < len; b += 3) {
                const uint32_t bits =
                    (uint32_t)der[b] << 16 | (uint32_t)der[b + 1] << 8 | der[b + 2];
                for (size_t k = 0; k < 4; k++)
                    base64[at++] = b + k > len ? '=' : alphabet[bits >> (18 - 6 * k) & 63];
            }
            struct result r = {0};
            fk_pem_begin(&r.pem, FK_PEM_CERTIFICATES);
            one_line(&r, "-----BEGIN CERTIFICATE-----", 27);
            one_line(&r, base64, at);
            one_line(&r, "-----END CERTIFICATE-----", 25);
            assert_int_equal(fk_pem_end(&r.pem), off == 0 ? 0 : FK_E_PARSE);
            if (off == 0) assert_int_equal(r.len, whole);
        }
    }
}

/* Longer than any length can say. */
static void no_end(void **state) {
    (void)state;
    struct fk_pem p;
    fk_pem_begin(&p, FK_PEM_CERTIFICATES);
    char begin[] = "-----BEGIN CERTIFICATE-----";
    assert_int_equal(fk_pem_line(&p, begin, 27), 0);
    size_t len = 0;
    for (int got = 0; got >= 0; len += (size_t)(got > 0 ? got : 0)) {
        char line[] = "MDAwMDAw"; /* each byte might begin one */
        got = fk_pem_line(&p, line, 8);
        assert_true(len <= UINT16_MAX);
    }
    assert_int_equal(len / 6, UINT16_MAX / 6);
    assert_int_equal(fk_pem_end(&p), FK_E_PARSE);
}

/* Cut anywhere, a text is refused, or what was left out did not matter. */
static void every_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t len = 0; len < strlen(rows[i].text); len++) {
            const struct result r = read_lines(rows[i].text, len, rows[i].wanted);
            if (r.err == 0) assert_true(r.len >= 2 && r.pem.blocks > 0);
            else assert_true(r.err == FK_E_PARSE && fk_pem_problem(&r.pem) != NULL);
        }
    }
}

/* Once refused it stays refused, and no bits of a key are left in it. */
static void stays_refused(void **state) {
    (void)state;
    struct result r = {0};
    fk_pem_begin(&r.pem, FK_PEM_KEY);
    one_line(&r, "-----BEGIN PRIVATE KEY-----", 27);
    one_line(&r, "MAP//", 5);
    assert_true(r.pem.bits != 0);
    one_line(&r, "!", 1);
    assert_int_equal(r.pem.bits, 0);
    one_line(&r, "-----BEGIN PRIVATE KEY-----", 27);
    assert_int_equal(r.err, FK_E_PARSE);
    assert_int_equal(r.pem.bad_line, 3);
    assert_int_equal(r.pem.line, 4);
    struct result good = read_lines(KEY("PRIVATE KEY", "MAP//78="), 64, FK_PEM_KEY);
    assert_int_equal(good.pem.bits, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),  cmocka_unit_test(lengths),       cmocka_unit_test(no_end),
        cmocka_unit_test(every_cut), cmocka_unit_test(stays_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
