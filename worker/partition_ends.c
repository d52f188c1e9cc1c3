#include "worker/partition_ends.h"

#include <stdlib.h>
#include <string.h>

/** One look on its way. */
struct survey {
    const struct partition_ends_kafka *kafka;
    struct partition_end **rows; /* of one group side by side */
    struct leader_group *groups;
    uint64_t until_ms; /* monotonic */
    size_t questions, told_count;
};

/** Rows of one leader, those that are missing and those that are not by themselves. */
struct leader_group {
    struct partition_end **rows; /* borrowed from the survey */
    size_t count;
    uint64_t asked_ms; /* the row's that waits longest */
};

void partition_ends_deinit(struct partition_ends *ends)
{
    free(ends->rows);
    *ends = (struct partition_ends){0};
}

/* ---- The rows ---- */

/** The row of a partition, or NULL. Both tables come in the source's order, so the one looked for
 * mostly stands right behind the one found before it. */
static const struct partition_end *find_row(const struct partition_ends *ends, size_t start,
                                            const struct progress_partition *partition)
{
    for (size_t i = 0; i < ends->count; i++) {
        const struct partition_end *row = &ends->rows[(start + i) % ends->count];
        if (row->number == partition->number && strcmp(row->topic, partition->topic) == 0) {
            return row;
        }
    }
    return NULL;
}

bool partition_ends_set(struct partition_ends *ends, const struct progress_partition *partitions,
                        size_t count)
{
    struct partition_end *rows = calloc(count + 1, sizeof *rows);
    if (rows == NULL) {
        return false;
    }
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        const struct partition_end *old = find_row(ends, next, &partitions[i]);
        if (old != NULL) {
            next = (size_t)(old - ends->rows) + 1;
            rows[i] = *old;
        } else {
            rows[i] = (struct partition_end){.topic = partitions[i].topic,
                                             .number = partitions[i].number,
                                             .leader = -1,
                                             .end = -1};
        }
    }
    free(ends->rows);
    ends->rows = rows;
    ends->count = count;
    return true;
}

/* ---- Questions ---- */

static bool has_time(const struct survey *survey)
{
    return survey->questions < PARTITION_ENDS_QUESTIONS_MAX &&
           clock_monotonic_ms(survey->kafka->clock) < survey->until_ms;
}

/** One question; what is told is noted. */
static enum partition_ends_answer ask(struct survey *survey, struct partition_end *const *rows,
                                      size_t count)
{
    const struct partition_ends_kafka *kafka = survey->kafka;
    uint64_t now_ms = clock_monotonic_ms(kafka->clock); /* before: no end must look too fresh */
    enum partition_ends_answer answer = kafka->ask(kafka->context, rows, count);
    bool is_told = answer == PARTITION_ENDS_TOLD;
    survey->questions++;
    survey->told_count += is_told ? count : 0;
    for (size_t i = 0; i < count; i++) {
        rows[i]->asked_ms = now_ms;
        rows[i]->told_ms = is_told ? now_ms : rows[i]->told_ms;
        rows[i]->is_missing = rows[i]->is_missing && !is_told;
    }
    return answer;
}

static void note_missing(struct partition_end *const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rows[i]->is_missing = true;
    }
}

static size_t at_once(size_t left)
{
    return left < PARTITION_ENDS_ASKED_MAX ? left : PARTITION_ENDS_ASKED_MAX;
}

/** Asks about all, as long as there is an answer. */
static bool ask_all(struct survey *survey, size_t count)
{
    bool is_told = true;
    for (size_t at = 0; is_told && at < count; at += PARTITION_ENDS_ASKED_MAX) {
        is_told = has_time(survey) &&
                  ask(survey, survey->rows + at, at_once(count - at)) == PARTITION_ENDS_TOLD;
    }
    return is_told;
}

/** Asks one leader; about half as many rows as long as it refuses. */
static void ask_leader(struct survey *survey, const struct leader_group *group)
{
    struct partition_end *const *rows = group->rows;
    size_t left = group->count, size = at_once(left);
    while (left > 0 && has_time(survey)) {
        enum partition_ends_answer answer = ask(survey, rows, size);
        if (answer == PARTITION_ENDS_REFUSED && size > 1) {
            size /= 2;
            continue;
        }
        size_t done = answer == PARTITION_ENDS_SILENT ? left : size;
        if (answer != PARTITION_ENDS_TOLD) {
            note_missing(rows, done);
        }
        rows += done;
        left -= done;
        size = at_once(left);
    }
}

/* ---- Leader by leader ---- */

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_leader(const void *a, const void *b)
{
    const struct partition_end *left = *(struct partition_end *const *)a;
    const struct partition_end *right = *(struct partition_end *const *)b;
    if (left->is_missing != right->is_missing) {
        return left->is_missing ? 1 : -1;
    }
    if (left->leader != right->leader) {
        return left->leader < right->leader ? -1 : 1;
    }
    return compare(left->asked_ms, right->asked_ms);
}

static int by_turn(const void *a, const void *b)
{
    const struct leader_group *left = a;
    const struct leader_group *right = b;
    bool left_is_missing = left->rows[0]->is_missing;
    if (left_is_missing != right->rows[0]->is_missing) {
        return left_is_missing ? 1 : -1;
    }
    return compare(left->asked_ms, right->asked_ms);
}

/** Groups the rows that have a leader; the others are missing. Returns how many groups. */
static size_t group_rows(struct survey *survey, size_t count)
{
    size_t group_count = 0;
    qsort(survey->rows, count, sizeof(struct partition_end *), by_leader);
    for (size_t i = 0; i < count; i++) {
        const struct partition_end *row = survey->rows[i];
        struct leader_group *last = &survey->groups[group_count > 0 ? group_count - 1 : 0];
        if (row->leader < 0) {
            continue;
        }
        if (last->count > 0 && last->rows[0]->leader == row->leader &&
            last->rows[0]->is_missing == row->is_missing) {
            last->count++;
        } else {
            survey->groups[group_count++] = (struct leader_group){
                .rows = &survey->rows[i], .count = 1, .asked_ms = row->asked_ms};
        }
    }
    qsort(survey->groups, group_count, sizeof *survey->groups, by_turn);
    return group_count;
}

static void ask_by_leader(struct survey *survey, struct partition_ends *ends)
{
    const struct partition_ends_kafka *kafka = survey->kafka;
    if (!kafka->find_leaders(kafka->context, ends->rows, ends->count)) {
        return;
    }
    size_t group_count = group_rows(survey, ends->count);
    for (size_t i = 0; i < group_count; i++) {
        ask_leader(survey, &survey->groups[i]);
    }
    for (size_t i = 0; i < ends->count; i++) {
        ends->rows[i].is_missing = ends->rows[i].is_missing || ends->rows[i].leader < 0;
    }
}

/** Whether one was not told at a look that began then. */
static bool is_partial(const struct partition_ends *ends, uint64_t began_ms)
{
    for (size_t i = 0; i < ends->count; i++) {
        if (ends->rows[i].is_missing || ends->rows[i].told_ms < began_ms) {
            return true;
        }
    }
    return false;
}

bool partition_ends_look(struct partition_ends *ends, const struct partition_ends_kafka *kafka)
{
    uint64_t began_ms = clock_monotonic_ms(kafka->clock);
    struct survey survey = {
        .kafka = kafka,
        .rows = calloc(ends->count + 1, sizeof(struct partition_end *)),
        .groups = calloc(ends->count + 1, sizeof(struct leader_group)),
        .until_ms = began_ms + PARTITION_ENDS_LOOK_MS,
    };
    if (ends->count > 0 && survey.rows != NULL && survey.groups != NULL) {
        for (size_t i = 0; i < ends->count; i++) {
            survey.rows[i] = &ends->rows[i];
        }
        if (ends->is_partial || !ask_all(&survey, ends->count)) {
            ask_by_leader(&survey, ends);
        }
        ends->is_partial = is_partial(ends, began_ms);
    }
    free(survey.rows);
    free(survey.groups);
    return survey.told_count > 0;
}
