#include "board/firmware.h"

#include <string.h>

#include "board/firmware_server.h"
#include "version.h"

/* One board, one of everything. */
static struct fk_firmware fw;

/* The libraries' memory, and what is under way on the connection. */
static _Alignas(8) uint8_t heap_bytes[FK_BOARD_HEAP_BYTES];

/* There is no clock on the board but the API server's: unknown until its first reply. */
static int64_t tls_wall_us(void *ctx) {
    const struct fk_firmware *f = ctx;
    return fk_client_now(&f->node.client, machine_ms()).wall_us;
}

/* ---- the LED ------------------------------------------------------------------------------------
 */

/* In the timer interrupt, so that it keeps its rhythm during a handshake. */
void machine_on_tick(uint32_t now_ms) {
    const uint32_t gap_ms = now_ms - fw.ticked_ms;
    if (fw.ticked_ms != 0 && gap_ms > fw.led_gap_ms) fw.led_gap_ms = gap_ms;
    fw.ticked_ms = fw.asleep ? 0 : now_ms; /* a gap is one during work: an emulator oversleeps */
    machine_led(fk_led_color(&fw.led, now_ms));
}

static bool wants_a_look(const struct fk_firmware *f) {
    const struct fk_condition *c = f->node.conditions.all;
    return f->trouble != NULL || f->port_closed || f->certificate_ends_soon ||
           fk_store_waits(&f->store) ||
           c[FK_CONDITION_MEMORY_PRESSURE].now.status == FK_CONDITION_TRUE;
}

static void show(struct fk_firmware *f) {
    const uint64_t now_ms = machine_ms();
    const uint32_t renewals = f->started ? f->node.lease.renewals : 0;
    struct fk_led_facts facts = {0};
    facts.self_testing = now_ms < FK_LED_SELF_TEST_MS;
    facts.provisioned = f->started;
    facts.renewed = renewals >= 2; /* the first of them made or claimed the Lease */
    facts.overdue = f->started && fk_lease_overdue(&f->node.lease, now_ms, FK_NEVER);
    facts.warning = wants_a_look(f);
    if (renewals != f->renewals_shown) fk_led_renewed(&f->led, (uint32_t)now_ms);
    f->renewals_shown = renewals;
    if (fk_led_set(&f->led, fk_led_choose(&facts), (uint32_t)now_ms))
        fk_log(&f->log, FK_INFO, "LED",
               FK_STR("pattern", fk_led_name((enum fk_led_pattern)f->led.pattern)));
}

/* ---- starting -----------------------------------------------------------------------------------
 */

/* Not provisioned, or not able to run: the console says why, and waits. */
static void stay_down(struct fk_firmware *f, const char *trouble) {
    f->trouble = trouble;
    fk_log(&f->log, FK_ERROR, "the node is not started", FK_STR("reason", trouble));
}

static bool load_settings(struct fk_firmware *f) {
    struct fk_writer why;
    fk_writer_init(&why, f->why, sizeof f->why);
    const int err = fk_settings_load(&f->settings, &f->store, &why);
    (void)fk_writer_finish(&why);
    if (err == 0) return true;
    fk_log(&f->log, FK_WARN, "waiting for settings: type help", FK_STR("reason", f->why));
    return false;
}

static const char *start_network(struct fk_firmware *f) {
    const struct fk_net_config config = {.nic = f->nic,
                                         .hostname = f->settings.node.hostname,
                                         .mono_ms = fk_firmware_port_ops.mono_ms,
                                         .entropy = fk_firmware_port_ops.entropy,
                                         .log = &f->log};
    const int err = fk_net_init(&f->net, &config);
    if (err == FK_E_CONFIG) return "the Ethernet chip has no MAC address: see its EEPROM";
    if (err != 0) f->again_ms = fk_after(machine_ms(), FK_BOARD_START_AGAIN_MS);
    if (err != 0) return "the Ethernet chip does not answer: all begins anew in a minute";
    fk_tcp_lwip_init(&f->tcp, &f->net, f->settings.host, f->settings.port);
    return NULL;
}

static const char *start_tls(struct fk_firmware *f) {
    const struct fk_settings *s = &f->settings;
    const struct fk_tls_config config = {
        .under = fk_tcp_lwip_pipe(&f->tcp),
        .server_name = s->tls_server_name,
        .ca = s->ca.p,
        .ca_len = s->ca.len,
        .cert = s->cert.p,
        .cert_len = s->cert.len,
        .key = s->key.p,
        .key_len = s->key.len,
        .entropy = fk_firmware_port_ops.entropy,
        .wall_us = tls_wall_us,
        .wall_ctx = f,
        .step_by_step = true,
        .pair_unchecked = true,
        .log = &f->log,
    };
    const int err = fk_tls_init(&f->tls, &config);
    if (err == 0) /* once: it is compared in every round, and a date takes divisions */
        f->certificate_warn_us =
            (fk_tls_client_not_after(&f->tls) - FK_BOARD_CERTIFICATE_WARNING_S) * 1000000;
    return err == 0 ? NULL : "TLS cannot start: the log says why";
}

static const char *start_node(struct fk_firmware *f, uint64_t seed) {
    fk_firmware_describe(f);
    fk_firmware_server_prepare(f);
    const struct fk_node_setup setup = {
        .config = &f->settings.node,
        .port = {&fk_firmware_port_ops, f},
        .pipe = fk_tls_pipe(&f->tls),
        .heap = &f->heap,
        .authority = f->settings.authority,
        .user_agent = f->user_agent,
        .log = &f->log,
        .seed = seed,
    };
    return fk_node_init(&f->node, &setup) == 0 ? NULL : "a setting was refused: the log says which";
}

static void start(struct fk_firmware *f) {
    uint64_t seed = 0;
    const char *trouble = NULL;
    if (!load_settings(f)) return;
    f->log.level = (enum fk_level)f->settings.log_level;
    fk_led_brightness(&f->led, f->settings.led_brightness);
    if (machine_entropy(&seed, sizeof seed) != 0) trouble = "no entropy: TLS is not possible";
    if (trouble == NULL) trouble = start_network(f);
    if (trouble == NULL) trouble = start_tls(f);
    if (trouble == NULL) trouble = start_node(f, seed);
    if (trouble == NULL) fk_firmware_server_start(f);
    f->started = trouble == NULL;
    if (!f->started) stay_down(f, trouble);
}

/* ---- running ------------------------------------------------------------------------------------
 */

/* In every round: a connection may last longer than the certificate. */
static void look_at_own_certificate(struct fk_firmware *f) {
    const int64_t wall_us = fk_client_now(&f->node.client, machine_ms()).wall_us;
    if (wall_us == FK_WALL_UNKNOWN) return;
    const bool soon = wall_us > f->certificate_warn_us;
    if (soon && !f->certificate_ends_soon)
        fk_log(&f->log, FK_WARN, "the client certificate expires soon: provision a new one",
               FK_INT("hours_left", (fk_tls_client_not_after(&f->tls) - wall_us / 1000000) / 3600));
    f->certificate_ends_soon = soon;
}

/* The API server's replies are the only clock there is. A chain that was accepted before they told
 * the time is looked at again as soon as they have, and when the time jumps. One that does not fit
 * the time that came over it ends the connection, and its time goes with it: kept, a server whose
 * clock was wrong once would be refused until the board is reset. */
static void look_at_clock(struct fk_firmware *f) {
    struct fk_client *client = &f->node.client;
    const uint32_t seen = client->stats.connects + client->clock.slips;
    if (seen == f->clock_seen || !client->clock.anchored) return;
    f->clock_seen = seen;
    const uint64_t now_ms = machine_ms();
    const int64_t wall_us = fk_client_now(client, now_ms).wall_us;
    const int err = fk_tls_check_validity(&f->tls, wall_us);
    if (err == 0) return;
    fk_client_forget_time(client);
    fk_client_drop(client, now_ms, err);
}

/* The client knows what kind of failure it was; the stack knows which. */
static void explain_loss(struct fk_firmware *f) {
    const struct fk_client *client = &f->node.client;
    if (client->state != FK_LINK_DOWN || f->explained == client->stats.connect_tries) return;
    f->explained = client->stats.connect_tries;
    const char *error = fk_tcp_lwip_error(&f->tcp);
    if (*error != '\0') fk_log(&f->log, FK_WARN, "the network says", FK_STR("error", error));
}

static void look_at_network(struct fk_firmware *f) {
    const uint32_t changes = fk_net_changes(&f->net);
    if (changes == f->net_changes) return;
    f->net_changes = changes;
    if (*fk_net_address(&f->net) != '\0') fk_node_network_changed(&f->node);
}

/* Without cable or address an attempt to connect would only fail, for a reason that is not the
 * one, and lengthen the next delay. */
static bool may_step(const struct fk_firmware *f) {
    return f->node.client.state != FK_LINK_DOWN ||
           (fk_net_link(&f->net) && *fk_net_address(&f->net) != '\0');
}

static bool step_node(struct fk_firmware *f) {
    const bool up_before = f->node.client.state >= FK_LINK_UP;
    const uint64_t begun_us = machine_us();
    const bool more = fk_node_step(&f->node);
    const uint32_t took_us = (uint32_t)(machine_us() - begun_us);
    if (up_before && f->node.client.state >= FK_LINK_UP && took_us > f->max_step_us)
        f->max_step_us = took_us;
    if (f->ready_busy_us == 0 && f->node.status.ready_reported == FK_CONDITION_TRUE)
        f->ready_busy_us = machine_us() - f->slept_us - f->written_us;
    return more || fk_tls_ready(&f->tls);
}

/* Whoever calls us waits while the node has work: the connection to the API server comes first. */
static bool step_network(struct fk_firmware *f) {
    bool more = fk_net_step(&f->net);
    look_at_network(f);
    const bool node_more = may_step(f) && step_node(f);
    more = node_more || more;
    if (!node_more) more = fk_firmware_server_step(f) || more;
    look_at_clock(f);
    look_at_own_certificate(f);
    explain_loss(f);
    return more;
}

static bool step_console(struct fk_firmware *f) {
    char bytes[16];
    size_t len = 0;
    for (int c; len < sizeof bytes && (c = machine_getc()) >= 0;) bytes[len++] = (char)c;
    if (len > 0) fk_console_input(&f->console, bytes, len);
    return len == sizeof bytes;
}

static void rest(struct fk_firmware *f) {
    const uint64_t now_ms = machine_ms();
    uint64_t due_ms = now_ms < FK_LED_SELF_TEST_MS ? FK_LED_SELF_TEST_MS : FK_NEVER;
    if (f->started) {
        due_ms = fk_sooner(due_ms, fk_net_due(&f->net));
        if (may_step(f)) due_ms = fk_sooner(due_ms, fk_node_due(&f->node));
        due_ms = fk_sooner(due_ms, fk_firmware_server_due());
        f->nic.ops->arm(f->nic.ctx);
    }
    const uint64_t begun_us = machine_us();
    f->ticked_ms = 0;
    f->asleep = true;
    machine_sleep_until(due_ms);
    f->asleep = false;
    f->slept_us += machine_us() - begun_us;
    f->sleeps++;
}

_Noreturn void fk_firmware_run(void) {
    struct fk_firmware *f = &fw;
    f->again_ms = FK_NEVER;
    fk_heap_init(&f->heap, heap_bytes, sizeof heap_bytes);
    fk_tls_use_heap(&f->heap); /* and whatever else asks Mbed TLS, entropy to begin with */
    (void)fk_led_set(&f->led, FK_LED_SELF_TEST, (uint32_t)machine_ms());
    fk_firmware_console_init(f);
    f->nic = machine_nic();
    machine_watchdog_start();
    start(f);
    for (;;) {
        bool more = step_console(f);
        if (f->started) more = step_network(f) || more;
        show(f);
        machine_watchdog_feed(); /* here and nowhere else: a whole round was done */
        if (machine_ms() >= f->again_ms) machine_reboot();
        if (!more) rest(f);
    }
}
