/**
 * What this process uses, from /proc/self. Threading: stateless.
 */
#ifndef SCENESYNC_WORKER_PROCESS_USAGE_H
#define SCENESYNC_WORKER_PROCESS_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct process_usage {
    uint64_t cpu_ms; /* user and system */
    uint64_t start_wall_ms;
    uint64_t resident_bytes;
    uint64_t open_files, open_files_max; /* descriptors */
};

/** False where the system does not tell; then `out` is all zero. */
bool process_usage_read(struct process_usage *out);

#endif
