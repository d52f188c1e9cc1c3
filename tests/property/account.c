/* The ledger, which looks at a whole run afterwards, finds nothing (property.h). */
#include <stdio.h>
#include <stdlib.h>

#include "protocol/vocabulary.h"
#include "store/memory_store.h"
#include "tests/property/engine.h"
#include "tests/property/property.h"

enum { DUMP_BYTES_MAX = 64 << 20, CUT_MAX = 9, FINDINGS_MAX = 1 };

static uint8_t digit_of(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* "<key> <field> <hex>": the field may have blanks in it. */
static void feed_line(struct ledger *ledger, const char *scene, char *line, struct pool *pool)
{
    static const struct {
        const char *name;
        enum ledger_key key;
    } keys[] = {{"meta", LEDGER_META},
                {"elements", LEDGER_ELEMENTS},
                {"tombstones", LEDGER_TOMBSTONES},
                {"batches", LEDGER_BATCHES},
                {"batches.old", LEDGER_BATCHES},
                {"pending", LEDGER_PENDING}};
    char *field = strchr(line, ' ');
    char *hex = strrchr(line, ' ');
    *field++ = '\0';
    *hex++ = '\0';
    size_t size = strlen(hex) / 2;
    uint8_t *bytes = pool_alloc(pool, size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(digit_of(hex[2 * i]) << 4 | digit_of(hex[2 * i + 1]));
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(line, keys[i].name) == 0) {
            ledger_add_field(ledger, span_of_text(scene), keys[i].key, span_of_text(field),
                             span_make(bytes, size));
        }
    }
}

static void feed_store(struct ledger *ledger, const struct store *store)
{
    for (uint32_t i = 0; i < HISTORY_SCENES; i++) {
        const char *scene = history_scene_id(i);
        struct pool pool = {0};
        struct buffer dump;
        buffer_init(&dump, DUMP_BYTES_MAX);
        memory_store_dump(store, span_of_text(scene), &dump);
        buffer_append(&dump, "", 1);
        for (char *line = (char *)dump.data; line[0] != '\0';) {
            char *end = strchr(line, '\n');
            *end = '\0';
            feed_line(ledger, scene, line, &pool);
            line = end + 1;
        }
        buffer_deinit(&dump);
        pool_free(&pool);
    }
}

static void feed_messages(struct ledger *ledger, const struct kafka *kafka)
{
    for (size_t i = 0; i < kafka_log_count(kafka); i++) {
        ledger_add_record(ledger, &kafka_log_at(kafka, i)->record);
    }
    for (size_t i = 0; i < kafka_published_count(kafka); i++) {
        if (kafka_published_at(kafka, i)->record.topic != LEDGER_RETRY) { /* stand in the log */
            ledger_add_record(ledger, &kafka_published_at(kafka, i)->record);
        }
    }
}

/* Whether the ledger is content; else what it says first. */
static bool is_content(struct ledger *ledger, struct verdict *verdict)
{
    struct ledger_counts counts;
    FILE *out = tmpfile();
    if (out == NULL) {
        abort();
    }
    bool is_right = ledger_check(ledger, out, FINDINGS_MAX, &counts);
    char text[800] = "";
    rewind(out);
    size_t size = fread(text, 1, sizeof(text) - 1, out);
    text[size] = '\0';
    (void)fclose(out);
    return is_right || verdict_fails(verdict, "%.800s", text);
}

bool property_ledger_agrees(const struct history *history, struct verdict *verdict)
{
    const struct engine_plan plan = {
        .cut_max = history->choices[0] % CUT_MAX,
        .cut_seed = history->choices[1],
        .has_cache = history->choices[2] % 2 == 1,
        .is_pipelined = history->choices[2] / 2 % 2 == 1,
        .dies_at = history->choices[3] % 200,
        .dies_after = history->choices[3] / 200 % 2 == 1,
        .lost_offsets = history->choices[3] / 400 % 4,
    };
    const struct ledger_config config = {
        .retries_max = history->retries_max,
        .strategy = strategy_name((enum strategy)history->strategy),
        .allow_batch_strategy = history->is_strategy_fixed == 0,
        .records_are_kept = true,
        .elements_max = history->elements_max,
    };
    struct ledger *ledger = ledger_create(&config);
    struct engine *engine = engine_create(history, &plan);
    bool holds = engine_run(engine, verdict);
    if (holds) {
        feed_messages(ledger, engine_kafka(engine));
        feed_store(ledger, engine_store(engine));
        holds = is_content(ledger, verdict);
    }
    engine_destroy(engine);
    ledger_destroy(ledger);
    return holds;
}
