#include "linux/token.h"

static void read_again(struct fk_token *t) {
    char text[256];
    struct fk_writer why;
    fk_writer_init(&why, text, sizeof text);
    const uint32_t changes = t->access->token_changes;
    if (fk_access_read_token(t->access, &why) != 0) {
        (void)fk_writer_finish(&why);
        fk_log(t->log, t->unreadable ? FK_DEBUG : FK_WARN,
               "the token could not be read again; the former one stays in use",
               FK_STR("reason", text));
        t->unreadable = true;
        return;
    }
    t->unreadable = false;
    if (t->access->token_changes == changes) return;
    t->refused = false;
    fk_log(t->log, FK_INFO, "the token has changed", FK_STR("file", t->access->token_file));
}

void fk_token_look(struct fk_token *t, const struct fk_client *client, uint64_t now_ms) {
    if (t->access->token_file[0] == '\0') return;
    if (t->unauthorized != client->stats.unauthorized) t->refused = true;
    t->unauthorized = client->stats.unauthorized;
    const uint64_t wait_ms = t->refused ? FK_TOKEN_REFUSED_LOOK_MS : FK_TOKEN_LOOK_MS;
    const bool due =
        t->opened != client->stats.connect_tries || now_ms >= fk_after(t->looked_ms, wait_ms);
    if (!due || !fk_client_idle(client)) return;
    t->opened = client->stats.connect_tries;
    t->looked_ms = now_ms;
    read_again(t);
}
