#include "tests/faults/fault_environment.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/fault_point_name.h"

enum {
    FAULTS_MAX = 16,
    NAME_BYTES_MAX = 32,
    LINE_BYTES_MAX = 128,
    DELAY_MS_MAX = 600000,
    PASSAGE_MAX = 1000000
};

enum fault_action { ACTION_KILL, ACTION_STOP, ACTION_BLOCK, ACTION_DELAY };

struct fault {
    enum fault_point point;
    uint64_t passage; /* 0: each one */
    enum fault_action action;
    long delay_ms;
};

struct fault_plan {
    struct fault faults[FAULTS_MAX];
    size_t count;
    uint64_t passages[FAULT_POINT_COUNT];
    struct fault_hook hook;
};

static const char *action_name(enum fault_action action)
{
    switch (action) {
    case ACTION_KILL:
        return "kill";
    case ACTION_STOP:
        return "stop";
    case ACTION_BLOCK:
        return "block";
    case ACTION_DELAY:
        return "delay";
    }
    return "?";
}

/* Reading the plan. */

static void refuse(const char *text, const char *why)
{
    (void)fprintf(stderr,
                  "scenesync: TEST_FAULT=\"%s\": %s; what is wanted is up to %d times "
                  "<point>:<passage or *>:kill|stop|block|delay=<ms>, with commas between; "
                  "the points are",
                  text, why, FAULTS_MAX);
    for (unsigned point = 0; point < FAULT_POINT_COUNT; point++) {
        (void)fprintf(stderr, " %s", fault_point_name((enum fault_point)point));
    }
    (void)fprintf(stderr, "\n");
    exit(FAULT_ENVIRONMENT_EXIT);
}

static bool read_number(const char *text, long min, long max, long *out)
{
    char *end = NULL;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

static bool read_point(const char *text, enum fault_point *out)
{
    for (unsigned point = 0; point < FAULT_POINT_COUNT; point++) {
        if (strcmp(text, fault_point_name((enum fault_point)point)) == 0) {
            *out = (enum fault_point)point;
            return true;
        }
    }
    return false;
}

static bool read_action(const char *text, struct fault *fault)
{
    static const char delay[] = "delay=";
    if (strncmp(text, delay, sizeof(delay) - 1) == 0) {
        fault->action = ACTION_DELAY;
        return read_number(text + sizeof(delay) - 1, 0, DELAY_MS_MAX, &fault->delay_ms);
    }
    for (unsigned action = ACTION_KILL; action <= ACTION_BLOCK; action++) {
        if (strcmp(text, action_name((enum fault_action)action)) == 0) {
            fault->action = (enum fault_action)action;
            return true;
        }
    }
    return false;
}

/* Copies what stands before `end` and gives where to go on; NULL where `end` does not come. */
static const char *read_word(const char *text, char end, char word[NAME_BYTES_MAX])
{
    const char *const stop = end == '\0' ? text + strlen(text) : strchr(text, end);
    if (stop == NULL || stop - text >= NAME_BYTES_MAX) {
        return NULL;
    }
    memcpy(word, text, (size_t)(stop - text));
    word[stop - text] = '\0';
    return stop + 1;
}

/* Reads the fault at `at`. Gives why it cannot, or NULL. */
static const char *read_fault(const char *at, char end, struct fault *fault, const char **next)
{
    char point[NAME_BYTES_MAX];
    char passage[NAME_BYTES_MAX];
    char action[NAME_BYTES_MAX];
    long number = 0;
    at = read_word(at, ':', point);
    at = at == NULL ? NULL : read_word(at, ':', passage);
    at = at == NULL ? NULL : read_word(at, end, action);
    if (at == NULL) {
        return "a fault is not of three parts";
    }
    *next = at;
    if (!read_point(point, &fault->point)) {
        return "there is no such point";
    }
    if (strcmp(passage, "*") != 0 && !read_number(passage, 1, PASSAGE_MAX, &number)) {
        return "a passage is a number from 1 to 1000000, or *";
    }
    fault->passage = (uint64_t)number;
    return read_action(action, fault) ? NULL : "there is no such action";
}

static void read_plan(const char *text, struct fault_plan *plan)
{
    for (const char *at = text; at != NULL;) {
        if (plan->count == FAULTS_MAX) {
            refuse(text, "these are too many");
        }
        const bool is_last = strchr(at, ',') == NULL;
        const char *next = NULL;
        const char *const why =
            read_fault(at, is_last ? '\0' : ',', &plan->faults[plan->count], &next);
        if (why != NULL) {
            refuse(text, why);
        }
        plan->count++;
        at = is_last ? NULL : next;
    }
}

/* Doing it. */

static void sleep_for(long duration_ms)
{
    struct timespec left = {.tv_sec = duration_ms / 1000, .tv_nsec = duration_ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
        /* A signal: its handler has run, the rest of the time is still to be slept. */
    }
}

static void act(const struct fault *fault)
{
    switch (fault->action) {
    case ACTION_KILL:
        (void)kill(getpid(), SIGKILL);
        break; /* falls to the endless wait: the signal is for the whole process and on its way */
    case ACTION_STOP:
        (void)kill(getpid(), SIGSTOP);
        return;
    case ACTION_BLOCK:
        break;
    case ACTION_DELAY:
        sleep_for(fault->delay_ms);
        return;
    }
    for (;;) {
        (void)pause();
    }
}

/* In one write, so that it does not mix with the log, whose file it may share. */
static void tell(const struct fault *fault, uint64_t passage)
{
    char line[LINE_BYTES_MAX];
    const int size = snprintf(line, sizeof(line), "fault: %s %" PRIu64 " %s\n",
                              fault_point_name(fault->point), passage, action_name(fault->action));
    if (size > 0 && write(STDERR_FILENO, line, (size_t)size) < 0) {
        return; /* nobody listens: the fault happens all the same */
    }
}

static void reach(void *context, enum fault_point point)
{
    struct fault_plan *const plan = context;
    const uint64_t passage = ++plan->passages[point];
    for (size_t i = 0; i < plan->count; i++) {
        const struct fault *const fault = &plan->faults[i];
        if (fault->point == point && (fault->passage == 0 || fault->passage == passage)) {
            tell(fault, passage);
            act(fault);
        }
    }
}

const struct fault_hook *fault_environment(void)
{
    static struct fault_plan plan;
    const char *const text = getenv("TEST_FAULT");
    if (text == NULL) {
        return NULL;
    }
    if (plan.hook.reach != NULL) {
        return &plan.hook; /* passages are counted over all who ask */
    }
    plan = (struct fault_plan){.hook = {.reach = reach, .context = &plan}};
    read_plan(text, &plan);
    return &plan.hook;
}

/* The clock. */

struct shifted_clock {
    struct clock original;
    const char *path;
};

/* Unreadable and half-written files shift by nothing: a test writes a new one and renames it. */
static int64_t read_shift_ms(const char *path)
{
    int64_t shift_ms = 0;
    FILE *const file = fopen(path, "rb");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%" SCNd64, &shift_ms) != 1) {
        shift_ms = 0;
    }
    (void)fclose(file);
    return shift_ms;
}

static uint64_t monotonic_of(void *context)
{
    const struct shifted_clock *const shifted = context;
    return clock_monotonic_ms(&shifted->original);
}

static uint64_t wall_of(void *context)
{
    const struct shifted_clock *const shifted = context;
    return clock_wall_ms(&shifted->original) + (uint64_t)read_shift_ms(shifted->path);
}

struct clock fault_environment_clock(struct clock clock)
{
    static struct shifted_clock shifted;
    const char *const path = getenv("TEST_FAULT_CLOCK");
    if (path == NULL) {
        return clock;
    }
    shifted = (struct shifted_clock){.original = clock, .path = path};
    return (struct clock){.monotonic_ms = monotonic_of, .wall_ms = wall_of, .context = &shifted};
}
