#include "kubelet/conditions.h"

#include "base/assert.h"

#define STEADY_PERCENT 3 /* free heap may ripple by this much and count as unchanged */
#define FRESH_MS 600000u /* ten minutes: how long coffee and first impressions last */

static struct fk_judgement say(enum fk_condition_status status, const char *reason,
                               const char *message) {
    return (struct fk_judgement){status, reason, message};
}

/* Whether free heap is above so many percent. */
static bool free_above(const struct fk_facts *f, uint32_t percent) {
    return (uint64_t)f->heap_steady_bytes * 100 > (uint64_t)f->heap_total_bytes * percent;
}

static bool free_below(const struct fk_facts *f, uint32_t percent) {
    return (uint64_t)f->heap_steady_bytes * 100 < (uint64_t)f->heap_total_bytes * percent;
}

static struct fk_judgement ready(const struct fk_facts *f, bool was) {
    (void)was;
    if (f->leaving) return say(FK_CONDITION_FALSE, "KubeletNotReady", "the node was told to stop");
    return say(FK_CONDITION_TRUE, "KubeletReady", "femtokubelet is posting ready status");
}

/* Once under pressure, a quarter more than the threshold must be free to end it. */
static struct fk_judgement memory_pressure(const struct fk_facts *f, bool was) {
    const uint64_t enough =
        (uint64_t)f->memory_pressure_bytes + (was ? f->memory_pressure_bytes / 4 : 0);
    if (f->heap_free_bytes < enough)
        return say(FK_CONDITION_TRUE, "KubeletHasInsufficientMemory",
                   "the node's heap is nearly full");
    return say(FK_CONDITION_FALSE, "KubeletHasSufficientMemory", "the node's heap has room");
}

static struct fk_judgement disk_pressure(const struct fk_facts *f, bool was) {
    (void)f, (void)was;
    return say(FK_CONDITION_FALSE, "KubeletHasNoDiskPressure", "this node keeps nothing on a disk");
}

static struct fk_judgement pid_pressure(const struct fk_facts *f, bool was) {
    (void)f, (void)was;
    return say(FK_CONDITION_FALSE, "KubeletHasSufficientPID", "this node starts no processes");
}

static struct fk_judgement network_unavailable(const struct fk_facts *f, bool was) {
    (void)f, (void)was;
    return say(FK_CONDITION_FALSE, "NoPodNetwork", "this node waits for no pod network");
}

static struct fk_judgement vibes(const struct fk_facts *f, bool was) {
    (void)was;
    if (f->reconnects >= 3)
        return say(FK_CONDITION_FALSE, "Cursed", "reconnected three times or more");
    if (free_below(f, 30)) return say(FK_CONDITION_FALSE, "Off", "free heap is below 30 %");
    if (free_above(f, 70) && f->reconnects == 0 && f->uptime_ms < FRESH_MS)
        return say(FK_CONDITION_TRUE, "Immaculate", "fresh, roomy, never disconnected");
    if (free_above(f, 50))
        return say(FK_CONDITION_TRUE, "Cromulent", "more than half of the heap is free");
    return say(FK_CONDITION_UNKNOWN, "Dissociating", "neither good nor bad");
}

static struct fk_judgement caffeinated(const struct fk_facts *f, bool was) {
    (void)was;
    if (f->uptime_ms < FRESH_MS)
        return say(FK_CONDITION_TRUE, "FreshlyBrewed", "up for less than ten minutes");
    return say(FK_CONDITION_FALSE, "Decaf", "up for ten minutes or more");
}

static struct fk_judgement existential(const struct fk_facts *f, bool was) {
    (void)was;
    if (f->renewals < 100)
        return say(FK_CONDITION_FALSE, "Innocent", "fewer than 100 lease renewals");
    if (f->renewals < 1000)
        return say(FK_CONDITION_TRUE, "Questioning", "100 lease renewals or more");
    if (f->renewals < 10000)
        return say(FK_CONDITION_TRUE, "Accepting", "1,000 lease renewals or more");
    return say(FK_CONDITION_TRUE, "Transcendent", "10,000 lease renewals or more");
}

static struct fk_judgement peckish(const struct fk_facts *f, bool was) {
    (void)was;
    if (free_above(f, 60))
        return say(FK_CONDITION_FALSE, "Sated", "more than 60 % of the heap is free");
    if (free_above(f, 40))
        return say(FK_CONDITION_TRUE, "CouldGoForASnack", "more than 40 % of the heap is free");
    return say(FK_CONDITION_TRUE, "Hungry", "40 % of the heap is free, or less");
}

static struct fk_judgement haunted(const struct fk_facts *f, bool was) {
    (void)was;
    if (f->new_ghost)
        return say(FK_CONDITION_TRUE, "NewGhost", "the gateway's address changed lately");
    if (f->time_slipped)
        return say(FK_CONDITION_TRUE, "TimeSlipped", "the clock jumped by more than 5 s lately");
    return say(FK_CONDITION_FALSE, "Calm", "same gateway, steady clock");
}

struct kind {
    const char *type;
    struct fk_judgement (*judge)(const struct fk_facts *facts, bool was_true);
};

static const struct kind kinds[FK_CONDITIONS] = {
    [FK_CONDITION_READY] = {"Ready", ready},
    [FK_CONDITION_MEMORY_PRESSURE] = {"MemoryPressure", memory_pressure},
    [FK_CONDITION_DISK_PRESSURE] = {"DiskPressure", disk_pressure},
    [FK_CONDITION_PID_PRESSURE] = {"PIDPressure", pid_pressure},
    [FK_CONDITION_NETWORK_UNAVAILABLE] = {"NetworkUnavailable", network_unavailable},
    [FK_CONDITION_VIBES] = {"Vibes", vibes},
    [FK_CONDITION_CAFFEINATED] = {"Caffeinated", caffeinated},
    [FK_CONDITION_EXISTENTIAL] = {"Existential", existential},
    [FK_CONDITION_PECKISH] = {"Peckish", peckish},
    [FK_CONDITION_HAUNTED] = {"Haunted", haunted},
};

const char *fk_conditions_type(size_t index) {
    FK_ASSERT(index < FK_CONDITIONS);
    return kinds[index].type;
}

void fk_conditions_adopt(struct fk_conditions *c, const struct fk_node_condition *theirs) {
    if (theirs->transition_us == FK_WALL_UNKNOWN) return;
    for (size_t i = 0; i < FK_CONDITIONS; i++) {
        if (strcmp(theirs->type, kinds[i].type) != 0) continue;
        c->all[i].known = true;
        c->all[i].now.status = theirs->status;
        c->all[i].transition_us = theirs->transition_us;
    }
}

/* Free heap without its ripple, so that no condition flaps at a threshold. */
static uint32_t steady(const struct fk_conditions *c, const struct fk_facts *facts) {
    const uint32_t was = c->heap_steady_bytes, is = facts->heap_free_bytes;
    const uint32_t moved = was > is ? was - is : is - was;
    return moved > facts->heap_total_bytes / 100 * STEADY_PERCENT ? is : was;
}

unsigned fk_conditions_judge(struct fk_conditions *c, const struct fk_facts *facts,
                             int64_t wall_us) {
    FK_ASSERT(wall_us != FK_WALL_UNKNOWN);
    struct fk_facts f = *facts;
    if (!c->judged) c->heap_steady_bytes = facts->heap_free_bytes;
    c->judged = true;
    f.heap_steady_bytes = c->heap_steady_bytes = steady(c, facts);
    unsigned flips = 0;
    for (size_t i = 0; i < FK_CONDITIONS; i++) {
        struct fk_condition *condition = &c->all[i];
        const struct fk_judgement was = condition->now;
        condition->now = kinds[i].judge(&f, condition->known && was.status == FK_CONDITION_TRUE);
        if (condition->known && condition->now.status == was.status) continue;
        condition->known = true;
        condition->transition_us = wall_us;
        flips++;
    }
    return flips;
}

static const char *truth_text(enum fk_condition_status status) {
    switch (status) {
    case FK_CONDITION_TRUE: return "True";
    case FK_CONDITION_FALSE: return "False";
    case FK_CONDITION_UNKNOWN: break;
    }
    return "Unknown";
}

void fk_conditions_put(const struct fk_conditions *c, struct fk_json *j, int64_t heartbeat_us,
                       bool whole) {
    for (size_t i = 0; i < FK_CONDITIONS; i++) {
        const struct fk_condition *condition = &c->all[i];
        fk_json_object(j, NULL);
        fk_json_str(j, "type", kinds[i].type);
        fk_json_str(j, "status", truth_text(condition->now.status));
        fk_json_time(j, "lastHeartbeatTime", heartbeat_us);
        if (whole || i == FK_CONDITION_READY) {
            fk_json_time(j, "lastTransitionTime", condition->transition_us);
            fk_json_str(j, "reason", condition->now.reason);
            fk_json_str(j, "message", condition->now.message);
        }
        fk_json_object_end(j);
    }
}
