/**
 * Batches for tests: written as JSON, decoded as the worker decodes them, processed on a scene.
 *
 * Lifetime: batches and results live as long as the process. Threading: one thread. A batch that
 * is refused and memory that runs out abort.
 */
#ifndef SCENESYNC_TESTS_BATCHES_H
#define SCENESYNC_TESTS_BATCHES_H

#include "store/process.h"

/* Operations as JSON (messages.h): `n` is a number in the element that tells writes apart. */
#define ADD(id, n, t)                                                                              \
    "{'op':'add','element':{'id':'" id "','kind':{'type':'T'},'n':" #n "},'timestamp':" #t "}"
#define UPDATE(id, n, t) "{'op':'update','id':'" id "','changes':{'n':" #n "},'timestamp':" #t "}"
#define UPDATE_ON(base, id, n, t)                                                                  \
    "{'op':'update','id':'" id "','changes':{'n':" #n "},'timestamp':" #t ",'base_version':" #base \
    "}"
#define REMOVE(id, t) "{'op':'remove','id':'" id "','timestamp':" #t "}"
#define INTERACTION(t) "{'op':'interaction','event':{'type':'tap'},'timestamp':" #t "}"
/* Breaks a rule inside the operation: decodes to OPERATION_INVALID, but can be echoed. */
#define INVALID "{'op':'remove','timestamp':1}"
/* Not even well-formed: an extension type. */
#define MALFORMED "'hex:d40001'"

/* A JSON array of one to nine operations, or of "" for none. */
#define OPERATIONS(...) "[" JOIN(__VA_ARGS__) "]"
#define JOIN(...) JOIN_PICK(__VA_ARGS__, J9, J8, J7, J6, J5, J4, J3, J2, J1, 0)(__VA_ARGS__)
#define JOIN_PICK(a, b, c, d, e, f, g, h, i, join, ...) join
#define J1(a) a
#define J2(a, ...) a "," J1(__VA_ARGS__)
#define J3(a, ...) a "," J2(__VA_ARGS__)
#define J4(a, ...) a "," J3(__VA_ARGS__)
#define J5(a, ...) a "," J4(__VA_ARGS__)
#define J6(a, ...) a "," J5(__VA_ARGS__)
#define J7(a, ...) a "," J6(__VA_ARGS__)
#define J8(a, ...) a "," J7(__VA_ARGS__)
#define J9(a, ...) a "," J8(__VA_ARGS__)

#define BATCH(...) BATCH_BY("last_write_wins", __VA_ARGS__)
#define BATCH_BY(strategy, ...)                                                                    \
    "{'session_id':'s','batch_id':'b','client_id':'c','strategy':'" strategy                       \
    "','operations':" OPERATIONS(__VA_ARGS__) "}"

enum { TEST_NOW_MS = 1000000, TEST_RETRY_DELAY_MS = 100 };

/** Scratch that lives as long as the process; the buffer is for whoever uses it next. */
struct arena *test_arena(void);
struct buffer *test_scratch(void);

/** Decodes a batch as from offset 7 of scene.ops/3. */
struct batch batch_of(const char *json);
struct batch batch_of_bytes(struct span message);

/** Decodes a requeued batch. */
struct batch retry_of_bytes(struct span message);

/** Decodes the operation. */
struct operation operation_of(const char *json);

/** Default limits, three retries, arrival and now at TEST_NOW_MS. */
struct process_context process_context_default(void);

/** Applies the batch; elements that the scene does not have are loaded as unknown. */
struct sync_result batch_process(struct scene *scene, const struct batch *batch,
                                 const struct process_context *context);

/** The requeue of a result with pending operations, and the batch that it is: the next attempt. */
struct span batch_requeue(const struct sync_result *result, const struct batch *batch);
struct batch batch_requeued(const struct sync_result *result, const struct batch *batch);

/** The result's bytes on the wire, all of them. */
struct span result_bytes(const struct sync_result *result);

/** The entry of this index, or NULL. */
const struct conflict_entry *conflict_at(const struct sync_result *result, uint32_t index);
const struct failure_entry *failure_at(const struct sync_result *result, uint32_t index);

#endif
