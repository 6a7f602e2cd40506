/* Metrics as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire/prometheus.h"

static char text[2048];
static struct fk_writer w;
static struct fk_prom p;

static void begin(void) {
    fk_writer_init(&w, text, sizeof text);
    fk_prom_init(&p, &w);
}

static void expect(const char *want) {
    assert_int_equal(fk_writer_finish(&w), 0);
    assert_string_equal(text, want);
}

static void families(void **state) {
    (void)state;
    begin();
    fk_prom_counter(&p, "a_total", "Some a.");
    fk_prom_u64(&p, 3);
    fk_prom_gauge(&p, "b", "Some b.");
    fk_prom_label(&p, "x", "1");
    fk_prom_u64(&p, 0);
    fk_prom_label(&p, "x", "2");
    fk_prom_label(&p, "y", "");
    fk_prom_u64(&p, UINT64_MAX);
    expect("# HELP a_total Some a.\n# TYPE a_total counter\na_total 3\n"
           "# HELP b Some b.\n# TYPE b gauge\nb{x=\"1\"} 0\n"
           "b{x=\"2\",y=\"\"} 18446744073709551615\n");
}

static void timestamps(void **state) {
    (void)state;
    begin();
    fk_prom_again(&p, "a");
    p.at_ms = INT64_C(1781870400123);
    fk_prom_u64(&p, 1);
    fk_prom_label(&p, "x", "y");
    fk_prom_decimal(&p, 1, 3);
    p.at_ms = 0;
    fk_prom_u64(&p, 2);
    expect("a 1 1781870400123\na{x=\"y\"} 0.001 1781870400123\na 2\n");
}

static void integers(void **state) {
    (void)state;
    static const uint64_t values[] = {0,
                                      9,
                                      10,
                                      999999999,
                                      1000000000,
                                      UINT32_MAX,
                                      UINT64_C(1) + UINT32_MAX,
                                      UINT64_C(999999999999999999),
                                      UINT64_C(1000000000000000000),
                                      UINT64_C(10000000000000000001),
                                      UINT64_C(18000000000000000000),
                                      UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char want[40];
        (void)snprintf(want, sizeof want, "a %llu\n", (unsigned long long)values[i]);
        begin();
        fk_prom_again(&p, "a");
        fk_prom_u64(&p, values[i]);
        expect(want);
    }
}

static void decimals(void **state) {
    (void)state;
    static const struct {
        uint64_t value;
        unsigned digits;
        const char *want;
    } rows[] = {
        {0, 0, "a 0\n"},
        {0, 3, "a 0\n"},
        {1, 3, "a 0.001\n"},
        {10, 3, "a 0.01\n"},
        {100, 3, "a 0.1\n"},
        {999, 3, "a 0.999\n"},
        {1000, 3, "a 1\n"},
        {1001, 3, "a 1.001\n"},
        {1500000, 6, "a 1.5\n"},
        {1, 9, "a 0.000000001\n"},
        {UINT32_MAX, 6, "a 4294.967295\n"},
        {UINT64_C(1) + UINT32_MAX, 6, "a 4294.967296\n"},
        {UINT64_MAX, 9, "a 18446744073.709551615\n"},
        {UINT64_MAX, 6, "a 18446744073709.551615\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        fk_prom_again(&p, "a");
        fk_prom_decimal(&p, rows[i].value, rows[i].digits);
        expect(rows[i].want);
    }
}

/* Every byte as a label's value: one line, and what Prometheus reads is what was meant or a ?. */
static void escapes(void **state) {
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t byte = (uint8_t)c;
        char want[16];
        begin();
        fk_prom_again(&p, "a");
        fk_prom_label_bytes(&p, "x", fk_bytes(&byte, 1));
        fk_prom_u64(&p, 1);
        if (c == '\n') (void)snprintf(want, sizeof want, "a{x=\"\\n\"} 1\n");
        else if (c == '"' || c == '\\')
            (void)snprintf(want, sizeof want, "a{x=\"\\%c\"} 1\n", (int)c);
        else if (c < 0x20 || c > 0x7e) (void)snprintf(want, sizeof want, "a{x=\"?\"} 1\n");
        else (void)snprintf(want, sizeof want, "a{x=\"%c\"} 1\n", (int)c);
        expect(want);
    }
    begin();
    fk_prom_again(&p, "a");
    fk_prom_label(&p, "x", "say \"no\"\\\n\xC3\xBC!");
    fk_prom_u64(&p, 1);
    expect("a{x=\"say \\\"no\\\"\\\\\\n\?\?!\"} 1\n");
}

static const uint32_t bounds[FK_HISTOGRAM_BOUNDS] = {1, 10, 100, 1000, 2500, 10000};

static void histograms(void **state) {
    (void)state;
    struct fk_histogram h = {0};
    fk_histogram_add(&h, bounds, 5);
    fk_histogram_add(&h, bounds, 2000);
    fk_histogram_add(&h, bounds, 20000);
    begin();
    fk_prom_histogram(&p, "d_seconds", "Time.");
    fk_prom_buckets(&p, &h, bounds, 3, NULL, NULL);
    expect("# HELP d_seconds Time.\n# TYPE d_seconds histogram\n"
           "d_seconds_bucket{le=\"0.001\"} 0\n"
           "d_seconds_bucket{le=\"0.01\"} 1\n"
           "d_seconds_bucket{le=\"0.1\"} 1\n"
           "d_seconds_bucket{le=\"1\"} 1\n"
           "d_seconds_bucket{le=\"2.5\"} 2\n"
           "d_seconds_bucket{le=\"10\"} 2\n"
           "d_seconds_bucket{le=\"+Inf\"} 3\n"
           "d_seconds_sum 22.005\n"
           "d_seconds_count 3\n");
    begin();
    fk_prom_again(&p, "d");
    fk_prom_buckets(&p, &h, bounds, 0, "verb", "GET");
    expect("d_bucket{verb=\"GET\",le=\"1\"} 0\n"
           "d_bucket{verb=\"GET\",le=\"10\"} 1\n"
           "d_bucket{verb=\"GET\",le=\"100\"} 1\n"
           "d_bucket{verb=\"GET\",le=\"1000\"} 1\n"
           "d_bucket{verb=\"GET\",le=\"2500\"} 2\n"
           "d_bucket{verb=\"GET\",le=\"10000\"} 2\n"
           "d_bucket{verb=\"GET\",le=\"+Inf\"} 3\n"
           "d_sum{verb=\"GET\"} 22005\n"
           "d_count{verb=\"GET\"} 3\n");
}

/* A writer that is too short latches, and gets nothing past its end. */
static void too_short(void **state) {
    (void)state;
    const struct fk_histogram h = {.sum = 1, .counts = {1}};
    begin();
    fk_prom_histogram(&p, "d", "Time.");
    fk_prom_buckets(&p, &h, bounds, 3, "verb", "GET");
    const size_t len = w.len;
    for (size_t cap = 0; cap < len; cap++) {
        fk_writer_init(&w, text, cap);
        fk_prom_init(&p, &w);
        text[cap] = 'x';
        fk_prom_histogram(&p, "d", "Time.");
        fk_prom_buckets(&p, &h, bounds, 3, "verb", "GET");
        assert_int_not_equal(w.err, 0);
        assert_int_equal(text[cap], 'x');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families),  cmocka_unit_test(timestamps), cmocka_unit_test(integers),
        cmocka_unit_test(decimals),  cmocka_unit_test(escapes),    cmocka_unit_test(histograms),
        cmocka_unit_test(too_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
