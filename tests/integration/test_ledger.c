/*
 * The ledger (tests/ledger) on what a real worker left behind: random batches with every kind of
 * conflict, retries, resends, used names and poison pass; a single write beside the worker does
 * not.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/dice.h"
#include "tests/support/ledger_reader.h"
#include "tests/support/world.h"

enum {
    SCENES = 3,
    PARTITIONS = 2,
    TIERS = 2,
    BATCHES = 400,
    OPERATIONS_MAX = 5,
    TEXT_BYTES = 4096
};

static struct world *world;
static struct dice dice;

static void end(void)
{
    world_destroy(world);
}

TestSuite(ledger, .fini = end, .timeout = 200);

/* Below `limit`. */
static unsigned pick(unsigned limit)
{
    return dice_below(&dice, limit);
}

static const char *pick_of(const char *const *texts, unsigned count)
{
    return texts[pick(count)];
}

#define PICK(...)                                                                                  \
    pick_of((const char *const[]){__VA_ARGS__},                                                    \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static const char *random_id(void)
{
    return PICK("'a'", "'b'", "'c'", "'d'", "'e'", "'f'", "'bin:00112233445566778899aabbccddeeff'",
                "'00112233-4455-6677-8899-AABBCCDDEEFF'");
}

static const char *random_transform(void)
{
    return text_of_format("{'x':%s,'z_index':%s,'skew':%s}", PICK("1", "-2.5", "1e300", "'no'"),
                          PICK("7", "7.0", "99999999999", "1.5"),
                          PICK("null", "[null,{'a':[]}]", "{'q':{}}"));
}

static const char *random_changes(void)
{
    return text_of_format("{'note':%s,'tags':%s,'transform':%s,'kind':%s,'selected':%s}",
                          PICK("null", "'n'", "{'p':{'q':null}}", "{'p':1,'r':null}"),
                          PICK("[]", "[1,null]", "18446744073709551615.0", "{}"),
                          pick(3) == 0 ? "null" : random_transform(),
                          PICK("null", "{'data':{'c':1}}", "{'data':null}", "{'type':null}"),
                          PICK("true", "null", "'yes'"));
}

static const char *random_operation(void)
{
    /* Some before, some after what others did, some with a clock that runs ahead. */
    const char *const timestamp =
        text_of_format("%llu", pick(12) == 0 ? 99999999999999ULL : 1750000000000ULL + pick(50));
    const char *const base = pick(4) == 0 ? text_of_format(",'base_version':%u", pick(30)) : "";
    switch (pick(8)) {
    case 0:
    case 1:
        return text_of_format("{'op':'add','timestamp':%s%s,'element':{'id':%s,'kind':{'type':%s},"
                              "'transform':%s}}",
                              timestamp, base, random_id(), PICK("'T'", "'U'", "'V'", "5"),
                              pick(2) == 0 ? "null" : "{'x':1.5,'y':2}");
    case 2:
    case 3:
    case 4:
        return text_of_format("{'op':'update','timestamp':%s%s,'id':%s,'changes':%s}", timestamp,
                              base, random_id(), random_changes());
    case 5:
        return text_of_format("{'RemoveElement':{'timestamp':%s%s,'id':%s}}", timestamp, base,
                              random_id());
    case 6:
        return text_of_format("{'op':'interaction','timestamp':%s}", timestamp);
    default:
        return PICK("{'op':'remove','timestamp':1}", "'hex:d40001'", "[]",
                    "{'op':'jump','timestamp':1}");
    }
}

static struct span random_batch(unsigned number, unsigned scene)
{
    const char *operations = random_operation();
    for (unsigned count = pick(OPERATIONS_MAX); count > 0; count--) {
        operations = ops(operations, random_operation());
    }
    /* Now and then a name that was used before. */
    const unsigned name = number > 20 && pick(20) == 0 ? number - pick(20) : number;
    const char *const id = pick(5) == 0 ? "" : text_of_format("'batch_id':'b%u',", name);
    return message_of_format("{'session_id':'s%u',%s'client_id':'%s','strategy':'%s',"
                             "'operations':[%s]}",
                             scene, id, PICK("ann", "ben"),
                             PICK("last_write_wins", "local_wins", "remote_wins"), operations);
}

static struct span random_poison(void)
{
    const char *const value =
        PICK("'hex:c1'", "'hex:93'", "'text'", "{'session_id':'s1','operations':5}",
             "{'session_id':'s1','batch_id':'p','client_id':7,'operations':[]}", "{'v':2}",
             "{'session_id':'s1','operations':[],'retry':{}}", "{'session_id':'not a name'}",
             "{'session_id':'s2','operations':[],'strategy':'first'}");
    return message_of(value);
}

static void send_randomly(void)
{
    struct span sent[BATCHES];
    unsigned scenes[BATCHES];
    for (unsigned i = 0; i < BATCHES; i++) {
        const bool is_resend = i > 10 && pick(12) == 0;
        const unsigned from = is_resend ? i - 1 - pick(10) : i;
        scenes[i] = is_resend ? scenes[from] : pick(SCENES);
        sent[i] = is_resend ? sent[from] : random_batch(i, scenes[i]);
        world_send(world, (int32_t)(scenes[i] % PARTITIONS), sent[i]);
        if (pick(12) == 0) {
            const struct record_header header = {.name = "trace", .value = span_of_text("7")};
            (void)kafka_broker_produce(world_broker(world), TOPIC_OPS, 0, span_of_text("key"),
                                       random_poison(), &header, 1);
        }
    }
}

static struct ledger_counts check(bool *is_good, FILE *out)
{
    const struct ledger_config config = {
        .retries_max = TIERS, .allow_batch_strategy = true, .records_are_kept = true};
    const struct ledger_topics topics = {.bootstrap = kafka_broker_bootstrap(world_broker(world)),
                                         .ops = TOPIC_OPS,
                                         .results = TOPIC_RESULTS,
                                         .dead_letter = TOPIC_DEAD,
                                         .retry_prefix = TOPIC_RETRY_PREFIX};
    struct ledger *const ledger = ledger_create(&config);
    struct ledger_counts counts;
    cr_assert(ledger_read_kafka(ledger, &topics));
    cr_assert(ledger_read_redis(ledger, "127.0.0.1", redis_server_port(world_redis(world)), NULL));
    *is_good = ledger_check(ledger, out, 20, &counts);
    ledger_destroy(ledger);
    return counts;
}

/* What the ledger says after the scene's `a` was written over. */
static void expect_tampering_found(void)
{
    static char findings[TEXT_BYTES];
    bool is_good = true;
    FILE *const out = fmemopen(findings, sizeof(findings) - 1, "w");
    cr_assert_not_null(out);
    const struct ledger_counts counts = check(&is_good, out);
    (void)fclose(out);
    cr_assert_not(is_good, "a tampered element passed");
    cr_assert_eq(counts.differing, 1, "%s", findings);
    cr_assert_not_null(strstr(findings, "scene 's1': element 'a': "), "%s", findings);
}

Test(ledger, passes_a_random_run_and_finds_one_write_beside_it)
{
    dice.state = 7;
    world = world_create(PARTITIONS, TIERS);
    world_set(world, "dedupe.max_batches=100000");
    world_set(world, "retry.initial_delay_ms=50");
    world_start_worker(world);
    send_randomly();
    world_settle(world);

    bool is_good = false;
    const struct ledger_counts counts = check(&is_good, stderr);
    cr_assert(is_good);
    cr_assert_eq(counts.scenes, SCENES);
    cr_assert_gt(counts.batches, BATCHES / 2);
    cr_assert_gt(counts.repeated_results, 0, "no resend was answered");
    cr_assert_gt(counts.requeues, 0);
    cr_assert_gt(counts.dead_letters, 0);
    cr_assert_gt(counts.tombstones, 0);

    /* [1, 1, {"id": "a"}] */
    REDIS_RUN(world_redis(world), "HSET", "scene:{s1}:elements", "a",
              "\x93\x01\x01\x81\xa2\x69\x64\xa1\x61");
    expect_tampering_found();
}
