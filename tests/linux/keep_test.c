/* What outlives the process: whole or not at all. */
#include "linux/keep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"

static char said[256];

static void emit(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    (void)ctx;
    (void)level;
    (void)count;
    (void)snprintf(said, sizeof said, "%s: %s", message, kvs[0].str);
}

static const struct fk_log logger = {.level = FK_DEBUG, .emit = emit};

static int make_folder(void **state) {
    static char dir[] = "/tmp/fk-keep-XXXXXX";
    (void)memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    *state = mkdtemp(dir);
    return *state == NULL;
}

static int remove_folder(void **state) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/" FK_KEEP_FILE, (const char *)*state);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/" FK_KEEP_FILE ".part", (const char *)*state);
    (void)rmdir(path);
    (void)unlink(path);
    return rmdir(*state);
}

static void nothing_at_first(void **state) {
    char buf[8];
    assert_int_equal(fk_keep_read(*state, buf, sizeof buf, &logger), 0);
}

static void the_last_one_counts(void **state) {
    char buf[64];
    assert_int_equal(fk_keep_write(*state, "first one", 9, &logger), 0);
    assert_int_equal(fk_keep_write(*state, "second", 6, &logger), 0);
    assert_int_equal(fk_keep_read(*state, buf, sizeof buf, &logger), 6);
    assert_memory_equal(buf, "second", 6);
    assert_int_equal(fk_keep_read(*state, buf, 3, &logger), 3);
}

static void others_cannot_read_it(void **state) {
    char path[256];
    struct stat file;
    assert_int_equal(fk_keep_write(*state, "x", 1, &logger), 0);
    (void)snprintf(path, sizeof path, "%s/" FK_KEEP_FILE, (const char *)*state);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

/* Where the new one cannot be written, the old one stays, and the log says which file. */
static void what_fails_leaves_the_former_one(void **state) {
    char path[256], buf[8];
    assert_int_equal(fk_keep_write(*state, "old", 3, &logger), 0);
    (void)snprintf(path, sizeof path, "%s/" FK_KEEP_FILE ".part", (const char *)*state);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(fk_keep_write(*state, "new", 3, &logger), FK_E_RANGE);
    assert_non_null(strstr(said, path));
    assert_int_equal(fk_keep_read(*state, buf, sizeof buf, &logger), 3);
    assert_memory_equal(buf, "old", 3);
    assert_int_equal(fk_keep_write("/nonexistent", "new", 3, &logger), FK_E_RANGE);
    assert_int_equal(fk_keep_read("/dev/null", buf, sizeof buf, &logger), FK_E_RANGE);
}

/* What is in the file the reader does not judge: so whoever finds it broken has its name above. */
static void what_was_read_is_named(void **state) {
    char path[256], buf[8];
    assert_int_equal(fk_keep_write(*state, "old", 3, &logger), 0);
    (void)snprintf(path, sizeof path, "%s/" FK_KEEP_FILE, (const char *)*state);
    said[0] = '\0';
    assert_int_equal(fk_keep_read(*state, buf, sizeof buf, &logger), 3);
    assert_non_null(strstr(said, path));
}

static const char *refusal_of(const char *dir) {
    static char text[512];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    assert_int_equal(fk_keep_check(dir, &why), FK_E_CONFIG);
    (void)fk_writer_finish(&why);
    return text;
}

/* As a user to whom the mode of a folder means something. False: this process cannot be one. */
static bool as_nobody(bool on) {
    static bool root;
    root = root || geteuid() == 0;
    return !root || seteuid(on ? 65534 : 0) == 0;
}

static void a_folder_that_will_not_do_is_refused(void **state) {
    char path[256], text[64];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    assert_int_equal(fk_keep_check(*state, &why), 0);
    assert_int_equal(why.len, 0);
    assert_string_equal(refusal_of("/nonexistent/x"),
                        "--root-dir /nonexistent/x: there is no such folder: make it (mkdir -p)");
    (void)snprintf(path, sizeof path, "%s/" FK_KEEP_FILE, (const char *)*state);
    assert_int_equal(fk_keep_write(*state, "x", 1, &logger), 0);
    assert_non_null(strstr(refusal_of(path), FK_KEEP_FILE ": this is no folder: name one"));
    assert_int_equal(chmod(*state, 0500), 0);
    if (as_nobody(true)) {
        const char *text_of = refusal_of(*state);
        assert_non_null(strstr(text_of, ": Permission denied: it must be writable for the user"));
        assert_true(as_nobody(false));
    }
    assert_int_equal(chmod(*state, 0700), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_at_first, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_last_one_counts, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(others_cannot_read_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_fails_leaves_the_former_one, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_was_read_is_named, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_folder_that_will_not_do_is_refused, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
