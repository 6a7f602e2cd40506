#include "sim/faults.h"

#include <stdio.h>

#include "base/err.h"
#include "sim/world.h"

#define SHORTEST_LOSS_MS 100
#define TRIPS_MS 400     /* requests and handshakes under way */
#define SETTLED_MS 30000 /* FK_RECONNECT_MAX_MS, and a renewal behind that */

/* ---- requests ------------------------------------------------------------------------------- */

enum sim_fault sim_faults_roll(struct sim_world *w) {
    const uint32_t ppm = w->options.faults.fail_ppm;
    if (ppm == 0 || fk_rng_below(&w->dice, 1000000) >= ppm) return SIM_FAULT_NONE;
    return (enum sim_fault)(1 + fk_rng_below(&w->dice, SIM_FAULTS_RANDOM - 1));
}

const char *sim_fault_name(enum sim_fault fault) {
    switch (fault) {
    case SIM_FAULT_NONE: return "none";
    case SIM_FAULT_429: return "429";
    case SIM_FAULT_500: return "500";
    case SIM_FAULT_503: return "503";
    case SIM_FAULT_504: return "504";
    case SIM_FAULT_HTML: return "502 HTML";
    case SIM_FAULT_RESET: return "RST_STREAM";
    case SIM_FAULT_REFUSED: return "REFUSED_STREAM";
    case SIM_FAULT_GOAWAY: return "GOAWAY";
    case SIM_FAULT_LAST: return "GOAWAY, last reply";
    case SIM_FAULT_CUT: return "reply cut";
    case SIM_FAULT_SILENT: return "no reply";
    case SIM_FAULT_401: return "401";
    case SIM_FAULT_403: return "403";
    case SIM_FAULT_422: return "422";
    case SIM_FAULT_DEAF: return "silent connection";
    }
    return "?";
}

/* ---- allowance ------------------------------------------------------------------------------ */

/* The longest that the node's backoff may wait after this many failures, with its jitter. */
static uint64_t delay_ms(uint32_t failures, uint32_t min_ms, uint32_t max_ms) {
    uint64_t ms = min_ms;
    while (failures-- > 0 && ms < max_ms) ms *= 2;
    return (ms < max_ms ? ms : max_ms) * 5 / 4;
}

static bool ends_connection(enum sim_fault fault) {
    return fault == SIM_FAULT_GOAWAY || fault == SIM_FAULT_LAST || fault == SIM_FAULT_CUT ||
           fault == SIM_FAULT_DEAF;
}

/* A connection that stood for SETTLED_MS without a break has brought the delay down again. */
static uint32_t note_break(struct sim_seat *seat, uint64_t until_ms, uint32_t count) {
    struct sim_account *a = &seat->account;
    if (seat->world->now_ms > a->broken_ms + SETTLED_MS) a->breaks = 0;
    if (until_ms > a->broken_ms) a->broken_ms = until_ms;
    const uint32_t before = a->breaks;
    a->breaks += count;
    return before;
}

/* Milliseconds that one failed request may cost: the time until the failure is noticed, the wait
 * before the next try, what the server asked for, and a new connection. */
void sim_account_fault(struct sim_seat *seat, enum sim_fault fault, uint32_t retry_after_s) {
    struct sim_account *a = &seat->account;
    seat->world->totals.faults++;
    uint64_t ms = TRIPS_MS + delay_ms(a->failures++, FK_RETRY_MIN_MS, FK_RETRY_MAX_MS) +
                  (uint64_t)retry_after_s * 1000;
    if (ends_connection(fault)) {
        const uint32_t breaks = note_break(seat, seat->world->now_ms, 1);
        ms += TRIPS_MS + delay_ms(breaks, FK_RECONNECT_MIN_MS, FK_RECONNECT_MAX_MS);
    }
    if (fault == SIM_FAULT_DEAF) ms += FK_PING_AFTER_MS + FK_PING_TIMEOUT_MS;
    if (fault == SIM_FAULT_SILENT || fault == SIM_FAULT_GOAWAY || fault == SIM_FAULT_LAST)
        ms += FK_REQUEST_TIMEOUT_MS; /* a draining connection waits for its other requests */
    if (fault >= SIM_FAULT_401 && fault <= SIM_FAULT_422) ms += FK_REFUSED_MAX_MS * 5 / 4;
    a->allowance_ms += ms;
}

void sim_account_trouble(struct sim_seat *seat, uint64_t ms) {
    struct sim_account *a = &seat->account;
    seat->world->totals.faults++;
    a->allowance_ms += ms + SIM_RECOVERY_MS;
    const uint64_t until_ms = seat->world->now_ms + ms;
    if (until_ms > a->fault_until_ms) a->fault_until_ms = until_ms;
    (void)note_break(seat, until_ms + SIM_RECOVERY_MS, 8);
}

void sim_account_allow(struct sim_seat *seat, uint64_t ms) { seat->account.allowance_ms += ms; }

void sim_account_check(struct sim_seat *seat, bool renewed) {
    struct sim_account *a = &seat->account;
    const uint64_t now_ms = seat->world->now_ms;
    if (a->renewed_ms != FK_NEVER) {
        const uint64_t gap_ms = now_ms - a->renewed_ms;
        const uint64_t allowed_ms = SIM_PERIOD_MS + a->allowance_ms;
        if (gap_ms > a->longest_gap_ms) a->longest_gap_ms = gap_ms;
        if (gap_ms > allowed_ms) {
            char text[120];
            (void)snprintf(text, sizeof text, "Lease missed: %llu ms without renewal, %llu allowed",
                           (unsigned long long)gap_ms, (unsigned long long)allowed_ms);
            sim_world_complain(seat->world, seat->index, text);
            if (gap_ms - allowed_ms > a->longest_excess_ms)
                a->longest_excess_ms = gap_ms - allowed_ms;
        }
    }
    if (!renewed) return;
    /* Trouble that is not over yet counts for the gap that begins now, too. */
    const bool over = a->fault_until_ms <= now_ms;
    a->allowance_ms = over ? 0 : a->fault_until_ms - now_ms + SIM_RECOVERY_MS;
    a->renewed_ms = now_ms;
}

/* ---- links ---------------------------------------------------------------------------------- */

static void apply_weather(struct sim_seat *seat) {
    const struct sim_loss *loss = &seat->loss;
    struct sim_link *l = &seat->link;
    l->refusing = seat->world->stopped || (loss->under_way && loss->kind == SIM_LOSS_RESET);
    l->dark = loss->under_way && loss->kind == SIM_LOSS_SILENT;
    l->held_until_ms = loss->under_way && loss->kind == SIM_LOSS_HELD ? loss->due_ms : 0;
}

void sim_faults_lose_link(struct sim_seat *seat, enum sim_loss_kind kind, uint64_t ms) {
    struct sim_world *w = seat->world;
    seat->loss = (struct sim_loss){w->now_ms + ms, kind, true};
    apply_weather(seat);
    if (kind == SIM_LOSS_SILENT) sim_link_lose(&seat->link);
    if (kind == SIM_LOSS_RESET) sim_link_break(&seat->link, FK_E_RESET);
    sim_account_trouble(seat, ms);
    sim_world_note(w, seat->index, 100u + (uint64_t)kind, ms);
    sim_world_wake(w, seat->index);
}

/* Uniform between nothing and twice the mean. */
static uint64_t next_loss_ms(struct sim_world *w) {
    const uint32_t rate = w->options.faults.losses_per_100_days;
    if (rate == 0) return FK_NEVER;
    return w->now_ms + 1 +
           fk_rng_below(&w->dice, (uint32_t)(2 * 100 * SIM_DAY / 1000 / rate)) * UINT64_C(1000) +
           fk_rng_below(&w->dice, 1000);
}

/* A random bit length first, so that 1 s is as likely as 100 s. */
static uint64_t loss_length_ms(struct sim_world *w) {
    const uint32_t max_ms = w->options.faults.loss_max_ms;
    uint32_t bound_ms = SHORTEST_LOSS_MS;
    while (bound_ms < max_ms && fk_rng_below(&w->dice, 8) != 0) bound_ms *= 2;
    if (bound_ms > max_ms) bound_ms = max_ms;
    return SHORTEST_LOSS_MS / 2 + fk_rng_below(&w->dice, bound_ms + 1);
}

uint64_t sim_faults_run_loss(struct sim_seat *seat) {
    struct sim_world *w = seat->world;
    if (w->now_ms < seat->loss.due_ms) return seat->loss.due_ms;
    if (seat->loss.under_way) {
        seat->loss.under_way = false;
        seat->loss.due_ms = next_loss_ms(w);
        apply_weather(seat);
        sim_world_note(w, seat->index, 110, 0);
    } else {
        const uint32_t kind = fk_rng_below(&w->dice, SIM_LOSS_KINDS);
        sim_faults_lose_link(seat, (enum sim_loss_kind)kind, loss_length_ms(w));
    }
    return seat->loss.due_ms;
}

/* ---- the server ----------------------------------------------------------------------------- */

void sim_faults_stop_server(struct sim_world *w, uint64_t expected_ms) {
    w->stopped = true;
    for (size_t i = 0; i < w->options.nodes; i++) {
        struct sim_seat *seat = &w->seats[i];
        apply_weather(seat);
        sim_link_break(&seat->link, FK_E_RESET);
        sim_account_trouble(seat, expected_ms);
        sim_world_wake(w, i);
    }
    sim_world_note(w, 0, 120, expected_ms);
}

void sim_faults_start_server(struct sim_world *w) {
    w->stopped = false;
    for (size_t i = 0; i < w->options.nodes; i++) apply_weather(&w->seats[i]);
    sim_world_note(w, 0, 121, 0);
}

static uint64_t next_restart_ms(struct sim_world *w) {
    const uint32_t days = w->options.faults.restart_days;
    if (days == 0) return FK_NEVER;
    return w->now_ms +
           fk_rng_below(&w->dice, days * 2 * (uint32_t)(SIM_DAY / 1000)) * UINT64_C(1000);
}

uint64_t sim_faults_run_restarts(struct sim_world *w) {
    if (w->now_ms < w->restart_due_ms) return w->restart_due_ms;
    if (w->restarting) {
        w->restarting = false;
        sim_faults_start_server(w);
        w->restart_due_ms = next_restart_ms(w);
    } else {
        const uint64_t ms = 1000 + fk_rng_below(&w->dice, 60000);
        w->restarting = true;
        sim_faults_stop_server(w, ms);
        w->restart_due_ms = w->now_ms + ms;
    }
    return w->restart_due_ms;
}

void sim_faults_init(struct sim_world *w) {
    w->restart_due_ms = next_restart_ms(w);
    for (size_t i = 0; i < w->options.nodes; i++) w->seats[i].loss.due_ms = next_loss_ms(w);
}
