#include "protocol/retry.h"

#include "protocol/fields.h"
#include "protocol/pack.h"

#include <assert.h>
#include <inttypes.h>

enum {
    KEY_ATTEMPT,
    KEY_NOT_BEFORE,
    KEY_ARRIVAL,
    KEY_SOURCE,
    KEY_TOTAL,
    KEY_INDEXES,
    KEY_SYNCED_COUNT,
    KEY_CLAMPED_COUNT,
    KEY_DURATION_MS,
    KEY_ATTEMPT_VERSIONS,
    KEY_CONFLICTS,
    KEY_FAILED_OPERATIONS,
    KEY_COUNT
};

static const struct field_name key_names[KEY_COUNT] = {
    FIELD_NAME("attempt"),          FIELD_NAME("not_before"),    FIELD_NAME("arrival"),
    FIELD_NAME("source"),           FIELD_NAME("total"),         FIELD_NAME("indexes"),
    FIELD_NAME("synced_count"),     FIELD_NAME("clamped_count"), FIELD_NAME("duration_ms"),
    FIELD_NAME("attempt_versions"), FIELD_NAME("conflicts"),     FIELD_NAME("failed_operations")};

static void key_uint(struct buffer *out, size_t key, uint64_t value)
{
    pack_text(out, key_names[key].text);
    pack_uint(out, value);
}

void retry_section_encode(const struct retry_section *section, struct buffer *out)
{
    pack_map(out, KEY_COUNT);
    key_uint(out, KEY_ATTEMPT, section->attempt);
    key_uint(out, KEY_NOT_BEFORE, section->not_before_ms);
    key_uint(out, KEY_ARRIVAL, section->arrival_ms);
    pack_text(out, key_names[KEY_SOURCE].text);
    source_encode(&section->source, out);
    key_uint(out, KEY_TOTAL, section->total);
    pack_text(out, key_names[KEY_INDEXES].text);
    pack_array(out, section->index_count);
    for (uint32_t i = 0; i < section->index_count; i++) {
        pack_uint(out, section->indexes[i]);
    }
    key_uint(out, KEY_SYNCED_COUNT, section->synced_count);
    key_uint(out, KEY_CLAMPED_COUNT, section->clamped_count);
    key_uint(out, KEY_DURATION_MS, section->duration_ms);
    pack_text(out, key_names[KEY_ATTEMPT_VERSIONS].text);
    pack_array(out, section->attempt_version_count);
    for (uint32_t i = 0; i < section->attempt_version_count; i++) {
        pack_uint(out, section->attempt_versions[i]);
    }
    pack_text(out, key_names[KEY_CONFLICTS].text);
    conflict_entries_encode(section->conflicts, section->conflict_count, BODIES_AS_THEY_ARE, out);
    pack_text(out, key_names[KEY_FAILED_OPERATIONS].text);
    failure_entries_encode(section->failures, section->failure_count, BODIES_AS_THEY_ARE, out);
}

static void scalars_decode(struct fields *fields, struct retry_section *out)
{
    out->attempt = (uint32_t)fields_uint(fields, KEY_ATTEMPT, RETRY_ATTEMPT_MAX);
    if (out->attempt < 2) {
        fields_fail(fields, KEY_ATTEMPT, "must be 2 or more: the first attempt is no retry");
    }
    out->not_before_ms = fields_uint(fields, KEY_NOT_BEFORE, UINT64_MAX);
    out->arrival_ms = fields_uint(fields, KEY_ARRIVAL, UINT64_MAX);
    out->total = fields_uint32(fields, KEY_TOTAL);
    out->synced_count = fields_uint32(fields, KEY_SYNCED_COUNT);
    out->clamped_count = (uint32_t)fields_uint(fields, KEY_CLAMPED_COUNT, out->total);
    out->duration_ms = fields_uint(fields, KEY_DURATION_MS, UINT64_MAX);
}

static void indexes_decode(struct fields *fields, struct arena *arena, struct retry_section *out)
{
    const struct span raw = fields_container(fields, KEY_INDEXES, WIRE_ARRAY);
    if (fields->failed) {
        return;
    }
    struct wire_cursor cursor = wire_cursor_of(raw);
    const uint32_t count = wire_read(&cursor).count;
    if (count == 0) {
        fields_fail(fields, KEY_INDEXES, "is empty: then there is nothing to retry");
        return;
    }
    out->indexes = arena_alloc_array(arena, count, sizeof *out->indexes);
    if (out->indexes == NULL) {
        fields_adopt(fields, error_set(fields->error, ERROR_OUT_OF_MEMORY,
                                       "no memory for %" PRIu32 " indexes", count));
        return;
    }
    uint64_t least = 0; /* what the next index must not be below */
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_value item = wire_peek(wire_skip(&cursor));
        uint64_t index = 0;
        if (!wire_as_uint(&item, &index) || index < least || index >= out->total) {
            fields_fail(fields, KEY_INDEXES, "must hold ascending integers below `total`");
            return;
        }
        out->indexes[i] = (uint32_t)index;
        least = index + 1;
    }
    out->index_count = count;
}

static void versions_decode(struct fields *fields, struct arena *arena, struct retry_section *out)
{
    out->attempt_versions =
        fields_uint_array(fields, KEY_ATTEMPT_VERSIONS, arena, &out->attempt_version_count);
    if (!fields->failed && out->attempt_version_count != out->attempt - 1) {
        fields_fail(fields, KEY_ATTEMPT_VERSIONS, "must have one version per attempt made");
    }
}

static void source_take(struct fields *fields, struct retry_section *out)
{
    const struct span raw = fields_container(fields, KEY_SOURCE, WIRE_MAP);
    if (!fields->failed) {
        fields_adopt(fields, source_decode(raw, &out->source, fields->error));
    }
}

static void entries_decode(struct fields *fields, struct arena *arena, struct retry_section *out)
{
    const struct span conflicts = fields_container(fields, KEY_CONFLICTS, WIRE_ARRAY);
    const struct span failures = fields_container(fields, KEY_FAILED_OPERATIONS, WIRE_ARRAY);
    if (fields->failed) {
        return;
    }
    fields_adopt(fields, conflict_entries_decode(conflicts, arena, &out->conflicts,
                                                 &out->conflict_count, fields->error) &&
                             failure_entries_decode(failures, arena, &out->failures,
                                                    &out->failure_count, fields->error));
}

/* Every operation of the original batch is in one place: synced, settled as a failure, or here. */
static void sums_check(struct fields *fields, const struct retry_section *section)
{
    const uint32_t total = section->total;
    const uint64_t sum =
        (uint64_t)section->synced_count + section->failure_count + section->index_count;
    if (sum != total) {
        fields_fail(fields, KEY_TOTAL, "is not `synced_count` + failed operations + indexes");
    }
    /* Both ascend, so that the last is the highest. */
    if (section->conflict_count > 0 &&
        section->conflicts[section->conflict_count - 1].index >= total) {
        fields_fail(fields, KEY_CONFLICTS, "has an index that is not below `total`");
    }
    if (section->failure_count > 0 &&
        section->failures[section->failure_count - 1].index >= total) {
        fields_fail(fields, KEY_FAILED_OPERATIONS, "has an index that is not below `total`");
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < section->failure_count; i++) {
        const uint32_t index = section->failures[i].index;
        while (at < section->index_count && section->indexes[at] < index) {
            at++;
        }
        if (at < section->index_count && section->indexes[at] == index) {
            fields_fail(fields, KEY_FAILED_OPERATIONS, "has an index that `indexes` has too");
            return;
        }
    }
}

bool retry_section_decode(struct span raw, struct arena *arena, struct retry_section *out,
                          struct error *error)
{
    struct fields fields = {.where = "`retry`",
                            .names = key_names,
                            .count = KEY_COUNT,
                            .required = true,
                            .code = ERROR_INVALID_RETRY,
                            .error = error};
    struct retry_section section = {.attempt = 0};
    if (!fields_open(&fields, raw)) {
        return false;
    }
    scalars_decode(&fields, &section);
    source_take(&fields, &section);
    indexes_decode(&fields, arena, &section);
    versions_decode(&fields, arena, &section);
    entries_decode(&fields, arena, &section);
    if (!fields.failed) {
        sums_check(&fields, &section);
    }
    if (fields.failed) {
        return false;
    }
    *out = section;
    return true;
}
