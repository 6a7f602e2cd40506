/* /healthz, /livez, /readyz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/house.h"

static struct house h;

static void expect(const char *target, int status, const char *body) {
    assert_int_equal(house_ask(&h, target), status);
    assert_string_equal(h.content_type, "text/plain; charset=utf-8");
    assert_string_equal(h.body, body);
}

static void all_well(void **state) {
    (void)state;
    house_hour(&h);
    expect("/healthz", 200, "ok");
    expect("/livez", 200, "ok");
    expect("/readyz", 200, "ok");
    expect("/healthz?verbose", 200, "[+]ping ok\n[+]loop ok\n[+]lease ok\nhealthz check passed\n");
    expect("/livez?verbose=1", 200, "[+]ping ok\n[+]loop ok\n[+]lease ok\nlivez check passed\n");
    expect("/readyz?a=b&verbose", 200,
           "[+]ping ok\n[+]loop ok\n[+]lease ok\n[+]node ok\n[+]ready ok\nreadyz check passed\n");
}

/* Alive from the first moment on; ready when the cluster knows. */
static void just_started(void **state) {
    (void)state;
    house_begin(&h);
    expect("/healthz", 200, "ok");
    expect("/readyz", 500,
           "[+]ping ok\n[+]loop ok\n[+]lease ok\n[-]node failed: not registered yet\n"
           "[-]ready failed: the API server has not been told that the node is Ready\n"
           "readyz check failed\n");
    h.node.registration.rounds = 1;
    assert_int_equal(house_ask(&h, "/readyz"), 500);
    h.node.status.ready_reported = FK_CONDITION_TRUE;
    expect("/readyz", 200, "ok");
    h.node.status.ready_reported = FK_CONDITION_FALSE; /* told to stop */
    assert_int_equal(house_ask(&h, "/readyz"), 500);
}

/* The Lease is overdue a period and a half after its last renewal, or after the start without one.
 */
static void never_connected(void **state) {
    (void)state;
    house_begin(&h);
    h.node.lease.renewed_ms = FK_NEVER;
    h.now.mono_ms = h.node.started_ms + 15000;
    expect("/healthz", 200, "ok");
    h.now.mono_ms++;
    expect("/healthz", 500,
           "[+]ping ok\n[+]loop ok\n[-]lease failed: never renewed since the start 15 s ago\n"
           "healthz check failed\n");
}

static void api_server_lost(void **state) {
    (void)state;
    house_hour(&h);
    h.now.mono_ms = h.node.lease.renewed_ms + 15000;
    expect("/healthz", 200, "ok");
    h.now.mono_ms = h.node.lease.renewed_ms + 61999;
    expect("/livez", 500,
           "[+]ping ok\n[+]loop ok\n[-]lease failed: last renewed 61 s ago\nlivez check failed\n");
    expect("/healthz?exclude=lease", 200, "ok");
    expect("/healthz?verbose&exclude=lease", 200,
           "[+]ping ok\n[+]loop ok\n[+]lease excluded: ok\nhealthz check passed\n");
}

/* What is no check of ours is not excluded. */
static void queries_that_are_wrong(void **state) {
    (void)state;
    static const char *const targets[] = {
        "/healthz?exclude",        "/healthz?exclude=",      "/healthz?exclude=leases",
        "/healthz?exclude=%zz",    "/healthz?exclude=%00",   "/healthz?exclude=%6",
        "/healthz?xexclude=lease", "/healthz?exclude=Lease", "/healthz?&&=&%",
    };
    house_hour(&h);
    h.now.mono_ms += 61000;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        assert_int_equal(house_ask(&h, targets[i]), 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_well),
        cmocka_unit_test(just_started),
        cmocka_unit_test(never_connected),
        cmocka_unit_test(api_server_lost),
        cmocka_unit_test(queries_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
