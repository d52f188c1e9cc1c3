/**
 * Reading the log for `scenesync verify`: the ops topic, every retry topic and the results topic,
 * each partition from its first record on.
 *
 * A consumer without a group: it is given its partitions, joins nothing and commits nothing. What
 * it reads goes to a struct verify_log. Lifetime: verify_reader_open() .. verify_reader_close();
 * the log and the partitions live as long. Threading: one thread. Waits end when Kafka has been
 * silent for `timeout_ms` or at a signal.
 */
#ifndef SCENESYNC_WORKER_VERIFY_READER_H
#define SCENESYNC_WORKER_VERIFY_READER_H

#include "worker/command_kafka.h"
#include "worker/verify_log.h"

/** Told while it reads, about ten times a second, and before a line on stderr. Both or none. */
struct verify_reader_observer {
    void (*progress)(void *context, uint64_t read, uint64_t total);
    void (*fail)(void *context);
    void *context;
};

struct verify_reader {
    struct command_kafka kafka;
    const struct settings *settings;
    struct verify_log *log;
    struct verify_reader_observer observer;
    uint64_t timeout_ms;
    struct verify_partition *partitions;
    size_t partition_count, partition_capacity;
    size_t last_found;              /* records come in runs of one partition */
    rd_kafka_resp_err_t last_error; /* that Kafka gave since the last record */
    uint64_t record_count;          /* read so far, all topics */
    uint64_t observed_ms;           /* monotonic: when the observer heard last */
    bool is_open;
};

/** Finds the topics and where their partitions begin and end. Returns EXIT_CODE_OK or the exit
 * code, after one line on stderr. Borrows everything. Needs verify_reader_close() in any case. */
__attribute__((warn_unused_result)) int
verify_reader_open(struct verify_reader *reader, const struct settings *settings,
                   struct verify_log *log, const struct verify_reader_observer *observer,
                   uint64_t timeout_ms);
void verify_reader_close(struct verify_reader *reader);

/** Reads to where every partition ended when it was opened. Returns as above. */
__attribute__((warn_unused_result)) int verify_reader_read(struct verify_reader *reader);

/**
 * Reads on until `partition` has been read up to `offset` and that included, or up to its end where
 * that comes first. Returns as above.
 */
__attribute__((warn_unused_result)) int verify_reader_catch_up(struct verify_reader *reader,
                                                               struct verify_partition *partition,
                                                               int64_t offset);

/** Reads what comes within about `wait_ms`. Returns as above. */
__attribute__((warn_unused_result)) int verify_reader_linger(struct verify_reader *reader,
                                                             int wait_ms);

/** The partition that a position names, "<topic>/<number>"; NULL: it is not read. */
struct verify_partition *verify_reader_find(const struct verify_reader *reader, struct span name);

/**
 * Looks where the partitions begin now. Where the log was cut while it was read, and records may
 * have been missed by that, the partition counts as beginning there. Returns as above.
 */
__attribute__((warn_unused_result)) int verify_reader_check_starts(struct verify_reader *reader);

#endif
