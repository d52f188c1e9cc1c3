/**
 * What the fuzz targets share: demands, and the entry that libFuzzer and the replay call.
 *
 * A target is a file fuzz_X.c with an LLVMFuzzerTestOneInput() that keeps nothing between two
 * inputs and ends the process, through fuzz_demand(), where the product breaks a promise.
 * Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_FUZZ_H
#define SCENESYNC_TESTS_FUZZ_H

#include "protocol/arena.h"
#include "protocol/error.h"
#include "tests/model/model.h"

/** What every target defines. Returns 0; the input is the caller's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Ends the process with this sentence, so that the fuzzer keeps the input, unless `holds`. */
void fuzz_demand(bool holds, const char *sentence);

/** Demands that both hold the same bytes. */
void fuzz_demand_equal(struct span found, struct span expected, const char *sentence);

/** Demands that a text of at most `bytes_max` bytes, its NUL among them, is one line for a person:
 * not empty, valid UTF-8, no control characters. */
void fuzz_demand_line(const char *text, size_t bytes_max);

/** Demands what every refusal must have: a code that is none of ours, and a line. */
void fuzz_demand_refusal(const struct error *error);

/** Memory for one input, big enough for whatever one may ask for. */
enum { FUZZ_ARENA_BYTES_MAX = 64 << 20, FUZZ_BUFFER_BYTES_MAX = 64 << 20 };

/**
 * Holds the readers of MessagePack against each other: the structural check, the prefix scan, the
 * cursors and the model on how far the bytes reach and how deep they go; the strict checks and the
 * model on the rules for keys and strings. Returns whether the bytes are one well-formed value.
 */
bool fuzz_readers_agree(struct span bytes, struct arena *arena, struct pool *pool);

/** Whether one well-formed value is so deep that the model does not look into all of it. */
bool fuzz_is_beyond_model(struct span checked);

/** Whether well-formed bytes also keep the rules of protocol.md section 2 for keys and strings. */
bool fuzz_is_strict(struct span checked, struct arena *arena);

#endif
