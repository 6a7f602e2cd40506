#include "link/listen_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"

/* Connections that died while they waited, passed over by one open, count. */
#define DEAD_PER_OPEN 4

/* How long to leave alone who can be neither taken in nor turned away. */
#define STARVED_MS 1000

/* What a client still had to say when we hung up is read away, bytes: closed with bytes unread, a
 * socket answers by a reset, which may overtake our last words. */
#define DRAIN_MAX 65536

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- Opening the port ------------------------------------------------------------------------ */

/* Its length; 0: not an IP address. */
static socklen_t parse_address(union address *a, const char *text, uint16_t port) {
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons(port);
        return sizeof a->v4;
    }
    if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons(port);
        return sizeof a->v6;
    }
    return 0;
}

static const char *advice_on(int code) {
    switch (code) {
    case EADDRINUSE: return "another kubelet on this host? choose another port with --port";
    case EACCES: return "ports below 1024 need CAP_NET_BIND_SERVICE; choose another with --port";
    case EADDRNOTAVAIL: return "no interface has this address; with 0.0.0.0 or :: all have";
    case EAFNOSUPPORT: return "this host has no such addresses; 0.0.0.0 means all of version 4";
    default: return "";
    }
}

static int refuse(struct fk_listen_socket *l, const char *address, uint16_t port, int code) {
    fk_log(l->log, FK_ERROR, "cannot listen", FK_STR("address", address), FK_INT("port", port),
           FK_STR("error", strerror(code)), FK_STR("advice", advice_on(code)));
    fk_listen_socket_close(l);
    return code == EMFILE || code == ENFILE || code == ENOMEM || code == ENOBUFS ? FK_E_NOMEM
                                                                                 : FK_E_CONFIG;
}

/* 0, or errno. */
static int begin_listening(struct fk_listen_socket *l, const union address *a, socklen_t len) {
    const int on = 1, off = 0;
    l->fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) {
        return errno;
    }
    /* Connections of a former life may linger on the port. */
    (void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->any.sa_family == AF_INET6) {
        (void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(l->fd, &a->any, len) != 0 || listen(l->fd, FK_LISTEN_BACKLOG) != 0) {
        return errno;
    }
    union address own;
    socklen_t own_len = sizeof own;
    if (getsockname(l->fd, &own.any, &own_len) != 0) {
        return errno;
    }
    l->port = ntohs(own.any.sa_family == AF_INET ? own.v4.sin_port : own.v6.sin6_port);
    return 0;
}

static int open_spare(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

int fk_listen_socket_open(struct fk_listen_socket *l, const char *address, uint16_t port,
                          const struct fk_log *log) {
    *l = (struct fk_listen_socket){.log = log, .fd = -1, .spare = -1};
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) {
        l->slots[i] = (struct fk_listen_slot){.owner = l, .fd = -1};
    }
    union address a;
    const socklen_t len = parse_address(&a, address, port);
    if (len == 0) {
        fk_log(log, FK_ERROR, "cannot listen: not an IP address", FK_STR("address", address),
               FK_STR("advice", "0.0.0.0 means all of version 4, :: means all"));
        return FK_E_CONFIG;
    }
    const int code = begin_listening(l, &a, len);
    if (code != 0) {
        return refuse(l, address, port, code);
    }
    l->spare = open_spare();
    return 0;
}

/* ---- Taking in ------------------------------------------------------------------------------- */

static int64_t now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool waiting(void *ctx) {
    const struct fk_listen_socket *l = ctx;
    struct pollfd p = {l->fd, POLLIN, 0};
    if (l->fd < 0 || (l->retry_ms != 0 && now_ms() < l->retry_ms)) {
        return false;
    }
    return poll(&p, 1, 0) > 0;
}

/* Without a descriptor for it, a connection can be neither taken in nor refused, and would be
 * reported again and again: the spare one makes room for long enough to hang up. */
static int turn_away(struct fk_listen_socket *l, int code) {
    if (!l->starved) {
        fk_log(l->log, FK_WARN, "a connection to the kubelet's port was turned away",
               FK_STR("error", strerror(code)),
               FK_STR("advice", "raise the limit of open files (ulimit -n)"));
    }
    l->starved = true;
    int fd = -1;
    if (l->spare >= 0) {
        (void)close(l->spare);
        fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    l->spare = open_spare();
    l->retry_ms = fd >= 0 ? 0 : now_ms() + STARVED_MS;
    return FK_E_NOMEM;
}

/* A descriptor, or FK_E_BUSY, FK_E_NOMEM. */
static int take_in(struct fk_listen_socket *l) {
    for (int i = 0; i < DEAD_PER_OPEN && l->fd >= 0; i++) {
        const int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            return fd;
        }
        switch (errno) {
        case EAGAIN: return FK_E_BUSY;
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case ENOBUFS: return turn_away(l, errno);
        default: break; /* ECONNABORTED, and what its network did to it: the next one */
        }
    }
    return FK_E_BUSY;
}

/* ---- A slot's pipe --------------------------------------------------------------------------- */

static void drain(int fd) {
    uint8_t away[256];
    size_t left = DRAIN_MAX;
    while (left > 0) {
        const ssize_t n = recv(fd, away, sizeof away, 0);
        if (n <= 0) {
            return;
        }
        left = left > (size_t)n ? left - (size_t)n : 0;
    }
}

static void slot_close(void *ctx) {
    struct fk_listen_slot *s = ctx;
    if (s->fd >= 0) {
        (void)shutdown(s->fd, SHUT_WR);
        drain(s->fd);
        (void)close(s->fd);
        s->serial++;
    }
    s->fd = -1;
    s->blocked = false;
    s->err = 0;
}

static int slot_open(void *ctx) {
    struct fk_listen_slot *s = ctx;
    const int on = 1;
    slot_close(s);
    const int fd = take_in(s->owner);
    if (fd < 0) {
        return fd;
    }
    s->owner->starved = false;
    s->owner->retry_ms = 0;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    s->fd = fd;
    s->serial++;
    return 0;
}

static bool later(int code) { return code == EAGAIN || code == EINTR; }

static int err_of(int code) { return code == ETIMEDOUT ? FK_E_TIMEOUT : FK_E_RESET; }

static int slot_recv(void *ctx, void *buf, size_t cap) {
    struct fk_listen_slot *s = ctx;
    if (s->fd < 0) {
        return FK_E_CLOSED;
    }
    const ssize_t n = recv(s->fd, buf, cap < INT32_MAX ? cap : INT32_MAX, 0);
    if (n > 0) {
        return (int)n;
    }
    if (n < 0 && later(errno)) {
        return 0;
    }
    if (n < 0) {
        s->err = (int16_t)err_of(errno);
    }
    return s->err != 0 ? s->err : FK_E_CLOSED; /* our direction may still be open */
}

static int slot_send(void *ctx, const void *buf, size_t len) {
    struct fk_listen_slot *s = ctx;
    if (s->fd < 0 || s->err != 0) {
        return s->fd < 0 ? FK_E_CLOSED : s->err;
    }
    const size_t want = len < INT32_MAX ? len : INT32_MAX;
    const ssize_t n = send(s->fd, buf, want, MSG_NOSIGNAL);
    if (n < 0 && !later(errno)) {
        s->blocked = false;
        s->err = (int16_t)err_of(errno); /* recv still gives what came before */
        return s->err;
    }
    s->blocked = n < (ssize_t)want;
    return n < 0 ? 0 : (int)n;
}

/* ---- The listener ---------------------------------------------------------------------------- */

static struct fk_pipe slot_pipe(void *ctx, unsigned slot) {
    static const struct fk_pipe_ops ops = {slot_open, slot_recv, slot_send, slot_close};
    struct fk_listen_socket *l = ctx;
    FK_ASSERT(slot < FK_SERVER_CONNECTIONS);
    return (struct fk_pipe){&ops, &l->slots[slot]};
}

static bool established(void *ctx, unsigned slot) {
    return fk_listen_socket_slot_fd(ctx, slot) >= 0;
}

static const struct fk_user *peer(void *ctx, unsigned slot) {
    (void)ctx;
    (void)slot;
    return NULL;
}

static bool ready(void *ctx, unsigned slot) {
    (void)ctx;
    (void)slot;
    return false;
}

struct fk_listener fk_listen_socket_listener(struct fk_listen_socket *l) {
    static const struct fk_listener_ops ops = {.waiting = waiting,
                                               .pipe = slot_pipe,
                                               .established = established,
                                               .peer = peer,
                                               .ready = ready};
    return (struct fk_listener){&ops, l, FK_SERVER_CONNECTIONS};
}

void fk_listen_socket_close(struct fk_listen_socket *l) {
    for (unsigned i = 0; i < FK_SERVER_CONNECTIONS; i++) {
        slot_close(&l->slots[i]);
    }
    if (l->fd >= 0) {
        (void)close(l->fd);
    }
    if (l->spare >= 0) {
        (void)close(l->spare);
    }
    l->fd = -1;
    l->spare = -1;
    l->port = 0;
}

uint16_t fk_listen_socket_port(const struct fk_listen_socket *l) { return l->port; }

int fk_listen_socket_fd(const struct fk_listen_socket *l) { return l->fd; }

int fk_listen_socket_slot_fd(const struct fk_listen_socket *l, unsigned slot) {
    FK_ASSERT(slot < FK_SERVER_CONNECTIONS);
    return l->slots[slot].fd;
}

uint32_t fk_listen_socket_slot_serial(const struct fk_listen_socket *l, unsigned slot) {
    FK_ASSERT(slot < FK_SERVER_CONNECTIONS);
    return l->slots[slot].serial;
}

bool fk_listen_socket_slot_wants_out(const struct fk_listen_socket *l, unsigned slot) {
    FK_ASSERT(slot < FK_SERVER_CONNECTIONS);
    return l->slots[slot].blocked;
}
