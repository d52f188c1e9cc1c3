#include "protocol/batch_identity.h"

#include <criterion/criterion.h>

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

TestSuite(batch_identity, .init = setup, .fini = teardown);

Test(batch_identity, one_uuid_in_three_writings_is_one_batch)
{
    const char *const writings[] = {"0123abcd-4567-89ab-cdef-0123456789ab",
                                    "0123ABCD-4567-89AB-CDEF-0123456789AB",
                                    "bin:0123abcd456789abcdef0123456789ab"};
    for (size_t i = 0; i < 3; i++) {
        const struct batch batch = batch_accept(
            &check,
            message_of_format("{'session_id':'s','batch_id':'%s','operations':[]}", writings[i]));
        check_text(batch.batch_id, "0123abcd-4567-89ab-cdef-0123456789ab");
    }
}

Test(batch_identity, keeps_other_batch_ids_as_they_are)
{
    const char *const ids[] = {"A", "0123ABCD:4567-89AB-CDEF-0123456789AB",
                               "0123ABCD-4567-89AB-CDEF-0123456789AG", "t/0/5@1700:dlq"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        check_text(
            batch_accept(&check, message_of_format(
                                     "{'session_id':'s','batch_id':'%s','operations':[]}", ids[i]))
                .batch_id,
            ids[i]);
    }
}

Test(batch_identity, ids_have_their_longest_lengths)
{
    char id[400];
    memset(id, 'x', sizeof id);
    const struct {
        const char *key;
        int bytes_max;
    } ids[] = {{"session_id", 64}, {"batch_id", 320}, {"client_id", 64}};
    for (size_t i = 0; i < 3; i++) {
        const char *const session = i == 0 ? "" : "'session_id':'s',";
        batch_accept(&check, message_of_format("{%s'%s':'%.*s','operations':[]}", session,
                                               ids[i].key, ids[i].bytes_max, id));
        batch_refuse(&check,
                     message_of_format("{%s'%s':'%.*s','operations':[]}", session, ids[i].key,
                                       ids[i].bytes_max + 1, id),
                     ERROR_INVALID_VALUE);
    }
}

static void assert_identity(const struct batch *batch, const char *session_id, const char *batch_id,
                            const char *client_id)
{
    const struct {
        struct span found;
        const char *expected;
    } pairs[] = {{batch->session_id, session_id},
                 {batch->batch_id, batch_id},
                 {batch->client_id, client_id}};
    for (size_t i = 0; i < 3; i++) {
        if (pairs[i].expected == NULL) {
            cr_assert(span_is_absent(pairs[i].found));
        } else {
            check_text(pairs[i].found, pairs[i].expected);
        }
    }
}

#define IDENTITY "'session_id':'s','batch_id':'b','client_id':'c'"

Test(batch_identity, a_refused_batch_still_tells_who_it_was)
{
    const char *const refused[] = {
        "{" IDENTITY "}",
        "{'v':9," IDENTITY ",'operations':[]}",
        "{" IDENTITY ",'operations':7}",
        "{'operations':['hex:c1']," IDENTITY "}",
        "{" IDENTITY ",'operations':['hex:dc0100']}",
        "{" IDENTITY ",'operations':[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
        "{'a':1,'b':{'c':['hex:c403010203',1.5,-7]}," IDENTITY "}",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct batch batch;
        cr_assert_not(batch_decode(message_of(refused[i]), &check.context, &check.arena, &batch,
                                   &check.error));
        if (i == 3) {
            /* What stands behind the fault cannot be read. */
            assert_identity(&batch, NULL, NULL, NULL);
        } else {
            assert_identity(&batch, "s", "b", "c");
        }
    }
}

Test(batch_identity, a_batch_that_is_too_large_or_followed_by_rubbish_tells_too)
{
    const struct span good = message_of("{'operations':[[],{}]," IDENTITY "}");
    check.limits.message_bytes_max = 10;
    struct batch batch = batch_refuse(&check, good, ERROR_TOO_LARGE);
    assert_identity(&batch, "s", "b", "c");
    check.limits = limits_default();
    struct buffer twice;
    buffer_init(&twice, 1024);
    buffer_append_span(&twice, good);
    buffer_append_span(&twice, good);
    batch = batch_refuse(&check, buffer_span(&twice), ERROR_NOT_MESSAGEPACK);
    assert_identity(&batch, "s", "b", "c");
    buffer_deinit(&twice);
}

Test(batch_identity, only_a_valid_identity_is_told)
{
    struct batch batch =
        batch_refuse_json(&check, "{'session_id':'a b','batch_id':'b'}", ERROR_INVALID_VALUE);
    assert_identity(&batch, NULL, "b", NULL);
    batch = batch_refuse_json(&check, "{'session_id':'s','batch_id':[],'client_id':''}",
                              ERROR_WRONG_TYPE);
    assert_identity(&batch, "s", NULL, NULL);
    batch = batch_refuse_json(&check, "{'session_id':null,'batch_id':null,'client_id':null}",
                              ERROR_MISSING_FIELD);
    assert_identity(&batch, NULL, NULL, NULL);
    /* Two different session ids: neither is to be trusted. The same one twice may be. */
    batch =
        batch_refuse_json(&check, "'hex:82 aa73657373696f6e5f6964a161 aa73657373696f6e5f6964a162'",
                          ERROR_DUPLICATE_KEY);
    assert_identity(&batch, NULL, NULL, NULL);
    batch =
        batch_refuse_json(&check, "'hex:82 aa73657373696f6e5f6964a161 aa73657373696f6e5f6964a161'",
                          ERROR_DUPLICATE_KEY);
    assert_identity(&batch, "a", NULL, NULL);
    batch = batch_refuse_json(&check, "['s','b','c']", ERROR_NOT_A_MAP);
    assert_identity(&batch, NULL, NULL, NULL);
}
