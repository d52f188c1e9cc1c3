#include "protocol/retry.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/messages.h"

static struct arena arena;
static struct error error;

static void setup(void)
{
    arena_init(&arena, (size_t)16 << 20);
}

static void teardown(void)
{
    arena_deinit(&arena);
}

TestSuite(retry, .init = setup, .fini = teardown);

/* A second retry of a batch of six: operations 1 and 4 are left, 2 has failed for good, 0, 3 and 5
 * went well, 3 on the first retry. */
#define HEAD "'attempt':3,'not_before':2000,'arrival':1000,"
#define SOURCE "'source':{'topic':'scene.ops','partition':1,'offset':9},"
#define PLACES "'total':6,'indexes':[1,4],"
#define COUNTS "'synced_count':3,'clamped_count':1,'duration_ms':12,"
#define VERSIONS "'attempt_versions':[7,8],"
#define CONFLICTS                                                                                  \
    "'conflicts':[{'index':3,'reason':'ElementNotFound','resolution':'keep_remote',"               \
    "'resolved':true,'local':{'version':0,'timestamp':0,'removed':false}}],"
#define FAILURES                                                                                   \
    "'failed_operations':[{'index':2,'code':'stale_timestamp','error':'stale timestamp',"          \
    "'retryable':false,'operation':{'op':'remove'}}]"
#define SECTION "{" HEAD SOURCE PLACES COUNTS VERSIONS CONFLICTS FAILURES "}"

static struct retry_section accept(const char *json)
{
    struct retry_section section;
    cr_assert(retry_section_decode(message_of(json), &arena, &section, &error), "%s",
              error.message);
    return section;
}

Test(retry, reads_every_key)
{
    const struct retry_section section = accept(SECTION);
    cr_assert_eq(section.attempt, 3);
    cr_assert_eq(section.not_before_ms, 2000);
    cr_assert_eq(section.arrival_ms, 1000);
    cr_assert(span_equal_text(section.source.topic, "scene.ops"));
    cr_assert_eq(section.source.partition, 1);
    cr_assert_eq(section.source.offset, 9);
    cr_assert_eq(section.total, 6);
    cr_assert_eq(section.index_count, 2);
    cr_assert_eq(section.indexes[0], 1);
    cr_assert_eq(section.indexes[1], 4);
    cr_assert_eq(section.synced_count, 3);
    cr_assert_eq(section.clamped_count, 1);
    cr_assert_eq(section.duration_ms, 12);
    cr_assert_eq(section.attempt_version_count, 2);
    cr_assert_eq(section.attempt_versions[1], 8);
    cr_assert_eq(section.conflict_count, 1);
    cr_assert_eq(section.conflicts[0].index, 3);
    cr_assert_eq(section.failure_count, 1);
    cr_assert_eq(section.failures[0].code, ERROR_STALE_TIMESTAMP);
    cr_assert_eq(section.failures[0].body.kind, BODY_PRESENT);
}

Test(retry, comes_back_byte_for_byte)
{
    const struct retry_section section = accept(SECTION);
    struct buffer out;
    buffer_init(&out, 4096);
    retry_section_encode(&section, &out);
    cr_assert(span_equal(buffer_span(&out), message_of(SECTION)));
    buffer_deinit(&out);
}

Test(retry, refuses_a_section_that_lacks_any_key)
{
    static const char *const keys[] = {"attempt",          "not_before",    "arrival",
                                       "source",           "total",         "indexes",
                                       "synced_count",     "clamped_count", "duration_ms",
                                       "attempt_versions", "conflicts",     "failed_operations"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        /* The key gets another name. */
        char json[] = SECTION;
        char *const at = strstr(json, keys[i]);
        *at = 'X';
        struct retry_section section = {.attempt = 77};
        cr_assert_not(retry_section_decode(message_of(json), &arena, &section, &error), "%s",
                      keys[i]);
        cr_assert_eq(error.code, ERROR_INVALID_RETRY);
        cr_assert_not_null(strstr(error.message, keys[i]), "\"%s\" lacks `%s`", error.message,
                           keys[i]);
        cr_assert_eq(section.attempt, 77);
    }
}

#define FAILURE(index) "{'index':" index ",'code':'stale_timestamp','retryable':false}"
#define CONFLICT(index)                                                                            \
    "{'index':" index ",'reason':'ElementNotFound','resolution':'keep_remote',"                    \
    "'resolved':true,'local':{'version':0,'timestamp':0,'removed':false}}"

Test(retry, refuses_what_does_not_add_up)
{
    static const char *const refused[][2] = {
        {"[]", "must be a map"},
        {"{'attempt':1,'not_before':0,'arrival':0," SOURCE PLACES COUNTS VERSIONS CONFLICTS FAILURES
         "}",
         "`attempt` must be 2 or more"},
        {"{'attempt':1001,'not_before':0,'arrival':0," SOURCE PLACES COUNTS VERSIONS CONFLICTS
             FAILURES "}",
         "`attempt` is 1001"},
        {"{'attempt':3,'not_before':'x','arrival':0," SOURCE PLACES COUNTS VERSIONS CONFLICTS
             FAILURES "}",
         "`not_before`"},
        {"{" HEAD
         "'source':{'topic':7,'partition':1,'offset':9}," PLACES COUNTS VERSIONS CONFLICTS FAILURES
         "}",
         "`topic`"},
        {"{" HEAD "'source':7," PLACES COUNTS VERSIONS CONFLICTS FAILURES "}", "`source`"},
        {"{" HEAD SOURCE "'total':7,'indexes':[1,4]," COUNTS VERSIONS CONFLICTS FAILURES "}",
         "`total`"},
        {"{" HEAD SOURCE "'total':6,'indexes':[1,6]," COUNTS VERSIONS CONFLICTS FAILURES "}",
         "`indexes`"},
        {"{" HEAD SOURCE "'total':6,'indexes':[4,1]," COUNTS VERSIONS CONFLICTS FAILURES "}",
         "`indexes`"},
        {"{" HEAD SOURCE "'total':6,'indexes':[4,4]," COUNTS VERSIONS CONFLICTS FAILURES "}",
         "`indexes`"},
        {"{" HEAD SOURCE "'total':6,'indexes':[1,'4']," COUNTS VERSIONS CONFLICTS FAILURES "}",
         "`indexes`"},
        {"{" HEAD SOURCE "'total':4,'indexes':[]," COUNTS VERSIONS CONFLICTS FAILURES "}",
         "`indexes` is empty"},
        {"{" HEAD SOURCE PLACES
         "'synced_count':4,'clamped_count':1,'duration_ms':12," VERSIONS CONFLICTS FAILURES "}",
         "`total`"},
        {"{" HEAD SOURCE PLACES
         "'synced_count':4294967295,'clamped_count':1,'duration_ms':12," VERSIONS CONFLICTS FAILURES
         "}",
         "`total`"},
        {"{" HEAD SOURCE PLACES
         "'synced_count':3,'clamped_count':7,'duration_ms':12," VERSIONS CONFLICTS FAILURES "}",
         "`clamped_count` is 7"},
        {"{" HEAD SOURCE PLACES COUNTS "'attempt_versions':[7]," CONFLICTS FAILURES "}",
         "`attempt_versions`"},
        {"{" HEAD SOURCE PLACES COUNTS "'attempt_versions':[7,'8']," CONFLICTS FAILURES "}",
         "`attempt_versions`"},
        {"{" HEAD SOURCE PLACES COUNTS VERSIONS "'conflicts':[7]," FAILURES "}", "`conflicts`"},
        {"{" HEAD SOURCE PLACES COUNTS VERSIONS "'conflicts':[" CONFLICT("6") "]," FAILURES "}",
         "`conflicts`"},
        {"{" HEAD SOURCE PLACES COUNTS VERSIONS
         "'conflicts':[" CONFLICT("3") "," CONFLICT("2") "]," FAILURES "}",
         "ascend"},
        {"{" HEAD SOURCE PLACES COUNTS VERSIONS CONFLICTS "'failed_operations':[" FAILURE("6") "]}",
         "`failed_operations`"},
        {"{" HEAD SOURCE PLACES COUNTS VERSIONS CONFLICTS "'failed_operations':[" FAILURE("4") "]}",
         "`failed_operations`"},
        {"{" HEAD SOURCE PLACES COUNTS VERSIONS CONFLICTS
         "'failed_operations':[" FAILURE("2") "," FAILURE("2") "]}",
         "ascend"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct retry_section section;
        cr_assert_not(retry_section_decode(message_of(refused[i][0]), &arena, &section, &error),
                      "%s", refused[i][0]);
        cr_assert_eq(error.code, ERROR_INVALID_RETRY, "%s: %s", error_code_name(error.code),
                     error.message);
        cr_assert_not_null(strstr(error.message, refused[i][1]), "\"%s\" lacks \"%s\"",
                           error.message, refused[i][1]);
    }
}

Test(retry, memory_that_runs_out_keeps_its_own_code)
{
    const struct span message = message_of(SECTION);
    for (size_t bytes_max = 0; bytes_max < 256; bytes_max += 16) {
        struct arena tight;
        struct retry_section section;
        arena_init(&tight, bytes_max);
        if (!retry_section_decode(message, &tight, &section, &error)) {
            cr_assert_eq(error.code, ERROR_OUT_OF_MEMORY, "%s", error.message);
        } else {
            cr_assert_geq(bytes_max, 2 * 4 + 2 * 8 + sizeof(struct conflict_entry) +
                                         sizeof(struct failure_entry));
        }
        arena_deinit(&tight);
    }
}

Test(retry, damaged_sections_never_crash)
{
    const struct span whole = message_of(SECTION);
    uint8_t *const damaged = malloc(whole.size);
    for (size_t at = 0; at < whole.size; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(damaged, whole.data, whole.size);
            damaged[at] = (uint8_t)byte;
            struct wire_structure structure;
            struct retry_section section;
            if (wire_check_structure(span_make(damaged, whole.size), &structure, &error) &&
                !retry_section_decode(span_make(damaged, whole.size), &arena, &section, &error)) {
                cr_assert_eq(error.code, ERROR_INVALID_RETRY);
            }
            arena_reset(&arena);
        }
    }
    free(damaged);
}
