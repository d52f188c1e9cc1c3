#include "tests/support/batch_check.h"

#include <criterion/criterion.h>

#include "tests/support/messages.h"

void batch_check_init(struct batch_check *check)
{
    arena_init(&check->arena, (size_t)256 << 20);
    check->limits = limits_default();
    check->context = (struct batch_context){.limits = &check->limits,
                                            .default_strategy = STRATEGY_LAST_WRITE_WINS,
                                            .allow_batch_strategy = true};
}

void batch_check_deinit(struct batch_check *check)
{
    arena_deinit(&check->arena);
}

struct batch batch_accept(struct batch_check *check, struct span payload)
{
    struct batch batch;
    check->error.code = ERROR_NONE;
    cr_assert(batch_decode(payload, &check->context, &check->arena, &batch, &check->error),
              "%s: %s", error_code_name(check->error.code), check->error.message);
    return batch;
}

struct batch batch_accept_json(struct batch_check *check, const char *json)
{
    return batch_accept(check, message_of(json));
}

struct batch batch_refuse(struct batch_check *check, struct span payload, enum error_code code)
{
    struct batch batch;
    check->error.code = ERROR_NONE;
    cr_assert_not(batch_decode(payload, &check->context, &check->arena, &batch, &check->error));
    cr_assert_eq(check->error.code, code, "%s instead of %s: %s",
                 error_code_name(check->error.code), error_code_name(code), check->error.message);
    cr_assert(batch.operations == NULL && batch.retry == NULL && batch.operation_count == 0);
    return batch;
}

struct batch batch_refuse_json(struct batch_check *check, const char *json, enum error_code code)
{
    return batch_refuse(check, message_of(json), code);
}

void check_message_has(const struct batch_check *check, const char *words)
{
    cr_assert_not_null(strstr(check->error.message, words), "\"%s\" lacks \"%s\"",
                       check->error.message, words);
}

void check_text(struct span span, const char *expected)
{
    cr_assert(!span_is_absent(span) && span_equal_text(span, expected), "\"%.*s\" is not \"%s\"",
              SPAN_ARGS(span), expected);
}
