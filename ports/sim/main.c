/* femtosim: runs a world for a while and prints what came of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/world.h"

static const char usage[] =
    "femtosim runs nodes against a model of the API server, in virtual time, above TLS.\n"
    "  --nodes N        how many (1)\n"
    "  --duration T     30s, 5m, 1h, 7d or 1y of virtual time (1h)\n"
    "  --seed S         same seed, same run (1)\n"
    "  --faults LIST    none, or requests,links,restarts (none): 1 % of requests fail, a link\n"
    "                   is lost once a day for up to 5 minutes, the server restarts every week\n"
    "  --fail PPM       requests that fail, of a million\n"
    "  --losses N       losses of each link in 100 days\n"
    "  --loss-max T     their greatest length\n"
    "  --heap BYTES     each node's heap for HTTP/2, 1024 at least (65536)\n"
    "  --verbose        the nodes' log on stderr\n"
    "Exit status 1 when a rule was violated.\n";

struct arguments {
    struct sim_options options;
    uint64_t duration_ms;
};

static bool parse_number(const char *text, uint64_t max, uint64_t *out) {
    char *end = NULL;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && text[0] != '-' && *out <= max;
}

static bool parse_time(const char *text, uint64_t *ms) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1},       {"s", 1000},    {"m", SIM_MINUTE},
                 {"h", SIM_HOUR}, {"d", SIM_DAY}, {"y", SIM_YEAR}};
    char *end = NULL;
    const uint64_t count = strtoull(text, &end, 10);
    if (end == text || text[0] == '-' || count > 1000000000) return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) != 0) continue;
        *ms = count * units[i].ms;
        return true;
    }
    return false;
}

static bool parse_faults(const char *text, struct sim_fault_options *faults) {
    char list[64];
    (void)snprintf(list, sizeof list, "%s", text);
    char *rest = list;
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        if (strcmp(word, "requests") == 0) faults->fail_ppm = 10000;
        else if (strcmp(word, "restarts") == 0) faults->restart_days = 7;
        else if (strcmp(word, "links") == 0) {
            faults->losses_per_100_days = 100;
            faults->loss_max_ms = 300000;
        } else if (strcmp(word, "none") != 0) return false;
    }
    return true;
}

static bool parse_one(struct arguments *a, const char *name, const char *value) {
    struct sim_options *o = &a->options;
    uint64_t n = 0;
    if (strcmp(name, "--duration") == 0) return parse_time(value, &a->duration_ms);
    if (strcmp(name, "--faults") == 0) return parse_faults(value, &o->faults);
    if (strcmp(name, "--loss-max") == 0) {
        const bool fine = parse_time(value, &n) && n < UINT32_MAX;
        o->faults.loss_max_ms = (uint32_t)n;
        return fine;
    }
    if (strcmp(name, "--seed") == 0) return parse_number(value, UINT64_MAX, &o->seed);
    if (!parse_number(value, 1000000, &n)) return false;
    if (strcmp(name, "--nodes") == 0 && n > 0) o->nodes = (size_t)n;
    else if (strcmp(name, "--fail") == 0) o->faults.fail_ppm = (uint32_t)n;
    else if (strcmp(name, "--losses") == 0) o->faults.losses_per_100_days = (uint32_t)n;
    else if (strcmp(name, "--heap") == 0 && n >= 1024) o->heap_bytes = (uint32_t)n;
    else return false;
    return true;
}

static bool parse(int argc, char **argv, struct arguments *a) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            a->options.verbose = true;
            continue;
        }
        if (i + 1 == argc || !parse_one(a, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "femtosim: cannot use %s%s%s\n%s", argv[i],
                          i + 1 < argc ? " " : "", i + 1 < argc ? argv[i + 1] : "", usage);
            return false;
        }
        i++;
    }
    return true;
}

static double seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const struct sim_world *w, double real_s) {
    const struct sim_totals *t = &w->totals;
    uint64_t longest_ms = 0, unknown = 0, silent = 0;
    for (size_t i = 0; i < w->options.nodes; i++) {
        const struct sim_account *a = &w->seats[i].account;
        if (a->longest_gap_ms > longest_ms) longest_ms = a->longest_gap_ms;
        unknown += w->api.records[i].times_unknown;
        silent += w->seats[i].node.client.stats.silent_peers;
    }
    const double hours = (double)w->now_ms / (double)SIM_HOUR * (double)w->options.nodes;
    printf("nodes            %zu\n", w->options.nodes);
    printf("virtual hours    %.2f each\n", (double)w->now_ms / (double)SIM_HOUR);
    printf("real seconds     %.2f\n", real_s);
    printf("node-hours/s     %.0f\n", hours / (real_s > 0 ? real_s : 1e-9));
    printf("requests         %" PRIu64 "\n", t->requests);
    printf("renewals         %" PRIu64 "\n", t->renewals);
    printf("faults           %" PRIu64 "\n", t->faults);
    printf("connections      %" PRIu64 " (at most %" PRIu32 " of a node in a minute)\n", t->opens,
           t->busiest_minute_opens);
    printf("silent peers     %" PRIu64 "\n", silent);
    printf("longest gap      %.1f s between two renewals\n", (double)longest_ms / 1000);
    printf("Ready Unknown    %" PRIu64 " times\n", unknown);
    printf("violations       %" PRIu32 "\n", t->violations);
    printf("trace            %016" PRIx64 " of %" PRIu64 " events\n", t->trace, t->events);
    for (uint32_t i = 0; i < t->violations && i < SIM_VIOLATIONS_KEPT; i++)
        printf("violation        at %.3f s, node %zu: %s\n", (double)w->violations[i].at_ms / 1000,
               w->violations[i].node, w->violations[i].text);
}

int main(int argc, char **argv) {
    struct arguments a = {.options = {.nodes = 1, .seed = 1}, .duration_ms = SIM_HOUR};
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (!parse(argc, argv, &a)) return 2;
    struct sim_world *w = sim_world_new(&a.options);
    const double begun = seconds();
    sim_world_run_until(w, a.duration_ms);
    sim_world_settle(w);
    report(w, seconds() - begun);
    const bool clean = w->totals.violations == 0;
    sim_world_free(w);
    return clean ? 0 : 1;
}
