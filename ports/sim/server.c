/* One connection's end at the API server: carries bytes, rolls the dice for each request, replies
 * when the time has come. */
#include <stdio.h>

#include "base/date.h"
#include "base/err.h"
#include "sim/world.h"

#define THINK_MS 5 /* the longest that the server takes for a reply, by itself */

/* ---- requests ------------------------------------------------------------------------------- */

static uint64_t hash(struct fk_bytes b) {
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < b.len; i++) h = (h ^ b.p[i]) * UINT64_C(1099511628211);
    return h;
}

/* A failing server may have carried the request out all the same. */
static bool carried_out(struct sim_world *w, enum sim_fault fault) {
    switch (fault) {
    case SIM_FAULT_NONE:
    case SIM_FAULT_LAST: return true;
    case SIM_FAULT_500:
    case SIM_FAULT_504:
    case SIM_FAULT_HTML:
    case SIM_FAULT_RESET:
    case SIM_FAULT_CUT:
    case SIM_FAULT_SILENT: return fk_rng_below(&w->dice, 2) == 0;
    case SIM_FAULT_429:
    case SIM_FAULT_503:
    case SIM_FAULT_REFUSED:
    case SIM_FAULT_GOAWAY:
    case SIM_FAULT_401:
    case SIM_FAULT_403:
    case SIM_FAULT_422:
    case SIM_FAULT_DEAF: break;
    }
    return false;
}

static void put_page(struct sim_reply *r) {
    static const char page[] = "<html><head><title>502 Bad Gateway</title></head>"
                               "<body><center><h1>502 Bad Gateway</h1></center></body></html>";
    sim_reply_error(r, 502, "", 0, page); /* to have room for it */
    memcpy(r->body, page, sizeof page - 1);
    r->body_len = sizeof page - 1;
    r->content_type = "text/html";
}

static void spoil(struct sim_world *w, enum sim_fault fault, struct sim_reply *r) {
    const int32_t after_s = 1 + (int32_t)fk_rng_below(&w->dice, 3);
    switch (fault) {
    case SIM_FAULT_429: sim_reply_error(r, 429, "TooManyRequests", after_s, "slow down"); break;
    case SIM_FAULT_500: sim_reply_error(r, 500, "InternalError", 0, "etcd is unwell"); break;
    case SIM_FAULT_503: sim_reply_error(r, 503, "ServiceUnavailable", 0, "starting"); break;
    case SIM_FAULT_504: sim_reply_error(r, 504, "Timeout", 0, "it took too long"); break;
    case SIM_FAULT_HTML: put_page(r); break;
    case SIM_FAULT_401: sim_reply_error(r, 401, "Unauthorized", 0, "Unauthorized"); break;
    case SIM_FAULT_403: sim_reply_error(r, 403, "Forbidden", 0, "forbidden"); break;
    case SIM_FAULT_422: sim_reply_error(r, 422, "Invalid", 0, "invalid"); break;
    case SIM_FAULT_NONE:
    case SIM_FAULT_RESET:
    case SIM_FAULT_REFUSED:
    case SIM_FAULT_GOAWAY:
    case SIM_FAULT_LAST:
    case SIM_FAULT_CUT:
    case SIM_FAULT_SILENT:
    case SIM_FAULT_DEAF: break;
    }
}

static void count_request(struct sim_seat *seat) {
    struct sim_world *w = seat->world;
    w->totals.requests++;
    if (++seat->minute_requests == SIM_REQUESTS_PER_MINUTE)
        sim_world_complain(w, seat->index, "too many requests in one minute");
}

static void carry_out(struct sim_seat *seat, struct sim_stream *s, bool told) {
    struct sim_world *w = seat->world;
    const struct sim_record *record = sim_world_record(w, seat->index);
    const uint32_t renewals = record->renewals;
    sim_api_handle(sim_world_api(w), &s->request, &s->reply);
    if (record->renewals == renewals) return;
    w->totals.renewals++;
    sim_account_check(seat, true);
    if (told) seat->account.failures = 0; /* else its delays go on growing */
}

static void asked(void *ctx, struct sim_stream *s) {
    struct sim_seat *seat = ctx;
    struct sim_world *w = seat->world;
    const struct sim_request *q = &s->request;
    const enum sim_fault fault = w->choose != NULL ? w->choose(w->ctx, q) : sim_faults_roll(w);
    count_request(seat);
    if (carried_out(w, fault)) carry_out(seat, s, fault == SIM_FAULT_NONE);
    if (fault != SIM_FAULT_NONE) {
        spoil(w, fault, &s->reply);
        sim_account_fault(seat, fault, (uint32_t)s->reply.retry_after_s);
    }
    s->what = (int)fault;
    s->due_ms = w->now_ms + fk_rng_below(&w->dice, THINK_MS + 1) + w->slow_ms;
    const uint64_t status = (uint64_t)(uint32_t)s->reply.status;
    sim_world_note(w, seat->index, (uint64_t)fault << 32 | status,
                   hash(fk_bytes(q->body, q->body_len)) ^ hash(fk_bytes_str(q->path)));
    if (w->seen != NULL) w->seen(w->ctx, q, &s->reply);
}

/* ---- replies -------------------------------------------------------------------------------- */

static const char *date_header(struct sim_world *w) {
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const int64_t s = sim_world_api(w)->wall_us / 1000000;
    if (w->no_date) return NULL;
    if (s == w->date_s) return w->date;
    struct fk_civil c;
    fk_date_from_unix(s, &c);
    (void)snprintf(w->date, sizeof w->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                   days + s / 86400 % 7 * 3, (int)c.day % 100, months + (c.month - 1) * 3,
                   (int)c.year % 10000, (int)c.hour % 100, (int)c.minute % 100,
                   (int)c.second % 100);
    w->date_s = s;
    return w->date;
}

static void flush(struct sim_seat *seat) {
    uint8_t buf[4096];
    for (;;) {
        const size_t room = sim_link_room(&seat->link);
        if (room < 2048) return;
        const size_t len = sim_peer_pull(&seat->peer, buf, room < sizeof buf ? room : sizeof buf);
        if (len == 0) return;
        sim_link_reply(&seat->link, fk_bytes(buf, len));
    }
}

/* Half of what would be sent, then the end of the connection. */
static void cut(struct sim_seat *seat) {
    uint8_t buf[4096];
    const size_t len = sim_peer_pull(&seat->peer, buf, sizeof buf);
    const size_t room = sim_link_room(&seat->link);
    const size_t half = len / 2 < room ? len / 2 : room;
    if (half > 0) sim_link_reply(&seat->link, fk_bytes(buf, half));
    sim_link_end(&seat->link, FK_E_RESET);
}

static void reply(struct sim_seat *seat, struct sim_stream *s) {
    struct sim_peer *p = &seat->peer;
    struct sim_world *w = seat->world;
    s->due_ms = FK_NEVER;
    switch ((enum sim_fault)s->what) {
    case SIM_FAULT_RESET: sim_peer_reset(p, s, false); break;
    case SIM_FAULT_REFUSED: sim_peer_reset(p, s, true); break;
    case SIM_FAULT_GOAWAY: sim_peer_goaway(p, s->id > 2 ? s->id - 2 : 0); break;
    case SIM_FAULT_SILENT: break;
    case SIM_FAULT_DEAF: sim_link_lose(&seat->link); break;
    case SIM_FAULT_CUT:
        if (s->reply.status == 0) spoil(w, SIM_FAULT_500, &s->reply);
        sim_peer_reply(p, s, date_header(w));
        cut(seat);
        break;
    case SIM_FAULT_LAST:
        sim_peer_goaway(p, s->id);
        sim_peer_reply(p, s, date_header(w));
        break;
    case SIM_FAULT_NONE:
    case SIM_FAULT_429:
    case SIM_FAULT_500:
    case SIM_FAULT_503:
    case SIM_FAULT_504:
    case SIM_FAULT_HTML:
    case SIM_FAULT_401:
    case SIM_FAULT_403:
    case SIM_FAULT_422: sim_peer_reply(p, s, date_header(w)); break;
    }
}

/* ---- the connection ------------------------------------------------------------------------- */

void sim_server_init(struct sim_seat *seat) {
    seat->peer.asked = asked;
    seat->peer.ctx = seat;
    seat->peer.node = seat->index;
}

static void listen_to(struct sim_seat *seat) {
    uint8_t buf[4096];
    for (;;) {
        const size_t len = sim_link_hear(&seat->link, buf, sizeof buf);
        if (len == 0) return;
        const int err = sim_peer_feed(&seat->peer, fk_bytes(buf, len));
        if (err == 0) continue;
        sim_world_complain(seat->world, seat->index, sim_peer_error(err));
        sim_link_break(&seat->link, FK_E_RESET);
        return;
    }
}

static uint64_t reply_due(const struct sim_peer *p) {
    uint64_t due_ms = FK_NEVER;
    for (const struct sim_stream *s = p->streams; s != NULL; s = s->next)
        due_ms = fk_sooner(due_ms, s->due_ms);
    return due_ms;
}

/* Oldest first: new streams stand in front. */
static struct sim_stream *next_due(const struct sim_peer *p, uint64_t now_ms) {
    struct sim_stream *due = NULL;
    for (struct sim_stream *s = p->streams; s != NULL; s = s->next)
        if (s->due_ms <= now_ms) due = s;
    return due;
}

uint64_t sim_server_run(struct sim_seat *seat) {
    struct sim_peer *p = &seat->peer;
    struct sim_link *l = &seat->link;
    if (l->state != SIM_LINK_OPEN || p->connection != l->opens) sim_peer_close(p);
    if (l->state != SIM_LINK_OPEN) return FK_NEVER;
    if (p->session == NULL) {
        p->connection = l->opens;
        sim_peer_open(p);
        if (seat->world->farewell) sim_peer_goaway(p, 0);
    }
    listen_to(seat);
    for (struct sim_stream *s; (s = next_due(p, seat->world->now_ms)) != NULL;) reply(seat, s);
    if (l->ending == 0) flush(seat);
    return fk_sooner(sim_link_up_due(l), l->ending == 0 ? reply_due(p) : FK_NEVER);
}
