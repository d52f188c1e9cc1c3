#include "store/redis_notices.h"

#include <criterion/criterion.h>

#include "tests/support/store_watch.h"

static struct store_watch watch;
static struct redis_notices notices;

static void setup(void)
{
    notices.observer = store_watch_observer(&watch);
}

TestSuite(redis_notices, .init = setup);

static void expect_told(size_t count)
{
    cr_expect_eq(watch.count, count, "%zu, the last one %s", watch.count,
                 watch.count > 0 ? watch.details[watch.count - 1] : "none");
}

Test(redis_notices, what_repeats_is_told_once)
{
    for (uint64_t now_ms = 0; now_ms < 60000; now_ms += 1000) {
        redis_notices_tell(&notices, now_ms, STORE_EVENT_DISCONNECTED, "refused");
    }
    expect_told(1);
    redis_notices_tell(&notices, 60000, STORE_EVENT_CONNECTED, "host");
    expect_told(2);
}

Test(redis_notices, a_trouble_that_comes_and_goes_is_told_now_and_then)
{
    for (uint64_t now_ms = 0; now_ms < 2 * REDIS_NOTICES_INTERVAL_MS; now_ms += 100) {
        redis_notices_tell(&notices, now_ms, STORE_EVENT_WAITING, "MOVED");
        redis_notices_tell(&notices, now_ms + 50, STORE_EVENT_CONNECTED, "host");
    }
    expect_told(4);
    cr_expect_eq(watch.events[2], STORE_EVENT_WAITING);
    cr_expect_eq(watch.events[3], STORE_EVENT_CONNECTED);
}

Test(redis_notices, another_trouble_is_told_at_once)
{
    redis_notices_tell(&notices, 0, STORE_EVENT_WAITING, "MOVED");
    redis_notices_tell(&notices, 1, STORE_EVENT_CONNECTED, "host");
    redis_notices_tell(&notices, 2, STORE_EVENT_WAITING, "MOVED");
    redis_notices_tell(&notices, 3, STORE_EVENT_WAITING, "OOM");
    redis_notices_tell(&notices, 4, STORE_EVENT_CONNECTED, "host");
    expect_told(4);
    cr_expect_str_eq(watch.details[2], "OOM");
}

Test(redis_notices, a_trouble_that_was_over_is_a_new_one)
{
    redis_notices_tell(&notices, 0, STORE_EVENT_WAITING, "OOM");
    redis_notices_tell(&notices, 1, STORE_EVENT_CONNECTED, "host");
    redis_notices_end_trouble(&notices);
    redis_notices_tell(&notices, 2, STORE_EVENT_WAITING, "OOM");
    redis_notices_tell(&notices, 3, STORE_EVENT_CONNECTED, "host");
    expect_told(4);
}
