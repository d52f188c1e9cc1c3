#include "protocol/batch.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/batch_check.h"
#include "tests/support/messages.h"

static struct batch_check check;

static void setup(void)
{
    batch_check_init(&check);
}

static void teardown(void)
{
    batch_check_deinit(&check);
}

TestSuite(golden, .init = setup, .fini = teardown);

/* Golden messages: what other languages' encoders wrote, beside what it must be read as
 * (tests/data/golden/generate.py, generate.js). */

static void golden_path(char out[512], const char *name, const char *extension)
{
    snprintf(out, 512, "%s/golden/%s.%s", TESTS_DATA_DIR, name, extension);
}

static struct span golden_message(const char *name)
{
    static uint8_t bytes[65536];
    char path[512];
    golden_path(path, name, "msgpack");
    FILE *const file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return bytes_keep(span_make(bytes, size));
}

/* That a member, where expected, is what was found; where it is not, that nothing was. */
static void assert_golden_text(const char *name, const json_t *expected, const char *key,
                               struct span found)
{
    const char *const text = json_string_value(json_object_get(expected, key));
    if (text == NULL) {
        cr_assert(span_is_absent(found), "%s: `%s` is \"%.*s\"", name, key, SPAN_ARGS(found));
    } else {
        cr_assert(!span_is_absent(found) && span_equal_text(found, text),
                  "%s: `%s` is \"%.*s\", not \"%s\"", name, key, SPAN_ARGS(found), text);
    }
}

static void assert_golden_operation(const char *name, const json_t *expected,
                                    const struct operation *found)
{
    const char *const says = json_string_value(json_object_get(expected, "says"));
    const json_t *const timestamp = json_object_get(expected, "timestamp");
    const json_t *const base_version = json_object_get(expected, "base_version");
    cr_assert_str_eq(operation_kind_name(found->kind),
                     json_string_value(json_object_get(expected, "kind")), "%s: %s", name,
                     found->invalid_reason);
    cr_assert_eq(found->well_formed, !json_is_false(json_object_get(expected, "well_formed")));
    assert_golden_text(name, expected, "id", found->id);
    cr_assert_eq(found->has_timestamp, timestamp != NULL, "%s", name);
    cr_assert(timestamp == NULL || (uint64_t)json_integer_value(timestamp) == found->timestamp_ms,
              "%s", name);
    cr_assert_eq(found->has_base_version, base_version != NULL, "%s", name);
    cr_assert(base_version == NULL ||
                  (uint64_t)json_integer_value(base_version) == found->base_version,
              "%s", name);
    cr_assert(says == NULL || strstr(found->invalid_reason, says) != NULL, "%s: \"%s\"", name,
              found->invalid_reason);
}

static void assert_golden_batch(const char *name, const json_t *expected, const struct batch *found)
{
    const json_t *const operations = json_object_get(expected, "operations");
    assert_golden_text(name, expected, "session_id", found->session_id);
    assert_golden_text(name, expected, "client_id", found->client_id);
    if (json_object_get(expected, "batch_id") != NULL) {
        assert_golden_text(name, expected, "batch_id", found->batch_id);
    } else {
        cr_assert(span_is_absent(found->batch_id), "%s", name);
    }
    assert_golden_text(name, expected, "strategy", span_of_text(strategy_name(found->strategy)));
    cr_assert_eq(found->operation_count, json_array_size(operations), "%s", name);
    for (uint32_t i = 0; i < found->operation_count; i++) {
        assert_golden_operation(name, json_array_get(operations, i), &found->operations[i]);
    }
}

static void check_golden(const char *name)
{
    char path[512];
    golden_path(path, name, "json");
    json_t *const expected = json_load_file(path, 0, NULL);
    cr_assert_not_null(expected, "%s", path);
    const char *const code = json_string_value(json_object_get(expected, "error"));
    const char *const says = json_string_value(json_object_get(expected, "says"));
    if (code == NULL) {
        const struct batch batch = batch_accept(&check, golden_message(name));
        assert_golden_batch(name, expected, &batch);
    } else {
        batch_refuse(&check, golden_message(name), error_code_of_name(span_of_text(code)));
        check_message_has(&check, says != NULL ? says : "");
    }
    json_decref(expected);
}

Test(golden, damaged_messages_never_crash)
{
    static const char *const names[] = {"python-tagged", "python-externally-tagged", "msgpackr"};
    uint64_t state = 0x2545f4914f6cdd1d;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct span whole = golden_message(names[i]);
        uint8_t *const damaged = malloc(whole.size);
        for (int round = 0; round < 10000; round++) {
            memcpy(damaged, whole.data, whole.size);
            for (int faults = 0; faults < 1 + round % 3; faults++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                damaged[(state >> 33) % whole.size] = (uint8_t)(state >> 24);
            }
            struct batch batch;
            if (!batch_decode(span_make(damaged, whole.size), &check.context, &check.arena, &batch,
                              &check.error)) {
                cr_assert_neq(check.error.code, ERROR_OUT_OF_MEMORY, "%s", check.error.message);
                cr_assert_lt(strlen(check.error.message), sizeof check.error.message);
            }
            arena_reset(&check.arena);
        }
        free(damaged);
    }
}

Test(golden, reads_what_other_encoders_write)
{
    DIR *const folder = opendir(TESTS_DATA_DIR "/golden");
    cr_assert_not_null(folder);
    size_t checked = 0;
    for (const struct dirent *file = readdir(folder); file != NULL; file = readdir(folder)) {
        const char *const dot = strrchr(file->d_name, '.');
        if (dot != NULL && strcmp(dot, ".msgpack") == 0) {
            char name[256];
            snprintf(name, sizeof name, "%.*s", (int)(dot - file->d_name), file->d_name);
            check_golden(name);
            checked++;
        }
    }
    closedir(folder);
    cr_assert_geq(checked, 18);
}
