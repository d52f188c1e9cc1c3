/**
 * All records of a run as lines of JSON, for whoever has to find out what went wrong.
 *
 * Lifetime: nothing is kept. Threading: one thread. Cost: reads everything once more.
 */
#ifndef SCENESYNC_TESTS_SOAK_DUMP_H
#define SCENESYNC_TESTS_SOAK_DUMP_H

#include <stddef.h>

/** Writes `directory`/<topic>.jsonl, in order within each partition: place, time, key, headers,
 * value. Returns how many records there are; a broker that does not answer leaves the files short.
 */
size_t soak_dump_topics(const char *bootstrap, const char *directory);

#endif
