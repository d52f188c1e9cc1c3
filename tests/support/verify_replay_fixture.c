#include "tests/support/verify_replay_fixture.h"

#include <criterion/criterion.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/scenes.h"
#include "tests/support/sent_batch.h"

enum { LOG_BYTES_MAX = 64 << 20, ALL = 1 << 20 /* a position beyond every offset used */ };

struct rebuilt rebuilt;

void rebuilt_begin(void)
{
    static const char *const topics[] = {"scene.ops", "scene.ops", "scene.ops.retry-1",
                                         "scene.ops.retry-2"};
    static const int32_t numbers[] = {0, 1, 0, 0};
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        rebuilt.partitions[i] = (struct verify_partition){
            .topic = span_of_text(topics[i]),
            .number = numbers[i],
            .name = span_of_text(text_of_format("%s/%d", topics[i], (int)numbers[i])),
            .tier = i == RETRY_1   ? 1
                    : i == RETRY_2 ? 2
                                   : 0,
        };
        rebuilt.positions[i] = ALL;
    }
    cr_assert(settings_init(&rebuilt.settings));
    rebuilt.settings.retry_initial_delay_ms = 100;
    verify_log_init(&rebuilt.log, rebuilt.settings.topic_ops, (struct span){0}, LOG_BYTES_MAX);
    arena_init(&rebuilt.attempt_arena, LOG_BYTES_MAX);
    buffer_init(&rebuilt.scratch, LOG_BYTES_MAX);
}

void rebuilt_end(void)
{
    if (rebuilt.is_model_made) {
        verify_model_deinit(&rebuilt.model);
    }
    verify_log_deinit(&rebuilt.log);
    settings_deinit(&rebuilt.settings);
    arena_deinit(&rebuilt.attempt_arena);
    buffer_deinit(&rebuilt.scratch);
}

void keep_record(int lane, int64_t offset, int64_t timestamp_ms, struct span value)
{
    const struct verify_record record = {
        .partition = &rebuilt.partitions[lane],
        .offset = offset,
        .timestamp_ms = timestamp_ms,
        .log_append_time = true,
        .value = value,
    };
    cr_assert(verify_log_add_batch(&rebuilt.log, &record));
}

void keep_batch(int lane, int64_t offset, const char *id, const char *operations)
{
    keep_record(lane, offset, 100000 + offset,
                message_of_format("{'session_id':'s','batch_id':'%s','client_id':'c',"
                                  "'operations':[%s]}",
                                  id, operations));
}

void keep_requeue(int lane, int64_t offset, struct requeue given)
{
    const char *versions = "0";
    for (uint32_t i = 2; i < given.attempt; i++) {
        versions = text_of_format("%s,0", versions);
    }
    keep_record(lane, offset, (int64_t)given.not_before_ms - 50,
                message_of_format(
                    "{'session_id':'s','batch_id':'%s','client_id':'c','strategy':"
                    "'last_write_wins','operations':[%s],'retry':{'attempt':%u,'not_before':%llu,"
                    "'arrival':200000,'source':{'topic':'scene.ops','partition':0,'offset':%lld},"
                    "'total':%u,'indexes':[%u],'synced_count':%u,'clamped_count':0,'duration_ms':0,"
                    "'attempt_versions':[%s],'conflicts':[],'failed_operations':[]}}",
                    given.id, given.operation, given.attempt,
                    (unsigned long long)given.not_before_ms, (long long)given.source, given.total,
                    given.index, given.total - 1, versions));
}

void keep_result(int32_t partition, int64_t offset, uint32_t attempt, uint64_t version,
                 const char *rest)
{
    cr_assert(verify_log_add_result(
        &rebuilt.log,
        message_of_format("{'v':1,'session_id':'s','batch_id':'b','attempts':%u,"
                          "'scene_version':%llu,'source':{'topic':'scene.ops','partition':%d,"
                          "'offset':%lld},%s%s}",
                          attempt, (unsigned long long)version, (int)partition, (long long)offset,
                          strstr(rest, "strategy") != NULL ? "" : "'strategy':'last_write_wins',",
                          rest)));
}

static bool is_cut(const void *context, uint32_t tier, int32_t number)
{
    (void)context;
    (void)number;
    return tier > 0 && rebuilt.partitions[tier == 1 ? RETRY_1 : RETRY_2].start_offset > 0;
}

void rebuild(void)
{
    const struct verify_context context = {.settings = &rebuilt.settings,
                                           .log = &rebuilt.log,
                                           .has_all_results = rebuilt.has_all_results,
                                           .arena = &rebuilt.attempt_arena,
                                           .scratch = &rebuilt.scratch};
    const struct verify_scene *const scene = verify_log_find_scene(&rebuilt.log, span_of_text("s"));
    cr_assert_not_null(scene);
    struct verify_bound bounds[PARTITION_COUNT];
    struct verify_replay replay = {.context = &context,
                                   .bounds = bounds,
                                   .answered_sequence = rebuilt.log.sequence,
                                   .is_cut = is_cut};
    cr_assert(verify_model_init(&rebuilt.model, span_of_text("s")));
    rebuilt.is_model_made = true;
    rebuilt.model.is_complete = true;
    for (const struct verify_lane *lane = scene->lanes; lane != NULL; lane = lane->next) {
        bounds[replay.bound_count++] = (struct verify_bound){
            .lane = lane, .position = rebuilt.positions[lane->partition - rebuilt.partitions]};
        if (lane->partition->tier == 0 && lane->partition->start_offset > 0) {
            rebuilt.model.is_complete = false;
            replay.cut = lane->partition;
        }
    }
    rebuilt.model.is_version_known = rebuilt.model.is_complete;
    struct error error;
    cr_assert(verify_replay_run(&replay, &rebuilt.model, &error), "%s", error.message);
}

uint64_t rebuilt_number_of(const char *id)
{
    const struct element *const element = scene_find(rebuilt.model.scene, span_of_text(id));
    return element != NULL && element->presence == ELEMENT_PRESENT ? element_number(element, "n")
                                                                   : 0;
}

uint64_t rebuilt_timestamp_of(const char *id)
{
    return scene_get(rebuilt.model.scene, id)->timestamp_ms;
}

bool is_judged(const char *id)
{
    return verify_model_is_judged(&rebuilt.model, span_of_text(id));
}

const struct requeue late_requeue = {.id = "b",
                                     .operation = UPDATE("u", 2, 20),
                                     .attempt = 2,
                                     .index = 1,
                                     .total = 2,
                                     .source = 0,
                                     .not_before_ms = 100005};

void keep_retry_story(void)
{
    keep_batch(OPS_0, 0, "b", ADD("a", 1, 1) "," UPDATE("u", 2, 20));
    keep_batch(OPS_0, 1, "c", ADD("u", 1, 10));
    keep_batch(OPS_0, 2, "d", UPDATE("u", 3, 20));
    keep_requeue(RETRY_1, 0, late_requeue);
}
