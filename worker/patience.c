#include "worker/patience.h"

void patience_begin(struct patience *patience)
{
    patience->serviced_ms = clock_monotonic_ms(patience->clock);
}

bool patience_goes_on(struct patience *patience)
{
    uint64_t now_ms = clock_monotonic_ms(patience->clock);
    if (now_ms - patience->serviced_ms >= PATIENCE_SERVICE_MS) {
        source_service(patience->source);
        patience->serviced_ms = now_ms;
    }
    return !patience->must_abandon(patience->abandon_context);
}

void patience_note(struct patience *patience, enum progress_activity activity)
{
    progress_note(patience->progress, activity);
}
