/**
 * A history that is true: a worker that is only pretended, made of the model, leaves behind what a
 * real one would in Kafka and in Redis. Tests tamper with it, and hand it to the ledger.
 *
 * Topics have two partitions, times are made up, and the ops topic stamps its records. Lifetime:
 * history_init() .. history_free(); bytes live as long as the process. Threading: one thread.
 * Everything is bounded by the enumeration below; what goes beyond aborts.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_LEDGER_HISTORY_H
#define SCENESYNC_TESTS_SUPPORT_LEDGER_HISTORY_H

#include "tests/ledger/ledger.h"
#include "tests/model/model.h"

enum {
    HISTORY_RECORDS_MAX = 200,
    HISTORY_FIELDS_MAX = 200,
    HISTORY_BATCHES_MAX = 40,
    HISTORY_SCENES_MAX = 4,
    HISTORY_HEADERS_MAX = 12,
    HISTORY_FINDINGS_BYTES_MAX = 16384
};

struct history_record {
    struct ledger_record record; /* its headers are `headers` */
    struct ledger_header headers[HISTORY_HEADERS_MAX];
    bool is_gone; /* not told to the ledger */
};

struct history_field {
    struct span session_id, name, value;
    enum ledger_key key;
    bool is_gone;
};

/** A batch that took effect. */
struct history_batch {
    struct span session_id, client_id, batch_id; /* no client_id: empty */
    const struct history_record *source;
    struct pool pool;
    struct model_batch batch;
    struct model_run run;
    struct span delivery; /* what its record in Redis starts with */
    struct span result;   /* the latest, as JSON without bodies */
    uint64_t versions[8];
};

struct history_scene {
    struct span session_id;
    struct model_scene scene;
    int64_t updated_at_ms;
};

struct history {
    struct ledger_config config;
    struct model_settings settings;
    int64_t now_ms;
    struct history_record records[HISTORY_RECORDS_MAX];
    size_t record_count;
    struct history_field fields[HISTORY_FIELDS_MAX];
    size_t field_count;
    struct history_batch batches[HISTORY_BATCHES_MAX];
    size_t batch_count;
    struct history_scene scenes[HISTORY_SCENES_MAX];
    size_t scene_count;
    struct ledger_counts counts;
    char findings[HISTORY_FINDINGS_BYTES_MAX];
};

/** Three retries, last_write_wins, records are kept, no writes were lost. */
void history_init(struct history *history);
void history_free(struct history *history);

/** Puts a record on the ops topic, at the time that the history has come to. */
struct history_record *history_send(struct history *history, int32_t partition, struct span value);

/** The pretended worker takes this record: refuses it, recognises it, or makes its first attempt
 * and publishes what comes of it. */
void history_apply(struct history *history, const struct history_record *sent);

/** ... takes the requeue that brings this batch its next attempt. */
void history_retry(struct history *history, const char *batch_id);

/** ... has lost its place, and publishes the batch's latest result once more. */
void history_publish_again(struct history *history, const char *batch_id);

/** Sends a batch, JSON as message_of() has it, and applies it. */
void history_batch(struct history *history, int32_t partition, const char *json);

/** Writes the Redis keys of what was applied so far. Once. */
void history_store(struct history *history);

/** The n-th record of a topic, from 0, in the order of publishing. Must be there. */
struct history_record *history_record_of(struct history *history, enum ledger_topic topic,
                                         size_t number);

/** A stored field. Must be there. */
struct history_field *history_field_of(struct history *history, const char *session_id,
                                       enum ledger_key key, const char *name);

/** A field that nothing explains. */
void history_add_field(struct history *history, const char *session_id, enum ledger_key key,
                       const char *name, struct span value);

/** Has a new ledger check it all; `findings` and `counts` are what it says. */
bool history_check(struct history *history);

/** The value with every `from` replaced by `to`, which must stand in it; kept. */
struct span bytes_with(struct span bytes, struct span from, struct span to);

#endif
