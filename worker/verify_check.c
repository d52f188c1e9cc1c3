#include "worker/verify_check.h"

#include <stdio.h>

#include "worker/commands.h"
#include "worker/verify_compare.h"
#include "worker/verify_replay.h"

enum {
    SCRATCH_BYTES_MAX = 256 << 20,
    RESULT_WAIT_MS = 1500, /* in all */
    RESULT_WAIT_STEP_MS = 100,
    RESULT_AGE_MS_MAX = 60000 /* what is older and has no result will get none */
};

static const size_t arena_bytes_max = (size_t)4 * 1024 * 1024 * 1024;

void verify_check_init(struct verify_check *check)
{
    check->result_wait_ms = RESULT_WAIT_MS;
    arena_init(&check->snapshot_arena, arena_bytes_max);
    arena_init(&check->attempt_arena, arena_bytes_max);
    buffer_init(&check->scratch, SCRATCH_BYTES_MAX);
}

void verify_check_deinit(struct verify_check *check)
{
    arena_deinit(&check->snapshot_arena);
    arena_deinit(&check->attempt_arena);
    buffer_deinit(&check->scratch);
}

static int fail_memory(const struct verify_check *check, const struct error *error)
{
    verify_report_clear(check->report);
    (void)fprintf(stderr, "scenesync: %s\n", error->message);
    return EXIT_CODE_INTERNAL;
}

int verify_check_fail_store(const struct verify_check *check, enum redis_read outcome,
                            const struct error *error)
{
    verify_report_clear(check->report);
    (void)fprintf(stderr, "scenesync: redis at %s: %s\n", check->settings->redis_url,
                  error->message);
    return outcome == REDIS_READ_NO_MEMORY ? EXIT_CODE_INTERNAL : EXIT_CODE_UNAVAILABLE;
}

/* One scene's check. */
struct scene_check {
    struct verify_check *check;
    struct span session_id;
    uint64_t answered_sequence; /* of the log, before the store was read */
    struct scene_snapshot snapshot;
    const struct verify_scene *scene; /* NULL: the log has nothing of it */
    struct verify_bound *bounds;
    size_t bound_count;
    /* Ops partitions that the scene came from and whose beginning is gone. */
    const struct verify_partition *cut;
    bool has_several_cuts;
    bool is_complete;
};

static const struct store_position *position_of(const struct scene_check *scene, struct span name)
{
    for (size_t i = 0; i < scene->snapshot.position_count; i++) {
        if (span_equal(scene->snapshot.positions[i].name, name)) {
            return &scene->snapshot.positions[i];
        }
    }
    return NULL;
}

/* ---- Reading ---- */

/* Everything that the store has of the scene must have been read from the log. */
static int catch_up(const struct scene_check *scene)
{
    for (size_t i = 0; i < scene->snapshot.position_count; i++) {
        const struct store_position *position = &scene->snapshot.positions[i];
        struct verify_partition *partition =
            verify_reader_find(scene->check->reader, position->name);
        if (partition == NULL) {
            continue;
        }
        int result = verify_reader_catch_up(scene->check->reader, partition, position->offset);
        if (result != EXIT_CODE_OK) {
            return result;
        }
    }
    return EXIT_CODE_OK;
}

/* The partition ends before where the scene stands: this is not the log that it was made from. */
static bool is_of_another_log(const struct verify_partition *partition,
                              const struct store_position *position)
{
    return position != NULL && position->offset >= partition->next_offset;
}

static void note_cut(struct scene_check *scene, const struct verify_partition *partition)
{
    scene->is_complete = false;
    scene->has_several_cuts =
        scene->has_several_cuts || (scene->cut != NULL && scene->cut != partition);
    scene->cut = partition;
}

/* Whether the log has the scene from its beginning: no ops partition that it came from is cut. */
static void look_for_cuts(struct scene_check *scene)
{
    scene->is_complete = true;
    for (size_t i = 0; i < scene->snapshot.position_count; i++) {
        const struct store_position *position = &scene->snapshot.positions[i];
        const struct verify_partition *partition =
            verify_reader_find(scene->check->reader, position->name);
        if (partition == NULL || is_of_another_log(partition, position)) {
            scene->is_complete = false;
            scene->has_several_cuts = true; /* nothing in this log can prove a beginning */
        } else if (partition->tier == 0 && partition->start_offset > 0) {
            note_cut(scene, partition);
        }
    }
    const struct verify_lane *lane = scene->scene == NULL ? NULL : scene->scene->lanes;
    for (; lane != NULL; lane = lane->next) {
        if (lane->partition->tier == 0 && lane->partition->start_offset > 0) {
            note_cut(scene, lane->partition);
        }
    }
}

static bool find_bounds(struct scene_check *scene)
{
    size_t count = 0;
    const struct verify_lane *first = scene->scene == NULL ? NULL : scene->scene->lanes;
    for (const struct verify_lane *lane = first; lane != NULL; lane = lane->next) {
        count++;
    }
    scene->bounds = arena_alloc_array(&scene->check->snapshot_arena, count, sizeof(*scene->bounds));
    if (scene->bounds == NULL) {
        return false;
    }
    scene->bound_count = count;
    for (const struct verify_lane *lane = first; lane != NULL; lane = lane->next) {
        const struct store_position *position = position_of(scene, lane->partition->name);
        bool is_known = position != NULL && !is_of_another_log(lane->partition, position);
        scene->bounds[--count] =
            (struct verify_bound){.lane = lane, .position = is_known ? position->offset : -1};
    }
    return true;
}

/* ---- Results under way ---- */

/* The last record of the lane that was applied. */
static const struct verify_record *tail_of(const struct verify_bound *bound)
{
    const struct verify_record *tail = NULL;
    for (const struct verify_record *at = bound->lane->first;
         at != NULL && at->offset <= bound->position; at = at->next) {
        tail = at;
    }
    return tail;
}

static struct verify_context context_of(struct verify_check *check)
{
    return (struct verify_context){
        .settings = check->settings,
        .log = check->log,
        .has_all_results = check->has_all_results,
        .arena = &check->attempt_arena,
        .scratch = &check->scratch,
    };
}

/* Whether a result that tells the order may still come: a worker publishes what it has committed a
 * moment later. */
static bool is_result_under_way(const struct scene_check *scene, bool *is_under_way,
                                struct error *error)
{
    struct clock clock = clock_system();
    uint64_t now_ms = clock_wall_ms(&clock);
    struct verify_context context = context_of(scene->check);
    *is_under_way = false;
    for (size_t i = 0; i < scene->bound_count && scene->bound_count > 1; i++) {
        const struct verify_record *tail = tail_of(&scene->bounds[i]);
        if (tail == NULL || tail->timestamp_ms < 0 ||
            (uint64_t)tail->timestamp_ms + RESULT_AGE_MS_MAX < now_ms) {
            continue;
        }
        struct verify_attempt attempt;
        arena_reset(context.arena);
        if (!verify_attempt_decode(tail, &context, &attempt, error)) {
            return false;
        }
        *is_under_way =
            *is_under_way || (attempt.delivery.refusal.code == ERROR_NONE && attempt.heard == NULL);
    }
    return true;
}

static int await_results(const struct scene_check *scene)
{
    struct verify_check *check = scene->check;
    struct error error;
    bool is_under_way = false;
    if (!is_result_under_way(scene, &is_under_way, &error)) {
        return fail_memory(check, &error);
    }
    while (is_under_way && check->result_wait_ms > 0) {
        check->result_wait_ms -= RESULT_WAIT_STEP_MS;
        int result = verify_reader_linger(check->reader, RESULT_WAIT_STEP_MS);
        if (result != EXIT_CODE_OK) {
            return result;
        }
        if (!is_result_under_way(scene, &is_under_way, &error)) {
            return fail_memory(check, &error);
        }
    }
    return EXIT_CODE_OK;
}

/* ---- Rebuilding and comparing ---- */

static bool is_retry_cut(const void *context, uint32_t tier, int32_t number)
{
    const struct verify_reader *reader = context;
    for (size_t i = 0; i < reader->partition_count; i++) {
        const struct verify_partition *partition = &reader->partitions[i];
        if (!partition->is_results && partition->tier == tier && partition->number == number) {
            return partition->start_offset > 0;
        }
    }
    return true; /* there is no such topic any more */
}

static bool rebuild_and_compare(struct scene_check *scene, struct verify_model *model,
                                struct error *error)
{
    struct verify_check *check = scene->check;
    struct verify_context context = context_of(check);
    const struct verify_replay replay = {
        .context = &context,
        .bounds = scene->bounds,
        .bound_count = scene->bound_count,
        .answered_sequence = scene->answered_sequence,
        .cut = scene->has_several_cuts ? NULL : scene->cut,
        .is_cut = is_retry_cut,
        .is_cut_context = check->reader,
    };
    model->is_complete = scene->is_complete;
    model->is_version_known = scene->is_complete;
    if (!verify_replay_run(&replay, model, error)) {
        return false;
    }
    const struct verify_comparison comparison = {
        .session_id = scene->session_id,
        .snapshot = &scene->snapshot,
        .model = model,
        .settings = check->settings,
        .report = check->report,
        .arena = &check->snapshot_arena,
    };
    return verify_compare(&comparison, error);
}

/* What stands under the scene's keys is no scene. */
static void report_unreadable(const struct scene_check *scene, const struct error *error)
{
    struct verify_report *report = scene->check->report;
    struct verify_fields none = {0};
    verify_report_difference(report, scene->session_id, (struct span){0}, VERIFY_UNREADABLE, &none,
                             error->message);
    report->counts.scenes++;
    report->counts.scenes_different++;
}

static int check_snapshot(struct scene_check *scene)
{
    struct verify_check *check = scene->check;
    int result = catch_up(scene);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    scene->scene = verify_log_find_scene(check->log, scene->session_id);
    struct error error;
    error_set(&error, ERROR_OUT_OF_MEMORY, "out of memory for a scene");
    if (!find_bounds(scene)) {
        return fail_memory(check, &error);
    }
    result = await_results(scene);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    look_for_cuts(scene);
    struct verify_model model;
    bool has_memory =
        verify_model_init(&model, scene->session_id) && rebuild_and_compare(scene, &model, &error);
    verify_model_deinit(&model);
    return has_memory ? EXIT_CODE_OK : fail_memory(check, &error);
}

int verify_check_scene(struct verify_check *check, struct span session_id)
{
    struct scene_check scene = {
        .check = check,
        .session_id = session_id,
        .answered_sequence = check->log->sequence,
    };
    arena_reset(&check->snapshot_arena);
    struct error error;
    enum redis_read outcome = redis_reader_scene(check->store, session_id, check->timeout_ms,
                                                 &check->snapshot_arena, &scene.snapshot, &error);
    int result = EXIT_CODE_OK;
    if (outcome == REDIS_READ_DONE) {
        result = check_snapshot(&scene);
    } else if (outcome == REDIS_READ_REFUSED) {
        report_unreadable(&scene, &error);
    } else {
        result = verify_check_fail_store(check, outcome, &error);
    }
    struct verify_scene *logged = verify_log_find_scene(check->log, session_id);
    if (logged != NULL) {
        logged->is_checked = true;
    }
    return result;
}
