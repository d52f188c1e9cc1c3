/* What the ledger is fed, and the order of its checks (ledger.h). */
#include <stdarg.h>
#include <stdlib.h>

#include "tests/ledger/inside.h"

void *list_add(struct list *list)
{
    if (list->count == list->room) {
        list->room = list->room * 2 + 16;
        list->items = grown(list->items, list->room, list->item_size);
    }
    uint8_t *const item = (uint8_t *)list->items + list->count * list->item_size;
    memset(item, 0, list->item_size);
    list->count++;
    return item;
}

static uint64_t or_default(uint64_t given, uint64_t otherwise)
{
    return given != 0 ? given : otherwise;
}

static struct model_settings settings_of(const struct ledger_config *config)
{
    struct model_settings settings = model_settings_default();
    settings.retries_max = config->retries_max;
    settings.allow_batch_strategy = config->allow_batch_strategy;
    settings.elements_max = or_default(config->elements_max, settings.elements_max);
    settings.element_bytes_max = or_default(config->element_bytes_max, settings.element_bytes_max);
    settings.message_bytes_max = or_default(config->message_bytes_max, settings.message_bytes_max);
    settings.operations_max = or_default(config->operations_max, settings.operations_max);
    settings.text_bytes_max = or_default(config->text_bytes_max, settings.text_bytes_max);
    settings.depth_max = config->depth_max != 0 ? config->depth_max : settings.depth_max;
    if (config->strategy != NULL &&
        !model_strategy_read(span_of_text(config->strategy), &settings.strategy)) {
        abort();
    }
    return settings;
}

struct ledger *ledger_create(const struct ledger_config *config)
{
    struct ledger *const ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL) {
        abort();
    }
    ledger->config = *config;
    ledger->settings = settings_of(config);
    for (size_t i = 0; i <= LEDGER_DEAD; i++) {
        ledger->records[i].item_size = sizeof(struct ledger_record *);
    }
    ledger->fields.item_size = sizeof(struct field);
    ledger->stray_keys.item_size = sizeof(struct span);
    ledger->deliveries.item_size = ledger->refused.item_size = sizeof(struct delivery);
    ledger->results.item_size = sizeof(struct result);
    ledger->refusals.item_size = sizeof(struct refusal);
    ledger->requeues.item_size = sizeof(struct requeue);
    ledger->dead.item_size = sizeof(struct dead_letter);
    ledger->memories.item_size = sizeof(struct memory);
    ledger->stories.item_size = sizeof(struct story);
    return ledger;
}

void ledger_destroy(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    for (size_t i = 0; i <= LEDGER_DEAD; i++) {
        free(ledger->records[i].items);
    }
    free(ledger->fields.items);
    free(ledger->stray_keys.items);
    free(ledger->deliveries.items);
    free(ledger->refused.items);
    free(ledger->results.items);
    free(ledger->refusals.items);
    free(ledger->requeues.items);
    free(ledger->dead.items);
    free(ledger->memories.items);
    free(ledger->stories.items);
    pool_free(&ledger->pool);
    free(ledger);
}

static const char *keep_text(struct ledger *ledger, const char *text)
{
    return (const char *)pool_copy(&ledger->pool, span_make(text, strlen(text) + 1)).data;
}

static const struct ledger_header *keep_headers(struct ledger *ledger,
                                                const struct ledger_record *record)
{
    struct ledger_header *const headers =
        pool_alloc(&ledger->pool, record->header_count * sizeof(*headers));
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name = keep_text(ledger, record->headers[i].name);
        headers[i].value = pool_copy(&ledger->pool, record->headers[i].value);
    }
    return headers;
}

void ledger_add_record(struct ledger *ledger, const struct ledger_record *record)
{
    struct ledger_record *const kept = pool_alloc(&ledger->pool, sizeof(*kept));
    *kept = *record;
    if (ledger->topic_name == NULL || strcmp(ledger->topic_name, record->topic_name) != 0) {
        ledger->topic_name = keep_text(ledger, record->topic_name);
    }
    kept->topic_name = ledger->topic_name;
    kept->key = pool_copy(&ledger->pool, record->key);
    kept->value = pool_copy(&ledger->pool, record->value);
    kept->headers = keep_headers(ledger, record);
    struct ledger_record **const item = list_add(&ledger->records[record->topic]);
    *item = kept;
}

void ledger_add_field(struct ledger *ledger, struct span session_id, enum ledger_key key,
                      struct span field, struct span value)
{
    struct field *const item = list_add(&ledger->fields);
    item->session_id = pool_copy(&ledger->pool, session_id);
    item->key = key;
    item->name = pool_copy(&ledger->pool, field);
    item->value = pool_copy(&ledger->pool, value);
}

void ledger_add_stray_key(struct ledger *ledger, struct span key)
{
    struct span *const item = list_add(&ledger->stray_keys);
    *item = pool_copy(&ledger->pool, key);
}

void found(struct ledger *ledger, enum finding kind, const char *format, ...)
{
    static const char *const names[] = {
        [FINDING_LOST] = "lost", [FINDING_DOUBLED] = "doubled", [FINDING_DIFFERING] = "differing"};
    ledger->findings[kind]++;
    if (ledger->findings[kind] > ledger->findings_max) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(ledger->out, "%s: ", names[kind]);
    (void)vfprintf(ledger->out, format, arguments);
    (void)fputc('\n', ledger->out);
    va_end(arguments);
}

static void check_scene(struct ledger *ledger, struct story *stories, size_t count)
{
    struct model_scene scene = {0};
    ledger->counts.scenes++;
    if (replay_scene(ledger, stories, count, &scene)) {
        check_keys(ledger, &scene, stories, count);
    }
    model_scene_free(&scene);
}

static void check_scenes(struct ledger *ledger)
{
    struct story *const stories = ledger->stories.items;
    for (size_t first = 0; first < ledger->stories.count;) {
        size_t end = first + 1;
        while (end < ledger->stories.count &&
               span_equal(stories[end].identity.session_id, stories[first].identity.session_id)) {
            end++;
        }
        check_scene(ledger, stories + first, end - first);
        first = end;
    }
}

bool ledger_check(struct ledger *ledger, FILE *out, size_t findings_max,
                  struct ledger_counts *counts)
{
    ledger->out = out;
    ledger->findings_max = findings_max;
    read_everything(ledger);
    find_stories(ledger);
    check_scenes(ledger);
    check_refused(ledger);
    check_rest(ledger);
    check_stray_keys(ledger);
    ledger->counts.lost = ledger->findings[FINDING_LOST];
    ledger->counts.doubled = ledger->findings[FINDING_DOUBLED];
    ledger->counts.differing = ledger->findings[FINDING_DIFFERING];
    *counts = ledger->counts;
    return counts->lost + counts->doubled + counts->differing == 0;
}

void ledger_print(const struct ledger_counts *counts, FILE *out)
{
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        {"batches", counts->batches},
        {"operations", counts->operations},
        {"results", counts->results},
        {"results published again", counts->repeated_results},
        {"results of a replay", counts->replayed_results},
        {"requeues", counts->requeues},
        {"dead letters", counts->dead_letters},
        {"scenes", counts->scenes},
        {"elements", counts->elements},
        {"tombstones", counts->tombstones},
        {"lost races reported", counts->lost_races},
        {"**lost**", counts->lost},
        {"**doubled**", counts->doubled},
        {"**differing**", counts->differing},
    };
    (void)fprintf(out, "| what | count |\n|---|---:|\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)fprintf(out, "| %s | %llu |\n", rows[i].name, (unsigned long long)rows[i].count);
    }
}
