#include "kubelet/failure.h"

#include "wire/json_write.h"

/* metav1.StatusReason (k8s.io/apimachinery/pkg/apis/meta/v1/types.go), and what to say where the
 * caller has nothing better. */
struct kind {
    int status;
    const char *reason;
    const char *message;
};
static const struct kind kinds[] = {
    {400, "BadRequest", "the request is malformed"},
    {401, "Unauthorized", "Unauthorized"},
    {403, "Forbidden", "Forbidden"},
    {404, "NotFound", "there is no such thing here"},
    {405, "MethodNotAllowed", "this cannot be done with it"},
    {408, "Timeout", "the request did not arrive in time"},
    {413, "RequestEntityTooLarge", "the request's body is too large"},
    {414, "BadRequest", "the request's path is too long"},
    {429, "TooManyRequests", "too many requests: try again"},
    {431, "BadRequest", "the request's head is too large"},
    {501, "NotImplemented", "this node cannot do that"},
    {503, "ServiceUnavailable", "not now: try again"},
};

static const struct kind *kind_of(int status) {
    static const struct kind other = {500, "InternalError", "the node made a mistake"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].status == status) return &kinds[i];
    return &other;
}

/* As the kubelet words it, so that who reads it knows what to grant. */
static void put_refusal(const struct fk_failure *f, struct fk_json *j) {
    fk_json_text(j, "message");
    fk_put_str(j->w, "Forbidden (user=");
    fk_json_text_part(j, fk_user_name(f->user));
    fk_put_str(j->w, ", verb=");
    fk_put_str(j->w, f->verb);
    fk_put_str(j->w, ", resource=nodes, subresource(s)=[");
    fk_put_str(j->w, fk_subresource_name(f->subresource));
    if (fk_subresource_is_finer(f->subresource)) fk_put_str(j->w, " proxy");
    fk_put_str(j->w, "])");
    fk_json_text_end(j);
}

void fk_failure_put(const struct fk_failure *f, struct fk_writer *w) {
    const struct kind *kind = kind_of(f->status);
    struct fk_json j;
    fk_json_init(&j, w);
    fk_json_object(&j, NULL);
    fk_json_str(&j, "kind", "Status");
    fk_json_str(&j, "apiVersion", "v1");
    fk_json_object(&j, "metadata");
    fk_json_object_end(&j);
    fk_json_str(&j, "status", "Failure");
    if (f->user != NULL) put_refusal(f, &j);
    else fk_json_str(&j, "message", f->message != NULL ? f->message : kind->message);
    fk_json_str(&j, "reason", kind->reason);
    fk_json_i64(&j, "code", f->status);
    fk_json_object_end(&j);
    fk_put_char(w, '\n');
}
