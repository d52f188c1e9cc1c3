/**
 * The files of the status page, embedded in the binary. Views of static memory. Threading:
 * stateless.
 */
#ifndef SCENESYNC_WORKER_PAGES_H
#define SCENESYNC_WORKER_PAGES_H

#include "protocol/span.h"

struct span page_status_html(void);
struct span page_status_js(void);
struct span page_status_css(void);

#endif
