/**
 * Deliberate bugs, to show that the simulation finds them: what is broken is a function of the
 * worker that the linker calls here first (--wrap), or a promise of the simulated Kafka or Redis.
 *
 * Threading: one thread; the choice is the process's.
 */
#ifndef SCENESYNC_TESTS_SIM_BREAK_H
#define SCENESYNC_TESTS_SIM_BREAK_H

#include <stdbool.h>
#include <stddef.h>

enum sim_break {
    SIM_BREAK_NOTHING,
    SIM_BREAK_RECOGNITION,  /* a redelivered or resent batch gets no answer */
    SIM_BREAK_LOSS,         /* a watermark that went back means nothing */
    SIM_BREAK_MARK,         /* commits do not name the watermark that they build on */
    SIM_BREAK_SETTLE_FIRST, /* offsets are given free for commit before the work is done */
    SIM_BREAK_LETTER,       /* now and then a letter is not sent */
    SIM_BREAK_HOLD,         /* records of partitions that were lost are worked on */
    SIM_BREAK_CHECK,        /* the store does not compare version and token */
    SIM_BREAK_AUTO_COMMIT,  /* Kafka takes what is delivered for committed */
    SIM_BREAK_COUNT
};

void sim_break_choose(enum sim_break which);
bool sim_break_is(enum sim_break which);

/** As --break names it. */
const char *sim_break_name(enum sim_break which);

#endif
