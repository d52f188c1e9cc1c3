#include "store/redis_notices.h"

#include <stdio.h>
#include <string.h>

/** Notes a trouble as told where it is to be told. */
static bool is_due(struct redis_notices *notices, uint64_t now_ms, enum store_event event,
                   const char *detail)
{
    if (notices->trouble_event == event && strcmp(notices->trouble, detail) == 0 &&
        now_ms < notices->quiet_until_ms) {
        return false;
    }
    notices->trouble_event = event;
    (void)snprintf(notices->trouble, sizeof notices->trouble, "%s", detail);
    notices->quiet_until_ms = now_ms + REDIS_NOTICES_INTERVAL_MS;
    return true;
}

void redis_notices_tell(struct redis_notices *notices, uint64_t now_ms, enum store_event event,
                        const char *detail)
{
    if (notices->last_detail[0] != '\0' && notices->last_event == event &&
        strcmp(notices->last_detail, detail) == 0) {
        return;
    }
    notices->last_event = event;
    (void)snprintf(notices->last_detail, sizeof notices->last_detail, "%s", detail);
    if (event != STORE_EVENT_CONNECTED) {
        notices->is_quiet = !is_due(notices, now_ms, event, detail);
    }
    if (!notices->is_quiet && notices->observer.notify != NULL) {
        notices->observer.notify(notices->observer.context, event, detail);
    }
}

void redis_notices_end_trouble(struct redis_notices *notices)
{
    notices->trouble[0] = '\0';
}
