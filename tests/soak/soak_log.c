#include "tests/soak/soak_log.h"

#include <criterion/criterion.h>
#include <stdarg.h>

#include "tests/support/child_process.h"

enum { PATH_BYTES = 512, LINE_BYTES = 1024, SHOWN_BYTES = 4096 };

void soak_log_open(struct soak_log *log, const char *directory)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/events.log", directory);
    log->file = fopen(path, "we");
    cr_assert_not_null(log->file, "%s cannot be written", path);
    log->start_ms = monotonic_ms();
}

void soak_log_close(struct soak_log *log)
{
    (void)fclose(log->file);
}

void soak_log_line(struct soak_log *log, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const double seconds = (double)(monotonic_ms() - log->start_ms) / 1000;
    (void)fprintf(log->file, "%9.3f %s\n", seconds, text);
    (void)fflush(log->file);
    (void)printf("%9.3f %s\n", seconds, text);
    (void)fflush(stdout);
}

void soak_log_show_end(struct soak_log *log, const char *path)
{
    char text[SHOWN_BYTES + 1];
    FILE *const file = fopen(path, "rbe");
    if (file == NULL) {
        soak_log_line(log, "%s cannot be read", path);
        return;
    }
    (void)fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    (void)fseek(file, size > SHOWN_BYTES ? size - SHOWN_BYTES : 0, SEEK_SET);
    const size_t read = fread(text, 1, SHOWN_BYTES, file);
    text[read] = '\0';
    (void)fclose(file);
    (void)printf("--- end of %s:\n%s\n---\n", path, text);
    (void)fflush(stdout);
}
