#include "base/clock.h"

/* How long a reply may plausibly have been under way, on top of Date's whole second. */
#define TRANSIT_US 1000000

struct fk_now fk_clock_read(const struct fk_clock *c, uint64_t mono_ms) {
    if (!c->anchored) return (struct fk_now){mono_ms, FK_WALL_UNKNOWN};
    return (struct fk_now){mono_ms, (int64_t)(mono_ms * 1000) + c->offset_us};
}

void fk_clock_anchor(struct fk_clock *c, uint64_t mono_ms, int64_t date_s) {
    const int64_t mono_us = (int64_t)(mono_ms * 1000);
    const int64_t lowest = date_s * 1000000 - mono_us;
    const int64_t highest = lowest + 1000000 + TRANSIT_US;
    if (!c->anchored) {
        c->anchored = true;
        c->offset_us = lowest;
        return;
    }
    int64_t moved = 0;
    if (c->offset_us < lowest) moved = lowest - c->offset_us;
    if (c->offset_us > highest) moved = highest - c->offset_us;
    c->offset_us += moved;
    if (moved > FK_CLOCK_SLIP_US || moved < -FK_CLOCK_SLIP_US) {
        c->slips++;
        c->slipped_ms = mono_ms;
    }
}

uint64_t fk_tick_extend(struct fk_tick *t, uint32_t tick_ms) {
    if (tick_ms < t->last) t->wraps++;
    t->last = tick_ms;
    return (uint64_t)t->wraps << 32 | tick_ms;
}
