#include "tests/faults/fault_worker.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

enum { KILLED = 128 + SIGKILL };

const char *fault_worker_program(void)
{
    return SCENESYNC_FAULTS_BINARY;
}

static struct worker_process *start_with(struct world *world, const char *variable)
{
    const char *const environment[] = {variable, NULL};
    worker_process_substitute(fault_worker_program(), environment);
    struct worker_process *const worker = world_start_worker(world);
    worker_process_substitute(NULL, NULL);
    return worker;
}

struct worker_process *fault_worker_start(struct world *world, const char *faults)
{
    return start_with(world, faults == NULL ? NULL : text_of_format("TEST_FAULT=%s", faults));
}

static const char *clock_path(struct world *world)
{
    return text_of_format("%s/clock", world_directory(world));
}

struct worker_process *fault_worker_start_shifted(struct world *world)
{
    return start_with(world, text_of_format("TEST_FAULT_CLOCK=%s", clock_path(world)));
}

void fault_worker_shift_clock(struct world *world, int64_t shift_ms)
{
    const char *const path = clock_path(world);
    const char *const next = text_of_format("%s.next", path);
    FILE *const file = fopen(next, "wb");
    cr_assert_not_null(file);
    cr_assert_gt(fprintf(file, "%" PRId64 "\n", shift_ms), 0);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(rename(next, path), 0);
}

void fault_worker_await(struct worker_process *worker, const char *fault)
{
    worker_process_await_log(worker, text_of_format("fault: %s\n", fault), WORLD_WAIT_MS);
}

void fault_worker_await_killed(struct worker_process *worker)
{
    const int code = worker_process_await_exit(worker, WORLD_WAIT_MS);
    if (code != KILLED) {
        worker_process_show_log(worker);
    }
    cr_assert_eq(code, KILLED, "it ended with %d", code);
}
