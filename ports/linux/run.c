#include "linux/run.h"

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/date.h"
#include "linux/host.h"

/* Steps between two looks at signals, so that a flood of bytes cannot hold them off. */
#define STEPS_PER_ROUND 64

/* How often a new connection may warn of the certificate. */
#define DAY_MS (UINT64_C(24) * 3600 * 1000)

#define WEEK_S (INT64_C(7) * 24 * 3600)

/* And from FK_SERVICES_WATCH on those of linux/services. */
enum { WATCH_SOCKET, WATCH_TIMER, WATCH_SIGNAL };
#define EVENTS_MAX 8

/* ---- the certificate ------------------------------------------------------------------------- */

bool fk_run_check_certificate(const struct fk_tls *tls, const struct fk_log *log) {
    const int64_t end_s = fk_tls_client_not_after(tls);
    if (end_s == FK_WALL_UNKNOWN) return true;
    const int64_t left_s = end_s - fk_host_wall_us(NULL) / 1000000;
    char text[32];
    struct fk_writer w;
    fk_writer_init(&w, text, sizeof text);
    fk_date_put_seconds(&w, end_s > 0 ? end_s * 1000000 : 0);
    (void)fk_writer_finish(&w);
    if (left_s <= 0)
        fk_log(log, FK_ERROR,
               "the client certificate has expired: get a new one, or set this host's clock",
               FK_STR("not_after", text));
    else if (left_s < WEEK_S)
        fk_log(log, FK_WARN, "the client certificate expires soon: renew it",
               FK_STR("not_after", text), FK_INT("hours_left", left_s / 3600));
    return left_s > 0;
}

static void look_at_connection(struct fk_run *r) {
    const struct fk_client *client = &r->node->client;
    if (client->stats.connects == r->connects) return;
    const uint64_t now_ms = fk_host_mono_ms();
    r->connects = client->stats.connects;
    r->last_error[0] = '\0';
    if (now_ms >= r->certificate_ms) {
        (void)fk_run_check_certificate(r->tls, r->log);
        r->certificate_ms = fk_after(now_ms, DAY_MS);
    }
    const struct fk_heap *heap = client->config.heap;
    fk_log(r->log, FK_DEBUG, "connection is up", FK_STR("local", fk_tcp_local_address(r->tcp)),
           FK_STR("remote", fk_tcp_remote_address(r->tcp)), FK_INT("heap_used", heap->used_bytes),
           FK_INT("heap_peak", heap->peak_bytes), FK_INT("heap_size", heap->size),
           FK_INT("sleeps", r->sleeps));
}

/* The client knows what kind of failure it was; the socket knows which. */
static void explain_loss(struct fk_run *r) {
    const struct fk_client *client = &r->node->client;
    if (client->state != FK_LINK_DOWN || r->explained == client->stats.connect_tries) return;
    r->explained = client->stats.connect_tries;
    const char *error = fk_tcp_error(r->tcp);
    if (*error == '\0') return;
    const bool news = strcmp(error, r->last_error) != 0;
    (void)snprintf(r->last_error, sizeof r->last_error, "%s", error);
    fk_log(r->log, news ? FK_WARN : FK_DEBUG, "the network says", FK_STR("error", error));
}

/* ---- sleeping ---------------------------------------------------------------------------------
 */

static bool watch(struct fk_run *r, int operation, int fd, uint32_t events, uint32_t which) {
    struct epoll_event e = {.events = events, .data = {.u32 = which}};
    return epoll_ctl(r->epoll_fd, operation, fd, &e) == 0;
}

/* A closed socket has left the set by itself. */
static void watch_socket(struct fk_run *r) {
    const int fd = fk_tcp_fd(r->tcp);
    const uint32_t serial = fk_tcp_serial(r->tcp);
    if (serial != r->watched_serial) r->watched_events = 0;
    r->watched_serial = serial;
    if (fd < 0) return;
    const bool out = fk_tcp_wants_out(r->tcp) || fk_tls_wants_out(r->tls);
    /* Saying goodbye, nothing is read any more, and it is for room that we wait: bytes that came,
     * or a peer that has said all, would wake us for ever. */
    const bool goodbye = r->phase == FK_RUN_GOODBYE;
    const uint32_t events = (goodbye ? 0 : (uint32_t)EPOLLIN) | (goodbye || out ? EPOLLOUT : 0U);
    if (events == r->watched_events) return;
    const int operation = r->watched_events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (watch(r, operation, fd, events, WATCH_SOCKET)) r->watched_events = events;
}

/* An absolute time of CLOCK_BOOTTIME: due at once after a suspend, where the timeout of epoll_wait
 * would go on with what was left of it. */
static void set_timer(struct fk_run *r, uint64_t due_ms) {
    if (due_ms == r->timer_ms) return;
    r->timer_ms = due_ms;
    struct itimerspec t = {0};
    if (due_ms != FK_NEVER) {
        t.it_value.tv_sec = (time_t)(due_ms / 1000);
        t.it_value.tv_nsec = (long)(due_ms % 1000 * 1000000);
    }
    (void)timerfd_settime(r->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static uint64_t due_of(const struct fk_run *r, uint64_t now_ms) {
    uint64_t due_ms = r->phase == FK_RUN_GOODBYE ? FK_NEVER : fk_node_due(r->node);
    if (r->phase != FK_RUN_GOODBYE) due_ms = fk_sooner(due_ms, fk_services_due(r->services));
    due_ms = fk_sooner(due_ms, r->patience_ms);
    const int poll_ms = fk_tcp_poll_ms(r->tcp);
    if (poll_ms >= 0) due_ms = fk_sooner(due_ms, fk_after(now_ms, (uint64_t)poll_ms));
    return due_ms;
}

static int on_signal(struct fk_run *r) {
    struct signalfd_siginfo info;
    if (read(r->signal_fd, &info, sizeof info) != sizeof info) return 0;
    if (r->phase != FK_RUN_NODE) return 128 + (int)info.ssi_signo;
    fk_log(r->log, FK_INFO, "leaving the cluster; a second signal ends at once",
           FK_INT("signal", info.ssi_signo));
    fk_node_leave(r->node);
    r->phase = FK_RUN_LEAVING;
    r->patience_ms = fk_after(fk_host_mono_ms(), FK_LEAVE_MS);
    return 0;
}

/* more: there is work, so only look. Otherwise sleeps a millisecond at least, whatever due says:
 * a mistake elsewhere may cost some power, but not the machine. */
static int rest(struct fk_run *r, bool more) {
    const uint64_t now_ms = fk_host_mono_ms();
    const uint64_t due_ms = due_of(r, now_ms);
    watch_socket(r);
    if (r->phase != FK_RUN_GOODBYE) (void)fk_services_watch(r->services, r->epoll_fd);
    if (!more) set_timer(r, due_ms <= now_ms ? now_ms + 1 : due_ms);
    struct epoll_event events[EVENTS_MAX];
    r->sleeps++;
    const int count = epoll_wait(r->epoll_fd, events, EVENTS_MAX, more ? 0 : -1);
    int ended = 0;
    for (int i = 0; i < count && ended == 0; i++) {
        if (events[i].data.u32 == WATCH_SIGNAL) ended = on_signal(r);
        if (events[i].data.u32 != WATCH_TIMER) continue;
        uint64_t expirations;
        if (read(r->timer_fd, &expirations, sizeof expirations) > 0) r->timer_ms = FK_NEVER;
    }
    return ended;
}

/* ---- phases ------------------------------------------------------------------------------------
 */

/* True: more may be done at once. */
static bool work(struct fk_run *r) {
    bool more = true;
    for (int i = 0; i < STEPS_PER_ROUND && more && !fk_node_left(r->node); i++) {
        fk_token_look(&r->token, &r->node->client, fk_host_mono_ms());
        more = fk_node_step(r->node) || fk_tls_ready(r->tls);
        more = fk_services_step(r->services) || more; /* after the node: its Lease comes first */
        look_at_connection(r);
        explain_loss(r);
    }
    return more;
}

static void begin_goodbye(struct fk_run *r, uint64_t now_ms) {
    fk_log(r->log, FK_INFO, "left",
           FK_STR("told", r->node->status.ready_reported == FK_CONDITION_FALSE ? "yes" : "no"));
    fk_services_stop(r->services);
    r->phase = FK_RUN_GOODBYE;
    r->patience_ms = fk_after(now_ms, FK_GOODBYE_MS);
}

/* True when all is said, or patience is over. */
static bool done(struct fk_run *r) {
    const uint64_t now_ms = fk_host_mono_ms();
    if (r->phase == FK_RUN_LEAVING && (fk_node_left(r->node) || now_ms >= r->patience_ms))
        begin_goodbye(r, now_ms);
    if (r->phase != FK_RUN_GOODBYE) return false;
    do
        if (fk_client_shutdown(&r->node->client, now_ms)) return true;
    while (!fk_client_wants_write(&r->node->client));
    return now_ms >= r->patience_ms;
}

int fk_run(struct fk_run *r) {
    int ended = 0;
    while (ended == 0) {
        const bool more = r->phase != FK_RUN_GOODBYE && work(r);
        if (done(r)) break;
        ended = rest(r, more && r->phase != FK_RUN_GOODBYE);
    }
    fk_log(r->log, FK_DEBUG, "ended", FK_INT("sleeps", r->sleeps),
           FK_INT("heap_peak", r->node->client.config.heap->peak_bytes));
    return ended;
}

int fk_run_init(struct fk_run *r) {
    r->phase = FK_RUN_NODE;
    r->token =
        (struct fk_token){.access = r->access, .log = r->log, .looked_ms = fk_host_mono_ms()};
    r->certificate_ms = fk_after(fk_host_mono_ms(), DAY_MS); /* the start looks at it, too */
    r->patience_ms = r->timer_ms = FK_NEVER;
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    r->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (r->epoll_fd < 0 || r->timer_fd < 0 || r->signal_fd < 0) return FK_E_NOMEM;
    const bool watched = watch(r, EPOLL_CTL_ADD, r->timer_fd, EPOLLIN, WATCH_TIMER) &&
                         watch(r, EPOLL_CTL_ADD, r->signal_fd, EPOLLIN, WATCH_SIGNAL);
    return watched ? 0 : FK_E_NOMEM;
}
