#include "worker/assignment.h"

#include <assert.h>
#include <stdlib.h>

enum { HELD_CAPACITY_MIN = 8 };

void assignment_init(struct assignment *assignment)
{
    *assignment = (struct assignment){0};
}

void assignment_deinit(struct assignment *assignment)
{
    assert(assignment->held_count == 0);
    for (size_t i = 0; i < assignment->topic_count; i++) {
        struct assigned_topic *topic = &assignment->topics[i];
        for (int32_t number = 0; number < topic->partition_count; number++) {
            free(topic->partitions[number].held);
        }
        free(topic->partitions);
        free(topic->name);
    }
    assignment_init(assignment);
}

static struct assigned_topic *find_topic(struct assignment *assignment, const char *name)
{
    for (size_t i = 0; i < assignment->topic_count; i++) {
        if (strcmp(assignment->topics[i].name, name) == 0) {
            return &assignment->topics[i];
        }
    }
    return NULL;
}

static struct assigned_topic *add_topic(struct assignment *assignment, const char *name,
                                        uint32_t tier)
{
    if (assignment->topic_count == ASSIGNMENT_TOPICS_MAX) {
        return NULL;
    }
    size_t size = strlen(name) + 1;
    char *copy = malloc(size);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, name, size);
    struct assigned_topic *topic = &assignment->topics[assignment->topic_count];
    assignment->topic_count++;
    *topic = (struct assigned_topic){.name = copy, .tier = tier};
    return topic;
}

/** Makes room for partition `number`; numbers are dense, so the array is as long as the highest. */
static bool reserve_partition(struct assigned_topic *topic, int32_t number)
{
    if (number < topic->partition_count) {
        return true;
    }
    size_t count = (size_t)number + 1;
    struct assigned_partition *partitions = realloc(topic->partitions, count * sizeof *partitions);
    if (partitions == NULL) {
        return false;
    }
    for (size_t i = (size_t)topic->partition_count; i < count; i++) {
        partitions[i] = (struct assigned_partition){0};
    }
    topic->partitions = partitions;
    topic->partition_count = number + 1;
    return true;
}

bool assignment_add(struct assignment *assignment, const char *topic, uint32_t tier, int32_t number)
{
    if (number < 0 || number > ASSIGNMENT_PARTITION_NUMBER_MAX) {
        return false;
    }
    struct assigned_topic *known = find_topic(assignment, topic);
    if (known == NULL) {
        known = add_topic(assignment, topic, tier);
    }
    if (known == NULL || !reserve_partition(known, number)) {
        return false;
    }
    struct assigned_partition *partition = &known->partitions[number];
    assert(!partition->assigned && partition->held == NULL);
    assignment->generation++;
    assignment->assigned_count++;
    *partition = (struct assigned_partition){
        .assigned = true,
        .number = number,
        .topic = known->name,
        .tier = known->tier,
        .assignment = assignment->generation,
        .next_offset = -1,
        .last_timestamp_ms = -1,
        .end_offset = -1,
        .settled = -1,
        .confirmed = -1,
        .committed = -1,
        .start = -1,
        .mark = -1,
        .replay_until = -1,
    };
    return true;
}

void assignment_rewind(struct assignment *assignment, struct assigned_partition *partition)
{
    assert(partition->assigned && partition->held_count == 0);
    assignment->generation++;
    partition->assignment = assignment->generation;
    partition->next_offset = -1;
    partition->last_timestamp_ms = -1;
    partition->end_offset = -1;
    partition->settled = -1;
    partition->confirmed = -1;
    partition->is_restarted = false;
}

bool assignment_holds(struct assignment *assignment, const struct record *record)
{
    const struct assigned_partition *partition =
        assignment_find(assignment, (const char *)record->topic.data, record->partition);
    return partition != NULL && partition->assignment == record->assignment;
}

void assignment_remove(struct assignment *assignment, struct assigned_partition *partition)
{
    assert(partition->assigned && partition->held_count == 0);
    free(partition->held);
    *partition = (struct assigned_partition){0};
    assignment->generation++;
    assignment->assigned_count--;
}

struct assigned_partition *assignment_find(struct assignment *assignment, const char *topic,
                                           int32_t number)
{
    struct assigned_topic *known = find_topic(assignment, topic);
    if (known == NULL || number < 0 || number >= known->partition_count ||
        !known->partitions[number].assigned) {
        return NULL;
    }
    return &known->partitions[number];
}

struct assigned_partition *assignment_next(struct assignment *assignment,
                                           struct assignment_cursor *cursor)
{
    for (; cursor->topic < assignment->topic_count; cursor->topic++, cursor->number = 0) {
        struct assigned_topic *topic = &assignment->topics[cursor->topic];
        while (cursor->number < topic->partition_count) {
            struct assigned_partition *partition = &topic->partitions[cursor->number];
            cursor->number++;
            if (partition->assigned) {
                return partition;
            }
        }
    }
    return NULL;
}

enum assignment_verdict assignment_accept(struct assignment *assignment,
                                          struct assigned_partition *partition, int64_t offset,
                                          int64_t timestamp_ms)
{
    enum assignment_verdict verdict = ASSIGNMENT_NEXT;
    if (offset < partition->next_offset) {
        if (timestamp_ms <= partition->last_timestamp_ms) {
            return ASSIGNMENT_STALE;
        }
        /* Records of the old topic must not settle offsets of the new one. */
        assignment->generation++;
        partition->assignment = assignment->generation;
        partition->settled = -1;
        partition->confirmed = -1;
        partition->is_restarted = true;
        verdict = ASSIGNMENT_RESTARTED;
    }
    if (offset < partition->start) {
        partition->is_restarted = true; /* where work was to go on is beyond the log's end */
    }
    partition->next_offset = offset + 1;
    partition->last_timestamp_ms = timestamp_ms;
    return verdict;
}

static size_t ring_index(const struct assigned_partition *partition, size_t place)
{
    size_t index = partition->held_first + place;
    return index < partition->held_capacity ? index : index - partition->held_capacity;
}

/** Doubles the ring. A paused partition delivers nothing more, so it stays near its limits. */
static bool grow_held(struct assigned_partition *partition)
{
    size_t capacity =
        partition->held_capacity == 0 ? HELD_CAPACITY_MIN : partition->held_capacity * 2;
    struct held_record *held =
        capacity <= SIZE_MAX / sizeof *held ? malloc(capacity * sizeof *held) : NULL;
    if (held == NULL) {
        return false;
    }
    for (size_t i = 0; i < partition->held_count; i++) {
        held[i] = partition->held[ring_index(partition, i)];
    }
    free(partition->held);
    partition->held = held;
    partition->held_first = 0;
    partition->held_capacity = capacity;
    return true;
}

bool assignment_hold(struct assignment *assignment, struct assigned_partition *partition,
                     const struct record *record, uint64_t due_ms)
{
    if (partition->held_count == partition->held_capacity && !grow_held(partition)) {
        return false;
    }
    partition->held[ring_index(partition, partition->held_count)] =
        (struct held_record){.record = *record, .due_ms = due_ms};
    partition->held_count++;
    partition->held_bytes += record->value.size;
    assignment->held_count++;
    return true;
}

const struct held_record *assignment_held(const struct assigned_partition *partition)
{
    return partition->held_count == 0 ? NULL : &partition->held[partition->held_first];
}

const struct held_record *assignment_held_at(const struct assigned_partition *partition,
                                             size_t index)
{
    assert(index < partition->held_count);
    return &partition->held[ring_index(partition, index)];
}

void assignment_drop_held(struct assignment *assignment, struct assigned_partition *partition)
{
    assert(partition->held_count > 0);
    partition->held_bytes -= partition->held[partition->held_first].record.value.size;
    partition->held_first = ring_index(partition, 1);
    partition->held_count--;
    assignment->held_count--;
}

bool assignment_is_full(const struct assigned_partition *partition)
{
    return partition->held_count >= ASSIGNMENT_HELD_RECORDS_MAX ||
           partition->held_bytes >= ASSIGNMENT_HELD_BYTES_MAX;
}

bool assignment_has_room(const struct assigned_partition *partition)
{
    return partition->held_count <= ASSIGNMENT_HELD_RECORDS_MAX / 2 &&
           partition->held_bytes <= ASSIGNMENT_HELD_BYTES_MAX / 2;
}

void assignment_settle(struct assignment *assignment, const struct record *record)
{
    struct assigned_partition *partition =
        assignment_find(assignment, (const char *)record->topic.data, record->partition);
    if (partition != NULL && partition->assignment == record->assignment &&
        partition->settled < record->offset + 1) {
        partition->settled = record->offset + 1;
    }
}

bool assignment_is_uncommitted(const struct assigned_partition *partition)
{
    return partition->settled > partition->confirmed;
}

void assignment_confirm(struct assignment *assignment, const char *topic, int32_t number,
                        int64_t offset)
{
    struct assigned_partition *partition = assignment_find(assignment, topic, number);
    /* What was not settled under this assignment answers a commit from before it. */
    if (partition != NULL && offset <= partition->settled && partition->confirmed < offset) {
        partition->confirmed = offset;
    }
}

bool assignment_has_claimable(struct assignment *assignment, uint64_t now_ms)
{
    struct assignment_cursor cursor = {0};
    const struct assigned_partition *partition = assignment_next(assignment, &cursor);
    for (; partition != NULL; partition = assignment_next(assignment, &cursor)) {
        if (partition->resting && partition->rest_until_ms <= now_ms) {
            return true;
        }
    }
    return false;
}
