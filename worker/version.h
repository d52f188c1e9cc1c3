/** What `scenesync --version` says: this program's version and its libraries'. Stateless. */
#ifndef SCENESYNC_WORKER_VERSION_H
#define SCENESYNC_WORKER_VERSION_H

#include <stdio.h>

void version_print(FILE *out);

/** This program's and librdkafka's alone. Static. */
const char *version_text(void);
const char *version_librdkafka(void);

#endif
