#include "tests/support/store_watch.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/child_process.h"
#include "tests/support/store_requests.h"

static const char *const names[] = {"connected", "disconnected", "waiting"};

static void note(void *context, enum store_event event, const char *detail)
{
    struct store_watch *const watch = context;
    cr_assert_lt(watch->count, WATCH_EVENTS_MAX);
    watch->events[watch->count] = event;
    (void)snprintf(watch->details[watch->count], WATCH_DETAIL_BYTES_MAX, "%s", detail);
    watch->count++;
}

struct store_observer store_watch_observer(struct store_watch *watch)
{
    return (struct store_observer){.notify = note, .context = watch};
}

void await_event(struct store *store, struct store_watch *watch, enum store_event event,
                 const char *text)
{
    const uint64_t deadline_ms = monotonic_ms() + REQUEST_WAIT_MS;
    while (watch->seen == watch->count) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "nothing told, expected %s: %s", names[event],
                     text);
        (void)store_poll(store, 50);
    }
    const size_t i = watch->seen++;
    cr_assert_eq(watch->events[i], event, "told %s: %s, expected %s: %s", names[watch->events[i]],
                 watch->details[i], names[event], text);
    cr_assert_not_null(strstr(watch->details[i], text), "told %s: %s, expected %s", names[event],
                       watch->details[i], text);
}
