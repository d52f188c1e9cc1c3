#include "worker/lag_watch.h"

#include <stdlib.h>
#include <string.h>

void lag_watch_deinit(struct lag_watch *watch)
{
    free(watch->rows);
    *watch = (struct lag_watch){0};
}

/** The row of a partition, or NULL. Both tables come in the source's order, so the one looked for
 * mostly stands right behind the one found before it. */
static const struct lag_row *find_row(const struct lag_watch *watch, size_t start,
                                      const struct progress_partition *partition)
{
    for (size_t i = 0; i < watch->count; i++) {
        const struct lag_row *row = &watch->rows[(start + i) % watch->count];
        if (row->partition.number == partition->number &&
            strcmp(row->partition.topic, partition->topic) == 0) {
            return row;
        }
    }
    return NULL;
}

bool lag_watch_begin(struct lag_watch *watch, const struct progress_partition *partitions,
                     size_t count, uint64_t idle_polls)
{
    struct lag_row *rows = calloc(count + 1, sizeof *rows);
    if (rows == NULL) {
        return false;
    }
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        const struct lag_row *old = find_row(watch, next, &partitions[i]);
        if (old != NULL) {
            next = (size_t)(old - watch->rows) + 1;
        }
        if (old != NULL && old->partition.position == partitions[i].position &&
            !partitions[i].resting) {
            rows[i] = *old;
        }
        rows[i].partition = partitions[i];
    }
    free(watch->rows);
    watch->rows = rows;
    watch->count = count;
    watch->was_idle = idle_polls != watch->idle_polls;
    watch->idle_polls = idle_polls;
    return true;
}

void lag_watch_judge(struct lag_watch *watch, struct lag_row *row, int64_t lag, uint64_t now_ms)
{
    bool lags = lag > 0 && !row->partition.resting;
    if (lags && row->is_counting && watch->was_idle) {
        row->stuck_ms += now_ms - row->judged_ms;
    } else {
        row->stuck_ms = 0;
    }
    row->lag = lag;
    row->is_counting = lags;
    row->judged_ms = now_ms;
}

uint64_t lag_watch_stuck_ms(const struct lag_watch *watch)
{
    uint64_t longest_ms = 0;
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->rows[i].stuck_ms > longest_ms) {
            longest_ms = watch->rows[i].stuck_ms;
        }
    }
    return longest_ms;
}
