#include "support/h2_peer.h"

#include <stdio.h>
#include <stdlib.h>

#define DATA_MAX (NGHTTP2_FRAMEBUF_CHUNKLEN - 10)

static void must(bool fact, const char *what) {
    if (fact) return;
    (void)fprintf(stderr, "h2_peer: %s\n", what);
    abort();
}

static struct h2_peer_stream *slot(struct h2_peer *p, int32_t id) {
    return &p->streams[((uint32_t)id / 2) % H2_PEER_STREAMS];
}

struct h2_peer_stream *h2_peer_stream(struct h2_peer *p, int32_t id) {
    struct h2_peer_stream *s = slot(p, id);
    return s->id == id ? s : NULL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    (void)session;
    struct h2_peer *p = ctx;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    *slot(p, frame->hd.stream_id) = (struct h2_peer_stream){.id = frame->hd.stream_id};
    p->requests++;
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx) {
    (void)session;
    struct h2_peer_stream *s = h2_peer_stream(ctx, frame->hd.stream_id);
    if (s == NULL) return 0;
    const int len = snprintf(s->head + s->head_len, sizeof s->head - s->head_len, "%s%.*s: %.*s\n",
                             (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0 ? "!" : "", (int)name_len,
                             (const char *)name, (int)value_len, (const char *)value);
    s->head_len += (size_t)len;
    if (s->head_len >= sizeof s->head) s->head_len = sizeof s->head - 1;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *ctx) {
    (void)session;
    (void)flags;
    struct h2_peer_stream *s = h2_peer_stream(ctx, id);
    if (s == NULL) return 0;
    for (size_t i = 0; i < len; i++, s->body_len++)
        if (s->body_len < sizeof s->body) s->body[s->body_len] = data[i];
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    (void)session;
    struct h2_peer *p = ctx;
    struct h2_peer_stream *s = h2_peer_stream(p, frame->hd.stream_id);
    const bool data = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (data && s != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        s->ended = true;
        if (p->asked != NULL) p->asked(p->ctx, p, s);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM && s != NULL) {
        s->reset = true;
        s->reset_code = frame->rst_stream.error_code;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        p->goaway_code = frame->goaway.error_code;
    } else if (frame->hd.type == NGHTTP2_PING) {
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) p->pongs++;
        else p->pings++;
    }
    return 0;
}

static nghttp2_ssize piece_max(nghttp2_session *session, uint8_t type, int32_t id,
                               int32_t session_window, int32_t stream_window,
                               uint32_t frame_size_max, void *ctx) {
    (void)session, (void)type, (void)id, (void)session_window, (void)stream_window;
    (void)frame_size_max, (void)ctx;
    return DATA_MAX;
}

void h2_peer_open(struct h2_peer *p, const nghttp2_settings_entry *settings, size_t count) {
    *p = (struct h2_peer){
        .asked = p->asked, .ctx = p->ctx, .serving = p->serving, .goaway_code = UINT32_MAX};
    nghttp2_session_callbacks *c = NULL;
    must(nghttp2_session_callbacks_new(&c) == 0, "no memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_data_source_read_length_callback2(c, piece_max);
    must(nghttp2_session_server_new(&p->session, c, p) == 0, "no session");
    nghttp2_session_callbacks_del(c);
    must(nghttp2_submit_settings(p->session, NGHTTP2_FLAG_NONE, settings, count) == 0, "settings");
}

void h2_peer_close(struct h2_peer *p) {
    nghttp2_session_del(p->session);
    p->session = NULL;
}

int h2_peer_feed(struct h2_peer *p, struct fk_bytes bytes) {
    p->bytes_in += bytes.len;
    const nghttp2_ssize rv = nghttp2_session_mem_recv2(p->session, bytes.p, bytes.len);
    return rv < 0 ? (int)rv : 0;
}

/* Whole frames at least: a frame longer than cap would be lost, so cap must be large enough. */
size_t h2_peer_pull(struct h2_peer *p, void *buf, size_t cap) {
    size_t moved = 0;
    while (cap - moved >= NGHTTP2_FRAMEBUF_CHUNKLEN) {
        const uint8_t *frame = NULL;
        const nghttp2_ssize rv = nghttp2_session_mem_send2(p->session, &frame);
        must(rv >= 0, "cannot send");
        if (rv == 0) break;
        memcpy((uint8_t *)buf + moved, frame, (size_t)rv);
        moved += (size_t)rv;
    }
    p->bytes_out += moved;
    return moved;
}

static nghttp2_ssize read_reply(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap,
                                uint32_t *flags, nghttp2_data_source *source, void *ctx) {
    (void)session;
    (void)source;
    struct h2_peer_stream *s = h2_peer_stream(ctx, id);
    if (s == NULL) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const size_t until = s->reply_len - s->reply_held;
    size_t moved = 0;
    for (; moved < cap && s->reply_sent < until; moved++, s->reply_sent++)
        buf[moved] = s->reply != NULL ? s->reply[s->reply_sent] : h2_peer_pattern(s->reply_sent);
    if (moved == 0 && s->reply_held > 0) return NGHTTP2_ERR_DEFERRED;
    if (s->reply_sent == s->reply_len) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (nghttp2_ssize)moved;
}

static nghttp2_nv field(const char *name, const char *value) {
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .namelen = strlen(name),
        .value = (uint8_t *)(uintptr_t)value,
        .valuelen = strlen(value),
    };
}

void h2_peer_reply(struct h2_peer *p, int32_t id, const struct h2_peer_reply *reply) {
    nghttp2_nv fields[16] = {field(":status", reply->status)};
    size_t count = 1;
    for (size_t i = 0; reply->fields != NULL && reply->fields[i] != NULL; i += 2) {
        must(count < 16, "too many fields");
        fields[count++] = field(reply->fields[i], reply->fields[i + 1]);
    }
    if (reply->interim) {
        must(nghttp2_submit_headers(p->session, NGHTTP2_FLAG_NONE, id, NULL, fields, count, NULL) ==
                 0,
             "interim reply");
        return;
    }
    struct h2_peer_stream *s = h2_peer_stream(p, id);
    must(s != NULL, "reply to nobody");
    s->reply = reply->body;
    s->reply_len = reply->body_len;
    s->reply_held = reply->body_held;
    s->reply_sent = 0;
    const nghttp2_data_provider2 body = {.read_callback = read_reply};
    must(nghttp2_submit_response2(p->session, id, fields, count,
                                  reply->body_len > 0 ? &body : NULL) == 0,
         "reply");
}

void h2_peer_reset(struct h2_peer *p, int32_t id, uint32_t code) {
    must(nghttp2_submit_rst_stream(p->session, NGHTTP2_FLAG_NONE, id, code) == 0, "reset");
}

void h2_peer_goaway(struct h2_peer *p, int32_t last_stream, uint32_t code) {
    must(nghttp2_submit_goaway(p->session, NGHTTP2_FLAG_NONE, last_stream, code, NULL, 0) == 0,
         "goaway");
}

bool h2_peer_serve(struct h2_peer *p, struct mem_pipe *m) {
    if (m->near_open && p->serving != m->opens) {
        h2_peer_close(p);
        h2_peer_open(p, NULL, 0);
        p->serving = m->opens;
    }
    if (p->session == NULL) return false;
    uint8_t buf[2 * NGHTTP2_FRAMEBUF_CHUNKLEN];
    const struct fk_pipe far = mem_pipe_far(m);
    const int got = fk_pipe_recv(far, buf, sizeof buf);
    if (got > 0) must(h2_peer_feed(p, fk_bytes(buf, (size_t)got)) == 0, "cannot receive");
    const size_t out = h2_peer_pull(p, buf, sizeof buf);
    if (out > 0) (void)fk_pipe_send(far, buf, out); /* a dying pipe takes only some of it */
    return got > 0 || out > 0;
}

int h2_peer_run(struct h2_peer *p, struct fk_h2 *h, size_t step) {
    uint8_t buf[4096];
    for (;;) {
        const int out = fk_h2_pull(h, buf, step < sizeof buf ? step : sizeof buf);
        if (out < 0) return out;
        if (out > 0 && h2_peer_feed(p, fk_bytes(buf, (size_t)out)) != 0) return h->fatal;
        const size_t in = h2_peer_pull(p, buf, sizeof buf);
        for (size_t at = 0; at < in; at += step) {
            const size_t len = in - at < step ? in - at : step;
            const int err = fk_h2_feed(h, fk_bytes(buf + at, len));
            if (err != 0) return err;
        }
        if (out == 0 && in == 0) return h->fatal;
    }
}
