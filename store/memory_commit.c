#include "store/memory_commit.h"

#include <assert.h>

#include "store/position.h"
#include "store/record_head.h"

enum { TIME_KEY_BYTES = 8, ID_BYTES_MAX = 1024 };

/** The run of one commit. `failed`: out of memory; sticks, as in a buffer. */
struct run {
    struct memory_scene *scene;
    struct scene_commit *commit;
    const struct store_retention *retention;
    struct memory_log *log;
    bool failed;
};

static void set(struct run *run, enum memory_key key, struct span field, struct span value)
{
    run->failed = run->failed || !memory_scene_set(run->scene, key, field, value, run->log);
}

static void unset(struct run *run, enum memory_key key, struct span field)
{
    run->failed = run->failed || !memory_scene_remove(run->scene, key, field, run->log);
}

static enum store_status refuse_type(struct error *error)
{
    error_set(error, ERROR_STORE_ERROR, "WRONGTYPE the scene's elements are of another type");
    return STORE_FAILED;
}

static enum store_status refuse_memory(struct error *error)
{
    error_set(error, ERROR_OUT_OF_MEMORY, "the memory store or the arena is out of memory");
    return STORE_FAILED;
}

/* The meta. */

static struct span meta_find(const struct memory_scene *scene, const char *field)
{
    return memory_scene_find(scene, MEMORY_META, span_of_text(field));
}

static uint64_t meta_number(const struct memory_scene *scene, const char *field)
{
    uint64_t number;
    return decimal_read(meta_find(scene, field), UINT64_MAX, &number) ? number : 0;
}

static struct store_token meta_token(const struct memory_scene *scene)
{
    struct store_token token = {0};
    struct span text = meta_find(scene, "commit");
    assert(text.size <= sizeof token.text);
    token.size = (uint8_t)text.size;
    if (text.size > 0) {
        memcpy(token.text, text.data, text.size);
    }
    return token;
}

static void set_meta_number(struct run *run, const char *field, uint64_t number)
{
    char text[DECIMAL_BYTES_MAX];
    set(run, MEMORY_META, span_of_text(field), span_make(text, decimal_write(number, text)));
}

/** The meta's field of a position, "at:<topic>/<partition>", in the arena; absent: no memory. */
static struct span position_field(struct span name, struct arena *arena)
{
    static const char prefix[] = {'a', 't', ':'};
    uint8_t *text = arena_alloc(arena, sizeof prefix + name.size);
    if (text == NULL) {
        return (struct span){0};
    }
    memcpy(text, prefix, sizeof prefix);
    if (name.size > 0) {
        memcpy(text + sizeof prefix, name.data, name.size);
    }
    return span_make(text, sizeof prefix + name.size);
}

/* Loads. */

/** Of a record that stands under several keys the latest attempt counts. */
static struct span find_record(const struct memory_scene *scene, struct span field)
{
    static const enum memory_key keys[] = {MEMORY_PENDING, MEMORY_BATCHES, MEMORY_BATCHES_OLD};
    struct span latest = {0};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct span record = memory_scene_find(scene, keys[i], field);
        if (span_is_absent(latest) || record_head_attempt(record) > record_head_attempt(latest)) {
            latest = record;
        }
    }
    return latest;
}

/** Copies a value that is there; false when the arena is exhausted. */
static bool copy_out(struct arena *arena, struct span value, struct span *out)
{
    if (span_is_absent(value)) {
        return true;
    }
    *out = arena_copy(arena, value);
    return !span_is_absent(*out);
}

static bool load_positions(const struct memory_scene *scene, struct scene_load *load)
{
    for (size_t i = 0; i < load->position_count; i++) {
        struct store_position *position = &load->positions[i];
        struct span field = position_field(position->name, load->arena);
        if (span_is_absent(field)) {
            return false;
        }
        struct span text = memory_scene_find(scene, MEMORY_META, field);
        position->known = !span_is_absent(text) && position_read(text, position);
    }
    return true;
}

enum store_status memory_load_run(const struct memory_scene *scene, struct scene_load *load)
{
    if (scene->is_wrong_type && load->element_count > 0) {
        return refuse_type(&load->error);
    }
    load->version = meta_number(scene, "version");
    load->token = meta_token(scene);
    load->scene_element_count = meta_number(scene, "element_count");
    load->stored_count =
        load->element_count > 0 ? scene->tables[MEMORY_ELEMENTS].count : UINT64_MAX;
    load->element_values = arena_alloc_array(load->arena, load->element_count, sizeof(struct span));
    load->record_values = arena_alloc_array(load->arena, load->record_count, sizeof(struct span));
    bool fits =
        load->element_values != NULL && load->record_values != NULL && load_positions(scene, load);
    for (size_t i = 0; fits && i < load->element_count; i++) {
        fits =
            copy_out(load->arena, memory_scene_find(scene, MEMORY_ELEMENTS, load->element_ids[i]),
                     &load->element_values[i]);
    }
    for (size_t i = 0; fits && i < load->record_count; i++) {
        fits = copy_out(load->arena, find_record(scene, load->record_fields[i]),
                        &load->record_values[i]);
    }
    return fits ? STORE_DONE : refuse_memory(&load->error);
}

/* The tombstone index. */

static struct span time_key(int64_t time_ms, struct span id,
                            uint8_t out[TIME_KEY_BYTES + ID_BYTES_MAX])
{
    assert(id.size <= ID_BYTES_MAX);
    uint64_t sortable = (uint64_t)time_ms ^ ((uint64_t)1 << 63);
    for (size_t i = 0; i < TIME_KEY_BYTES; i++) {
        out[i] = (uint8_t)(sortable >> (8 * (TIME_KEY_BYTES - 1 - i)));
    }
    if (id.size > 0) {
        memcpy(out + TIME_KEY_BYTES, id.data, id.size);
    }
    return span_make(out, TIME_KEY_BYTES + id.size);
}

static void unindex(struct run *run, struct span id)
{
    uint8_t key[TIME_KEY_BYTES + ID_BYTES_MAX];
    int64_t time_ms;
    if (decimal_read_signed(memory_scene_find(run->scene, MEMORY_TOMBSTONES, id), &time_ms)) {
        unset(run, MEMORY_TOMBSTONES_BY_TIME, time_key(time_ms, id, key));
        unset(run, MEMORY_TOMBSTONES, id);
    }
}

static void index_tombstone(struct run *run, struct span id, int64_t time_ms)
{
    uint8_t key[TIME_KEY_BYTES + ID_BYTES_MAX];
    char text[DECIMAL_BYTES_MAX];
    unindex(run, id);
    set(run, MEMORY_TOMBSTONES, id, span_make(text, decimal_write_signed(time_ms, text)));
    set(run, MEMORY_TOMBSTONES_BY_TIME, time_key(time_ms, id, key), span_make("", 0));
}

/** True for the bytes of [integer, integer, nil]. */
static bool is_tombstone(struct span value)
{
    static const uint8_t widths[] = {2, 3, 5, 9, 2, 3, 5, 9}; /* 0xcc .. 0xd3 */
    if (value.size == 0 || value.data[0] != 0x93) {
        return false;
    }
    size_t at = 1;
    for (int i = 0; i < 2 && at < value.size; i++) {
        uint8_t first = value.data[at];
        at += first >= 0xcc && first <= 0xd3 ? widths[first - 0xcc] : 1;
    }
    return at + 1 == value.size && value.data[at] == 0xc0;
}

/** The oldest tombstone, if it is due; an entry whose element is something else only leaves the
 * index. */
static bool drop_oldest(struct run *run)
{
    const struct memory_table *by_time = &run->scene->tables[MEMORY_TOMBSTONES_BY_TIME];
    struct scene_commit *commit = run->commit;
    int64_t cutoff_ms = store_tombstone_cutoff_ms(run->retention, commit->updated_at_ms);
    if (by_time->count == 0) {
        return false;
    }
    struct span key = memory_item_key(by_time->items[0]);
    struct span id =
        arena_copy(commit->arena, span_make(key.data + TIME_KEY_BYTES, key.size - TIME_KEY_BYTES));
    int64_t time_ms = 0;
    if (span_is_absent(id) ||
        !decimal_read_signed(memory_scene_find(run->scene, MEMORY_TOMBSTONES, id), &time_ms)) {
        run->failed = true;
        return false;
    }
    if (time_ms > cutoff_ms && by_time->count <= run->retention->tombstones_max) {
        return false;
    }
    unindex(run, id);
    if (is_tombstone(memory_scene_find(run->scene, MEMORY_ELEMENTS, id))) {
        unset(run, MEMORY_ELEMENTS, id);
        commit->dropped[commit->dropped_count++] = id;
    }
    return true;
}

/** Both parts in one, in the arena where there are two; no memory for it fails the run. */
static struct span join(struct run *run, struct span head, struct span tail)
{
    if (head.size == 0) {
        return tail;
    }
    uint8_t *whole = arena_alloc(run->commit->arena, head.size + tail.size);
    if (whole == NULL) {
        run->failed = true;
        return tail;
    }
    memcpy(whole, head.data, head.size);
    memcpy(whole + head.size, tail.data, tail.size);
    return span_make(whole, head.size + tail.size);
}

static void write_elements(struct run *run)
{
    const struct scene_commit *commit = run->commit;
    for (size_t i = 0; i < commit->element_count; i++) {
        const struct element_write *element = &commit->elements[i];
        set(run, MEMORY_ELEMENTS, element->id, join(run, element->head, element->value));
        switch (element->kind) {
        case ELEMENT_WRITE_PRESENT:
            break;
        case ELEMENT_WRITE_REVIVED:
            unindex(run, element->id);
            break;
        case ELEMENT_WRITE_TOMBSTONE:
            index_tombstone(run, element->id, element->record_time_ms);
            break;
        }
    }
}

/* The records. */

static struct span last_key(const struct memory_table *table)
{
    return memory_item_key(table->items[table->count - 1]);
}

/** `batches` becomes the old generation; of what was old, unsettled records are carried over. */
static void rotate(struct run *run)
{
    struct memory_table *batches = &run->scene->tables[MEMORY_BATCHES];
    struct memory_table *old = &run->scene->tables[MEMORY_BATCHES_OLD];
    size_t removed_from = run->log->count;
    while (old->count > 0 && !run->failed) {
        unset(run, MEMORY_BATCHES_OLD, last_key(old));
    }
    size_t removed_to = run->log->count;
    while (batches->count > 0 && !run->failed) {
        struct memory_item *item = batches->items[batches->count - 1];
        set(run, MEMORY_BATCHES_OLD, memory_item_key(item), memory_item_value(item));
        unset(run, MEMORY_BATCHES, last_key(batches));
    }
    for (size_t i = removed_from; i < removed_to && !run->failed; i++) {
        const struct memory_item *item = run->log->changes[i].before;
        struct span record = memory_item_value(item);
        if (record_head_is_unsettled(record, run->commit->settled_offsets)) {
            set(run, MEMORY_BATCHES, memory_item_key(item), record);
        }
    }
}

enum { FLAGS_BYTES = 3 /* " <pending><batches.old>" */ };

/** Reads the counters of the generation, "<records> <bytes> " and the flags: zeros where there are
 * none. */
static void read_counters(const struct memory_scene *scene, uint64_t *count, uint64_t *bytes)
{
    struct store_position pair = {0};
    struct span text = meta_find(scene, "dedupe");
    bool known = text.size > FLAGS_BYTES &&
                 position_read(span_make(text.data, text.size - FLAGS_BYTES), &pair);
    *count = known ? (uint64_t)pair.offset : 0;
    *bytes = known ? (uint64_t)pair.timestamp_ms : 0;
}

static void write_counters(struct run *run, uint64_t count, uint64_t bytes)
{
    const struct memory_table *tables = run->scene->tables;
    struct store_position counters = {.offset = (int64_t)count, .timestamp_ms = (int64_t)bytes};
    char text[POSITION_BYTES_MAX + FLAGS_BYTES];
    size_t size = position_write(&counters, text);
    text[size++] = ' ';
    text[size++] = tables[MEMORY_PENDING].count > 0 ? '1' : '0';
    text[size++] = tables[MEMORY_BATCHES_OLD].count > 0 ? '1' : '0';
    set(run, MEMORY_META, span_of_text("dedupe"), span_make(text, size));
}

static void count_settled(const struct scene_commit *commit, uint64_t *count, uint64_t *bytes)
{
    *count = 0;
    *bytes = 0;
    for (size_t i = 0; i < commit->record_count; i++) {
        if (!commit->records[i].pending) {
            *count += 1;
            *bytes += commit->records[i].field.size + commit->records[i].value.size;
        }
    }
}

static void write_records(struct run *run)
{
    const struct scene_commit *commit = run->commit;
    const struct store_retention *retention = run->retention;
    uint64_t count, bytes, new_count, new_bytes;
    read_counters(run->scene, &count, &bytes);
    count_settled(commit, &new_count, &new_bytes);
    if (new_count > 0 && count > 0 &&
        (count + new_count > retention->dedupe_batches_max ||
         bytes + new_bytes > retention->dedupe_bytes_max / 2)) {
        rotate(run);
        count = 0;
        bytes = 0;
    }
    for (size_t i = 0; i < commit->record_count; i++) {
        const struct record_write *record = &commit->records[i];
        if (!record->pending) {
            unset(run, MEMORY_PENDING, record->field);
        }
        set(run, record->pending ? MEMORY_PENDING : MEMORY_BATCHES, record->field, record->value);
    }
    write_counters(run, count + new_count, bytes + new_bytes);
}

/* The commit. */

static bool is_expected(const struct run *run)
{
    const struct scene_commit *commit = run->commit;
    struct store_token token = meta_token(run->scene);
    const struct store_token *expected = &commit->expected_token;
    if (commit->checked && (meta_number(run->scene, "version") != commit->expected_version ||
                            !span_equal(span_make(token.text, token.size),
                                        span_make(expected->text, expected->size)))) {
        return false;
    }
    for (size_t i = 0; i < commit->record_count; i++) {
        const struct record_write *record = &commit->records[i];
        assert(record_head_attempt(record->value) == record->attempt);
        if (record_head_attempt(find_record(run->scene, record->field)) != record->attempt - 1) {
            return false;
        }
    }
    return true;
}

/** Without the check a position never moves down. */
static void write_position(struct run *run, const struct store_position *position)
{
    char text[POSITION_BYTES_MAX];
    struct store_position known = {0};
    struct span field = position_field(position->name, run->commit->arena);
    if (span_is_absent(field)) {
        run->failed = true;
        return;
    }
    struct span there = memory_scene_find(run->scene, MEMORY_META, field);
    bool is_kept = !run->commit->checked && !span_is_absent(there) &&
                   position_read(there, &known) && position->offset <= known.offset;
    if (!is_kept) {
        set(run, MEMORY_META, field, span_make(text, position_write(position, text)));
    }
}

static void write_meta(struct run *run)
{
    const struct scene_commit *commit = run->commit;
    char text[DECIMAL_BYTES_MAX];
    set_meta_number(run, "version",
                    commit->checked ? commit->version : meta_number(run->scene, "version"));
    set_meta_number(run, "element_count",
                    commit->checked ? commit->scene_element_count
                                    : meta_number(run->scene, "element_count"));
    set(run, MEMORY_META, span_of_text("commit"),
        span_make(commit->token.text, commit->token.size));
    set(run, MEMORY_META, span_of_text("updated_at"),
        span_make(text, decimal_write_signed(commit->updated_at_ms, text)));
    for (size_t i = 0; i < commit->position_count; i++) {
        write_position(run, &commit->positions[i]);
    }
}

enum store_status memory_commit_run(struct memory_scene *scene, struct scene_commit *commit,
                                    const struct store_retention *retention, struct memory_log *log)
{
    struct run run = {.scene = scene, .commit = commit, .retention = retention, .log = log};
    assert(commit->checked || commit->element_count == 0);
    commit->dropped_count = 0;
    if (scene->is_wrong_type) {
        return refuse_type(&commit->error);
    }
    if (!is_expected(&run)) {
        return STORE_REFUSED;
    }
    write_elements(&run);
    write_records(&run);
    write_meta(&run);
    for (int i = 0; i < STORE_DROPPED_TOMBSTONES_MAX && drop_oldest(&run); i++) {
    }
    if (run.failed) {
        memory_log_undo(log);
        commit->dropped_count = 0;
        return refuse_memory(&commit->error);
    }
    return STORE_DONE;
}
