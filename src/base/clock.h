/* Two clocks: monotonic milliseconds for deadlines, wall time for documents.
 *
 * The node has no real-time clock. Wall time is anchored to the Date header of the API server's
 * replies (RFC 9110 §6.6.1, whole seconds) and carried on by the monotonic clock in between. */
#ifndef FK_BASE_CLOCK_H
#define FK_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define FK_NEVER UINT64_MAX       /* a deadline that does not come */
#define FK_WALL_UNKNOWN INT64_MIN /* not anchored: no document may be written with it */
#define FK_CLOCK_SLIP_US 5000000  /* a correction larger than this is a slip, microseconds */

/* Read once per step and handed down. */
struct fk_now {
    uint64_t mono_ms;
    int64_t wall_us; /* microseconds since 1970 UTC, or FK_WALL_UNKNOWN */
};

struct fk_clock {
    bool anchored;
    int64_t offset_us;   /* wall = mono + offset */
    uint32_t slips;      /* corrections larger than FK_CLOCK_SLIP_US since the first anchor */
    uint64_t slipped_ms; /* when the last one was, monotonic */
};

struct fk_now fk_clock_read(const struct fk_clock *c, uint64_t mono_ms);

/* A reply that just arrived says that the server's clock showed date_s. The true time is somewhere
 * in [date_s, date_s + 1 s) plus the way here; an estimate inside that range is left alone, one
 * outside is moved to its edge, so that wall time does not jitter with each reply. */
void fk_clock_anchor(struct fk_clock *c, uint64_t mono_ms, int64_t date_s);

/* Extends a 32-bit millisecond tick that wraps every 49.7 days; must see it more often than that.
 */
struct fk_tick {
    uint32_t last;
    uint32_t wraps;
};
uint64_t fk_tick_extend(struct fk_tick *t, uint32_t tick_ms);

/* a + ms, FK_NEVER instead of wrapping. */
static inline uint64_t fk_after(uint64_t a, uint64_t ms) {
    return a > FK_NEVER - ms ? FK_NEVER : a + ms;
}
static inline uint64_t fk_sooner(uint64_t a, uint64_t b) { return a < b ? a : b; }

#endif
