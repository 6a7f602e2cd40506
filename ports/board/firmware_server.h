/* The kubelet's own port on a board, the ConfigMaps that configure it, and the Events about them.
 * Owns their memory, apart from the node's: no client can take what the connection to the API
 * server needs. Where the build has no TLS server (FK_SERVER 0) there is nothing of it. */
#ifndef FK_BOARD_FIRMWARE_SERVER_H
#define FK_BOARD_FIRMWARE_SERVER_H

#include "board/firmware_internal.h"

/* The heap of inbound TLS, bytes: two sessions that are open and the handshake of one of them. */
#ifndef FK_BOARD_SERVER_HEAP_BYTES
#define FK_BOARD_SERVER_HEAP_BYTES 20480
#endif

#if FK_SERVER

/* Before the first log line. */
void fk_firmware_server_init(void);

/* A piece of a log line, for /logs/. */
void fk_firmware_server_log(const char *text, size_t len);

/* When the settings are known and the node is about to be made. */
void fk_firmware_server_prepare(struct fk_firmware *f);

/* When the node is there, and before its first step: where the port cannot be opened,
 * f->port_closed and f->why say so, and the node goes on with kubelet_port 0. */
void fk_firmware_server_start(struct fk_firmware *f);

/* After the node's step: one bounded piece of work. True: more may follow at once. */
bool fk_firmware_server_step(struct fk_firmware *f);
uint64_t fk_firmware_server_due(void);

/* Lines of the console's status. */
void fk_firmware_server_status(const struct fk_firmware *f, struct fk_console *c);

/* What the port says of it. */
void fk_firmware_server_figures(struct fk_port_figures *out);
int fk_firmware_server_keep(void *ctx, const void *bytes, size_t len);
int fk_firmware_server_recall(void *ctx, void *buf, size_t cap);

#else

static inline void fk_firmware_server_init(void) {}
static inline void fk_firmware_server_log(const char *text, size_t len) {
    (void)text;
    (void)len;
}
static inline void fk_firmware_server_prepare(struct fk_firmware *f) {
    f->settings.node.kubelet_port = 0; /* nothing listens */
}
static inline void fk_firmware_server_start(struct fk_firmware *f) {
    if (*f->settings.config_maps != '\0')
        fk_log(&f->log, FK_WARN, "config-map is not used",
               FK_STR("reason", "this firmware is built without what reads it"));
}
static inline bool fk_firmware_server_step(struct fk_firmware *f) {
    (void)f;
    return false;
}
static inline uint64_t fk_firmware_server_due(void) { return FK_NEVER; }
static inline void fk_firmware_server_status(const struct fk_firmware *f, struct fk_console *c) {
    (void)f;
    (void)c;
}

#endif
#endif
