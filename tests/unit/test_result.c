#include "protocol/result.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/batches.h"
#include "tests/support/messages.h"
#include "tests/support/results.h"

static struct error error;

static void refuse(const char *json, const char *words)
{
    struct sync_result result = {.attempts = 77};
    cr_assert_not(sync_result_decode(message_of(json), test_arena(), &result, &error), "%s", json);
    cr_assert_eq(error.code, ERROR_INVALID_VALUE);
    cr_assert_not_null(strstr(error.message, words), "\"%s\" lacks \"%s\"", error.message, words);
    cr_assert_eq(result.attempts, 77, "outputs are written on success only");
}

Test(result, success_means_nothing_failed_pending_or_refused)
{
    struct sync_result result = result_plain();
    result.conflict_count = 1;
    cr_assert(sync_result_is_success(&result));
    result.failed_count = 1;
    cr_assert_not(sync_result_is_success(&result));
    result = result_plain();
    result.pending_count = 1;
    cr_assert_not(sync_result_is_success(&result));
    result = result_plain();
    result.error_code = ERROR_TOO_LARGE;
    cr_assert_not(sync_result_is_success(&result));
}

Test(result, bytes_of_a_small_result_are_these)
{
    /* Written down by hand from the protocol's table. */
    const struct span expected =
        bytes_of_hex("de 0012"                                  /* a map of 18 */
                     "a1 76 01"                                 /* v: 1 */
                     "aa 73657373696f6e5f6964 a1 73"            /* session_id: "s" */
                     "a8 62617463685f6964 a1 62"                /* batch_id: "b" */
                     "a7 73756363657373 c3"                     /* success: true */
                     "a5 66696e616c c3"                         /* final: true */
                     "a8 617474656d707473 01"                   /* attempts: 1 */
                     "a8 7374726174656779"                      /* strategy: */
                     "af 6c6173745f77726974655f77696e73"        /* "last_write_wins" */
                     "ac 73796e6365645f636f756e74 02"           /* synced_count: 2 */
                     "ae 636f6e666c6963745f636f756e74 00"       /* conflict_count: 0 */
                     "ac 6661696c65645f636f756e74 00"           /* failed_count: 0 */
                     "ad 70656e64696e675f636f756e74 00"         /* pending_count: 0 */
                     "ad 636c616d7065645f636f756e74 00"         /* clamped_count: 0 */
                     "a9 636f6e666c69637473 90"                 /* conflicts: [] */
                     "b1 6661696c65645f6f7065726174696f6e73 90" /* failed_operations: [] */
                     "ad 7363656e655f76657273696f6e 05"         /* scene_version: 5 */
                     "ab 6475726174696f6e5f6d73 03"             /* duration_ms: 3 */
                     "a9 74696d657374616d70 cd03e8"             /* timestamp: 1000 */
                     "a6 736f75726365 83"                       /* source: */
                     "a5 746f706963 a1 74"                      /* topic: "t" */
                     "a9 706172746974696f6e 01"                 /* partition: 1 */
                     "a6 6f6666736574 cd012c");                 /* offset: 300 */
    const struct sync_result result = result_plain();
    cr_assert(span_equal(result_encoded(&result, BODIES_AS_THEY_ARE, 0), expected));
}

#define MIXED_HEAD                                                                                 \
    "{'v':1,'session_id':'s','batch_id':'b','client_id':'c','success':false,'final':false,"        \
    "'attempts':1,'strategy':'last_write_wins','synced_count':1,'conflict_count':3,"               \
    "'failed_count':2,'pending_count':1,'clamped_count':0,"
#define MIXED_TAIL                                                                                 \
    "'scene_version':5,'next_attempt_at':1100,'duration_ms':3,'timestamp':1000,"                   \
    "'source':{'topic':'t','partition':1,'offset':300}}"

static const char mixed_on_the_wire[] = MIXED_HEAD
    "'conflicts':["
    "{'index':0,'reason':'ElementAlreadyExists','resolution':'keep_remote','resolved':true,"
    "'local':{'version':4,'timestamp':900,'removed':false},'operation':{'op':'add'}},"
    "{'index':1,'reason':{'StaleTimestamp':{'local':900,'remote':800}},"
    "'resolution':'keep_local','resolved':true,"
    "'local':{'version':4,'timestamp':900,'removed':false}},"
    "{'index':3,'reason':'ElementNotFound','resolution':'keep_local','resolved':false,"
    "'local':{'version':0,'timestamp':7,'removed':true}}],"
    "'failed_operations':["
    "{'index':1,'code':'stale_timestamp','error':'stale timestamp (local=900, remote=800)',"
    "'retryable':false,'operation':{'op':'update'}},"
    "{'index':2,'code':'invalid_operation','error':'`op` is missing','retryable':false,"
    "'operation':null},"
    "{'index':3,'code':'element_not_found','error':'element not found','retryable':true,"
    "'operation':{'op':'remove','id':'e'}}]," MIXED_TAIL;

Test(result, entries_stand_on_the_wire_as_documented)
{
    const struct sync_result result = result_mixed();
    cr_assert(
        span_equal(result_encoded(&result, BODIES_AS_THEY_ARE, 0), message_of(mixed_on_the_wire)));
}

Test(result, later_attempts_list_their_versions)
{
    uint64_t versions[] = {5, 5, 9};
    struct sync_result result = result_plain();
    result.attempts = 3;
    result.scene_version = 9;
    result.attempt_versions = versions;
    result.attempt_version_count = 3;
    const struct sync_result back = result_decoded(result_encoded(&result, BODIES_AS_THEY_ARE, 0));
    cr_assert_eq(back.attempt_version_count, 3);
    cr_assert_arr_eq(back.attempt_versions, versions, sizeof versions);
    const struct span raw = wire_map_find(buffer_span(test_scratch()), "attempt_versions");
    cr_assert(span_equal(raw, message_of("[5,5,9]")));
}

Test(result, a_batch_refused_whole_says_why)
{
    struct sync_result result = result_plain();
    result.synced_count = 0;
    result.error_code = ERROR_TOO_MANY_OPERATIONS;
    result.error_message = span_of_text("too many");
    const struct span raw = result_encoded(&result, BODIES_AS_THEY_ARE, 0);
    cr_assert(span_equal(wire_map_find(raw, "error_code"), message_of("'too_many_operations'")));
    cr_assert(span_equal(wire_map_find(raw, "error"), message_of("'too many'")));
    cr_assert(span_equal(wire_map_find(raw, "success"), message_of("false")));
    const struct sync_result back = result_decoded(raw);
    cr_assert_eq(back.error_code, ERROR_TOO_MANY_OPERATIONS);
    cr_assert(span_equal_text(back.error_message, "too many"));
}

Test(result, a_record_marks_bodies_and_keeps_the_rest)
{
    const struct sync_result result = result_mixed();
    const struct sync_result back = result_decoded(result_encoded(&result, BODIES_MARKED, 0));
    cr_assert_eq(back.conflicts[0].body.kind, BODY_MARKED);
    cr_assert_eq(back.conflicts[1].body.kind, BODY_ABSENT);
    cr_assert_eq(back.failures[0].body.kind, BODY_MARKED);
    cr_assert_eq(back.failures[1].body.kind, BODY_NIL);
    cr_assert_eq(back.failures[2].body.kind, BODY_MARKED);
    /* With the bodies put back it is the result that was published. */
    back.conflicts[0].body = result.conflicts[0].body;
    back.failures[0].body = result.failures[0].body;
    back.failures[2].body = result.failures[2].body;
    cr_assert(
        span_equal(result_encoded(&back, BODIES_AS_THEY_ARE, 0), message_of(mixed_on_the_wire)));
}

Test(result, a_failed_buffer_stays_failed)
{
    struct buffer small;
    buffer_init(&small, 100);
    const struct sync_result result = result_plain();
    sync_result_encode(&result, BODIES_AS_THEY_ARE, 0, &small);
    cr_assert(small.failed);
    buffer_clear(&small);
    sync_result_encode(&result, BODIES_AS_THEY_ARE, 50, &small);
    cr_assert(small.failed);
    buffer_deinit(&small);
}

Test(result_decode, reads_what_is_written)
{
    const struct sync_result result = result_mixed();
    const struct sync_result back = result_decoded(result_encoded(&result, BODIES_AS_THEY_ARE, 0));
    cr_assert(span_equal_text(back.session_id, "s") && span_equal_text(back.batch_id, "b") &&
              span_equal_text(back.client_id, "c"));
    cr_assert_not(back.final);
    cr_assert_eq(back.next_attempt_at_ms, 1100);
    cr_assert_eq(back.source.offset, 300);
    cr_assert_eq(back.conflict_entry_count, 3);
    cr_assert_eq(back.conflicts[1].reason, CONFLICT_STALE_TIMESTAMP);
    cr_assert_eq(back.conflicts[1].stale_local_ms, 900);
    cr_assert_eq(back.conflicts[1].stale_remote_ms, 800);
    cr_assert(back.conflicts[2].local.removed);
    cr_assert_not(back.conflicts[2].resolved);
    cr_assert_eq(back.failure_entry_count, 3);
    cr_assert_eq(back.failures[2].code, ERROR_ELEMENT_NOT_FOUND);
    /* Not on the wire: retryable and not final means requeued. */
    cr_assert_not(back.failures[0].pending);
    cr_assert(back.failures[2].pending);
    /* The first attempt's version is the scene's. */
    cr_assert_eq(back.attempt_version_count, 1);
    cr_assert_eq(back.attempt_versions[0], 5);
}

Test(result_decode, nothing_is_pending_in_a_final_result)
{
    const struct sync_result back =
        result_decoded(message_of("{'final':true,'failed_operations':["
                                  "{'index':3,'code':'element_not_found','retryable':true}]}"));
    cr_assert(back.failures[0].retryable);
    cr_assert_not(back.failures[0].pending);
    cr_assert(span_is_absent(back.failures[0].message));
    cr_assert_eq(back.failures[0].body.kind, BODY_ABSENT);
}

Test(result, a_merged_operation_names_its_properties)
{
    struct conflict_entry conflict = {.index = 3,
                                      .reason = CONFLICT_ELEMENT_ALREADY_EXISTS,
                                      .resolution = RESOLUTION_MERGE,
                                      .resolved = true,
                                      .local = {.version = 4, .timestamp_ms = 900},
                                      .applied = message_of("['/a/b','/c~1d']"),
                                      .kept = message_of("[]"),
                                      .body = {.kind = BODY_NIL}};
    buffer_clear(test_scratch());
    conflict_entries_encode(&conflict, 1, BODIES_AS_THEY_ARE, test_scratch());
    const struct span raw = bytes_keep(buffer_span(test_scratch()));
    cr_assert(span_equal(
        raw, message_of("[{'index':3,'reason':'ElementAlreadyExists','resolution':'merge',"
                        "'resolved':true,'local':{'version':4,'timestamp':900,'removed':false},"
                        "'applied':['/a/b','/c~1d'],'kept':[],'operation':null}]")));
    struct conflict_entry *entries;
    uint32_t count;
    cr_assert(conflict_entries_decode(raw, test_arena(), &entries, &count, &error), "%s",
              error.message);
    cr_assert_eq(count, 1);
    cr_assert(span_equal(entries[0].applied, conflict.applied));
    cr_assert(span_equal(entries[0].kept, conflict.kept));
}

Test(result_decode, keys_that_are_not_there_give_nothing)
{
    const struct sync_result back =
        result_decoded(message_of("{'unknown':[1,{'x':2}],'strategy':null}"));
    cr_assert(span_is_absent(back.session_id) && span_is_absent(back.client_id));
    cr_assert_eq(back.attempts, 0);
    cr_assert_eq(back.conflict_entry_count, 0);
    cr_assert_eq(back.failure_entry_count, 0);
    cr_assert_eq(back.attempt_version_count, 0);
    cr_assert_eq(back.error_code, ERROR_NONE);
    cr_assert_not(back.truncated);
}

#define CONFLICT(reason, resolution, local)                                                        \
    "{'conflicts':[{'index':0,'reason':" reason ",'resolution':" resolution                        \
    ",'resolved':true,'local':" local "}]}"
#define LOCAL "{'version':1,'timestamp':2,'removed':false}"

Test(result_decode, names_what_is_wrong)
{
    result_decoded(message_of(CONFLICT("'ElementNotFound'", "'merge'", LOCAL)));
    result_decoded(
        message_of(CONFLICT("'ElementNotFound'", "'merge'", LOCAL ",'applied':['/a'],'kept':[]")));
    const char *const refused[][2] = {
        {"[]", "must be a map"},
        {"{'v':2}", "`v`"},
        {"{'attempts':-1}", "`attempts`"},
        {"{'attempts':4294967296}", "`attempts` is 4294967296"},
        {"{'final':1}", "`final` must be a bool"},
        {"{'session_id':[]}", "`session_id` must be a str"},
        {"{'strategy':'best'}", "`strategy`"},
        {"{'error_code':'oops'}", "`error_code`"},
        {"{'error_code':'none'}", "`error_code`"},
        {"{'attempt_versions':7}", "`attempt_versions`"},
        {"{'attempt_versions':[1,-1]}", "`attempt_versions`"},
        {"{'source':[]}", "`source`"},
        {"{'source':{'topic':'t','partition':1}}", "`offset` is missing"},
        {"{'source':{'topic':'t','partition':-1,'offset':1}}", "`partition`"},
        {"{'source':{'topic':'t','partition':2147483648,'offset':1}}", "`partition`"},
        {"{'source':{'topic':'','partition':1,'offset':1}}", "`topic`"},
        {"{'conflicts':{}}", "`conflicts` must be an array"},
        {"{'conflicts':[{}]}", "`conflicts` announces 1 entries"},
        {"{'failed_operations':7}", "`failed_operations` must be an array"},
        {"{'failed_operations':[{},{}]}", "`failed_operations` announces 2 entries"},
        {CONFLICT("'NoSuchReason'", "'merge'", LOCAL), "`reason`"},
        {CONFLICT("'StaleTimestamp'", "'merge'", LOCAL), "`reason`"},
        {CONFLICT("{'ElementNotFound':{}}", "'merge'", LOCAL), "`reason`"},
        {CONFLICT("{'StaleTimestamp':{'local':1}}", "'merge'", LOCAL), "`remote` is missing"},
        {CONFLICT("{'StaleTimestamp':[1,2]}", "'merge'", LOCAL), "must be a map"},
        {CONFLICT("7", "'merge'", LOCAL), "`reason`"},
        {CONFLICT("'ElementNotFound'", "'merge'", LOCAL ",'applied':['/a']"), "`kept` is missing"},
        {CONFLICT("'ElementNotFound'", "'merge'", LOCAL ",'kept':['/a']"), "`applied` is missing"},
        {CONFLICT("'ElementNotFound'", "'merge'", LOCAL ",'applied':['/a'],'kept':'/b'"),
         "`kept` must be an array"},
        {CONFLICT("'ElementNotFound'", "'merge'", LOCAL ",'applied':['/a',1],'kept':[]"),
         "`applied` must hold strs"},
        {CONFLICT("'ElementNotFound'", "'keep'", LOCAL), "`resolution`"},
        {CONFLICT("'ElementNotFound'", "'merge'", "{'version':1,'timestamp':2,'x':33}"),
         "`removed` is missing"},
        {CONFLICT("'ElementNotFound'", "'merge'", "'xxxxxxxxxxxxxxxxxxxxxxxxxxxx'"),
         "must be a map"},
        {"{'failed_operations':[{'index':0,'code':'nothing_wrong','retryable':true}]}", "`code`"},
        {"{'failed_operations':[{'index':0,'code':'too_many_elements','x':0}]}",
         "`retryable` is missing"},
        {"{'failed_operations':[{'index':0,'code':'store_error','retryable':true,'error':7}]}",
         "`error`"},
        {"{'failed_operations':[{'index':1,'code':'store_error','retryable':true},"
         "{'index':1,'code':'store_error','retryable':true}]}",
         "ascend"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        refuse(refused[i][0], refused[i][1]);
    }
}

Test(result_decode, an_announced_count_takes_no_memory)
{
    /* 64 Ki entries of one byte each: what they would take in memory is 80 times as much. */
    struct buffer message;
    buffer_init(&message, 1 << 20);
    buffer_append_span(&message, bytes_of_hex("81 a9 636f6e666c69637473 dd 00010000"));
    for (int i = 0; i < 65536; i++) {
        buffer_append(&message, "\xc0", 1);
    }
    struct sync_result result;
    cr_assert_not(sync_result_decode(buffer_span(&message), test_arena(), &result, &error));
    cr_assert_eq(test_arena()->used_bytes, 0);
    buffer_deinit(&message);
}

static void assert_same_entries(const struct sync_result *a, const struct sync_result *b)
{
    cr_assert_eq(a->conflict_entry_count, b->conflict_entry_count);
    cr_assert_eq(a->failure_entry_count, b->failure_entry_count);
    for (uint32_t i = 0; i < a->conflict_entry_count; i++) {
        const struct conflict_entry *const x = &a->conflicts[i];
        const struct conflict_entry *const y = &b->conflicts[i];
        cr_assert(
            x->index == y->index && x->reason == y->reason && x->resolution == y->resolution &&
            x->resolved == y->resolved && x->stale_local_ms == y->stale_local_ms &&
            x->stale_remote_ms == y->stale_remote_ms && x->local.version == y->local.version &&
            x->body.kind == y->body.kind && span_equal(x->body.raw, y->body.raw));
    }
    for (uint32_t i = 0; i < a->failure_entry_count; i++) {
        const struct failure_entry *const x = &a->failures[i];
        const struct failure_entry *const y = &b->failures[i];
        cr_assert(x->index == y->index && x->code == y->code && x->retryable == y->retryable &&
                  x->pending == y->pending &&
                  span_is_absent(x->message) == span_is_absent(y->message) &&
                  span_equal(x->message, y->message) && x->body.kind == y->body.kind &&
                  span_equal(x->body.raw, y->body.raw));
    }
}

Test(result_decode, random_results_come_back_as_they_were)
{
    uint64_t state = 0x9e3779b97f4a7c15;
    for (int round = 0; round < 300; round++) {
        struct sync_result result = result_random(30, &state);
        const struct span first = result_encoded(&result, BODIES_AS_THEY_ARE, 0);
        const struct sync_result back = result_decoded(first);
        assert_same_entries(&result, &back);
        cr_assert(span_equal(result_encoded(&back, BODIES_AS_THEY_ARE, 0), first));
        result_random_free(&result);
        arena_reset(test_arena());
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 24;
}

Test(result_decode, damaged_results_are_refused_or_read_but_never_crash)
{
    uint64_t state = 42;
    const struct span whole = message_of(mixed_on_the_wire);
    uint8_t *const damaged = malloc(whole.size);
    for (int round = 0; round < 20000; round++) {
        memcpy(damaged, whole.data, whole.size);
        for (uint64_t i = 1 + next_random(&state) % 4; i > 0; i--) {
            const uint64_t random = next_random(&state);
            damaged[(random >> 8) % whole.size] = (uint8_t)random;
        }
        struct wire_structure structure;
        struct sync_result result;
        if (wire_check_structure(span_make(damaged, whole.size), &structure, &error) &&
            !sync_result_decode(span_make(damaged, whole.size), test_arena(), &result, &error)) {
            cr_assert_eq(error.code, ERROR_INVALID_VALUE);
        }
        arena_reset(test_arena());
    }
    free(damaged);
}

Test(result, appends_behind_what_stands_in_the_buffer)
{
    const struct sync_result result = result_mixed();
    buffer_append(test_scratch(), "abc", 3);
    sync_result_encode(&result, BODIES_AS_THEY_ARE, 500, test_scratch());
    cr_assert_not(test_scratch()->failed);
    cr_assert_leq(test_scratch()->size, 503);
    cr_assert(memcmp(test_scratch()->data, "abc", 3) == 0);
    cr_assert(
        result_decoded(span_make(test_scratch()->data + 3, test_scratch()->size - 3)).truncated);
}
