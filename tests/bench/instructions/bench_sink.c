#include "tests/bench/instructions/bench_sink.h"

#include <stdlib.h>

struct sink {
    struct outgoing *first; /* in flight, the latest first */
    uint64_t messages, bytes;
};

struct sink *bench_sink_create(void)
{
    return calloc(1, sizeof(struct sink));
}

void bench_sink_destroy(struct sink *sink)
{
    free(sink);
}

uint64_t bench_sink_messages(const struct sink *sink)
{
    return sink->messages;
}

uint64_t bench_sink_bytes(const struct sink *sink)
{
    return sink->bytes;
}

void sink_send(struct sink *sink, struct outgoing *outgoing)
{
    outgoing->status = OUTGOING_IN_FLIGHT;
    outgoing->next = sink->first;
    sink->first = outgoing;
    sink->messages++;
    sink->bytes += outgoing->value.size;
}

size_t sink_poll(struct sink *sink, int timeout_ms)
{
    (void)timeout_ms;
    while (sink->first != NULL) {
        struct outgoing *outgoing = sink->first;
        sink->first = outgoing->next;
        outgoing->next = NULL;
        outgoing->status = OUTGOING_ACKNOWLEDGED;
    }
    return 0;
}
