#include "worker/verify_replay.h"

struct lane_cursor {
    const struct verify_bound *bound;
    const struct verify_record *at; /* NULL: the lane is done */
    struct verify_head head;        /* of `at`, where has_head */
    bool has_head;
    bool was_passed_over; /* another lane's record went first, by a guess */
};

struct merge {
    const struct verify_replay *replay;
    struct verify_model *model;
    struct lane_cursor *cursors;
    size_t count;
};

static struct verify_apply apply_of(const struct merge *merge, const struct lane_cursor *cursor)
{
    return (struct verify_apply){
        .context = merge->replay->context,
        .bound = cursor->bound,
        .answered_sequence = merge->replay->answered_sequence,
        .cut = merge->replay->cut,
    };
}

static bool read_heads(const struct merge *merge, struct error *error)
{
    for (size_t i = 0; i < merge->count; i++) {
        struct lane_cursor *cursor = &merge->cursors[i];
        if (cursor->at == NULL || cursor->has_head) {
            continue;
        }
        struct verify_apply apply = apply_of(merge, cursor);
        if (!verify_head_read(&apply, merge->model, cursor->at, &cursor->head, error)) {
            return false;
        }
        cursor->has_head = true;
    }
    return true;
}

/* Which of two attempts whose versions are known was first. One that changed nothing has the
 * version of the one before it. */
static bool is_before(const struct verify_head *a, const struct verify_head *b)
{
    if (a->heard->scene_version != b->heard->scene_version) {
        return a->heard->scene_version < b->heard->scene_version;
    }
    if (a->surely_changed != b->surely_changed) {
        return a->surely_changed;
    }
    return a->heard->sequence < b->heard->sequence;
}

/* The lanes that could be next. */
struct candidates {
    struct lane_cursor *any;     /* changes nothing: goes at once */
    struct lane_cursor *later;   /* waits for the attempt before it */
    struct lane_cursor *known;   /* the first by version */
    struct lane_cursor *unknown; /* the first by time */
    size_t ready_count, unknown_count;
};

static void take_ready(struct candidates *found, struct lane_cursor *cursor)
{
    const struct verify_head *head = &cursor->head;
    found->ready_count++;
    if (head->heard != NULL) {
        bool is_first = found->known == NULL || is_before(head, &found->known->head);
        found->known = is_first ? cursor : found->known;
    } else {
        bool is_first = found->unknown == NULL || head->time_ms < found->unknown->head.time_ms;
        found->unknown = is_first ? cursor : found->unknown;
        found->unknown_count++;
    }
}

static struct candidates find_candidates(const struct merge *merge)
{
    struct candidates found = {0};
    for (size_t i = 0; i < merge->count; i++) {
        struct lane_cursor *cursor = &merge->cursors[i];
        if (cursor->at == NULL) {
            continue;
        }
        switch (verify_head_turn(merge->model, &cursor->head)) {
        case VERIFY_TURN_ANY:
            found.any = cursor;
            break;
        case VERIFY_TURN_LATER:
            found.later = cursor;
            break;
        case VERIFY_TURN_READY:
            take_ready(&found, cursor);
            break;
        }
    }
    return found;
}

/* Of attempts with one version the first made it, and the others changed nothing. Where none of
 * them applied anything, it is the one that moves a tombstone's clock, and the furthest. */
static bool settle_tie(const struct merge *merge, struct candidates *found, struct error *error)
{
    const struct verify_head *first = &found->known->head;
    bool is_plain =
        first->surely_changed || first->heard->scene_version <= merge->model->scene->version;
    uint64_t lift_max = 0;
    for (size_t i = 0; i < merge->count && !is_plain; i++) {
        struct lane_cursor *cursor = &merge->cursors[i];
        bool is_tied = cursor->at != NULL && cursor->head.heard != NULL &&
                       cursor->head.heard->scene_version == first->heard->scene_version &&
                       verify_head_turn(merge->model, &cursor->head) == VERIFY_TURN_READY;
        struct verify_apply apply = apply_of(merge, cursor);
        uint64_t lift = 0;
        if (is_tied && !verify_apply_lift(&apply, merge->model, cursor->at, &lift, error)) {
            return false;
        }
        if (lift > lift_max) {
            lift_max = lift;
            found->known = cursor;
        }
    }
    return true;
}

/* Those of unknown place that could have come before the chosen one. */
static void pass_over(const struct merge *merge, const struct lane_cursor *chosen)
{
    for (size_t i = 0; i < merge->count; i++) {
        struct lane_cursor *cursor = &merge->cursors[i];
        if (cursor->at != NULL && cursor != chosen && cursor->head.heard == NULL &&
            verify_head_turn(merge->model, &cursor->head) == VERIFY_TURN_READY) {
            cursor->was_passed_over = true;
        }
    }
}

/* The lane whose record comes next, and whether that is a guess. NULL: all are done. */
static bool choose(const struct merge *merge, struct lane_cursor **next, bool *is_guess,
                   struct error *error)
{
    struct candidates found = find_candidates(merge);
    *is_guess = false;
    if (found.any != NULL || found.ready_count == 0) {
        /* One that waits, where nobody is left that it could wait for. */
        *next = found.any != NULL ? found.any : found.later;
        return true;
    }
    if (found.known != NULL && !settle_tie(merge, &found, error)) {
        return false;
    }
    /* The known one does not follow on what is there: an unknown one stands in between. */
    bool has_hole = found.known != NULL && found.unknown != NULL &&
                    found.known->head.heard->scene_version > merge->model->scene->version + 1;
    struct lane_cursor *chosen = found.known == NULL || has_hole ? found.unknown : found.known;
    if (chosen == found.unknown) {
        *is_guess =
            has_hole ? found.unknown_count > 1 : found.ready_count > 1 || chosen->was_passed_over;
    }
    pass_over(merge, chosen);
    *next = chosen;
    return true;
}

/* Where one lane is left, the log's order is all there is. NULL: there are more, or none. */
static struct lane_cursor *only_lane(const struct merge *merge)
{
    struct lane_cursor *only = NULL;
    for (size_t i = 0; i < merge->count; i++) {
        if (merge->cursors[i].at != NULL) {
            if (only != NULL) {
                return NULL;
            }
            only = &merge->cursors[i];
        }
    }
    return only;
}

static bool find_next(const struct merge *merge, struct lane_cursor **next, bool *is_guess,
                      struct error *error)
{
    *next = only_lane(merge);
    *is_guess = *next != NULL && (*next)->was_passed_over;
    if (*next == NULL) {
        if (!read_heads(merge, error)) {
            return false;
        }
        return choose(merge, next, is_guess, error);
    }
    return true;
}

/* Every turn takes a record off a lane. */
static bool merge_run(const struct merge *merge, struct error *error)
{
    struct lane_cursor *next = NULL;
    bool is_guess = false;
    if (!find_next(merge, &next, &is_guess, error)) {
        return false;
    }
    while (next != NULL) {
        struct verify_apply apply = apply_of(merge, next);
        apply.is_guess = is_guess;
        if (!verify_apply_record(&apply, merge->model, next->at, error)) {
            return false;
        }
        next->at = next->at->next;
        next->has_head = false;
        next->was_passed_over = false;
        if (!find_next(merge, &next, &is_guess, error)) {
            return false;
        }
    }
    return true;
}

bool verify_replay_run(const struct verify_replay *replay, struct verify_model *model,
                       struct error *error)
{
    struct merge merge = {
        .replay = replay,
        .model = model,
        .cursors =
            arena_alloc_array(&model->arena, replay->bound_count, sizeof(struct lane_cursor)),
        .count = replay->bound_count,
    };
    if (merge.cursors == NULL) {
        return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a scene's partitions");
    }
    for (size_t i = 0; i < merge.count; i++) {
        merge.cursors[i].bound = &replay->bounds[i];
        merge.cursors[i].at = replay->bounds[i].lane->first;
    }
    const struct verify_apply end = {.context = replay->context};
    return merge_run(&merge, error) &&
           verify_apply_end(&end, model, replay->is_cut, replay->is_cut_context, error);
}
