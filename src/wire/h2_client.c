#include "wire/h2_client.h"

#include <nghttp2/nghttp2.h>
/* nghttp2_option_new and nghttp2_session_callbacks_new take from the C library's heap, which we do
 * not have. These two private headers of the version that we pin let both live on the stack. */
#include <nghttp2/../../nghttp2_callbacks.h>
#include <nghttp2/../../nghttp2_option.h>

#include "base/assert.h"
#include "base/err.h"
#include "opts.h"
#include "wire/h2_client_head.h"

/* Payload of one DATA frame: what fits nghttp2's frame buffer behind the frame's header and one
 * byte of padding length. */
#define DATA_MAX (NGHTTP2_FRAMEBUF_CHUNKLEN - 10)

/* PING and SETTINGS acknowledgements that may wait to be pulled. A server that makes more of them
 * necessary than we get rid of is flooding us. */
#define ACKS_MAX 16

/* CONTINUATION frames behind one HEADERS: eight. nghttp2 1.64 counts each piece in which the nine
 * bytes of a frame's header arrive. */
#define CONTINUATIONS_MAX (8 * 9)

/* RFC 9113 §6.5.2: what a field costs on top of its name and value. */
#define FIELD_COST 32

#define WINDOW_MAX (UINT32_C(1) << 30)

struct fk_h2_stream {
    struct fk_h2_stream *next;
    const void *body_ctx;
    void (*body)(const void *ctx, struct fk_writer *w);
    size_t body_sent;
    uint32_t window;  /* wanted */
    uint32_t credit;  /* granted, and not used by the server yet */
    size_t head_size; /* of the header block that is coming in */
    struct fk_h2_head head;
    int32_t id;
    bool lingers;
    bool head_in;
    bool in_handler; /* so it cannot end now, only be marked */
    bool cancelled;
};

/* ---- errors and streams ------------------------------------------------------------------- */

/* Remembers what ends the connection. nghttp2 reports some of its failures to get memory as errors
 * of the protocol; the heap knows better. */
static void fail(struct fk_h2 *h) {
    if (h->fatal == 0) h->fatal = h->heap->failures != h->failures ? FK_E_NOMEM : FK_E_PROTO;
}

/* The same for what nghttp2 returned, if it is fatal; tells nghttp2 to stop. */
static int latch(struct fk_h2 *h, int rv) {
    if (!nghttp2_is_fatal(rv)) return 0;
    fail(h);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static struct fk_h2_stream *find(const struct fk_h2 *h, int32_t id) {
    struct fk_h2_stream *s = h->streams;
    while (s != NULL && s->id != id) s = s->next;
    return s;
}

/* The only place where a stream ends: exactly one event each. nghttp2 may know the stream for a
 * while longer; what it reports then finds no stream here. */
static void finish(struct fk_h2 *h, struct fk_h2_stream *s, int err) {
    struct fk_h2_stream **link = &h->streams;
    while (*link != s) link = &(*link)->next;
    *link = s->next;
    const int32_t id = s->id;
    fk_heap_free(h->heap, s);
    h->events->end(h->ctx, id, err);
}

static void reset(struct fk_h2 *h, struct fk_h2_stream *s, uint32_t code, int err) {
    if (h->fatal == 0)
        (void)latch(h, nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, code));
    finish(h, s, err);
}

static void cancel(struct fk_h2 *h, struct fk_h2_stream *s) {
    if (s->head_in) reset(h, s, NGHTTP2_NO_ERROR, 0);
    else reset(h, s, NGHTTP2_CANCEL, FK_E_CANCELLED);
}

/* The whole reply is in. A server may answer before it has seen the whole request; the rest of it
 * is not worth sending then (RFC 9113 §8.1). */
static void complete(struct fk_h2 *h, struct fk_h2_stream *s) {
    if (nghttp2_session_get_stream_local_close(h->session, s->id) == 1) finish(h, s, 0);
    else reset(h, s, NGHTTP2_NO_ERROR, 0);
}

/* Not nghttp2_session_set_local_window_size: until the server has acknowledged our SETTINGS that
 * would count from 65535, not from 0. */
static int widen(struct fk_h2 *h, const struct fk_h2_stream *s) {
    return nghttp2_submit_window_update(h->session, NGHTTP2_FLAG_NONE, s->id, (int32_t)s->window);
}

/* ---- what nghttp2 calls ------------------------------------------------------------------- */

static void *heap_malloc(size_t size, void *heap) { return fk_heap_alloc(heap, size); }
static void heap_free(void *p, void *heap) { fk_heap_free(heap, p); }
static void *heap_calloc(size_t count, size_t size, void *heap) {
    return fk_heap_calloc(heap, count, size);
}
static void *heap_realloc(void *p, size_t size, void *heap) {
    return fk_heap_realloc(heap, p, size);
}

/* We forbid pushes before we ask for anything, so a promise is never a race (RFC 9113 §8.4). */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *ctx) {
    (void)session;
    return hd->type == NGHTTP2_PUSH_PROMISE ? latch(ctx, NGHTTP2_ERR_CALLBACK_FAILURE) : 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx) {
    (void)session;
    (void)flags;
    struct fk_h2 *h = ctx;
    struct fk_h2_stream *s = find(h, frame->hd.stream_id);
    if (s == NULL) return 0;
    s->head_size += name_len + value_len + FIELD_COST;
    if (s->head_size > FK_H2_HEADERS_MAX) reset(h, s, NGHTTP2_CANCEL, FK_E_RANGE);
    else if (!s->head_in)
        fk_h2_head_take(&s->head, fk_bytes(name, name_len), fk_bytes(value, value_len));
    return h->fatal == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Reports a reply's head. Returns whether the stream goes on. */
static bool report_head(struct fk_h2 *h, struct fk_h2_stream *s) {
    if (s->head.status < 200 || s->head.status > 599) {
        reset(h, s, NGHTTP2_PROTOCOL_ERROR, FK_E_PROTO);
        return false;
    }
    s->head_in = true;
    s->in_handler = true;
    h->events->head(h->ctx, s->id, &s->head);
    s->in_handler = false;
    if (!s->cancelled) return true;
    cancel(h, s);
    return false;
}

/* Nothing of the body is wanted. */
static void unwanted(struct fk_h2 *h, struct fk_h2_stream *s) {
    if (!s->lingers || h->lingering != 0) {
        reset(h, s, NGHTTP2_NO_ERROR, 0);
        return;
    }
    h->lingering = s->id;
    finish(h, s, 0);
}

/* A header block is complete: of an interim reply, of the reply, or trailers. */
static void take_headers(struct fk_h2 *h, struct fk_h2_stream *s, bool end) {
    const bool interim = s->head.status >= 100 && s->head.status < 200;
    s->head_size = 0;
    if (!s->head_in && (interim || !report_head(h, s))) return;
    if (end) complete(h, s);
    else if (s->window == 0) unwanted(h, s);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *ctx) {
    (void)flags;
    struct fk_h2 *h = ctx;
    if (latch(h, nghttp2_session_consume_connection(session, len)) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    struct fk_h2_stream *s = find(h, id);
    if (s == NULL || len == 0) return 0;
    if (len > s->credit) { /* nghttp2 notices only when our SETTINGS were acknowledged */
        reset(h, s, NGHTTP2_FLOW_CONTROL_ERROR, FK_E_PROTO);
        return 0;
    }
    s->credit -= (uint32_t)len;
    s->in_handler = true;
    h->events->data(h->ctx, id, fk_bytes(data, len));
    s->in_handler = false;
    if (s->cancelled) cancel(h, s);
    else (void)latch(h, nghttp2_session_consume_stream(session, id, len));
    return h->fatal == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void take_goaway(struct fk_h2 *h, int32_t last) {
    const bool known = h->draining;
    h->draining = true;
    if (!known) h->events->goaway(h->ctx);
    for (;;) {
        struct fk_h2_stream *s = h->streams;
        while (s != NULL && s->id <= last) s = s->next;
        if (s == NULL) return;
        finish(h, s, FK_E_REFUSED);
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    (void)session;
    struct fk_h2 *h = ctx;
    struct fk_h2_stream *s = find(h, frame->hd.stream_id);
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (s != NULL) take_headers(h, s, end);
        break;
    case NGHTTP2_DATA:
        if (s != NULL && end) complete(h, s);
        break;
    case NGHTTP2_RST_STREAM: {
        const bool refused = frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM;
        if (s != NULL) finish(h, s, refused ? FK_E_REFUSED : FK_E_RESET);
        break;
    }
    case NGHTTP2_SETTINGS: h->settled |= !ack; break;
    case NGHTTP2_PING:
        if (ack) h->events->pong(h->ctx);
        break;
    case NGHTTP2_GOAWAY: take_goaway(h, frame->goaway.last_stream_id); break;
    default: break;
    }
    return h->fatal == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A WINDOW_UPDATE that is queued together with its request's HEADERS would overtake them and be
 * dropped, so it is queued when they are out; it still leaves with the same pull. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx) {
    (void)session;
    struct fk_h2 *h = ctx;
    struct fk_h2_stream *s = find(h, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        fail(h);
    } else if (s != NULL && frame->hd.type == NGHTTP2_WINDOW_UPDATE) {
        s->credit += (uint32_t)frame->window_update.window_size_increment;
    } else if (s != NULL && frame->hd.type == NGHTTP2_HEADERS) {
        return latch(h, widen(h, s));
    }
    return 0;
}

/* Streams that nghttp2 ended: it found fault with the reply, or could not send the request. */
static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx) {
    (void)session;
    struct fk_h2 *h = ctx;
    struct fk_h2_stream *s = find(h, id);
    if (h->lingering == id) h->lingering = 0;
    if (s != NULL) finish(h, s, code == NGHTTP2_REFUSED_STREAM ? FK_E_REFUSED : FK_E_PROTO);
    return 0;
}

static nghttp2_ssize piece_max(nghttp2_session *session, uint8_t type, int32_t id,
                               int32_t session_window, int32_t stream_window,
                               uint32_t frame_size_max, void *ctx) {
    (void)session, (void)type, (void)id, (void)ctx;
    (void)session_window, (void)stream_window, (void)frame_size_max; /* nghttp2 heeds them itself */
    return DATA_MAX;
}

/* Writes the document once more for each piece and keeps the piece: no buffer of its length. */
static nghttp2_ssize read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap,
                               uint32_t *flags, nghttp2_data_source *source, void *ctx) {
    (void)session, (void)source;
    struct fk_h2_stream *s = find(ctx, id);
    if (s == NULL) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    struct fk_writer w;
    fk_writer_window(&w, (char *)buf, cap, s->body_sent);
    s->body(s->body_ctx, &w);
    const size_t piece = fk_writer_kept(&w);
    if (w.len < s->body_sent) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* not the same bytes */
    s->body_sent += piece;
    if (s->body_sent == w.len) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (nghttp2_ssize)piece;
}

/* ---- the connection ----------------------------------------------------------------------- */

static void set_callbacks(nghttp2_session_callbacks *c) {
    memset(c, 0, sizeof *c);
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_callbacks_set_data_source_read_length_callback2(c, piece_max);
}

static int new_session(struct fk_h2 *h) {
    nghttp2_mem mem = {h->heap, heap_malloc, heap_free, heap_calloc, heap_realloc};
    nghttp2_session_callbacks callbacks;
    set_callbacks(&callbacks);
    nghttp2_option option;
    memset(&option, 0, sizeof option);
    nghttp2_option_set_no_auto_window_update(&option, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(&option, FK_H2_ENCODE_TABLE);
    nghttp2_option_set_max_outbound_ack(&option, ACKS_MAX);
    nghttp2_option_set_max_continuations(&option, CONTINUATIONS_MAX);
    return nghttp2_session_client_new3(&h->session, &callbacks, h, &option, &mem);
}

static int send_settings(struct fk_h2 *h) {
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, FK_H2_DECODE_TABLE},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}, /* the server's own: none */
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, FK_H2_HEADERS_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}, /* and nghttp2 ignores PRIORITY frames */
    };
    return nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof settings[0]);
}

int fk_h2_open(struct fk_h2 *h, struct fk_heap *heap, const struct fk_h2_events *events,
               void *ctx) {
    *h = (struct fk_h2){.heap = heap, .events = events, .ctx = ctx, .failures = heap->failures};
    int rv = new_session(h);
    if (rv == 0) rv = send_settings(h);
    if (rv == 0) return 0;
    fk_h2_close(h);
    h->fatal = FK_E_NOMEM;
    return FK_E_NOMEM;
}

void fk_h2_close(struct fk_h2 *h) {
    if (h->session == NULL) return;
    h->draining = true; /* end handlers may try to submit */
    while (h->streams != NULL) finish(h, h->streams, FK_E_CLOSED);
    nghttp2_session_del(h->session);
    h->session = NULL;
    h->rest = fk_bytes(NULL, 0);
}

void fk_h2_goodbye(struct fk_h2 *h) {
    if (h->session == NULL || h->fatal != 0) return;
    h->draining = true;
    (void)latch(h,
                nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0));
}

int fk_h2_feed(struct fk_h2 *h, struct fk_bytes bytes) {
    if (h->session == NULL) return FK_E_CLOSED;
    if (h->fatal != 0 || bytes.len == 0) return h->fatal;
    const nghttp2_ssize rv = nghttp2_session_mem_recv2(h->session, bytes.p, bytes.len);
    if (rv < 0) {
        fail(h);
        /* So that pull has something to say; for want of memory there is nothing to be said. */
        if (h->fatal == FK_E_PROTO)
            (void)latch(h, nghttp2_session_terminate_session(h->session, NGHTTP2_PROTOCOL_ERROR));
    }
    /* nghttp2 does not tell when it gives a connection up, but it then refuses requests. */
    if (h->fatal == 0 && !h->draining && nghttp2_session_check_request_allowed(h->session) == 0)
        fail(h);
    return h->fatal;
}

int fk_h2_pull(struct fk_h2 *h, void *buf, size_t cap) {
    if (h->session == NULL) return 0;
    size_t moved = 0;
    while (h->fatal != FK_E_NOMEM) {
        const size_t take = h->rest.len < cap - moved ? h->rest.len : cap - moved;
        if (take > 0) memcpy((uint8_t *)buf + moved, h->rest.p, take);
        h->rest = fk_bytes(take > 0 ? h->rest.p + take : h->rest.p, h->rest.len - take);
        moved += take;
        if (moved == cap) break;
        const uint8_t *frame = NULL;
        const nghttp2_ssize rv = nghttp2_session_mem_send2(h->session, &frame);
        if (rv <= 0) {
            (void)latch(h, (int)rv);
            break;
        }
        h->rest = fk_bytes(frame, (size_t)rv);
    }
    return moved == 0 && h->fatal == FK_E_NOMEM ? FK_E_NOMEM : (int)moved;
}

bool fk_h2_pending(const struct fk_h2 *h) {
    if (h->session == NULL || h->fatal == FK_E_NOMEM) return false;
    return h->rest.len > 0 || nghttp2_session_want_write(h->session) != 0;
}

int fk_h2_ping(struct fk_h2 *h) {
    if (h->session == NULL) return FK_E_CLOSED;
    if (h->fatal == 0) (void)latch(h, nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL));
    return h->fatal;
}

/* ---- requests ----------------------------------------------------------------------------- */

/* nghttp2 refers to both until the header block is made, and writes to neither; its type merely
 * lacks the const. */
static nghttp2_nv field(struct fk_bytes name, struct fk_bytes value, bool index) {
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.p,
        .namelen = name.len,
        .value = (uint8_t *)(uintptr_t)value.p,
        .valuelen = value.len,
        .flags = (uint8_t)(NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE |
                           (index ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX)),
    };
}
static nghttp2_nv pseudo(const char *name, const char *value, bool index) {
    return field(fk_bytes_str(name), fk_bytes_str(value), index);
}

static int32_t submit(struct fk_h2 *h, const struct fk_h2_request *r) {
    nghttp2_nv fields[4 + FK_H2_REQUEST_HEADERS] = {
        pseudo(":method", r->method, true),
        pseudo(":scheme", r->scheme, true),
        pseudo(":authority", r->authority, true),
        pseudo(":path", r->path, r->path_repeats),
    };
    fields[3].flags &= (uint8_t)~NGHTTP2_NV_FLAG_NO_COPY_VALUE; /* the path is the caller's */
    for (size_t i = 0; i < r->header_count; i++)
        fields[4 + i] = field(r->headers[i].name, r->headers[i].value, !r->headers[i].secret);
    const nghttp2_data_provider2 body = {.read_callback = read_body};
    return nghttp2_submit_request2(h->session, NULL, fields, 4 + r->header_count,
                                   r->body != NULL ? &body : NULL, NULL);
}

/* Queues what the stream before has left undone; 0 or nghttp2's error. */
static int reset_lingering(struct fk_h2 *h) {
    if (h->lingering == 0) return 0;
    const int rv =
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, h->lingering, NGHTTP2_NO_ERROR);
    if (rv == 0) h->lingering = 0;
    return rv;
}

static bool crowded(const struct fk_h2 *h) {
    const uint32_t most =
        nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    uint32_t count = 0;
    for (const struct fk_h2_stream *s = h->streams; s != NULL; s = s->next) count++;
    return count >= most;
}

int32_t fk_h2_submit(struct fk_h2 *h, const struct fk_h2_request *r) {
    FK_ASSERT(r->header_count <= FK_H2_REQUEST_HEADERS && r->window <= WINDOW_MAX);
    if (h->session == NULL) return FK_E_CLOSED;
    if (h->fatal != 0) return h->fatal;
    if (h->draining) return FK_E_CLOSED;
    if (crowded(h)) return FK_E_BUSY;
    struct fk_h2_stream *s = fk_heap_alloc(h->heap, sizeof *s);
    int32_t id = s != NULL ? reset_lingering(h) : NGHTTP2_ERR_NOMEM;
    if (id == 0) id = submit(h, r);
    if (id < 0) { /* nothing was begun; also when all stream ids are spent */
        fk_heap_free(h->heap, s);
        h->failures = h->heap->failures;
        return id == NGHTTP2_ERR_NOMEM ? FK_E_NOMEM : FK_E_CLOSED;
    }
    *s = (struct fk_h2_stream){
        .next = h->streams,
        .id = id,
        .body = r->body,
        .body_ctx = r->body_ctx,
        .window = r->window,
        .lingers = r->lingers,
    };
    h->streams = s;
    return id;
}

int fk_h2_grant(struct fk_h2 *h, int32_t stream, uint32_t window) {
    FK_ASSERT(window > 0 && window <= WINDOW_MAX);
    struct fk_h2_stream *s = find(h, stream);
    if (s == NULL) return FK_E_CLOSED;
    if (h->fatal != 0 || s->window != 0) return h->fatal;
    s->window = window;
    (void)latch(h, widen(h, s));
    return h->fatal;
}

void fk_h2_cancel(struct fk_h2 *h, int32_t stream) {
    struct fk_h2_stream *s = find(h, stream);
    if (s == NULL) return;
    if (s->in_handler) s->cancelled = true;
    else cancel(h, s);
}
