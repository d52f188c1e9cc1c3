#include "store/redis_keys.h"

#include <assert.h>

#include "store/redis_command.h"

#define TAIL(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const struct span tails[REDIS_KEY_COUNT] = {
    [REDIS_KEY_META] = TAIL("}"),
    [REDIS_KEY_ELEMENTS] = TAIL("}:elements"),
    [REDIS_KEY_TOMBSTONES] = TAIL("}:tombstones"),
    [REDIS_KEY_BATCHES] = TAIL("}:batches"),
    [REDIS_KEY_BATCHES_OLD] = TAIL("}:batches.old"),
    [REDIS_KEY_PENDING] = TAIL("}:pending"),
};

void redis_key_add(struct buffer *out, struct span key_prefix, struct span session_id,
                   enum redis_key key)
{
    assert(key < REDIS_KEY_COUNT);
    struct span parts[] = {key_prefix, span_make("{", 1), session_id, tails[key]};
    redis_command_add_parts(out, parts, sizeof parts / sizeof *parts);
}

void redis_watermark_key_add(struct buffer *out, struct span key_prefix, struct span group)
{
    struct span parts[] = {key_prefix, span_of_text("watermark:"), group};
    redis_command_add_parts(out, parts, sizeof parts / sizeof *parts);
}

void redis_position_field_add(struct buffer *out, struct span name)
{
    struct span parts[] = {span_make("at:", 3), name};
    redis_command_add_parts(out, parts, sizeof parts / sizeof *parts);
}
