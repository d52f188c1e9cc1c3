#include "tests/property/verdict.h"

#include <stdarg.h>
#include <stdio.h>

bool verdict_fails(struct verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict->reason, sizeof(verdict->reason), format, arguments);
    va_end(arguments);
    return false;
}
