#include "sim/peer.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"

#define DATA_MAX (NGHTTP2_FRAMEBUF_CHUNKLEN - 10)

/* ---- streams -------------------------------------------------------------------------------- */

static struct sim_stream *stream_new(struct sim_peer *p, int32_t id) {
    struct sim_stream *s = p->spare;
    if (s != NULL) p->spare = s->next;
    else s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    const struct sim_request request = {
        .node = p->node, .body = s->request.body, .body_cap = s->request.body_cap};
    s->request = request;
    const struct sim_reply reply = {.body = s->reply.body, .body_cap = s->reply.body_cap};
    s->reply = reply;
    s->id = id;
    s->sent = 0;
    s->due_ms = FK_NEVER;
    s->what = 0;
    s->next = p->streams;
    p->streams = s;
    return s;
}

static void stream_drop(struct sim_peer *p, struct sim_stream *s) {
    struct sim_stream **link = &p->streams;
    while (*link != s) link = &(*link)->next;
    *link = s->next;
    s->next = p->spare;
    p->spare = s;
}

static struct sim_stream *stream_of(struct sim_peer *p, int32_t id) {
    struct sim_stream *s = p->streams;
    while (s != NULL && s->id != id) s = s->next;
    return s;
}

/* ---- what nghttp2 calls --------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    (void)session;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) (void)stream_new(ctx, frame->hd.stream_id);
    return 0;
}

static void copy(char *to, size_t cap, const uint8_t *from, size_t len) {
    if (len >= cap) len = cap - 1;
    memcpy(to, from, len);
    to[len] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx) {
    (void)session;
    (void)flags;
    struct sim_stream *s = stream_of(ctx, frame->hd.stream_id);
    if (s == NULL) return 0;
    struct sim_request *q = &s->request;
    const struct fk_bytes key = fk_bytes(name, name_len);
    if (fk_bytes_is(key, ":method")) copy(q->method, sizeof q->method, value, value_len);
    else if (fk_bytes_is(key, ":path")) copy(q->path, sizeof q->path, value, value_len);
    else if (fk_bytes_is(key, "accept")) copy(q->accept, sizeof q->accept, value, value_len);
    else if (fk_bytes_is(key, "user-agent"))
        copy(q->user_agent, sizeof q->user_agent, value, value_len);
    else if (fk_bytes_is(key, "content-type"))
        copy(q->content_type, sizeof q->content_type, value, value_len);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *ctx) {
    (void)session;
    (void)flags;
    struct sim_stream *s = stream_of(ctx, id);
    if (s == NULL) return 0;
    struct sim_request *q = &s->request;
    if (q->body_len + len > q->body_cap) {
        q->body_cap = (q->body_len + len) * 2;
        q->body = realloc(q->body, q->body_cap);
        if (q->body == NULL) abort();
    }
    memcpy(q->body + q->body_len, data, len);
    q->body_len += len;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    (void)session;
    struct sim_peer *p = ctx;
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    struct sim_stream *s = stream_of(p, frame->hd.stream_id);
    if (s != NULL) p->asked(p->ctx, s);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx) {
    (void)session;
    (void)code;
    struct sim_stream *s = stream_of(ctx, id);
    if (s != NULL) stream_drop(ctx, s);
    return 0;
}

static nghttp2_ssize piece_max(nghttp2_session *session, uint8_t type, int32_t id,
                               int32_t session_window, int32_t stream_window,
                               uint32_t frame_size_max, void *ctx) {
    (void)session, (void)type, (void)id, (void)ctx;
    (void)session_window, (void)stream_window, (void)frame_size_max;
    return DATA_MAX;
}

static nghttp2_ssize read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap,
                               uint32_t *flags, nghttp2_data_source *source, void *ctx) {
    (void)session, (void)source;
    struct sim_stream *s = stream_of(ctx, id);
    if (s == NULL) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const size_t left = s->reply.body_len - s->sent;
    const size_t len = left < cap ? left : cap;
    memcpy(buf, s->reply.body + s->sent, len);
    s->sent += len;
    if (s->sent == s->reply.body_len) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (nghttp2_ssize)len;
}

/* ---- the connection ------------------------------------------------------------------------- */

void sim_peer_open(struct sim_peer *p) {
    /* As a kube-apiserver's, measured. */
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 262144},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 262144},
    };
    nghttp2_session_callbacks *c = NULL;
    if (nghttp2_session_callbacks_new(&c) != 0) abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_callbacks_set_data_source_read_length_callback2(c, piece_max);
    /* nghttp2 limits RST_STREAM by the machine's clock, which is not ours: off. */
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) != 0) abort();
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
    if (nghttp2_session_server_new2(&p->session, c, p, option) != 0) abort();
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(c);
    FK_ASSERT(nghttp2_submit_settings(p->session, NGHTTP2_FLAG_NONE, settings, 3) == 0);
}

void sim_peer_close(struct sim_peer *p) {
    if (p->session == NULL) return;
    nghttp2_session_del(p->session);
    p->session = NULL;
    while (p->streams != NULL) stream_drop(p, p->streams);
}

void sim_peer_free(struct sim_peer *p) {
    sim_peer_close(p);
    while (p->spare != NULL) {
        struct sim_stream *s = p->spare;
        p->spare = s->next;
        free(s->request.body);
        free(s->reply.body);
        free(s);
    }
}

int sim_peer_feed(struct sim_peer *p, struct fk_bytes bytes) {
    const nghttp2_ssize rv = nghttp2_session_mem_recv2(p->session, bytes.p, bytes.len);
    return rv < 0 ? (int)rv : 0;
}

size_t sim_peer_pull(struct sim_peer *p, uint8_t *buf, size_t cap) {
    size_t moved = 0;
    while (cap - moved >= NGHTTP2_FRAMEBUF_CHUNKLEN) {
        const uint8_t *frame = NULL;
        const nghttp2_ssize len = nghttp2_session_mem_send2(p->session, &frame);
        FK_ASSERT(len >= 0 && (size_t)len <= cap - moved);
        if (len == 0) break;
        memcpy(buf + moved, frame, (size_t)len);
        moved += (size_t)len;
    }
    return moved;
}

static nghttp2_nv field(const char *name, const char *value) {
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .namelen = strlen(name),
        .value = (uint8_t *)(uintptr_t)value,
        .valuelen = strlen(value),
    };
}

void sim_peer_reply(struct sim_peer *p, struct sim_stream *s, const char *date) {
    const struct sim_reply *r = &s->reply;
    char status[12], length[24], audit[40], after[12];
    (void)snprintf(status, sizeof status, "%d", r->status);
    (void)snprintf(length, sizeof length, "%zu", r->body_len);
    (void)snprintf(audit, sizeof audit, "%08x-5a1e-4000-8000-%012x", p->connection,
                   (unsigned)s->id);
    nghttp2_nv fields[8] = {
        field(":status", status),
        field("audit-id", audit),
        field("cache-control", "no-cache, private"),
        field("content-type", r->content_type),
        field("content-length", length),
    };
    size_t count = 5;
    if (date != NULL) fields[count++] = field("date", date);
    if (r->retry_after_s > 0) {
        (void)snprintf(after, sizeof after, "%d", (int)r->retry_after_s);
        fields[count++] = field("retry-after", after);
    }
    const nghttp2_data_provider2 body = {.read_callback = read_body};
    FK_ASSERT(nghttp2_submit_response2(p->session, s->id, fields, count,
                                       r->body_len > 0 ? &body : NULL) == 0);
}

void sim_peer_reset(struct sim_peer *p, const struct sim_stream *s, bool refused) {
    const uint32_t code = refused ? NGHTTP2_REFUSED_STREAM : NGHTTP2_INTERNAL_ERROR;
    FK_ASSERT(nghttp2_submit_rst_stream(p->session, NGHTTP2_FLAG_NONE, s->id, code) == 0);
}

const char *sim_peer_error(int err) { return nghttp2_strerror(err); }

void sim_peer_goaway(struct sim_peer *p, int32_t last_stream) {
    FK_ASSERT(nghttp2_submit_goaway(p->session, NGHTTP2_FLAG_NONE, last_stream, NGHTTP2_NO_ERROR,
                                    NULL, 0) == 0);
}
