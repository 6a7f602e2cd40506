#include "link/tcp_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/writer.h"

enum state { CLOSED, RESOLVING, CONNECTING, CONNECTED, OVER };

/* How soon to ask after a lookup: short beside the lookup itself, long beside a wakeup's cost. */
#define LOOKUP_POLL_MS 10

/* SYN retransmissions while further addresses are left to try: gives up after about 3 s (1 + 2)
 * instead of two minutes, so that a dead first address does not use up the client's patience. */
#define SYN_RETRIES_IF_MORE 1

/* ---- Errors --------------------------------------------------------------------------------- */

static int err_of(int code) {
    switch (code) {
    case ETIMEDOUT: return FK_E_TIMEOUT;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED: return FK_E_RESET;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS: return FK_E_NOMEM;
    default: /* ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EACCES of a firewall … */
        return FK_E_UNREACHABLE;
    }
}

static void tell(struct fk_tcp *t, const char *what, const char *whom, const char *why) {
    struct fk_writer w;
    fk_writer_init(&w, t->error, sizeof t->error);
    fk_put_str(&w, what);
    fk_put_char(&w, ' ');
    fk_put_str(&w, whom);
    fk_put_str(&w, " port ");
    fk_put_str(&w, t->port);
    fk_put_str(&w, ": ");
    fk_put_str(&w, why);
    (void)fk_writer_finish(&w);
}

static void drop_socket(struct fk_tcp *t) {
    if (t->fd >= 0) {
        (void)close(t->fd);
        t->fd = -1;
        t->serial++;
    }
    t->wants_out = false;
    t->local[0] = '\0';
}

static int end(struct fk_tcp *t, int err) {
    drop_socket(t);
    t->state = OVER;
    t->err = (int16_t)err;
    return err;
}

/* ---- Addresses ------------------------------------------------------------------------------ */

static void address_text(char text[FK_TCP_ADDRESS_CAP], const struct sockaddr *address) {
    union {
        struct sockaddr_storage any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    const bool v6 = address->sa_family == AF_INET6;
    memcpy(&a, address, v6 ? sizeof a.v6 : sizeof a.v4);
    const void *bytes = v6 ? (const void *)&a.v6.sin6_addr : (const void *)&a.v4.sin_addr;
    text[0] = '\0';
    (void)inet_ntop(address->sa_family, bytes, text, FK_TCP_ADDRESS_CAP);
}

static bool is_numeric(const char *host) {
    struct in6_addr any;
    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static int begin_lookup(struct fk_tcp *t) {
    struct gaicb *list[1] = {&t->lookup};
    t->hints = (struct addrinfo){.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    t->hints.ai_flags = AI_NUMERICSERV | (is_numeric(t->host) ? AI_NUMERICHOST : 0);
    memset(&t->lookup, 0, sizeof t->lookup);
    t->lookup.ar_name = t->host;
    t->lookup.ar_service = t->port;
    t->lookup.ar_request = &t->hints;
    if (t->hints.ai_flags & AI_NUMERICHOST) { /* answers at once */
        const int ret = getaddrinfo(t->host, t->port, &t->hints, &t->addresses);
        if (ret != 0) {
            tell(t, "resolve", t->host, gai_strerror(ret));
        }
        t->next = t->addresses;
        return ret == 0 ? 0 : FK_E_RESOLVE;
    }
    const int ret = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    if (ret != 0) {
        tell(t, "resolve", t->host, gai_strerror(ret));
        return ret == EAI_MEMORY ? FK_E_NOMEM : FK_E_RESOLVE;
    }
    t->lookup_running = true;
    return 0;
}

/* Positive: addresses are there; 0: later; negative: there are none. */
static int end_lookup(struct fk_tcp *t) {
    if (!t->lookup_running) {
        return 1;
    }
    const int ret = gai_error(&t->lookup);
    if (ret == EAI_INPROGRESS) {
        return 0;
    }
    t->lookup_running = false;
    if (ret != 0) {
        tell(t, "resolve", t->host, gai_strerror(ret));
        return FK_E_RESOLVE;
    }
    t->addresses = t->lookup.ar_result;
    t->lookup.ar_result = NULL;
    t->next = t->addresses;
    return 1;
}

static void drop_addresses(struct fk_tcp *t) {
    if (t->addresses != NULL) {
        freeaddrinfo(t->addresses);
    }
    t->addresses = NULL;
    t->next = NULL;
}

/* ---- Connecting ----------------------------------------------------------------------------- */

static int begin_connect(struct fk_tcp *t, const struct addrinfo *a) {
    const int on = 1;
    const int syn_retries = SYN_RETRIES_IF_MORE;
    t->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->fd < 0) {
        return errno;
    }
    t->serial++;
    (void)setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (a->ai_next != NULL) {
        (void)setsockopt(t->fd, IPPROTO_TCP, TCP_SYNCNT, &syn_retries, sizeof syn_retries);
    }
    t->wants_out = true;
    if (connect(t->fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS) {
        return 0;
    }
    return errno;
}

/* Starts with the next address that does not fail at once. 0, or the last one's error. */
static int connect_next(struct fk_tcp *t, int code) {
    while (t->next != NULL) {
        const struct addrinfo *a = t->next;
        t->next = a->ai_next;
        drop_socket(t);
        address_text(t->remote, a->ai_addr);
        code = begin_connect(t, a);
        if (code == 0) {
            t->state = CONNECTING;
            return 0;
        }
        tell(t, "connect to", t->remote, strerror(code));
    }
    return end(t, err_of(code));
}

static void note_local_address(struct fk_tcp *t) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    const void *generic = &address;
    if (getsockname(t->fd, (struct sockaddr *)&address, &len) == 0) {
        address_text(t->local, generic);
    }
}

/* Positive: connected; 0: later; negative: no address answers. */
static int end_connect(struct fk_tcp *t) {
    struct pollfd p = {t->fd, POLLOUT, 0};
    if (poll(&p, 1, 0) <= 0) {
        return 0;
    }
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0) {
        code = errno;
    }
    if (code != 0) {
        tell(t, "connect to", t->remote, strerror(code));
        return connect_next(t, code);
    }
    t->state = CONNECTED;
    t->wants_out = false;
    t->error[0] = '\0'; /* of the addresses before this one */
    note_local_address(t);
    drop_addresses(t);
    return 1;
}

/* Positive: connected; 0: later; negative: over. */
static int advance(struct fk_tcp *t) {
    if (t->state == RESOLVING) {
        const int ret = end_lookup(t);
        if (ret <= 0) {
            return ret == 0 ? 0 : end(t, ret);
        }
        const int started = connect_next(t, EADDRNOTAVAIL);
        if (started != 0) {
            return started;
        }
    }
    switch ((enum state)t->state) {
    case CONNECTING: return end_connect(t);
    case CONNECTED: return 1;
    case OVER: return t->err;
    case CLOSED:
    case RESOLVING:
    default: return FK_E_CLOSED;
    }
}

/* ---- The pipe ------------------------------------------------------------------------------- */

static void tcp_close(void *ctx) {
    struct fk_tcp *t = ctx;
    drop_socket(t);
    drop_addresses(t);
    t->state = CLOSED;
    t->err = 0;
}

static int tcp_open(void *ctx) {
    struct fk_tcp *t = ctx;
    tcp_close(t);
    t->error[0] = '\0';
    t->remote[0] = '\0';
    const int ret = t->lookup_running ? 0 : begin_lookup(t);
    if (ret != 0) {
        return ret;
    }
    t->state = RESOLVING;
    (void)advance(t); /* a numeric address: the SYN leaves at once; what comes of it, recv says */
    return 0;
}

static bool later(int code) { return code == EAGAIN || code == EINTR; }

static int broken(struct fk_tcp *t, const char *what, int code) {
    tell(t, what, t->remote, strerror(code));
    const int err = err_of(code);
    return end(t, err == FK_E_NOMEM ? FK_E_RESET : err);
}

static int tcp_recv(void *ctx, void *buf, size_t cap) {
    struct fk_tcp *t = ctx;
    const int ready = advance(t);
    if (ready <= 0) {
        return ready;
    }
    const ssize_t n = recv(t->fd, buf, cap < INT32_MAX ? cap : INT32_MAX, 0);
    if (n > 0) {
        return (int)n;
    }
    if (n == 0) { /* our direction may still be open: the socket stays */
        return FK_E_CLOSED;
    }
    return later(errno) ? 0 : broken(t, "receive from", errno);
}

static int tcp_send(void *ctx, const void *buf, size_t len) {
    struct fk_tcp *t = ctx;
    const int ready = advance(t);
    if (ready <= 0) {
        return ready;
    }
    const size_t want = len < INT32_MAX ? len : INT32_MAX;
    const ssize_t n = send(t->fd, buf, want, MSG_NOSIGNAL);
    if (n < 0 && !later(errno)) {
        /* The socket stays for one more recv: what the peer said before it hung up. */
        tell(t, "send to", t->remote, strerror(errno));
        return err_of(errno);
    }
    t->wants_out = n < (ssize_t)want;
    return n < 0 ? 0 : (int)n;
}

struct fk_pipe fk_tcp_pipe(struct fk_tcp *t) {
    static const struct fk_pipe_ops ops = {tcp_open, tcp_recv, tcp_send, tcp_close};
    return (struct fk_pipe){&ops, t};
}

/* ---- Life ----------------------------------------------------------------------------------- */

void fk_tcp_init(struct fk_tcp *t, const char *host, uint16_t port) {
    *t = (struct fk_tcp){.host = host, .fd = -1};
    struct fk_writer w;
    fk_writer_init(&w, t->port, sizeof t->port);
    fk_put_u64(&w, port);
    (void)fk_writer_finish(&w);
}

void fk_tcp_free(struct fk_tcp *t) {
    tcp_close(t);
    const struct gaicb *const list[1] = {&t->lookup};
    if (t->lookup_running && gai_cancel(&t->lookup) != EAI_CANCELED) {
        while (gai_error(&t->lookup) == EAI_INPROGRESS) {
            (void)gai_suspend(list, 1, NULL);
        }
    }
    t->lookup_running = false;
    if (t->lookup.ar_result != NULL) {
        freeaddrinfo(t->lookup.ar_result);
        t->lookup.ar_result = NULL;
    }
}

int fk_tcp_fd(const struct fk_tcp *t) { return t->fd; }

uint32_t fk_tcp_serial(const struct fk_tcp *t) { return t->serial; }

bool fk_tcp_wants_out(const struct fk_tcp *t) { return t->wants_out; }

int fk_tcp_poll_ms(const struct fk_tcp *t) { return t->state == RESOLVING ? LOOKUP_POLL_MS : -1; }

const char *fk_tcp_local_address(const struct fk_tcp *t) { return t->local; }

const char *fk_tcp_remote_address(const struct fk_tcp *t) { return t->remote; }

const char *fk_tcp_error(const struct fk_tcp *t) { return t->error; }
