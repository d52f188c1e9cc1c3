#include "tests/soak/soak_batches.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/pack.h"
#include "tests/soak/soak_operations.h"
#include "tests/soak/soak_poison.h"

enum {
    MESSAGE_BYTES_MAX = 2 * SOAK_MESSAGE_BYTES_MAX,
    ID_BYTES = 64,
    UUID_BYTES = 16,
    CLIENTS = 8,
    SENT_KEPT = 96,        /* batches that may be sent again */
    LATE_MAX = 64,         /* adds that are to follow their update */
    LATE_BATCHES_MAX = 60, /* how many batches later: within and beyond the retries */
    USUAL_OPERATIONS_MAX = 20,
    HOT_SCENES = 8 /* that take a quarter of the batches */
};

/* How far each client's clock is off. Ahead: what it sends is clamped to its arrival. */
static const int64_t clock_skew_ms[CLIENTS] = {0, 0, 25, -400, -8000, 1500, 90000, 3600000};

/* A batch as it was sent. */
struct sent {
    struct buffer key, value;
    int32_t partition;
    uint32_t scene, client, operation_count;
    uint64_t number;
    bool has_text_id, has_header;
};

/* An add that comes after an update of its element. */
struct late_add {
    bool is_due;
    uint32_t scene;
    uint64_t number; /* of the update's batch; names the element */
    uint64_t due;    /* the first batch that may carry it */
};

struct soak_batches {
    struct soak_batches_options options;
    struct dice dice;
    struct buffer key, value;
    uint64_t number; /* of the batch that is made */
    struct sent sent[SENT_KEPT];
    size_t sent_count; /* ever; the ring holds the last SENT_KEPT */
    struct late_add late[LATE_MAX];
};

struct soak_batches *soak_batches_create(const struct soak_batches_options *options)
{
    struct soak_batches *const batches = calloc(1, sizeof(*batches));
    assert(batches != NULL && options->scene_count >= HOT_SCENES);
    batches->options = *options;
    batches->dice = dice_make(options->seed, 1);
    buffer_init(&batches->key, ID_BYTES);
    buffer_init(&batches->value, MESSAGE_BYTES_MAX);
    for (size_t i = 0; i < SENT_KEPT; i++) {
        buffer_init(&batches->sent[i].key, ID_BYTES);
        buffer_init(&batches->sent[i].value, MESSAGE_BYTES_MAX);
    }
    return batches;
}

void soak_batches_destroy(struct soak_batches *batches)
{
    for (size_t i = 0; i < SENT_KEPT; i++) {
        buffer_deinit(&batches->sent[i].key);
        buffer_deinit(&batches->sent[i].value);
    }
    buffer_deinit(&batches->key);
    buffer_deinit(&batches->value);
    free(batches);
}

static uint32_t choose_scene(struct soak_batches *batches)
{
    const bool is_hot = dice_chance(&batches->dice, 250);
    return dice_below(&batches->dice, is_hot ? HOT_SCENES : batches->options.scene_count);
}

static void write_session_id(char *text, uint32_t scene)
{
    (void)snprintf(text, ID_BYTES, "scene-%u", scene);
}

/* The identity that belongs to a number. */
static void pack_identity(struct buffer *out, uint64_t seed, uint64_t number, bool as_text)
{
    pack_text(out, "batch_id");
    if (as_text) {
        char text[ID_BYTES];
        (void)snprintf(text, sizeof(text), "b%llu:%llu", (unsigned long long)seed,
                       (unsigned long long)number);
        pack_text(out, text);
        return;
    }
    uint8_t bytes[UUID_BYTES] = {0xba};
    for (size_t i = 0; i < sizeof(number); i++) {
        bytes[UUID_BYTES - 1 - i] = (uint8_t)(number >> (8 * i));
    }
    pack_bin(out, span_make(bytes, sizeof(bytes)));
}

static void pack_strategy(struct buffer *out, uint32_t choice)
{
    static const char *const names[] = {"last_write_wins", "local_wins", "remote_wins",
                                        "LastWriteWins",   "LocalWins",  "RemoteWins"};
    assert(choice < sizeof(names) / sizeof(*names));
    pack_text(out, "strategy");
    pack_text(out, names[choice]);
}

/* Notes that the element which the update of this batch names is to be added later. */
static bool plan_late_add(struct soak_batches *batches, uint32_t scene)
{
    for (size_t i = 0; i < LATE_MAX; i++) {
        struct late_add *const late = &batches->late[i];
        if (!late->is_due) {
            *late = (struct late_add){.is_due = true,
                                      .scene = scene,
                                      .number = batches->number,
                                      .due = batches->number + 1 +
                                             dice_below(&batches->dice, LATE_BATCHES_MAX)};
            return true;
        }
    }
    return false;
}

static void write_late_id(char *text, uint64_t number)
{
    (void)snprintf(text, ID_BYTES, "late-%llu", (unsigned long long)number);
}

static struct late_add *find_late_add(struct soak_batches *batches)
{
    for (size_t i = 0; i < LATE_MAX; i++) {
        if (batches->late[i].is_due && batches->late[i].due <= batches->number) {
            return &batches->late[i];
        }
    }
    return NULL;
}

/* What one new batch is made of. */
struct recipe {
    uint32_t scene, client, operation_count;
    uint64_t identity; /* the number in its batch_id */
    bool has_id, has_text_id, has_client, has_strategy;
    struct late_add *late; /* NULL, or what it has to add */
    bool has_early_update; /* the other half of a late add */
};

static void pack_operations(struct soak_batches *batches, const struct recipe *recipe,
                            int64_t now_ms)
{
    struct buffer *const out = &batches->value;
    const struct soak_author author = {.dice = &batches->dice,
                                       .now_ms = now_ms + clock_skew_ms[recipe->client],
                                       .scene = recipe->scene};
    char id[ID_BYTES];
    uint32_t done = 0;
    pack_text(out, "operations");
    pack_array(out, recipe->operation_count);
    if (recipe->late != NULL) {
        write_late_id(id, recipe->late->number);
        soak_operation_pack_add(out, &author, id);
        recipe->late->is_due = false;
        done++;
    }
    if (recipe->has_early_update) {
        write_late_id(id, batches->number);
        soak_operation_pack_update(out, &author, id);
        done++;
    }
    for (; done < recipe->operation_count; done++) {
        soak_operation_pack(out, &author);
    }
}

static void pack_batch(struct soak_batches *batches, const struct recipe *recipe, int64_t now_ms)
{
    struct buffer *const out = &batches->value;
    char session_id[ID_BYTES];
    char client_id[ID_BYTES];
    write_session_id(session_id, recipe->scene);
    (void)snprintf(client_id, sizeof(client_id), "client-%u", recipe->client);
    pack_map(out, 2 + (recipe->has_id ? 1U : 0U) + (recipe->has_client ? 1U : 0U) +
                      (recipe->has_strategy ? 1U : 0U));
    pack_text(out, "session_id");
    pack_text(out, session_id);
    if (recipe->has_id) {
        pack_identity(out, batches->options.seed, recipe->identity, recipe->has_text_id);
    }
    if (recipe->has_client) {
        pack_text(out, "client_id");
        pack_text(out, client_id);
    }
    if (recipe->has_strategy) {
        pack_strategy(out, dice_below(&batches->dice, 6));
    }
    pack_operations(batches, recipe, now_ms);
}

static void choose_operations(struct soak_batches *batches, struct recipe *recipe)
{
    struct dice *const dice = &batches->dice;
    recipe->late = find_late_add(batches);
    if (recipe->late != NULL) {
        recipe->scene = recipe->late->scene;
    }
    recipe->has_early_update = dice_chance(dice, 40) && plan_late_add(batches, recipe->scene);
    const uint32_t needed = (recipe->late != NULL ? 1U : 0U) + (recipe->has_early_update ? 1U : 0U);
    recipe->operation_count = 1 + dice_below(dice, USUAL_OPERATIONS_MAX);
    if (dice_chance(dice, 10)) {
        recipe->operation_count = 0;
    }
    if (recipe->operation_count < needed) {
        recipe->operation_count = needed;
    }
}

/* Keeps what was made, so that it can be sent again. */
static struct sent *keep(struct soak_batches *batches, const struct recipe *recipe)
{
    struct dice *const dice = &batches->dice;
    struct sent *const sent = &batches->sent[batches->sent_count++ % SENT_KEPT];
    char session_id[ID_BYTES];
    write_session_id(session_id, recipe->scene);
    buffer_clear(&sent->key);
    buffer_clear(&sent->value);
    buffer_append_span(&sent->key, span_of_text(session_id));
    buffer_append_span(&sent->value, buffer_span(&batches->value));
    sent->partition = SOAK_PARTITION_OF_KEY;
    sent->scene = recipe->scene;
    sent->client = recipe->client;
    sent->operation_count = recipe->operation_count;
    sent->number = recipe->identity;
    sent->has_text_id = recipe->has_id && recipe->has_text_id && recipe->has_client;
    sent->has_header = dice_chance(dice, 200);
    if (dice_chance(dice, 20)) { /* a producer with another partitioner */
        sent->partition = (int32_t)dice_below(dice, (uint32_t)batches->options.partition_count);
    }
    return sent;
}

static struct soak_batch as_batch(const struct sent *sent, enum soak_batch_kind kind)
{
    return (struct soak_batch){.kind = kind,
                               .key = buffer_span(&sent->key),
                               .value = buffer_span(&sent->value),
                               .partition = sent->partition,
                               .operation_count = sent->operation_count,
                               .has_header = sent->has_header};
}

static struct sent *choose_sent(struct soak_batches *batches)
{
    const size_t count = batches->sent_count < SENT_KEPT ? batches->sent_count : SENT_KEPT;
    return count == 0 ? NULL : &batches->sent[dice_below(&batches->dice, (uint32_t)count)];
}

static struct soak_batch make_poison(struct soak_batches *batches)
{
    char session_id[ID_BYTES];
    write_session_id(session_id, choose_scene(batches));
    const bool has_value = soak_poison_pack(&batches->value, &batches->dice, session_id);
    assert(!batches->value.failed);
    buffer_append_span(&batches->key, span_of_text(session_id));
    const bool has_key = dice_chance(&batches->dice, 800);
    return (struct soak_batch){.kind = SOAK_BATCH_POISON,
                               .key = has_key ? buffer_span(&batches->key) : span_make(NULL, 0),
                               .value =
                                   has_value ? buffer_span(&batches->value) : span_make(NULL, 0),
                               .partition = SOAK_PARTITION_OF_KEY,
                               .has_header = dice_chance(&batches->dice, 500)};
}

static struct soak_batch make_new(struct soak_batches *batches, int64_t now_ms)
{
    struct dice *const dice = &batches->dice;
    struct recipe recipe = {.scene = choose_scene(batches),
                            .client = dice_below(dice, CLIENTS),
                            .identity = batches->number,
                            .has_id = dice_chance(dice, 950),
                            .has_text_id = dice_chance(dice, 700),
                            .has_client = dice_chance(dice, 900),
                            .has_strategy = dice_chance(dice, 700)};
    choose_operations(batches, &recipe);
    pack_batch(batches, &recipe, now_ms);
    assert(!batches->value.failed);
    return as_batch(keep(batches, &recipe), SOAK_BATCH_NEW);
}

/* A client that lost its memory: an identity that it used before, and other operations. */
static struct soak_batch make_reused(struct soak_batches *batches, const struct sent *first,
                                     int64_t now_ms)
{
    struct dice *const dice = &batches->dice;
    const struct recipe recipe = {.scene = first->scene,
                                  .client = first->client,
                                  .identity = first->number,
                                  .operation_count = 1 + first->operation_count % 3,
                                  .has_id = true,
                                  .has_text_id = true,
                                  .has_client = true,
                                  .has_strategy = dice_chance(dice, 500)};
    pack_batch(batches, &recipe, now_ms);
    assert(!batches->value.failed);
    return (struct soak_batch){.kind = SOAK_BATCH_REUSED,
                               .key = buffer_span(&first->key),
                               .value = buffer_span(&batches->value),
                               .partition = SOAK_PARTITION_OF_KEY,
                               .operation_count = recipe.operation_count};
}

struct soak_batch soak_batches_next(struct soak_batches *batches, int64_t now_ms)
{
    const uint32_t kind = dice_below(&batches->dice, 1000);
    batches->number++;
    buffer_clear(&batches->key);
    buffer_clear(&batches->value);
    if (kind < 20) {
        return make_poison(batches);
    }
    const struct sent *const sent = kind < 75 ? choose_sent(batches) : NULL;
    if (sent != NULL && kind < 65) {
        return as_batch(sent, SOAK_BATCH_RESENT);
    }
    if (sent != NULL && sent->has_text_id) {
        return make_reused(batches, sent, now_ms);
    }
    return make_new(batches, now_ms);
}
