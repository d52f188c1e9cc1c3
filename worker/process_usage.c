#include "worker/process_usage.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { STAT_BYTES_MAX = 1024, START_FIELD = 22, RESIDENT_FIELD = 24 };

static uint64_t ms_of(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_usec / 1000;
}

static uint64_t ms_of_timespec(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_nsec / 1000000;
}

/** By the wall clock, when this process was started `start_ms` after the machine. Not by
 * /proc/stat, which a hardened unit hides. */
static uint64_t wall_ms_of(uint64_t start_ms)
{
    struct timespec wall, since_boot;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_BOOTTIME, &since_boot);
    uint64_t boot_wall_ms = ms_of_timespec(&wall) - ms_of_timespec(&since_boot);
    return boot_wall_ms + start_ms;
}

/** Field `number` of /proc/self/stat, counted from 1 as proc(5) does; 3 or more. The second one, a
 * name, may hold anything, so counting begins behind its parenthesis. */
static bool stat_field(const char *stat, int number, uint64_t *value)
{
    const char *at = strrchr(stat, ')');
    for (int field = 2; at != NULL && field < number; field++) {
        at = strchr(at + 1, ' ');
    }
    return at != NULL && sscanf(at, " %" SCNu64, value) == 1;
}

static uint64_t count_open_files(void)
{
    uint64_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory != NULL && readdir(directory) != NULL) {
        count++;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count > 3 ? count - 3 : 0; /* ".", "..", and the directory itself */
}

bool process_usage_read(struct process_usage *out)
{
    *out = (struct process_usage){0};
    char stat[STAT_BYTES_MAX] = "";
    FILE *file = fopen("/proc/self/stat", "r");
    bool is_read = file != NULL && fgets(stat, sizeof stat, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    uint64_t start_ticks = 0, resident_pages = 0;
    struct rusage usage;
    struct rlimit limit;
    if (!is_read || !stat_field(stat, START_FIELD, &start_ticks) ||
        !stat_field(stat, RESIDENT_FIELD, &resident_pages) || getrusage(RUSAGE_SELF, &usage) != 0 ||
        getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return false;
    }
    uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
    *out = (struct process_usage){
        .cpu_ms = ms_of(&usage.ru_utime) + ms_of(&usage.ru_stime),
        .start_wall_ms = wall_ms_of(start_ticks * 1000 / ticks_per_s),
        .resident_bytes = resident_pages * (uint64_t)sysconf(_SC_PAGESIZE),
        .open_files = count_open_files(),
        .open_files_max = (uint64_t)limit.rlim_cur,
    };
    return true;
}
