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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_at_first, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_last_one_counts, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(others_cannot_read_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_fails_leaves_the_former_one, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
