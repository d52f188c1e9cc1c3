#include "worker/pages.h"

#include "pages_data.h" /* made by CMake from worker/pages/ */

struct span page_status_html(void)
{
    return span_make(pages_status_html, sizeof pages_status_html);
}

struct span page_status_js(void)
{
    return span_make(pages_status_js, sizeof pages_status_js);
}

struct span page_status_css(void)
{
    return span_make(pages_status_css, sizeof pages_status_css);
}
