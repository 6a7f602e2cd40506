/* The token's file: when it is looked into, and that nobody's token changes under a request. */
#include "linux/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define MINUTE UINT64_C(60000)

static struct {
    struct fk_access access;
    struct fk_log log;
    struct fk_client client;
    struct fk_token token;
    unsigned warnings, changes;
} w;

static void hear(void *ctx, enum fk_level level, const char *message, const struct fk_kv *kvs,
                 size_t count) {
    (void)ctx;
    w.warnings += level == FK_WARN;
    w.changes += strcmp(message, "the token has changed") == 0;
    for (size_t i = 0; i < count; i++)
        if (kvs[i].str != NULL) assert_null(strstr(kvs[i].str, "secret"));
}

static void put(const char *text) {
    FILE *file = fopen(w.access.token_file, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The file holds secret-1, which is in use; time is 0, and nothing is connected. */
static int setup(void **state) {
    (void)state;
    memset(&w, 0, sizeof w);
    (void)snprintf(w.access.token_file, sizeof w.access.token_file, "/tmp/fk-token-XXXXXX");
    const int fd = mkstemp(w.access.token_file);
    assert_true(fd >= 0);
    (void)close(fd);
    w.log = (struct fk_log){.level = FK_DEBUG, .emit = hear};
    w.token = (struct fk_token){.access = &w.access, .log = &w.log};
    put("secret-1\n");
    char text[64];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    return fk_access_read_token(&w.access, &why);
}

static int teardown(void **state) {
    (void)state;
    (void)unlink(w.access.token_file);
    return 0;
}

static const char *at(uint64_t now_ms) {
    fk_token_look(&w.token, &w.client, now_ms);
    assert_memory_equal(w.access.authorization, "Bearer secret-", 14);
    return w.access.authorization + 14;
}

static void once_a_minute(void **state) {
    (void)state;
    assert_string_equal(at(1000), "1");
    put("secret-2\n");
    assert_string_equal(at(MINUTE - 1), "1");
    assert_string_equal(at(MINUTE), "2");
    put("secret-3");
    assert_string_equal(at(2 * MINUTE - 1), "2");
    assert_string_equal(at(5 * MINUTE), "3");
    assert_int_equal(w.changes, 2);
    assert_string_equal(at(6 * MINUTE), "3"); /* the same again */
    assert_int_equal(w.changes, 2);
    assert_int_equal(w.access.token_changes, 3);
}

static void at_each_new_connection(void **state) {
    (void)state;
    put("secret-2");
    assert_string_equal(at(10), "1");
    w.client.stats.connect_tries++;
    assert_string_equal(at(11), "2");
    put("secret-3");
    assert_string_equal(at(12), "2");
    w.client.stats.connect_tries++;
    assert_string_equal(at(13), "3");
}

/* Requests refer to the text. */
static void never_under_a_request(void **state) {
    (void)state;
    put("secret-2");
    w.client.slots[FK_REQUESTS_MAX - 1].stream = 5;
    assert_string_equal(at(MINUTE), "1");
    assert_string_equal(at(3 * MINUTE), "1");
    w.client.stats.connect_tries++;
    w.client.stats.unauthorized++;
    assert_string_equal(at(4 * MINUTE), "1");
    w.client.slots[FK_REQUESTS_MAX - 1].stream = 0;
    assert_string_equal(at(4 * MINUTE), "2");
}

static void a_token_that_is_refused_is_looked_after(void **state) {
    (void)state;
    assert_string_equal(at(2 * MINUTE), "1");
    put("secret-2");
    w.client.stats.unauthorized++;
    assert_string_equal(at(2 * MINUTE + 500), "1"); /* it was read just now */
    assert_string_equal(at(2 * MINUTE + FK_TOKEN_REFUSED_LOOK_MS), "2");
    put("secret-3");
    assert_string_equal(at(3 * MINUTE), "2"); /* no news of that one */
    assert_string_equal(at(3 * MINUTE + FK_TOKEN_REFUSED_LOOK_MS), "3");
    w.client.stats.unauthorized++;
    assert_string_equal(at(3 * MINUTE + 2000), "3"); /* not renewed yet */
    assert_string_equal(at(3 * MINUTE + 2500), "3");
    put("secret-4");
    assert_string_equal(at(3 * MINUTE + 2999), "3");
    assert_string_equal(at(3 * MINUTE + 3000), "4"); /* before the duty asks again */
}

static void what_cannot_be_read_changes_nothing(void **state) {
    (void)state;
    put("two\nlines\n");
    assert_string_equal(at(MINUTE), "1");
    assert_int_equal(w.warnings, 1);
    assert_int_equal(unlink(w.access.token_file), 0);
    assert_string_equal(at(2 * MINUTE), "1");
    assert_int_equal(w.warnings, 1); /* once is enough */
    put("secret-2");
    assert_string_equal(at(3 * MINUTE), "2");
    assert_int_equal(unlink(w.access.token_file), 0);
    assert_string_equal(at(4 * MINUTE), "2");
    assert_int_equal(w.warnings, 2);
}

/* The former one is longer: nothing of it is left. */
static void nothing_of_the_former_is_left(void **state) {
    (void)state;
    put("secret-123456789");
    assert_string_equal(at(MINUTE), "123456789");
    put("secret-2");
    assert_string_equal(at(2 * MINUTE), "2");
    for (size_t i = strlen("Bearer secret-2"); i < sizeof w.access.authorization; i++)
        assert_int_equal(w.access.authorization[i], 0);
}

static void without_a_file_nothing_is_read(void **state) {
    (void)state;
    char file[PATH_MAX];
    memcpy(file, w.access.token_file, sizeof file);
    w.access.token_file[0] = '\0';
    w.client.stats.unauthorized++;
    assert_string_equal(at(MINUTE), "1");
    assert_int_equal(w.warnings, 0);
    memcpy(w.access.token_file, file, sizeof file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(once_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(at_each_new_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(never_under_a_request, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_that_is_refused_is_looked_after, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_of_the_former_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_file_nothing_is_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
