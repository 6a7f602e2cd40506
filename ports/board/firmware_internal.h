/* Between firmware.c (bring-up and loop), firmware_console.c (what people see), firmware_port.c
 * (what the node asks) and firmware_server.c (whom others ask). */
#ifndef FK_BOARD_FIRMWARE_INTERNAL_H
#define FK_BOARD_FIRMWARE_INTERNAL_H

#include "board/machine.h"
#include "firmware/console.h"
#include "kubelet/node.h"
#include "link/tcp_lwip.h"
#include "link/tls.h"

/* The one heap, for TLS and HTTP/2, bytes. A handshake with an RSA-2048 server must fit, 15,848. */
#ifndef FK_BOARD_HEAP_BYTES
#define FK_BOARD_HEAP_BYTES 18432
#endif

/* Less than this of it free, and the node says MemoryPressure. */
#ifndef FK_BOARD_MEMORY_PRESSURE_BYTES
#define FK_BOARD_MEMORY_PRESSURE_BYTES 1024
#endif

/* A chip that does not answer may do so after a reset, which comes so much later, ms: time to look
 * at the console. */
#define FK_BOARD_START_AGAIN_MS 60000

/* How long before its end the client certificate is a reason to look, seconds. */
#define FK_BOARD_CERTIFICATE_WARNING_S (INT64_C(7) * 24 * 3600)

struct fk_firmware {
    struct fk_heap heap;
    struct fk_log log;
    struct fk_led led;
    struct fk_store store;
    struct fk_settings settings;
    struct fk_console console;
    struct fk_nic nic;
    struct fk_net net;
    struct fk_tcp_lwip tcp;
    struct fk_tls tls;
    struct fk_node node;

    bool started;                /* the node runs */
    uint64_t again_ms;           /* when to reboot because starting failed; FK_NEVER: not */
    const char *trouble;         /* why it does not although there are settings; static text */
    char why[96];                /* what is wrong with the settings, or with those of the port */
    int64_t certificate_warn_us; /* wall time from which on its end is near */
    bool certificate_ends_soon;
    bool port_closed; /* the kubelet's port could not be opened; the node runs without */
    uint32_t renewals_shown;
    uint32_t clock_seen; /* connections and jumps of the clock that look_at_clock knows */
    uint32_t explained;  /* the attempt to connect whose failure was logged */
    uint32_t net_changes;

    /* figures */
    uint64_t slept_us;
    uint64_t written_us;    /* spent on the serial line */
    uint64_t ready_busy_us; /* time awake until the server knew us Ready; 0: not yet */
    uint32_t sleeps;
    uint32_t max_step_us; /* longest fk_node_step while connected */
    volatile uint32_t led_gap_ms;
    volatile uint32_t ticked_ms; /* the last look at the LED; 0: none since the loop slept */
    volatile bool asleep;

    /* texts of the Node object */
    char machine_id[33];
    char boot_id[37];
    char user_agent[40];
};

/* Log lines and console, both on the machine's one serial line; opens the store. */
void fk_firmware_console_init(struct fk_firmware *f);

/* What the board is, into the settings' node configuration. */
void fk_firmware_describe(struct fk_firmware *f);

/* ctx: the struct fk_firmware. mono_ms and entropy want none. */
extern const struct fk_port_ops fk_firmware_port_ops;

#endif
