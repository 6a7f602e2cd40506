/* Keeps up with one object by its name: lists, then watches from there on.
 *
 * GET …?fieldSelector=metadata.name=NAME tells whether it is there and of which resourceVersion the
 * answer is; the watch that follows brings every change after that one. When a watch ends, or the
 * connection, the next one goes on where the last whole event was, without listing again; what
 * broke off in the middle comes again, whole. 410 Gone, as a status or as an ERROR event, leads to
 * another list (k8s.io/apimachinery/pkg/apis/meta/v1: WatchEvent; KEP-365 for bookmarks).
 *
 * Objects are handed over in pieces as they arrive, so they may be of any size. It has no timers:
 * when to ask again is its owner's to decide. */
#ifndef FK_API_WATCH_H
#define FK_API_WATCH_H

#include "api/client.h"
#include "api/objects.h"

/* A resourceVersion, bytes: etcd's revision, 20 digits at most. A longer one is malformed. */
#define FK_RESOURCE_VERSION_MAX 24

/* How long a watch is asked to last: from this to twice as long, s, as client-go does. */
#define FK_WATCH_MIN_S 300

/* One that ended without a change before this was of no use, ms: the next one has to wait. */
#define FK_WATCH_SHORT_MS 5000

/* What to read of the object. The first paths of both visitors are FK_WATCH_LIST_PATHS or
 * FK_WATCH_EVENT_PATHS, the others begin with FK_WATCH_LIST_ITEM or FK_WATCH_EVENT_OBJECT and are
 * FK_PB_PIECES; their leaf function is fk_watch_leaf. */
struct fk_watch_kind {
    const char *prefix;   /* "/api/v1" */
    const char *resource; /* "configmaps" */
    const struct fk_pb_visitor *list, *event;
};
enum { FK_WATCH_HEAD, FK_WATCH_UID, FK_WATCH_VERSION, FK_WATCH_OWN };
#define FK_WATCH_LIST_ITEM 2          /* ….List.items */
#define FK_WATCH_EVENT_OBJECT 2, 1, 2 /* WatchEvent.object, RawExtension.raw, Unknown.raw */
#define FK_WATCH_LIST_PATHS                                                                        \
    [FK_WATCH_HEAD] = {{1, 2}, FK_PB_PIECES}, /* metadata.resourceVersion */                       \
        [FK_WATCH_UID] = {{FK_WATCH_LIST_ITEM, 1, 5}, FK_PB_PIECES},                               \
    [FK_WATCH_VERSION] = {{FK_WATCH_LIST_ITEM, 1, 6}, FK_PB_PIECES}
#define FK_WATCH_EVENT_PATHS                                                                       \
    [FK_WATCH_HEAD] = {{1}, FK_PB_PIECES}, /* type */                                              \
        [FK_WATCH_UID] = {{FK_WATCH_EVENT_OBJECT, 1, 5}, FK_PB_PIECES},                            \
    [FK_WATCH_VERSION] = {{FK_WATCH_EVENT_OBJECT, 1, 6}, FK_PB_PIECES}
void fk_watch_leaf(void *ctx, size_t path, struct fk_bytes piece);

/* What the owner hears. Between a begin that returned true and changed or broken nothing of the
 * object counts. */
struct fk_watch_ops {
    /* An object begins to arrive. False: there is no room for it now; it will come again. */
    bool (*begin)(void *ctx);
    /* A piece of a leaf, or the empty piece that ends it; path counts from FK_WATCH_OWN. */
    void (*piece)(void *ctx, size_t path, struct fk_bytes piece);
    void (*changed)(void *ctx, const char *uid, const char *resource_version); /* it is complete */
    void (*broken)(void *ctx); /* it never will be */
    void (*gone)(void *ctx);   /* there is no such object, or none any more */
};

struct fk_watch {
    const struct fk_watch_kind *kind;
    const struct fk_watch_ops *ops;
    void *ctx;
    struct fk_bytes namespace_name, name;
    bool watching;       /* false: lists */
    uint32_t lists;      /* answered whole */
    uint32_t events;     /* whole ones, bookmarks included */
    uint32_t broken_off; /* objects of which the end did not come */
    /* private from here */
    struct fk_pb_walk walk;
    uint64_t began_ms;   /* when the request under way was made */
    uint32_t frame_left; /* bytes to come of the event */
    uint16_t code;       /* of an ERROR event, 0: none */
    uint8_t head_len;    /* bytes of the event's length that are in; 4: it is open */
    uint8_t text_len;    /* of the leaf being collected */
    uint8_t type;        /* of the event */
    bool over;           /* nothing more is wanted of this reply */
    bool garbled;
    bool busy;      /* begin returned false */
    bool receiving; /* begin returned true, and the object is not complete */
    bool listed;    /* the list holds an object */
    bool useful;    /* a change has come by this request */
    char type_text[sizeof "MODIFIED"];
    char uid[FK_UID_MAX + 1];
    char version[FK_RESOURCE_VERSION_MAX + 1];          /* of the object that is arriving */
    char resource_version[FK_RESOURCE_VERSION_MAX + 1]; /* where the next watch begins */
};

/* Names are the caller's and stay; they fit FK_WATCH_NAMES_MAX together. kind and ops stay, too. */
#define FK_WATCH_NAMES_MAX (FK_PATH_MAX - 160)
void fk_watch_init(struct fk_watch *w, const struct fk_watch_kind *kind,
                   const struct fk_watch_ops *ops, void *ctx, struct fk_bytes namespace_name,
                   struct fk_bytes name);

/* The next request, but for its reply and owner: every piece of its body goes to feed, its response
 * to end. */
void fk_watch_request(struct fk_watch *w, struct fk_now now, struct fk_rng *rng,
                      struct fk_request *request);
void fk_watch_feed(struct fk_watch *w, struct fk_bytes piece);

enum fk_watch_next {
    FK_WATCH_GO_ON,  /* all is well: ask again at once */
    FK_WATCH_TURN,   /* the answer leads to another request, as in fk_retry_turn */
    FK_WATCH_FAILED, /* back off, as *why says */
};
enum fk_watch_next fk_watch_end(struct fk_watch *w, struct fk_now now,
                                const struct fk_response *response, struct fk_response *why);

#endif
