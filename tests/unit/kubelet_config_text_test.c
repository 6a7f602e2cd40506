/* Lists as people type them: "[a][=][1]" shows the parts, "!" what is refused. */
#include "kubelet/config_text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/writer.h"
#include "support/guard.h"

struct row {
    const char *text, *wanted;
};

static void put_parts(struct fk_writer *w, const struct fk_bytes *parts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        fk_put_char(w, i == 0 ? '(' : '|');
        fk_put(w, parts[i].p, parts[i].len);
    }
    fk_put_char(w, ')');
}

/* Against an unreadable page: nothing behind the list is looked at. */
static void expect_list(const struct row *row, size_t count) {
    char text[256];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    struct guard g = guard_copy(fk_bytes_str(row->text));
    struct fk_bytes list = guard_bytes(&g), item, parts[3];
    while (fk_config_text_item(&list, &item)) {
        const int err =
            count == 2 ? fk_config_text_pair(item, parts) : fk_config_text_taint(item, parts);
        if (err == 0) put_parts(&w, parts, count);
        if (err == FK_E_PARSE) fk_put_char(&w, '!');
    }
    assert_int_equal(fk_writer_finish(&w), 0);
    guard_free(&g);
    if (strcmp(text, row->wanted) != 0) fail_msg("\"%s\": %s", row->text, text);
}

static void pairs(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {" , ,\t,", ""},
        {"a=1", "(a|1)"},
        {"a=1,b=", "(a|1)(b|)"},
        {" a = 1 ,\tb=2\t,", "(a|1)(b|2)"},
        {"c=3=4", "(c|3=4)"},
        {"a", "!"},
        {"=1", "!"},
        {" =1,b=2", "!(b|2)"},
        {"a=1 b=2", "(a|1 b=2)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) expect_list(&rows[i], 2);
}

static void taints(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"x=y:NoExecute,z:NoSchedule", "(x|y|NoExecute)(z||NoSchedule)"},
        {"x=:E", "(x||E)"},
        {"x:E:F", "(x||E:F)"},
        {"x=y=z:E", "(x|y=z|E)"},
        {"x:E=y", "(x||E=y)"},
        {"x=y", "!"},
        {"x:", "!"},
        {":E", "!"},
        {"=y:E", "!"},
        {" x:E ,", "(x||E)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) expect_list(&rows[i], 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(taints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
