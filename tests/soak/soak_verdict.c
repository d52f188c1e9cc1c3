#include "tests/soak/soak_verdict.h"

#include <criterion/criterion.h>

#include "tests/soak/soak_batches.h"
#include "tests/soak/soak_redis.h"
#include "tests/support/ledger_reader.h"
#include "tests/support/redis_server.h"

enum { FINDINGS_MAX = 20 };

bool soak_verdict_take(const struct soak_verdict *verdict, FILE *out, struct ledger_counts *counts)
{
    const struct ledger_config config = {
        .retries_max = SOAK_RETRIES,
        .allow_batch_strategy = true,
        .lost_writes = verdict->lost_writes,
        .records_are_kept = !verdict->setup->small_dedupe,
        .elements_max = SOAK_ELEMENTS_MAX,
        .element_bytes_max = SOAK_ELEMENT_BYTES_MAX,
        .message_bytes_max = SOAK_MESSAGE_BYTES_MAX,
        .operations_max = SOAK_OPERATIONS_MAX,
    };
    const struct ledger_topics topics = {.bootstrap = verdict->bootstrap};
    struct ledger *const ledger = ledger_create(&config);
    const bool is_read =
        ledger_read_kafka(ledger, &topics) &&
        ledger_read_redis(ledger, "127.0.0.1", redis_server_port(verdict->primary), NULL);
    const bool is_good = is_read && ledger_check(ledger, out, FINDINGS_MAX, counts);
    ledger_destroy(ledger);
    return is_good;
}

void soak_verdict_tamper(const struct soak_verdict *verdict)
{
    /* The busiest scene: it has elements. */
    static const char key[] = "scene:{scene-0}:elements";
    const char *const arguments[] = {"HKEYS", key, NULL};
    redisReply *const reply = soak_redis_query(verdict->primary, arguments);
    cr_assert(reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0,
              "%s has nothing to take", key);
    cr_assert(SOAK_REDIS_RUN(verdict->primary, "HDEL", key, reply->element[0]->str));
    freeReplyObject(reply);
}
