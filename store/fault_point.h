/**
 * Named places on a batch's way where a test may kill, stop or delay the worker, or a simulator may
 * step in: hooks, passed in like the clock. Only builds with SCENESYNC_FAULT_POINTS have them; in
 * all others fault_reach() is nothing.
 *
 * Threading: called on the cycle's thread.
 */
#ifndef SCENESYNC_STORE_FAULT_POINT_H
#define SCENESYNC_STORE_FAULT_POINT_H

#include <stddef.h>

/** In the order in which a batch passes them. */
enum fault_point {
    FAULT_ASSIGNED,              /* Kafka's client has been given partitions, none is claimed yet */
    FAULT_AFTER_DECODE,          /* the cycle's records are decoded and grouped */
    FAULT_AFTER_LOAD,            /* what the cycle needs has been read from the store */
    FAULT_BEFORE_COMMIT,         /* a commit is decided, nothing of it is sent */
    FAULT_COMMIT_SENT,           /* the commit's bytes are with the kernel, no reply was read */
    FAULT_COMMIT_REPLIED,        /* the reply was read, the cycle does not know it yet */
    FAULT_AFTER_COMMIT,          /* all commits of the cycle are answered, nothing is published */
    FAULT_AFTER_PUBLISH,         /* all messages are handed to Kafka's client */
    FAULT_AFTER_ACKNOWLEDGEMENT, /* Kafka has acknowledged them */
    FAULT_AFTER_WATERMARK,       /* the watermark is raised */
    FAULT_BEFORE_OFFSET_COMMIT,  /* the offsets are about to be sent to Kafka */
    FAULT_AFTER_OFFSET_COMMIT,   /* Kafka has confirmed them */
    FAULT_POINT_COUNT
};

struct fault_hook {
    void (*reach)(void *context, enum fault_point point);
    void *context;
};

/** Tells the hook, where there is one, that the work stands at `point`. */
static inline void fault_reach(const struct fault_hook *hook, enum fault_point point)
{
#ifdef SCENESYNC_FAULT_POINTS
    if (hook != NULL) {
        hook->reach(hook->context, point);
    }
#else
    (void)hook;
    (void)point;
#endif
}

#endif
