/**
 * What of a workload the benchmarks' tools take on the command line: its name, its sizes where they
 * differ from those that go with the name, the seed, and the time of what is there before.
 *
 * Lifetime: plain data; texts are views of argv. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_BENCH_WORKLOAD_OPTIONS_H
#define SCENESYNC_TESTS_BENCH_WORKLOAD_OPTIONS_H

#include "tests/bench/workload.h"
#include "worker/options.h"

enum { WORKLOAD_OPTIONS_COUNT = 7, WORKLOAD_OPTIONS_EXIT_USAGE = 64 };

struct workload_options {
    const char *name;
    uint64_t scenes, elements, operations, text_bytes; /* 0: as the name has it */
    uint64_t seed, start_ms;
};

#define WORKLOAD_OPTIONS_HELP                                                                      \
    "  --workload NAME   uniform, drag, single, hot, cold, conflict or large\n"                    \
    "  --scenes N, --elements N, --operations N, --text-bytes N\n"                                 \
    "                    other sizes than the workload's own\n"                                    \
    "  --seed N          the same seed makes the same batches (default: 1)\n"                      \
    "  --start-ms N      time of what is there before, since the epoch (default: an hour ago;\n"   \
    "                    tools that are to make the same bytes need the same one)\n"

/** Defaults: uniform, seed 1, an hour ago. */
void workload_options_init(struct workload_options *options);

/** Writes the specifications of all options; they point into `options`. */
void workload_options_specify(struct workload_options *options,
                              struct option_spec out[WORKLOAD_OPTIONS_COUNT]);

/** Whether an option that has no default was given; a line on stderr, if not. */
bool workload_options_require(const char *name, const char *value);

/** Creates the workload and tells its sizes; NULL, with a line on stderr, where that cannot be.
 * Returns owned. */
struct workload *workload_options_create(const struct workload_options *options,
                                         struct workload_sizes *sizes);

#endif
