/* What clients are told that get no document. */
#include "kubelet/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(const struct fk_failure *failure) {
    static char text[FK_HTTP1_ITEM_MAX];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    fk_failure_put(failure, &w);
    assert_int_equal(fk_writer_finish(&w), 0);
    return text;
}

static void every_status_has_its_reason(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {400, "BadRequest"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "NotFound"},
        {405, "MethodNotAllowed"},
        {408, "Timeout"},
        {413, "RequestEntityTooLarge"},
        {429, "TooManyRequests"},
        {500, "InternalError"},
        {501, "NotImplemented"},
        {503, "ServiceUnavailable"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fk_failure failure = {.status = rows[i].status};
        const char *text = text_of(&failure);
        assert_non_null(strstr(text, rows[i].reason));
        assert_non_null(strstr(text, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                                     "\"status\":\"Failure\",\"message\":\""));
    }
}

static void the_message_is_the_callers_where_there_is_one(void **state) {
    (void)state;
    const struct fk_failure failure = {.status = 404, .message = "no \"such\" thing"};
    assert_string_equal(text_of(&failure),
                        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                        "\"Failure\",\"message\":\"no \\\"such\\\" thing\",\"reason\":\"NotFound\","
                        "\"code\":404}\n");
}

static void a_refusal_says_what_to_grant(void **state) {
    (void)state;
    struct fk_user user = {0};
    assert_true(fk_user_add(&user, fk_bytes_str("a\"b")) && fk_user_add(&user, fk_bytes_str("")));
    const struct fk_failure failure = {
        .status = 403, .user = &user, .verb = "get", .subresource = FK_NODES_STATS};
    assert_non_null(
        strstr(text_of(&failure),
               "\"Forbidden (user=a\\\"b, verb=get, resource=nodes, subresource(s)=[stats])\""));
}

/* Where a finer subresource was asked for first, either would do. */
static void a_refusal_names_both_that_would_do(void **state) {
    (void)state;
    struct fk_user user = {0};
    assert_true(fk_user_add(&user, fk_bytes_str("u")) && fk_user_add(&user, fk_bytes_str("")));
    const struct fk_failure failure = {
        .status = 403, .user = &user, .verb = "get", .subresource = FK_NODES_PODS};
    assert_non_null(strstr(text_of(&failure), "subresource(s)=[pods proxy])"));
}

/* The longest user there can be, all of it escaped, still is one item. */
static void the_longest_fits_an_item(void **state) {
    (void)state;
    struct fk_user user = {0};
    char name[FK_USER_MAX - 2];
    memset(name, 0x22, sizeof name);
    assert_true(fk_user_add(&user, fk_bytes(name, sizeof name)));
    assert_true(fk_user_add(&user, fk_bytes_str("")));
    const struct fk_failure failure = {.status = 403, .user = &user, .verb = "create"};
    struct fk_writer w;
    fk_writer_window(&w, NULL, 0, 0);
    fk_failure_put(&failure, &w);
    assert_true(w.len <= FK_HTTP1_ITEM_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_reason),
        cmocka_unit_test(the_message_is_the_callers_where_there_is_one),
        cmocka_unit_test(a_refusal_says_what_to_grant),
        cmocka_unit_test(a_refusal_names_both_that_would_do),
        cmocka_unit_test(the_longest_fits_an_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
