#include "worker/log_limit.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(log_limit, allows_a_reason_once_per_interval)
{
    struct log_limit limit = {0};
    cr_assert(log_limit_allows(&limit, 1000, "down", "a"));
    cr_assert_not(log_limit_allows(&limit, 1000, "down", "a"));
    cr_assert_not(log_limit_allows(&limit, 1000 + LOG_LIMIT_INTERVAL_MS - 1, "down", "a"));
    cr_assert(log_limit_allows(&limit, 1000 + LOG_LIMIT_INTERVAL_MS, "down", "a"));
}

Test(log_limit, tells_reasons_and_subjects_apart)
{
    struct log_limit limit = {0};
    cr_assert(log_limit_allows(&limit, 0, "down", "a"));
    cr_assert(log_limit_allows(&limit, 0, "down", "b"));
    cr_assert(log_limit_allows(&limit, 0, "downa", ""));
    cr_assert_not(log_limit_allows(&limit, 0, "down", "a"));
}

Test(log_limit, forgets_the_oldest_of_too_many_reasons)
{
    struct log_limit limit = {0};
    char subject[16];
    for (int i = 0; i <= LOG_LIMIT_REASONS; i++) {
        (void)snprintf(subject, sizeof subject, "%d", i);
        cr_assert(log_limit_allows(&limit, (uint64_t)i, "down", subject));
    }
    cr_assert_not(log_limit_allows(&limit, 100, "down", "1"));
    cr_assert(log_limit_allows(&limit, 100, "down", "0"));
}
