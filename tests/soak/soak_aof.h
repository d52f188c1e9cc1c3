/**
 * What a crash of the machine does to a Redis server's append-only file, done while it does not
 * run.
 *
 * Lifetime: nothing is kept. Threading: one thread. Failures end the running test.
 */
#ifndef SCENESYNC_TESTS_SOAK_AOF_H
#define SCENESYNC_TESTS_SOAK_AOF_H

#include <stddef.h>

/** Cuts up to `bytes` off the end of the file that was written last. Returns how many it had. */
size_t soak_aof_cut(const char *redis_directory, size_t bytes);

/** Removes all of it. */
void soak_aof_remove(const char *redis_directory);

#endif
