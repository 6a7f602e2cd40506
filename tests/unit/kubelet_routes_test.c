/* The route table: which path is whose, and what it takes to be let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/house.h"

static const struct fk_route *find(const char *path, const char *rest) {
    const char *behind = NULL;
    const struct fk_route *route = fk_route_find(path, &behind);
    assert_non_null(behind);
    assert_string_equal(behind, rest);
    return route;
}

/* As upstream's table of pkg/kubelet/server/auth.go has it. */
static void subresources(void **state) {
    (void)state;
    static const struct {
        const char *path, *route, *rest;
        enum fk_subresource subresource;
        bool health;
    } rows[] = {
        {"/healthz", "/healthz", "", FK_NODES_HEALTHZ, true},
        {"/livez", "/livez", "", FK_NODES_HEALTHZ, true},
        {"/readyz", "/readyz", "", FK_NODES_HEALTHZ, true},
        {"/metrics", "/metrics", "", FK_NODES_METRICS, false},
        {"/metrics/resource", "/metrics/resource", "", FK_NODES_METRICS, false},
        {"/metrics/cadvisor", "/metrics/cadvisor", "", FK_NODES_METRICS, false},
        {"/metrics/probes", "/metrics/probes", "", FK_NODES_METRICS, false},
        {"/stats/summary", "/stats/summary", "", FK_NODES_STATS, false},
        {"/pods", "/pods", "", FK_NODES_PODS, false},
        {"/runningpods/", "/runningpods/", "", FK_NODES_PODS, false},
        {"/runningpods", "/runningpods/", "", FK_NODES_PODS, false},
        {"/runningpods/x", "/runningpods/", "x", FK_NODES_PODS, false},
        {"/spec", "/spec", "", FK_NODES_PROXY, false},
        {"/configz", "/configz", "", FK_NODES_CONFIGZ, false},
        {"/logs", "/logs/", "", FK_NODES_LOG, false},
        {"/logs/", "/logs/", "", FK_NODES_LOG, false},
        {"/logs/a/b", "/logs/", "a/b", FK_NODES_LOG, false},
        {"/femto/status", "/femto/status", "", FK_NODES_PROXY, false},
        {"/femto/memory", "/femto/memory", "", FK_NODES_PROXY, false},
        {"/femto/gpio", "/femto/gpio", "", FK_NODES_PROXY, false},
        {"/femto/led", "/femto/led", "", FK_NODES_PROXY, false},
        {"/containerLogs/a/b/c", "/containerLogs/", "a/b/c", FK_NODES_PROXY, false},
        {"/exec/a/b/c", "/exec/", "a/b/c", FK_NODES_PROXY, false},
        {"/attach/a/b/c", "/attach/", "a/b/c", FK_NODES_PROXY, false},
        {"/portForward/a/b", "/portForward/", "a/b", FK_NODES_PROXY, false},
        {"/run/a/b/c", "/run/", "a/b/c", FK_NODES_PROXY, false},
        {"/cri/exec/x", "/cri/", "exec/x", FK_NODES_PROXY, false},
        {"/checkpoint/a/b/c", "/checkpoint/", "a/b/c", FK_NODES_PROXY, false},
        {"/debug/pprof/heap", "/debug/", "pprof/heap", FK_NODES_PROXY, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fk_route *route = find(rows[i].path, rows[i].rest);
        if (route == NULL) fail_msg("%s", rows[i].path);
        assert_string_equal(route->path, rows[i].route);
        assert_int_equal(route->subresource, rows[i].subresource);
        assert_int_equal(route->health, rows[i].health);
    }
}

/* No decoding, no folding of case, no help with slashes: what is not there is not there. */
static void others(void **state) {
    (void)state;
    static const char *const paths[] = {
        "/",
        "",
        "/healthz/",
        "/healthz/ping",
        "/healthzz",
        "/health",
        "/metrics/",
        "/metricsx",
        "/metrics/resource/",
        "/metrics%2fresource",
        "/Metrics",
        "/stats",
        "/stats/",
        "/stats/summary/x",
        "/pods/",
        "/podsx",
        "/logsx",
        "/log",
        "/femto",
        "/femto/",
        "/femto/x",
        "/execx",
        "/runningpodsx",
        "metrics",
        "/spec/",
        "/api/v1/nodes",
        "/debugger",
        "/containerlogs/a/b/c",
        "/portforward/a/b",
        "/run.x",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (find(paths[i], "") != NULL) fail_msg("%s", paths[i]);
}

/* Every path is found by itself, and no route hides another. */
static void the_whole_table(void **state) {
    (void)state;
    assert_true(fk_route_count > 20);
    for (size_t i = 0; i < fk_route_count; i++) {
        const struct fk_route *route = &fk_routes[i];
        assert_true(route->path[0] == '/' && route->path[1] != '\0');
        assert_ptr_equal(find(route->path, ""), route);
        assert_true((route->start == NULL) != (route->missing == NULL));
    }
}

static struct house h;

static void missing(void **state) {
    (void)state;
    house_hour(&h);
    assert_int_equal(house_ask(&h, "/containerLogs/default/web/c"), 404);
    assert_string_equal(h.message, "there is no such pod: no pods run on this node yet");
    static const char *const paths[] = {"/exec/a/b/c",      "/attach/a/b/c", "/portForward/a/b",
                                        "/run/a/b/c",       "/cri/exec/x",   "/checkpoint/a/b/c",
                                        "/debug/pprof/heap"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(house_ask(&h, paths[i]), 501);
        const char *rest;
        assert_non_null(fk_route_find(paths[i], &rest)->missing);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subresources),
        cmocka_unit_test(others),
        cmocka_unit_test(the_whole_table),
        cmocka_unit_test(missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
