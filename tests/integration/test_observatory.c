/*
 * Metrics, health and the status page of a real worker, also while Redis is away and while clients
 * misbehave.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/support/child_process.h"
#include "tests/support/kafka_name.h"
#include "tests/support/moves.h"
#include "tests/support/observed_worker.h"

enum { BATCHES = 40, IDLE_CONNECTIONS = 1000 };

static struct world *world;
static int port;

static void end(void)
{
    world_destroy(world);
}

TestSuite(observatory, .fini = end, .timeout = 180);

static void start(void)
{
    world = world_create(MOVES_PARTITIONS, 1);
    port = observed_worker_start(world);
}

static void await_status(const char *path, int status)
{
    observed_await_status(port, path, status);
}

static double metric(const char *sample)
{
    return observed_metric(port, sample);
}

static void await_metric(const char *sample, double value)
{
    observed_await_metric(port, sample, value);
}

static void work(void)
{
    start();
    moves_send(world, 0, BATCHES);
    world_settle(world);
    await_status("/readyz", 200);
}

Test(observatory, metrics_count_what_was_done)
{
    work();
    const int batches = MOVES_PARTITIONS * BATCHES;
    await_metric("scenesync_batches_total{outcome=\"applied\"}", batches);
    cr_assert_eq(metric("scenesync_results_total"), batches);
    /* Counted once Kafka has acknowledged the results: they can be read before. */
    await_metric(text_of_format("messaging_process_duration_seconds_count{"
                                "messaging_consumer_group_name=\"%s\"}",
                                GROUP),
                 batches);
    cr_assert_eq(metric("scenesync_dependency_up{dependency=\"redis\"}"), 1);
    cr_assert_eq(metric("scenesync_dependency_up{dependency=\"kafka\"}"), 1);
    cr_assert_eq(metric("scenesync_ready"), 1);
    cr_assert_gt(metric("scenesync_operations_total{kind=\"update\",outcome=\"synced\"}"), 0);
    await_metric("scenesync_assigned_partitions", 2 * MOVES_PARTITIONS);
    cr_assert_gt(metric("process_resident_memory_bytes"), 1e6);
}

Test(observatory, metrics_are_as_promtool_wants_them)
{
    work();
    const struct http_answer answer = http_get(port, "/metrics");
    const char *const path = text_of_format("%s/metrics.txt", world_directory(world));
    FILE *const file = fopen(path, "w");
    cr_assert(file != NULL && fputs(answer.body, file) >= 0 && fclose(file) == 0);
    /* It writes what it finds to stderr, and ends with 3 for a matter of style alone. */
    cr_assert_eq(system(text_of_format("promtool check metrics <%s", path)), 0);
}

Test(observatory, ready_ends_and_live_stays_while_redis_is_away)
{
    work();
    redis_server_pause(world_redis(world));
    moves_send(world, BATCHES, BATCHES);
    await_status("/readyz", 503);
    cr_assert_not_null(strstr(http_get(port, "/readyz").body, "waiting for the store"));
    cr_assert_eq(http_get(port, "/livez").status, 200);
    cr_assert_eq(metric("scenesync_dependency_up{dependency=\"redis\"}"), 0);
    redis_server_resume(world_redis(world));
    await_status("/readyz", 200);
    world_settle(world);
    await_metric(text_of_format("kafka_consumergroup_lag{consumergroup=\"%s\",topic=\"%s\","
                                "partition=\"0\"}",
                                GROUP, TOPIC_OPS),
                 0);
}

Test(observatory, only_get_and_head)
{
    start();
    cr_assert_eq(http_ask(port, "POST", "/metrics").status, 405);
    cr_assert_eq(http_ask(port, "DELETE", "/").status, 405);
    cr_assert_eq(http_get(port, "/nothing").status, 404);
    const struct http_answer head = http_ask(port, "HEAD", "/livez");
    cr_assert(head.status == 200 && strlen(head.body) == 0);
    const struct http_answer page = http_get(port, "/");
    cr_assert_eq(page.status, 200);
    cr_assert_not_null(strstr(page.head, "Content-Security-Policy: default-src 'none'"));
}

Test(observatory, the_page_and_its_parts)
{
    start();
    static const char *const parts[][2] = {
        {"/", "text/html"},
        {"/status.js", "text/javascript"},
        {"/status.css", "text/css"},
        {"/settings.txt", "text/plain"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct http_answer part = http_get(port, parts[i][0]);
        cr_assert_eq(part.status, 200, "%s", parts[i][0]);
        cr_assert_not_null(strstr(part.head, parts[i][1]), "%s: %s", parts[i][0], part.head);
    }
    cr_assert_not_null(strstr(http_get(port, "/settings.txt").body, "\npassword_file ="));
}

Test(observatory, a_scene_is_shown_and_nothing_else)
{
    work();
    const char *const scene = http_get(port, "/scene.json?session=s0").body;
    cr_assert_not_null(strstr(scene, "\"session_id\":\"s0\""), "%s", scene);
    cr_assert_eq(http_get(port, "/scene.json?session=unknown").status, 404);
    cr_assert_eq(http_get(port, "/scene.json?session=%2e%2e%2fx").status, 400);
    cr_assert_eq(http_get(port, "/scene.json").status, 400);
    const char *const status = http_get(port, "/status.json").body;
    cr_assert_not_null(strstr(status, "\"session\":\"s0\""));
}

Test(observatory, a_head_that_does_not_end_is_refused)
{
    start();
    const int connection = http_connect(port);
    cr_assert(http_send_raw(connection, "GET / HTTP/1.1\r\n"));
    const char *const line = text_of_format("X-Filler: %0512d\r\n", 0);
    bool is_open = true;
    for (int i = 0; is_open && i < 1000; i++) {
        is_open = http_send_raw(connection, line);
    }
    const struct http_answer answer = http_read(connection);
    cr_assert(answer.status == 431 || answer.status == 0, "%d", answer.status);
    cr_assert_eq(http_get(port, "/livez").status, 200);
}

Test(observatory, idle_connections_do_not_move_the_cycle)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    work();
    for (int i = 0; i < IDLE_CONNECTIONS; i++) {
        http_connect_idle(port);
    }
    const uint64_t begun_ms = monotonic_ms();
    moves_send(world, BATCHES, BATCHES);
    world_settle(world);
    moves_expect_told_once(world, 2 * BATCHES);
    cr_assert_lt(monotonic_ms() - begun_ms, (uint64_t)HTTP_WAIT_MS,
                 "the work took longer than the connections live");
}
