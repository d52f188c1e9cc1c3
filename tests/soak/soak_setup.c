#include "tests/soak/soak_setup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/dice.h"

enum {
    SECONDS_DEFAULT = 90,
    SECONDS_MAX = 86400,
    RATE_DEFAULT = 40,
    RATE_MAX = 2000,
    REMOVE_TIMEOUT_MS = 60000
};

static uint64_t read_number(const char *name, uint64_t fallback, uint64_t max)
{
    const char *const text = getenv(name);
    char *end = NULL;
    if (text == NULL || *text == '\0') {
        return fallback;
    }
    errno = 0;
    const uint64_t value = strtoull(text, &end, 10);
    cr_assert(errno == 0 && *end == '\0' && *text != '-' && value <= max,
              "%s is \"%s\"; it must be a number up to %llu", name, text, (unsigned long long)max);
    return value;
}

/* Below SOAK_DIRECTORY, so that it outlives a run that fails; the Redis servers get theirs in it.
 */
static void make_directory(struct soak_setup *setup)
{
    const char *parent = getenv("SOAK_DIRECTORY");
    parent = parent != NULL ? parent : getenv("TMPDIR");
    parent = parent != NULL ? parent : "/tmp";
    (void)mkdir(parent, 0700);
    const int size = snprintf(setup->directory, sizeof(setup->directory), "%s/seed-%llu-XXXXXX",
                              parent, (unsigned long long)setup->seed);
    cr_assert(size > 0 && (size_t)size < sizeof(setup->directory), "SOAK_DIRECTORY is too long: %s",
              parent);
    cr_assert_not_null(mkdtemp(setup->directory), "%s cannot be made: %s", setup->directory,
                       strerror(errno));
    cr_assert_eq(setenv("TMPDIR", setup->directory, 1), 0);
    cr_assert_eq(setenv("TEST_KEEP", "1", 1), 0);
}

struct soak_setup soak_setup_read(void)
{
    struct soak_setup setup = {
        .seed = read_number("SOAK_SEED", 1, UINT64_MAX),
        .duration_ms = (int64_t)read_number("SOAK_SECONDS", SECONDS_DEFAULT, SECONDS_MAX) * 1000,
        .batches_per_s = (uint32_t)read_number("SOAK_RATE", RATE_DEFAULT, RATE_MAX),
        .lossy = read_number("SOAK_LOSSY", 1, 1) != 0,
        .tamper = read_number("SOAK_TAMPER", 0, 1) != 0,
    };
    cr_assert_gt(setup.batches_per_s, 0, "SOAK_RATE is 0; it must be batches per second");
    const char *const level = getenv("SOAK_LOG_LEVEL");
    setup.worker_log_level = level != NULL ? level : "info";
    struct dice dice = dice_make(setup.seed, 0);
    setup.cooperative = dice_chance(&dice, 500);
    setup.static_members = dice_chance(&dice, 500);
    setup.small_dedupe = dice_chance(&dice, 300);
    setup.fsync_always = dice_chance(&dice, 500);
    setup.no_cache = dice_chance(&dice, 200);
    /* Which of a batch's histories counts is told by its record alone. */
    setup.lossy = setup.lossy && !setup.small_dedupe;
    make_directory(&setup);
    return setup;
}

void soak_setup_release(const struct soak_setup *setup, bool is_good)
{
    if (!is_good || getenv("SOAK_KEEP") != NULL) {
        (void)printf("kept: %s\n", setup->directory);
        (void)fflush(stdout);
        return;
    }
    int exit_code = 0;
    const char *const arguments[] = {"/bin/rm", "-rf", setup->directory, NULL};
    const struct child_options options = {.arguments = arguments};
    cr_expect(child_wait(child_start(&options), REMOVE_TIMEOUT_MS, &exit_code) && exit_code == 0,
              "%s cannot be removed", setup->directory);
}

const char *soak_setup_text(const struct soak_setup *setup)
{
    static char text[256];
    (void)snprintf(
        text, sizeof(text), "assignor %s, %s membership, %s batch records, appendfsync %s, %s",
        setup->cooperative ? "cooperative-sticky" : "range",
        setup->static_members ? "static" : "dynamic", setup->small_dedupe ? "evicted" : "all",
        setup->fsync_always ? "always" : "everysec", setup->no_cache ? "no cache" : "cache");
    return text;
}
