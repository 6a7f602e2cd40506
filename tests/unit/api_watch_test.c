/* A list and a watch of one object: what is asked for, what of an answer counts, and where the next
 * request goes on. Events as a real API server sent them (golden) and made ones. */
#include "api/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/watch_case.h"

#define UID WATCH_CASE_UID
#define BASE "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name=rack-1"

/* As a ConfigMap's: keys and values. */
enum { OWN_KEY, OWN_VALUE, PATHS = FK_WATCH_OWN + 2 };
static const struct fk_pb_path list_paths[PATHS] = {
    FK_WATCH_LIST_PATHS,
    [FK_WATCH_OWN + OWN_KEY] = {{FK_WATCH_LIST_ITEM, 2, 1}, FK_PB_PIECES},
    [FK_WATCH_OWN + OWN_VALUE] = {{FK_WATCH_LIST_ITEM, 2, 2}, FK_PB_PIECES},
};
static const struct fk_pb_path event_paths[PATHS] = {
    FK_WATCH_EVENT_PATHS,
    [FK_WATCH_OWN + OWN_KEY] = {{FK_WATCH_EVENT_OBJECT, 2, 1}, FK_PB_PIECES},
    [FK_WATCH_OWN + OWN_VALUE] = {{FK_WATCH_EVENT_OBJECT, 2, 2}, FK_PB_PIECES},
};
static const struct fk_pb_visitor list_visitor = {list_paths, PATHS, fk_watch_leaf, NULL};
static const struct fk_pb_visitor event_visitor = {event_paths, PATHS, fk_watch_leaf, NULL};
static const struct fk_watch_kind kind = {"/api/v1", "configmaps", &list_visitor, &event_visitor};

/* What the owner hears, as text: "{key=value;}UID@version " or "{key=va!" or "gone ". */
struct fixture {
    struct fk_watch w;
    struct fk_rng rng;
    struct fk_now now;
    struct fk_request request;
    bool full; /* begin says no */
    char heard[20000];
    size_t len;
    enum fk_watch_next next;
    struct fk_response why;
};

static void hear(struct fixture *f, const char *text, size_t len) {
    assert_true(f->len + len < sizeof f->heard);
    memcpy(f->heard + f->len, text, len);
    f->len += len;
    f->heard[f->len] = '\0';
}
static bool on_begin(void *ctx) {
    struct fixture *f = ctx;
    hear(f, f->full ? "full " : "{", f->full ? 5 : 1);
    return !f->full;
}
static void on_piece(void *ctx, size_t path, struct fk_bytes piece) {
    assert_in_range(path, OWN_KEY, OWN_VALUE);
    if (piece.len == 0) hear(ctx, path == OWN_KEY ? "=" : ";", 1);
    else hear(ctx, (const char *)piece.p, piece.len);
}
static void on_changed(void *ctx, const char *uid, const char *version) {
    hear(ctx, "}", 1);
    hear(ctx, uid, strlen(uid));
    hear(ctx, "@", 1);
    hear(ctx, version, strlen(version));
    hear(ctx, " ", 1);
}
static void on_broken(void *ctx) { hear(ctx, "! ", 2); }
static void on_gone(void *ctx) { hear(ctx, "gone ", 5); }
static const struct fk_watch_ops ops = {on_begin, on_piece, on_changed, on_broken, on_gone};

static struct fixture *begin(void) {
    static struct fixture f;
    memset(&f, 0, sizeof f);
    f.now = (struct fk_now){1000, FK_WALL_UNKNOWN};
    fk_rng_seed(&f.rng, 1);
    fk_watch_init(&f.w, &kind, &ops, &f, fk_bytes_str("default"), fk_bytes_str("rack-1"));
    return &f;
}

static void ask(struct fixture *f, const char *path) {
    fk_watch_request(&f->w, f->now, &f->rng, &f->request);
    assert_int_equal(f->request.verb, FK_GET);
    assert_true(f->request.wants_body);
    if (strncmp(f->request.path, path, strlen(path)) != 0) fail_msg("%s", f->request.path);
}
static void ask_list(struct fixture *f) {
    ask(f, BASE);
    assert_string_equal(f->request.path, BASE);
    assert_null(f->request.over);
}
static void ask_watch(struct fixture *f, const char *version) {
    char path[FK_PATH_MAX];
    snprintf(path, sizeof path,
             BASE "&watch=1&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=", version);
    ask(f, path);
    assert_ptr_equal(f->request.over, &f->w.over);
    assert_false(f->w.over);
}

/* In pieces of step bytes, as long as more is wanted. */
static void feed(struct fixture *f, struct fk_bytes bytes, size_t step) {
    for (size_t at = 0; at < bytes.len; at += step) {
        if (f->request.over != NULL && f->w.over) return;
        fk_watch_feed(&f->w, fk_bytes(bytes.p + at, bytes.len - at < step ? bytes.len - at : step));
    }
}

static void end(struct fixture *f, int status, enum fk_watch_next next) {
    const struct fk_response response = {.status = status, .message = "m"};
    f->next = fk_watch_end(&f->w, f->now, &response, &f->why);
    assert_int_equal(f->next, next);
}

static void heard(struct fixture *f, const char *text) {
    assert_string_equal(f->heard, text);
    f->heard[0] = '\0';
    f->len = 0;
}

static uint8_t buf[60000];

static void event(struct fixture *f, const char *type, const char *version) {
    const char *const data[] = {"k", "v", NULL};
    const struct watch_case_object object = {UID, version, data};
    feed(f, watch_case_event(buf, type, &object), 100);
}

/* Listed as absent at 100, and watched. */
static struct fixture *begin_watching(void) {
    struct fixture *f = begin();
    ask_list(f);
    feed(f, watch_case_list(buf, "100", NULL), 100);
    end(f, 200, FK_WATCH_GO_ON);
    heard(f, "gone ");
    ask_watch(f, "100");
    return f;
}

/* ---- what a real API server sends ------------------------------------------------------------ */

#define GOLDEN_UID "30fd"

static void golden_lists(void **state) {
    (void)state;
    for (size_t step = 1; step < 300; step++) {
        struct fixture *f = begin();
        ask_list(f);
        feed(f, watch_case_golden(buf, sizeof buf, "configmap-list.pb"), step);
        end(f, 200, FK_WATCH_GO_ON);
        assert_non_null(strstr(f->heard, "{memory_values=0=0x42,1=0x43;}" GOLDEN_UID));
        assert_non_null(strstr(f->heard, "@898 "));
        ask_watch(f, "898");
    }
    struct fixture *f = begin();
    ask_list(f);
    feed(f, watch_case_golden(buf, sizeof buf, "configmap-list-empty.pb"), 1);
    end(f, 200, FK_WATCH_GO_ON);
    heard(f, "gone ");
    assert_true(f->w.watching);
}

/* What the watch of the golden file brings, without values: each event and what is heard of it. */
static const struct {
    const char *type, *version, *begins;
} golden_events[] = {
    {"MODIFIED", "900", "{memory_values=0=0x50,\n1023=255\n;}" GOLDEN_UID},
    {"MODIFIED", "901", "{memory_values=1024=1;}" GOLDEN_UID},
    {"MODIFIED", "902", "{led_brightness=40;log_level=debug;status_period=30s;unknown=;}"},
    {"MODIFIED", "903", "{led_brightness=40;log_level=debug;memory_values=0=0,1=7,2=14,3=21,"},
    {"DELETED", "904", "gone "},
    {"ADDED", "905", "{memory_values=7=7;}"},
    {"BOOKMARK", "905", ""},
    {"BOOKMARK", "905", ""},
};
#define GOLDEN_EVENTS (sizeof golden_events / sizeof golden_events[0])

static void golden_events_one_by_one(void **state) {
    (void)state;
    static const size_t steps[] = {1, 2, 3, 7, 64, 512, 20000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct fixture *f = begin_watching();
        struct fk_bytes stream = watch_case_golden(buf, sizeof buf, "configmap-watch.pb");
        for (size_t e = 0; e < GOLDEN_EVENTS; e++) {
            feed(f, watch_case_next(&stream), steps[i]);
            assert_string_equal(f->w.resource_version, golden_events[e].version);
            assert_memory_equal(f->heard, golden_events[e].begins, strlen(golden_events[e].begins));
            f->heard[f->len = 0] = '\0';
        }
        assert_int_equal(stream.len, 0);
        assert_int_equal(f->w.events, GOLDEN_EVENTS);
        end(f, 200, FK_WATCH_GO_ON); /* the time that it was asked to last is over */
        ask_watch(f, "905");
        heard(f, "");
    }
}

static void a_golden_expiry_leads_to_a_list(void **state) {
    (void)state;
    for (size_t step = 1; step < 110; step++) {
        struct fixture *f = begin_watching();
        feed(f, watch_case_golden(buf, sizeof buf, "configmap-watch-expired.pb"), step);
        assert_true(f->w.over);
        assert_int_equal(f->w.code, 410);
        end(f, 200, FK_WATCH_TURN);
        heard(f, "");
        ask_list(f);
    }
}

/* The stream breaks off after each of its bytes, is resumed where the last whole event was, and
 * brings the rest: nothing twice, nothing left out, nothing half. */
static void every_cut_of_the_golden_watch(void **state) {
    (void)state;
    static uint8_t golden[20000];
    const struct fk_bytes whole = watch_case_golden(golden, sizeof golden, "configmap-watch.pb");
    for (size_t cut = 0; cut <= whole.len; cut += cut < 2200 || cut > 17000 ? 1 : 97) {
        struct fixture *f = begin_watching();
        f->now.mono_ms += FK_WATCH_SHORT_MS;
        struct fk_bytes rest = whole;
        size_t events = 0, at = 0;
        while (rest.len > 0) { /* whole events in front of the cut */
            struct fk_bytes after = rest;
            const size_t len = watch_case_next(&after).len;
            if (at + len > cut) break;
            rest = after;
            at += len;
            events++;
        }
        feed(f, fk_bytes(whole.p, cut), 512);
        assert_int_equal(f->w.events, events);
        end(f, FK_E_RESET, FK_WATCH_GO_ON);
        assert_int_equal(f->w.broken_off, strchr(f->heard, '!') != NULL);
        ask_watch(f, events == 0 ? "100" : golden_events[events - 1].version);
        feed(f, rest, 512);
        assert_int_equal(f->w.events, GOLDEN_EVENTS);
        unsigned changes = 0, deletions = 0;
        for (const char *p = f->heard; (p = strchr(p, '@')) != NULL; p++) changes++;
        for (const char *p = f->heard; (p = strstr(p, "gone ")) != NULL; p++) deletions++;
        assert_int_equal(changes, 5);
        assert_int_equal(deletions, 1);
    }
}

static void every_cut_of_the_golden_list(void **state) {
    (void)state;
    static uint8_t golden[1000];
    const struct fk_bytes whole = watch_case_golden(golden, sizeof golden, "configmap-list.pb");
    for (size_t cut = 0; cut < whole.len; cut++) {
        struct fixture *f = begin();
        ask_list(f);
        feed(f, fk_bytes(whole.p, cut), 50);
        if (cut % 2 == 0) end(f, FK_E_RESET, FK_WATCH_FAILED);
        else if (cut < whole.len - 4) end(f, 200, FK_WATCH_FAILED);
        else continue; /* whole but for two empty fields of the envelope */
        assert_int_equal(f->why.status, cut % 2 == 0 ? FK_E_RESET : FK_E_PARSE);
        assert_null(strchr(f->heard, '@'));
        assert_null(strstr(f->heard, "gone"));
        ask_list(f);
    }
}

/* ---- made ones ------------------------------------------------------------------------------- */

static void versions_advance_with_events_and_bookmarks(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    event(f, "ADDED", "101");
    heard(f, "{k=v;}" UID "@101 ");
    event(f, "BOOKMARK", "150");
    heard(f, "");
    assert_string_equal(f->w.resource_version, "150");
    event(f, "DELETED", "151");
    heard(f, "gone ");
    end(f, FK_E_CLOSED, FK_WATCH_GO_ON);
    ask_watch(f, "151");
    event(f, "ADDED", "18446744073709551615");
    end(f, 200, FK_WATCH_GO_ON);
    ask_watch(f, "18446744073709551615");
}

struct end_row {
    const char *what;
    const char *type; /* of one event before the end; NULL: none */
    uint64_t lasted_ms;
    int status;
    enum fk_watch_next next;
    bool lists; /* the next request is a list */
};

static void what_follows_an_end(void **state) {
    (void)state;
    static const struct end_row rows[] = {
        {"in order", "ADDED", 0, 200, FK_WATCH_GO_ON, false},
        {"in order, after a bookmark alone", "BOOKMARK", 0, 200, FK_WATCH_TURN, false},
        {"in order, after long", NULL, FK_WATCH_SHORT_MS, 200, FK_WATCH_GO_ON, false},
        {"at once, for nothing", NULL, FK_WATCH_SHORT_MS - 1, 200, FK_WATCH_TURN, false},
        {"connection broke", "ADDED", 0, FK_E_RESET, FK_WATCH_GO_ON, false},
        {"connection broke after long", NULL, 100000, FK_E_RESET, FK_WATCH_GO_ON, false},
        {"connection broke at once", NULL, 0, FK_E_RESET, FK_WATCH_FAILED, false},
        {"no slot", NULL, 0, FK_E_BUSY, FK_WATCH_FAILED, false},
        {"gone", NULL, 0, 410, FK_WATCH_TURN, true},
        {"forbidden", NULL, 100000, 403, FK_WATCH_FAILED, false},
        {"too many", NULL, 100000, 429, FK_WATCH_FAILED, false},
        {"broken server", NULL, 100000, 500, FK_WATCH_FAILED, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin_watching();
        print_message("%s\n", rows[i].what);
        if (rows[i].type != NULL) event(f, rows[i].type, "101");
        f->now.mono_ms += rows[i].lasted_ms;
        end(f, rows[i].status, rows[i].next);
        if (rows[i].next == FK_WATCH_FAILED) assert_int_equal(f->why.status, rows[i].status);
        if (rows[i].lists) ask_list(f);
        else ask_watch(f, rows[i].type != NULL ? "101" : "100");
    }
}

static void an_error_event_is_an_answer(void **state) {
    (void)state;
    static const struct {
        unsigned code;
        enum fk_watch_next next;
        int status;
        bool lists;
    } rows[] = {
        {410, FK_WATCH_TURN, 200, true},
        {500, FK_WATCH_FAILED, 500, false},
        {429, FK_WATCH_FAILED, 429, false},
        {0, FK_WATCH_FAILED, FK_E_PARSE, true}, /* no error at all */
        {200, FK_WATCH_FAILED, FK_E_PARSE, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin_watching();
        event(f, "ADDED", "101");
        heard(f, "{k=v;}" UID "@101 ");
        feed(f, watch_case_error(buf, rows[i].code), 10);
        assert_true(f->w.over);
        end(f, 200, rows[i].next);
        assert_int_equal(f->why.status, rows[i].status);
        if (rows[i].lists) ask_list(f);
        else ask_watch(f, "101");
    }
}

/* A list that finds it while another's change is arriving, and an event that does. */
static void what_finds_no_room_comes_again(void **state) {
    (void)state;
    const char *const data[] = {"k", "v", NULL};
    const struct watch_case_object object = {UID, "99", data};
    struct fixture *f = begin();
    f->full = true;
    ask_list(f);
    feed(f, watch_case_list(buf, "100", &object), 10);
    end(f, 200, FK_WATCH_TURN);
    heard(f, "full ");
    f->full = false;
    ask_list(f);
    feed(f, watch_case_list(buf, "100", &object), 10);
    end(f, 200, FK_WATCH_GO_ON);
    heard(f, "{k=v;}" UID "@99 ");
    ask_watch(f, "100");
    f->full = true;
    event(f, "MODIFIED", "101");
    assert_true(f->w.over);
    end(f, 200, FK_WATCH_TURN);
    heard(f, "full ");
    f->full = false;
    ask_watch(f, "100");
    event(f, "MODIFIED", "101");
    heard(f, "{k=v;}" UID "@101 ");
}

static void odd_events_lead_to_a_list(void **state) {
    (void)state;
    const char *const data[] = {"k", "v", NULL};
    static const char twenty_five[] = "1234567890123456789012345";
    const struct {
        const char *what, *type;
        struct watch_case_object object;
        bool fine;
    } rows[] = {
        {"fine", "ADDED", {UID, twenty_five + 1, data}, true},
        {"a longer version", "ADDED", {UID, twenty_five, data}, false},
        {"no version", "ADDED", {UID, NULL, data}, false},
        {"an empty version", "ADDED", {UID, "", data}, false},
        {"a bookmark without one", "BOOKMARK", {NULL, NULL, NULL}, false},
        {"no UID", "MODIFIED", {NULL, "101", data}, false},
        {"an empty UID", "MODIFIED", {"", "101", data}, false},
        {"a UID that is too long", "MODIFIED", {UID "x", "101", data}, false},
        {"another type", "RENAMED", {UID, "101", data}, false},
        {"a longer type", "MODIFIEDX", {UID, "101", data}, false},
        {"no type", "", {UID, "101", data}, false},
        {"gone without a UID", "DELETED", {NULL, "101", NULL}, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t step = 1; step < 300; step += 37) {
            struct fixture *f = begin_watching();
            feed(f, watch_case_event(buf, rows[i].type, &rows[i].object), step);
            assert_int_equal(f->w.over, !rows[i].fine);
            if (strchr(f->heard, '@') != NULL) assert_true(rows[i].fine);
            end(f, 200, rows[i].fine ? FK_WATCH_GO_ON : FK_WATCH_FAILED);
            if (!rows[i].fine) {
                assert_int_equal(f->why.status, FK_E_PARSE);
                ask_list(f);
            }
        }
    }
}

static void odd_frames_lead_to_a_list(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\0\0\0\0", 4},            /* an empty event */
        {"\0\0\0\1\0", 5},          /* field 0 */
        {"\0\0\0\2\x0A\x05", 6},    /* longer than its frame */
        {"\1\0\0\1", 4},            /* longer than any object */
        {"{\"type\":\"ADDED\"", 4}, /* not protobuf */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = begin_watching();
        feed(f, fk_bytes(rows[i].bytes, rows[i].len), 1);
        assert_true(f->w.over);
        end(f, 200, FK_WATCH_FAILED);
        assert_int_equal(f->why.status, FK_E_PARSE);
        heard(f, "");
        ask_list(f);
    }
}

/* The object has begun by then: it must be known to be broken. */
static void two_types_in_one_event(void **state) {
    (void)state;
    static const char *const seconds[] = {"\x0A\x05"
                                          "ADDED",
                                          "\x0A\x02v1",
                                          "\x0A\x05"
                                          "ERROR"};
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        struct fixture *f = begin_watching();
        uint8_t two[40] = "\0\0\0\x20\x0A\x08MODIFIED";
        memcpy(two + 14, seconds[i], strlen(seconds[i]));
        feed(f, fk_bytes(two, 36), 1);
        assert_true(f->w.over);
        end(f, 200, FK_WATCH_FAILED);
        heard(f, "{! ");
        ask_list(f);
    }
}

static void odd_lists_are_asked_for_again(void **state) {
    (void)state;
    const char *const data[] = {"k", "v", NULL};
    const struct watch_case_object no_uid = {NULL, "99", data}, no_version = {UID, NULL, data};
    const struct fk_bytes empty = {NULL, 0};
    for (int i = 0; i < 5; i++) {
        struct fixture *f = begin();
        ask_list(f);
        struct fk_bytes body = fk_bytes_str("{\"kind\":\"ConfigMapList\"}");
        if (i == 0) body = watch_case_list(buf, "100", &no_uid);
        if (i == 1) body = watch_case_list(buf, "100", &no_version);
        if (i == 2) body = watch_case_list(buf, "", NULL);
        if (i == 3) body = empty;
        feed(f, body, 10);
        end(f, 200, FK_WATCH_FAILED);
        assert_int_equal(f->why.status, FK_E_PARSE);
        assert_null(strstr(f->heard, "gone"));
        assert_null(strchr(f->heard, '@'));
        ask_list(f);
    }
}

/* A server that does not heed the selector: nothing of either counts. */
static void two_objects_in_a_list_are_none(void **state) {
    (void)state;
    const struct watch_case_object object = {UID, "99", NULL};
    struct fk_bytes one = watch_case_list(buf, "100", &object);
    /* The list's items are the last field in the envelope's raw: raw once more, behind the first.
     */
    static uint8_t two[2000];
    memcpy(two, one.p, one.len);
    memcpy(two + one.len, one.p + 4, one.len - 4);
    struct fixture *f = begin();
    ask_list(f);
    feed(f, fk_bytes(two, 2 * one.len - 4), 10);
    end(f, 200, FK_WATCH_FAILED);
    assert_null(strchr(f->heard, '@'));
}

static void timeouts_are_spread(void **state) {
    (void)state;
    struct fixture *f = begin_watching();
    unsigned least = 10000, most = 0;
    for (int i = 0; i < 5000; i++) {
        ask_watch(f, "100");
        const unsigned s = (unsigned)atoi(strstr(f->request.path, "timeoutSeconds=") + 15);
        if (s < least) least = s;
        if (s > most) most = s;
    }
    assert_int_equal(least, FK_WATCH_MIN_S);
    assert_int_equal(most, 2 * FK_WATCH_MIN_S);
}

static void the_longest_names_fit(void **state) {
    (void)state;
    static char name[FK_WATCH_NAMES_MAX - 7 + 1];
    memset(name, 'a', sizeof name - 1);
    struct fixture *f = begin();
    fk_watch_init(&f->w, &kind, &ops, f, fk_bytes_str("default"), fk_bytes_str(name));
    fk_watch_request(&f->w, f->now, &f->rng, &f->request);
    feed(f, watch_case_list(buf, "123456789012345678901234", NULL), 100);
    end(f, 200, FK_WATCH_GO_ON);
    fk_watch_request(&f->w, f->now, &f->rng, &f->request);
    assert_true(strlen(f->request.path) < FK_PATH_MAX);
    assert_true(strlen(f->request.path) > FK_PATH_MAX - 20); /* and not much is wasted */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_lists),
        cmocka_unit_test(golden_events_one_by_one),
        cmocka_unit_test(a_golden_expiry_leads_to_a_list),
        cmocka_unit_test(every_cut_of_the_golden_watch),
        cmocka_unit_test(every_cut_of_the_golden_list),
        cmocka_unit_test(versions_advance_with_events_and_bookmarks),
        cmocka_unit_test(what_follows_an_end),
        cmocka_unit_test(an_error_event_is_an_answer),
        cmocka_unit_test(what_finds_no_room_comes_again),
        cmocka_unit_test(odd_events_lead_to_a_list),
        cmocka_unit_test(odd_frames_lead_to_a_list),
        cmocka_unit_test(two_types_in_one_event),
        cmocka_unit_test(odd_lists_are_asked_for_again),
        cmocka_unit_test(two_objects_in_a_list_are_none),
        cmocka_unit_test(timeouts_are_spread),
        cmocka_unit_test(the_longest_names_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
