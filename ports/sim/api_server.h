/* A model of the API server as one node sees it: its Node, its Lease, the checks of validation,
 * NodeRestriction and the Node authorizer that a kubelet meets, strategic merge, replies in
 * protobuf. Every connection is that of system:node:<name>; a record per node is all there is.
 *
 * What the real server would silently take but a kubelet must not do, and every refusal that a
 * correct kubelet never earns, is handed to `complain`. */
#ifndef FK_SIM_API_SERVER_H
#define FK_SIM_API_SERVER_H

#include "opts.h"
#include "sim/json.h"

struct sim_object {
    struct sim_json *doc; /* NULL: there is none */
    char uid[37];
    uint64_t version; /* metadata.resourceVersion */
    int64_t created_us;
};

/* All that the API server and the controllers keep of one node. */
struct sim_record {
    const char *name;
    struct sim_object node, lease;

    int64_t renew_us;     /* largest spec.renewTime ever written; 0: none */
    int64_t renew_was_us; /* the one before, for a controller whose view is late */
    uint64_t renewed_ms;  /* when renew_us was written; FK_NEVER: never */
    uint32_t renewals;

    int64_t probe_us;       /* lifecycle controller: the renewTime that it saw last */
    uint64_t probe_ms;      /* and when it first saw it */
    uint32_t times_unknown; /* it set Ready to Unknown */
    uint64_t collect_ms;    /* garbage collector: when the Lease goes; FK_NEVER: it stays */
};

struct sim_api {
    struct sim_record *records;
    size_t count;
    uint64_t now_ms;
    int64_t wall_us; /* the server's own clock, which may be wrong */
    uint64_t version;
    uint32_t uids;
    uint32_t collect_after_ms; /* how long the garbage collector takes */
    bool trusting;             /* no complaint about dates: the server's own clock is set wrong */
    void (*complain)(void *ctx, size_t node, const char *what);
    void *ctx;
};

struct sim_request {
    size_t node; /* whose connection it came on */
    char method[8];
    char path[FK_PATH_MAX];
    char content_type[64];
    char accept[96];
    char user_agent[64];
    uint8_t *body; /* malloc's */
    size_t body_len, body_cap;
};

struct sim_reply {
    int status;
    const char *reason;    /* of the Status object, static; NULL with 2xx */
    int32_t retry_after_s; /* 0: none */
    char message[160];
    const char *content_type;
    uint8_t *body; /* malloc's */
    size_t body_len, body_cap;
};

void sim_api_init(struct sim_api *a,
                  size_t nodes); /* names and complain are for the caller to set */
void sim_api_free(struct sim_api *a);

/* Carries the request out and fills in the reply. */
void sim_api_handle(struct sim_api *a, const struct sim_request *request, struct sim_reply *reply);

/* Makes it an error with a Status object as its body. */
void sim_reply_error(struct sim_reply *reply, int status, const char *reason, int32_t retry_after_s,
                     const char *message);

/* What kubectl and other components do. Deleting a Node lets the garbage collector take its Lease.
 */
void sim_api_delete_node(struct sim_api *a, size_t node);
void sim_api_delete_lease(struct sim_api *a, size_t node);
void sim_api_touch(struct sim_api *a, struct sim_object *object); /* after editing doc */

/* The node's status.conditions item of this type, or NULL. */
struct sim_json *sim_api_condition(const struct sim_record *record, const char *type);
void sim_api_set_condition(struct sim_api *a, size_t node, const char *type, const char *status,
                           const char *reason);

/* ---- within the model ----------------------------------------------------------------------- */

/* Whether NodeRestriction lets a node have this label. */
bool sim_rules_label_allowed(const char *key);
/* NULL, or the first label that was added or changed and may not be. */
const char *sim_rules_label_refused(const struct sim_json *before, const struct sim_json *after);
/* Complains about dates before 2020 and malformed ones, anywhere in the document. */
void sim_rules_dates(struct sim_api *a, size_t node, const struct sim_json *doc);
/* Complains about transition times that moved without a flip, or did not move with one. */
void sim_rules_conditions(struct sim_api *a, size_t node, const struct sim_json *before,
                          const struct sim_json *after);
/* NULL, or what is wrong with a Lease. */
const char *sim_rules_lease(const struct sim_json *doc, const char *name);
int64_t sim_rules_renew_us(const struct sim_json *lease); /* 0: none, or malformed */

/* The object in protobuf with its envelope, as the request accepts it. */
void sim_reply_object(struct sim_reply *reply, const struct sim_record *record, bool lease,
                      bool metadata_only);

#endif
