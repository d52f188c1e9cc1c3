/*
 * What a test may ask its worker for, and that a slip of the pen ends it at once: a fault that is
 * never reached would make its story pass.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/faults/fault_environment.h"
#include "tests/faults/fault_worker.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"

enum { END_MS = 20000 };

static struct temp_dir directory;

static void begin(void)
{
    temp_dir_create(&directory);
}

static void end(void)
{
    temp_dir_release(&directory);
}

TestSuite(fault_environment, .init = begin, .fini = end, .timeout = 60);

static void expect_refused(const char *faults)
{
    static const char *const settings[] = {"kafka.bootstrap.servers=127.0.0.1:1", NULL};
    const char *const environment[] = {text_of_format("TEST_FAULT=%s", faults), NULL};
    worker_process_substitute(fault_worker_program(), environment);
    struct worker_process *const worker =
        worker_process_start(text_of_format("%s/log", directory.path), settings, NULL);
    cr_assert_eq(worker_process_await_exit(worker, END_MS), FAULT_ENVIRONMENT_EXIT, "\"%s\"",
                 faults);
    const char *const named = text_of_format("TEST_FAULT=\"%s\"", faults);
    cr_assert_eq(worker_process_log_count(worker, named), 1, "\"%s\" is not named", faults);
    cr_assert_gt(worker_process_log_count(worker, "before_offset_commit"), 0,
                 "the points are not listed");
    worker_process_destroy(worker);
}

Test(fault_environment, refuses_what_it_does_not_understand)
{
    static const char *const wrong[] = {"",
                                        "after_load",
                                        "after_load:1",
                                        "after_lunch:1:kill",
                                        "after_load:0:kill",
                                        "after_load:-1:kill",
                                        "after_load:1x:kill",
                                        "after_load:1:explode",
                                        "after_load:1:delay",
                                        "after_load:1:delay=",
                                        "after_load:1:delay=-1",
                                        "after_load:1:kill,",
                                        "after_load:1:kill after_commit:1:kill",
                                        "after_load:1:kill,after_commit:2"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        expect_refused(wrong[i]);
    }
}
