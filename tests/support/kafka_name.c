#include "tests/support/kafka_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/sent_batch.h"

const char *kafka_shared_address(void)
{
    const char *const address = getenv("SCENESYNC_TEST_KAFKA");
    return address != NULL && address[0] != '\0' ? address : NULL;
}

/* The process's number comes round again; with the time it does not. */
static const char *own_prefix(void)
{
    static char prefix[48];
    if (prefix[0] == '\0') {
        (void)snprintf(prefix, sizeof(prefix), "t%ld-%llx.", (long)getpid(),
                       (unsigned long long)monotonic_ms());
    }
    return prefix;
}

const char *kafka_name(const char *name)
{
    return text_of_format("%s%s", kafka_shared_address() != NULL ? own_prefix() : "", name);
}
