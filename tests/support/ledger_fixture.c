#include "tests/support/ledger_fixture.h"

#include <criterion/criterion.h>

#include "tests/support/messages.h"

#define T "1749999"

struct history told;

void ledger_fixture_begin(void)
{
    history_init(&told);
    history_batch(&told, 0,
                  "{'session_id':'s1','batch_id':'b1','client_id':'ann','operations':["
                  "{'op':'add','timestamp':" T "100000,'element':{'id':'a','kind':{'type':'T'},"
                  "'transform':{'x':1.5,'z_index':7.0},'tags':[1,2]}},"
                  "{'op':'add','timestamp':" T
                  "100000,'element':{'id':'gone','kind':{'type':'T'}}}]}");
    history_batch(&told, 0,
                  "{'session_id':'s1','batch_id':'b2','client_id':'ann','operations':["
                  "{'op':'remove','timestamp':" T "200000,'id':'gone'}]}");
    struct history_record *const third = history_send(
        &told, 0,
        message_of("{'session_id':'s1','batch_id':'b3','client_id':'ben','operations':["
                   "{'op':'update','timestamp':" T "000000,'id':'a','changes':{'n':1}},"
                   "{'op':'update','timestamp':" T "300000,'id':'ghost','changes':{'n':1}},"
                   "{'op':'remove','timestamp':" T "300000,'id':'phantom'},"
                   "{'op':'add','timestamp':" T "300000,'element':{'id':'a','kind':{'type':'U'}}},"
                   "{'op':'interaction','timestamp':99999999999999}]}"));
    third->headers[third->record.header_count++] =
        (struct ledger_header){.name = "trace", .value = span_of_text("1")};
    history_apply(&told, third);
    history_batch(&told, 0, "'no batch at all'");
    history_batch(&told, 1,
                  "{'session_id':'s1','batch_id':'b4','operations':["
                  "{'op':'update','timestamp':" T "400000,'id':'a','changes':{'note':'late'}}]}");
    history_batch(&told, 0,
                  "{'session_id':'s1','batch_id':'b1','client_id':'ann','operations':[]}");
    history_batch(&told, 0,
                  "{'session_id':'s1','batch_id':'b2','client_id':'ann','operations':["
                  "{'op':'remove','timestamp':" T "200000,'id':'gone'}]}");
    history_batch(&told, 1,
                  "{'session_id':'s2','batch_id':'b5','operations':["
                  "{'op':'update','timestamp':" T "200000,'id':'k','changes':{'n':2}}]}");
    history_batch(&told, 1,
                  "{'session_id':'s2','operations':["
                  "{'op':'add','timestamp':" T
                  "100000,'element':{'id':'k','kind':{'type':'T'}}}]}");
    history_retry(&told, "b5");
    for (unsigned i = 0; i < 3; i++) {
        history_retry(&told, "b3");
    }
    history_publish_again(&told, "b3");
    history_store(&told);
}

void ledger_fixture_end(void)
{
    history_free(&told);
}

static void expect_finding(const char *kind, const char *words)
{
    cr_assert_not(history_check(&told), "nothing was found");
    const char *const line = strstr(told.findings, words);
    cr_assert_not_null(line, "'%s' is not in:\n%s", words, told.findings);
    const char *start = line;
    while (start > told.findings && start[-1] != '\n') {
        start--;
    }
    cr_assert_eq(strncmp(start, kind, strlen(kind)), 0, "it is not %s:\n%s", kind, told.findings);
}

void expect_lost(const char *words)
{
    expect_finding("lost: ", words);
    cr_assert_gt(told.counts.lost, 0);
}

void expect_doubled(const char *words)
{
    expect_finding("doubled: ", words);
    cr_assert_gt(told.counts.doubled, 0);
}

void expect_differing(const char *words)
{
    expect_finding("differing: ", words);
    cr_assert_gt(told.counts.differing, 0);
}

void replace(struct span *bytes, const char *from, const char *to)
{
    *bytes = bytes_with(*bytes, message_of(from), message_of(to));
}

void replace_text(struct span *bytes, const char *from, const char *to)
{
    *bytes = bytes_with(*bytes, span_of_text(from), span_of_text(to));
}

struct history_record *result_of(const char *batch_id, uint64_t attempts)
{
    for (size_t i = 0; i < told.record_count; i++) {
        struct pool pool = {0};
        struct history_record *const record = &told.records[i];
        if (record->record.topic != LEDGER_RESULTS) {
            continue;
        }
        const struct value *const map = value_read(record->record.value, &pool);
        uint64_t number = 0;
        const bool is_it = value_is_text(value_find(map, "batch_id"), batch_id) &&
                           value_as_uint(value_find(map, "attempts"), &number) &&
                           number == attempts;
        pool_free(&pool);
        if (is_it) {
            return record;
        }
    }
    cr_assert_fail("there is no such result");
    return NULL;
}

struct history_record *publish_copy(const struct history_record *original)
{
    enum { BEHIND_ALL = 1000 };
    cr_assert_lt(told.record_count, (size_t)HISTORY_RECORDS_MAX);
    struct history_record *const copy = &told.records[told.record_count++];
    *copy = *original;
    copy->record.headers = copy->headers;
    copy->record.offset += BEHIND_ALL;
    return copy;
}

struct history_field *element_of(const char *session_id, const char *id)
{
    return history_field_of(&told, session_id, LEDGER_ELEMENTS, id);
}
