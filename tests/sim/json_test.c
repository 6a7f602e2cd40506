/* The simulator's JSON: what it takes, what it refuses, how it merges. */
#include "sim/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sim_json *parse(const char *text) {
    const char *why = NULL;
    struct sim_json *v = sim_json_parse(fk_bytes_str(text), &why);
    assert_true((v == NULL) == (why != NULL));
    return v;
}

static void documents_are_taken_or_refused(void **state) {
    (void)state;
    static const char *const fine[] = {
        "{}",
        " [ ] ",
        "0",
        "-1.5e+3",
        "\"\\u00e9\\ud83d\\ude00\"",
        "{\"a\":{\"a\":[1,null,true]}}",
        "\"\xC3\xA9\"",
        "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
    };
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "}",
        "{}x",
        "{\"a\":1,}",
        "[1,]",
        "[1 2]",
        "{a:1}",
        "{\"a\" 1}",
        "01",
        "1.",
        "-",
        ".5",
        "1e",
        "+1",
        "tru",
        "nullx",
        "\"",
        "\"\\x\"",
        "\"\n\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\xC3\"",
        "\"\xC0\x80\"",
        "\"\xED\xA0\x80\"",
        "{\"a\":1,\"a\":2}",
        "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
        "\"\\u0000\"",
        "{\"a\":1,\"\\u0061\":2}",
    };
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        struct sim_json *v = parse(fine[i]);
        if (v == NULL) fail_msg("refused: %s", fine[i]);
        sim_json_free(v);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (parse(wrong[i]) != NULL) fail_msg("taken: %s", wrong[i]);
}

static void patches_are_merged(void **state) {
    (void)state;
    static const struct {
        bool strategic;
        const char *target, *patch, *result;
    } rows[] = {
        {false, "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {false, "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"b\":\"c\",\"a\":\"b\"}"},
        {false, "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {false, "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {false, "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
         "{\"a\":{\"b\":\"d\"}}"},
        {false, "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {false, "{\"a\":[{\"b\":1}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {true, "{\"conditions\":[{\"type\":\"A\",\"x\":1},{\"type\":\"B\"}]}",
         "{\"conditions\":[{\"type\":\"A\",\"y\":2},{\"type\":\"C\"}]}",
         "{\"conditions\":[{\"type\":\"A\",\"x\":1,\"y\":2},{\"type\":\"B\"},{\"type\":\"C\"}]}"},
        {true, "{\"addresses\":[{\"type\":\"A\"},{\"type\":\"B\"}]}",
         "{\"addresses\":[{\"$patch\":\"replace\"},{\"type\":\"C\"}]}",
         "{\"addresses\":[{\"type\":\"C\"}]}"},
        {true, "{\"conditions\":[{\"type\":\"A\"},{\"type\":\"B\"}]}",
         "{\"conditions\":[{\"$patch\":\"delete\",\"type\":\"A\"}]}",
         "{\"conditions\":[{\"type\":\"B\"}]}"},
        {true, "{\"taints\":[1,2]}", "{\"taints\":[3]}", "{\"taints\":[3]}"},
        {true, "{\"m\":{\"a\":1}}", "{\"m\":{\"$patch\":\"replace\",\"b\":2}}",
         "{\"m\":{\"b\":2}}"},
        {true, "{\"m\":{\"a\":1}}", "{\"m\":{\"a\":null,\"b\":2}}", "{\"m\":{\"b\":2}}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sim_json *target = parse(rows[i].target);
        struct sim_json *patch = parse(rows[i].patch);
        struct sim_json *result = parse(rows[i].result);
        if (rows[i].strategic) sim_json_strategic(target, patch);
        else sim_json_merge(target, patch);
        if (!sim_json_equal(target, result)) fail_msg("%s onto %s", rows[i].patch, rows[i].target);
        sim_json_free(target);
        sim_json_free(patch);
        sim_json_free(result);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_taken_or_refused),
        cmocka_unit_test(patches_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
