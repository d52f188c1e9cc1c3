#include "worker/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker/commands.h"

int output_end(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return EXIT_CODE_OK;
    }
    /* An earlier write may have failed, and the last one not. */
    (void)fprintf(stderr, "scenesync: cannot write: %s\n",
                  errno != 0 ? strerror(errno) : "the output is not complete");
    return EXIT_CODE_FAILED;
}
