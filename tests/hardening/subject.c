/* What tests/hardening/test compiles: a program with something in it for each option. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t count_bytes(const char *text)
{
    return strlen(text);
}

/* Its frame is larger than a page, and what is written into it is not known to fit. */
static size_t count_twice(const char *text)
{
    char twice[3 * 4096];
    memcpy(twice, text, strlen(text) + 1);
    return (size_t)snprintf(twice, sizeof twice, "%s%s", text, text);
}

/* A table that the loader relocates, for nobody knows which is called. */
size_t (*volatile counts[])(const char *text) = {count_bytes, count_twice};

int main(int argc, char **argv)
{
    const char *text = argv[argc - 1];
    return printf("%zu\n", counts[argc % 2](text)) < 0;
}
