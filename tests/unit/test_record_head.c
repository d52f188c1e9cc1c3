#include <criterion/criterion.h>

#include "store/record_head.h"

static uint32_t attempt_of(const char *record)
{
    return record_head_attempt(span_of_text(record));
}

static bool is_unsettled(const char *record, const char *settled_offsets)
{
    return record_head_is_unsettled(span_of_text(record), span_of_text(settled_offsets));
}

Test(record_head, reads_the_attempt)
{
    cr_assert_eq(attempt_of("1 t/0 5\nrest"), 1);
    cr_assert_eq(attempt_of("12 t/0 5\n"), 12);
    cr_assert_eq(attempt_of("no number"), 0);
    cr_assert_eq(attempt_of("99999999999 t/0 5\n"), 0);
    cr_assert_eq(record_head_attempt((struct span){0}), 0);
}

Test(record_head, is_settled_below_the_committed_offset)
{
    cr_assert(!is_unsettled("1 t/0 5\nrest", "t/0=6 "));
    cr_assert(is_unsettled("1 t/0 5\nrest", "t/0=5 "));
    cr_assert(is_unsettled("1 t/0 5\nrest", "t/0=4"));
    cr_assert(!is_unsettled("1 t/0 5\nrest", "a/0=1 t/0=6"));
    cr_assert(!is_unsettled("1 t/0 0\nrest", "t/0=1 a/0=1"));
}

Test(record_head, is_unsettled_where_the_partition_is_not_named)
{
    cr_assert(is_unsettled("1 t/0 5\nrest", ""));
    cr_assert(is_unsettled("1 t/0 5\nrest", "t/00=9 t/1=9 at/0=9 t/=9"));
    cr_assert(is_unsettled("1 t/0 5\nrest", "t/0=x"));
    cr_assert(record_head_is_unsettled(span_of_text("1 t/0 5\n"), (struct span){0}));
}

Test(record_head, other_bytes_are_never_kept)
{
    static const char *const records[] = {"",          "1 t/0 5",   "t/0 5\n", "1 t/0\n",
                                          "1 t/0 x\n", "x t/0 5\n", "\n",      "1  5\n"};
    for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
        cr_assert(!is_unsettled(records[i], ""), "%s", records[i]);
    }
}
