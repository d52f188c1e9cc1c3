#include "worker/recent.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* Of results without conflict or failure no more than so many are noted per second: they are
     * all alike, and each costs a copy. */
    PLAIN_PER_SECOND = 20
};

struct recent {
    pthread_mutex_t mutex;
    struct recent_view ring; /* places; `next_…` is where the next one goes */
    size_t next_result, next_dead_letter;
    uint64_t second;
    uint32_t plain_in_second;
};

struct recent *recent_create(void)
{
    struct recent *recent = calloc(1, sizeof *recent);
    if (recent != NULL && pthread_mutex_init(&recent->mutex, NULL) != 0) {
        free(recent);
        return NULL;
    }
    return recent;
}

void recent_destroy(struct recent *recent)
{
    if (recent != NULL) {
        (void)pthread_mutex_destroy(&recent->mutex);
        free(recent);
    }
}

static void copy_text(char *out, size_t out_bytes, struct span text)
{
    size_t size = text.size < out_bytes ? text.size : out_bytes - 1;
    if (size > 0) {
        memcpy(out, text.data, size);
    }
    out[size] = '\0';
}

static struct recent_result shorten(const struct sync_result *result, uint64_t wall_ms)
{
    struct recent_result row = {
        .wall_ms = wall_ms,
        .is_final = result->final,
        .is_success = sync_result_is_success(result),
        .attempts = result->attempts,
        .synced_count = result->synced_count,
        .failed_count = result->failed_count,
        .pending_count = result->pending_count,
        .conflict_count = result->conflict_count,
        .scene_version = result->scene_version,
        .strategy = result->strategy,
    };
    copy_text(row.session_id, sizeof row.session_id, result->session_id);
    copy_text(row.batch_id, sizeof row.batch_id, result->batch_id);
    copy_text(row.client_id, sizeof row.client_id, result->client_id);
    if (result->error_code != ERROR_NONE) {
        copy_text(row.first_error, sizeof row.first_error, result->error_message);
    } else if (result->failure_entry_count > 0) {
        copy_text(row.first_error, sizeof row.first_error, result->failures[0].message);
    }
    for (uint32_t i = 0; i < result->conflict_entry_count && i < RECENT_CONFLICTS; i++) {
        const struct conflict_entry *entry = &result->conflicts[i];
        row.conflicts[row.listed_conflicts++] = (struct recent_conflict){
            .index = entry->index,
            .reason = entry->reason,
            .resolution = entry->resolution,
            .is_resolved = entry->resolved,
        };
    }
    return row;
}

/* Whether it is one plain result too many for this second. */
static bool is_too_plain(struct recent *recent, const struct sync_result *result, uint64_t wall_ms)
{
    if (result->conflict_count > 0 || !sync_result_is_success(result)) {
        return false;
    }
    if (wall_ms / 1000 != recent->second) {
        recent->second = wall_ms / 1000;
        recent->plain_in_second = 0;
    }
    return recent->plain_in_second++ >= PLAIN_PER_SECOND;
}

void recent_note_result(struct recent *recent, const struct sync_result *result, uint64_t wall_ms)
{
    if (recent == NULL || is_too_plain(recent, result, wall_ms) ||
        pthread_mutex_trylock(&recent->mutex) != 0) {
        return;
    }
    recent->ring.results[recent->next_result] = shorten(result, wall_ms);
    recent->next_result = (recent->next_result + 1) % RECENT_RESULTS;
    (void)pthread_mutex_unlock(&recent->mutex);
}

void recent_note_dead_letter(struct recent *recent, const struct source *source,
                             enum error_code code, struct span message, uint64_t wall_ms)
{
    if (recent == NULL || pthread_mutex_trylock(&recent->mutex) != 0) {
        return;
    }
    struct recent_dead_letter *row = &recent->ring.dead_letters[recent->next_dead_letter];
    *row = (struct recent_dead_letter){.wall_ms = wall_ms, .code = code};
    (void)snprintf(row->source, sizeof row->source, "%.*s/%" PRId32 "/%" PRId64,
                   SPAN_ARGS(source->topic), source->partition, source->offset);
    copy_text(row->message, sizeof row->message, message);
    recent->next_dead_letter = (recent->next_dead_letter + 1) % RECENT_DEAD_LETTERS;
    (void)pthread_mutex_unlock(&recent->mutex);
}

void recent_read(struct recent *recent, struct recent_view *out)
{
    (void)pthread_mutex_lock(&recent->mutex);
    for (size_t i = 0; i < RECENT_RESULTS; i++) {
        size_t place = (recent->next_result + RECENT_RESULTS - 1 - i) % RECENT_RESULTS;
        out->results[i] = recent->ring.results[place];
    }
    for (size_t i = 0; i < RECENT_DEAD_LETTERS; i++) {
        size_t place =
            (recent->next_dead_letter + RECENT_DEAD_LETTERS - 1 - i) % RECENT_DEAD_LETTERS;
        out->dead_letters[i] = recent->ring.dead_letters[place];
    }
    (void)pthread_mutex_unlock(&recent->mutex);
}
