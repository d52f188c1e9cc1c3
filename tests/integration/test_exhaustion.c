/*
 * What a worker does where something that it needs is used up: file descriptors, the log's disk,
 * the HTTP server's connections. The work goes on, nothing is lost, nothing spins.
 */
#define _GNU_SOURCE /* prlimit() */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/http_client.h"
#include "tests/support/moves.h"

enum { BATCHES = 40, WATCH_MS = 4000, SLOW_CLIENTS = 60, SLOW_MS = 200 };

static struct world *world;
static struct worker_process *worker;
static int port;

static void end(void)
{
    world_destroy(world);
}

TestSuite(exhaustion, .fini = end, .timeout = 180);

static void start(void)
{
    world = world_create(MOVES_PARTITIONS, 1);
    world_set(world, "http.listen=127.0.0.1:0");
    worker = world_start_worker(world);
    worker_process_await_log(worker, "http listening", WORLD_WAIT_MS);
    const char *const url = strstr(worker_process_log(worker), "http://127.0.0.1:");
    cr_assert_not_null(url);
    cr_assert_eq(sscanf(url, "http://127.0.0.1:%d/", &port), 1);
    moves_send(world, 0, BATCHES);
    world_settle(world);
}

/* The soft limit of the running worker. */
static void limit(int resource, rlim_t value)
{
    struct rlimit limits;
    cr_assert_eq(prlimit((pid_t)worker_process_pid(worker), resource, NULL, &limits), 0);
    limits.rlim_cur = value < limits.rlim_max ? value : limits.rlim_max;
    cr_assert_eq(prlimit((pid_t)worker_process_pid(worker), resource, &limits, NULL), 0);
}

/* Processor time that it has used. */
static double used_seconds(void)
{
    unsigned long user = 0, system = 0;
    FILE *const file = fopen(text_of_format("/proc/%ld/stat", worker_process_pid(worker)), "r");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                        &user, &system),
                 2);
    (void)fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

Test(exhaustion, without_descriptors_it_waits_does_not_spin_and_goes_on)
{
    start();
    limit(RLIMIT_NOFILE, 5); /* fewer than it has: there is none for anything new */
    http_connect_idle(port);
    REDIS_RUN(world_redis(world), "CLIENT", "KILL", "TYPE", "normal");
    moves_send(world, BATCHES, BATCHES);
    worker_process_await_log(worker, "http takes no connections", WORLD_WAIT_MS);
    worker_process_await_log(worker, "Too many open files", WORLD_WAIT_MS);

    const double before = used_seconds();
    sleep_ms(WATCH_MS);
    const double share = (used_seconds() - before) * 1000 / WATCH_MS;
    cr_assert_lt(share, 0.12, "it uses %.2f of a processor while it waits", share);

    limit(RLIMIT_NOFILE, RLIM_INFINITY);
    world_settle(world);
    moves_expect_told_once(world, 2 * BATCHES);
    cr_assert_eq(http_get(port, "/livez").status, 200);
}

Test(exhaustion, a_log_that_cannot_grow_loses_lines_and_counts_them)
{
    start();
    const char *const path = text_of_format("/proc/%ld/fd/2", worker_process_pid(worker));
    struct stat log;
    cr_assert_eq(stat(path, &log), 0);
    limit(RLIMIT_FSIZE, (rlim_t)log.st_size); /* its log is the only file that it writes */
    REDIS_RUN(world_redis(world), "CLIENT", "KILL", "TYPE", "normal"); /* a few lines' worth */
    moves_send(world, BATCHES, BATCHES);
    world_settle(world);
    moves_expect_told_once(world, 2 * BATCHES);
    struct stat full;
    cr_assert_eq(stat(path, &full), 0);
    cr_assert_eq(full.st_size, log.st_size);

    limit(RLIMIT_FSIZE, RLIM_INFINITY);
    REDIS_RUN(world_redis(world), "CLIENT", "KILL", "TYPE", "normal");
    worker_process_await_log(worker, " lost=", WORLD_WAIT_MS);
}

Test(exhaustion, clients_that_send_a_byte_at_a_time_do_not_move_the_cycle)
{
    start();
    int clients[SLOW_CLIENTS];
    for (int i = 0; i < SLOW_CLIENTS; i++) {
        clients[i] = http_connect(port);
        (void)http_send_raw(clients[i], "GET /livez HTTP/1.1\r\nX-Slow: ");
    }
    const uint64_t begun_ms = monotonic_ms();
    moves_send(world, BATCHES, BATCHES);
    world_settle(world);
    const uint64_t took_ms = monotonic_ms() - begun_ms;
    cr_assert_lt(took_ms, (uint64_t)HTTP_WAIT_MS, "the work took longer than the clients may");
    moves_expect_told_once(world, 2 * BATCHES);
    cr_assert_eq(http_get(port, "/livez").status, 200, "there are connections left");

    /* However slowly they go on, their time is over one day. */
    int open = SLOW_CLIENTS;
    while (open > 0) {
        cr_assert_lt(monotonic_ms() - begun_ms, (uint64_t)(3 * HTTP_WAIT_MS), "%d are open", open);
        sleep_ms(SLOW_MS);
        open = 0;
        for (int i = 0; i < SLOW_CLIENTS; i++) {
            open += http_send_raw(clients[i], "x");
        }
    }
}
