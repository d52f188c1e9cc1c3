#include "worker/pages.h"

#include "pages_data.h" /* made by CMake from worker/pages/ */

const struct page *page_find(const char *path)
{
    static const struct page pages[] = {
        {"/", "text/html; charset=utf-8", {pages_status_html, sizeof pages_status_html}},
        {"/status.js", "text/javascript; charset=utf-8", {pages_status_js, sizeof pages_status_js}},
        {"/status.css", "text/css; charset=utf-8", {pages_status_css, sizeof pages_status_css}},
    };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(pages[i].path, path) == 0) {
            return &pages[i];
        }
    }
    return NULL;
}
