#include "tests/support/observed_worker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/child_process.h"

enum { POLL_MS = 100 };

int observed_worker_start(struct world *world)
{
    int port = 0;
    world_set(world, "http.listen=127.0.0.1:0");
    struct worker_process *const worker = world_start_worker(world);
    worker_process_await_log(worker, "http listening", WORLD_WAIT_MS);
    const char *const url = strstr(worker_process_log(worker), "http://127.0.0.1:");
    cr_assert_not_null(url);
    cr_assert_eq(sscanf(url, "http://127.0.0.1:%d/", &port), 1);
    return port;
}

void observed_await_status(int port, const char *path, int status)
{
    const uint64_t deadline_ms = monotonic_ms() + OBSERVED_WAIT_MS;
    struct http_answer answer = http_get(port, path);
    while (answer.status != status) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "%s stays at %d: %s", path, answer.status,
                     answer.body);
        sleep_ms(POLL_MS);
        answer = http_get(port, path);
    }
}

void observed_await_reason(int port, const char *why)
{
    const uint64_t deadline_ms = monotonic_ms() + OBSERVED_WAIT_MS;
    struct http_answer answer = http_get(port, "/readyz");
    while (answer.status != 503 || strstr(answer.body, why) == NULL) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "/readyz stays at %d: %s", answer.status,
                     answer.body);
        sleep_ms(POLL_MS);
        answer = http_get(port, "/readyz");
    }
}

void observed_expect_readiness(int port, int status, const char *text, int duration_ms)
{
    const uint64_t until_ms = monotonic_ms() + (uint64_t)duration_ms;
    while (monotonic_ms() < until_ms) {
        const struct http_answer answer = http_get(port, "/readyz");
        cr_assert_eq(answer.status, status, "%s", answer.body);
        cr_assert_not_null(strstr(answer.body, text), "%s", answer.body);
        sleep_ms(POLL_MS);
    }
}

bool observed_has(int port, const char *sample, double *value)
{
    const struct http_answer answer = http_get(port, "/metrics");
    cr_assert_eq(answer.status, 200);
    const char *const line = strstr(answer.body, text_of_format("\n%s ", sample));
    return line != NULL && sscanf(line + 1 + strlen(sample), " %lf", value) == 1;
}

double observed_metric(int port, const char *sample)
{
    double value = -1;
    cr_assert(observed_has(port, sample, &value), "there is no %s", sample);
    return value;
}

void observed_await_metric(int port, const char *sample, double value)
{
    const uint64_t deadline_ms = monotonic_ms() + OBSERVED_WAIT_MS;
    double seen = -1;
    while (!observed_has(port, sample, &seen) || seen != value) {
        cr_assert_lt(monotonic_ms(), deadline_ms, "%s stays at %g", sample, seen);
        sleep_ms(POLL_MS);
    }
}
