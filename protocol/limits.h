/**
 * The limits of protocol.md section 3, as numbers. The worker's settings fill them
 * (`limits.*`, settings.md); tests take limits_default().
 */
#ifndef SCENESYNC_PROTOCOL_LIMITS_H
#define SCENESYNC_PROTOCOL_LIMITS_H

#include <stddef.h>
#include <stdint.h>

enum {
    /* The deepest `limits.max_depth` that a setting may ask for; sizes the walkers' stacks. */
    LIMITS_DEPTH_CEILING = 128,
    LIMITS_ID_BYTES_MAX = 64,
    LIMITS_SESSION_ID_BYTES_MAX = 64,
    LIMITS_CLIENT_ID_BYTES_MAX = 64,
    LIMITS_BATCH_ID_BYTES_MAX = 320
};

struct limits {
    size_t message_bytes_max;
    size_t element_bytes_max;
    size_t text_bytes_max;
    size_t result_bytes_max;
    uint32_t elements_max;   /* per scene */
    uint32_t operations_max; /* per batch */
    uint32_t depth_max;      /* maps and arrays inside one another, the operation's map being 1 */
};

/** The defaults of settings.md. */
static inline struct limits limits_default(void)
{
    return (struct limits){
        .message_bytes_max = 1048576,
        .element_bytes_max = 1048576,
        .text_bytes_max = 1048576,
        .result_bytes_max = 921600,
        .elements_max = 10000,
        .operations_max = 10000,
        .depth_max = 24,
    };
}

#endif
