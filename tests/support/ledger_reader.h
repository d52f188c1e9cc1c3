/**
 * Feeds a ledger (tests/ledger) with all that stands in a broker's topics and under a Redis prefix.
 *
 * Reads with consumers of its own that are in no group, and with no command that writes. To be
 * called when nothing is written any more: what comes meanwhile may be missed. Lifetime: everything
 * is opened and closed within a call. Threading: one thread. Cost: all records and keys.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_LEDGER_READER_H
#define SCENESYNC_TESTS_SUPPORT_LEDGER_READER_H

#include "tests/ledger/ledger.h"

struct ledger_topics {
    const char *bootstrap; /* host:port */
    /* NULL: the settings' default */
    const char *ops, *results, *dead_letter, *retry_prefix;
};

/**
 * Every record of these topics, of all retry tiers that exist. False where that cannot be had
 * within a minute without any progress; why stands on stderr.
 */
__attribute__((warn_unused_result)) bool ledger_read_kafka(struct ledger *ledger,
                                                           const struct ledger_topics *topics);

/**
 * Every key under the prefix (NULL: "scene:") of database 0: scenes' fields, and what is no
 * scene's as stray keys, the workers' watermarks aside. False where Redis does not answer; why
 * stands on stderr.
 */
__attribute__((warn_unused_result)) bool ledger_read_redis(struct ledger *ledger, const char *host,
                                                           int port, const char *prefix);

#endif
