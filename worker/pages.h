/**
 * The files of the status page, embedded in the binary. Views of static memory. Threading:
 * stateless.
 */
#ifndef SCENESYNC_WORKER_PAGES_H
#define SCENESYNC_WORKER_PAGES_H

#include "protocol/span.h"

struct page {
    const char *path; /* "/status.js" */
    const char *content_type;
    struct span text;
};

/** NULL: there is none at this path. */
const struct page *page_find(const char *path);

#endif
