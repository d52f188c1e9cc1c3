#include "tests/soak/soak_poison.h"

#include "protocol/pack.h"
#include "tests/soak/soak_batches.h"

enum { DEPTH_BEYOND = 40, NOISE_BYTES_MAX = 64 };

static void pack_pair(struct buffer *out, const char *key, const char *value)
{
    pack_text(out, key);
    pack_text(out, value);
}

/* A batch that is right so far; `extra` more keys must follow. */
static void open_batch(struct buffer *out, const char *session_id, uint32_t extra)
{
    pack_map(out, 2 + extra);
    pack_pair(out, "session_id", session_id);
    pack_text(out, "operations");
    pack_array(out, 0);
}

static void pack_nothing(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)out;
    (void)dice;
    (void)session_id;
}

static void pack_too_large(struct buffer *out, struct dice *dice, const char *session_id)
{
    static const char filling[SOAK_MESSAGE_BYTES_MAX] = "";
    (void)dice;
    open_batch(out, session_id, 1);
    pack_text(out, "filling");
    pack_str(out, span_make(filling, sizeof(filling)));
}

static void pack_noise(struct buffer *out, struct dice *dice, const char *session_id)
{
    static const uint8_t never_used = 0xc1;
    const uint32_t size = dice_below(dice, NOISE_BYTES_MAX);
    (void)session_id;
    buffer_append(out, &never_used, 1);
    for (uint32_t i = 0; i < size; i++) {
        const uint8_t byte = (uint8_t)dice_throw(dice);
        buffer_append(out, &byte, 1);
    }
}

static void pack_cut_off(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    open_batch(out, session_id, 1);
    pack_text(out, "client_id");
}

static void pack_trailing(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    open_batch(out, session_id, 0);
    pack_nil(out);
}

static void pack_positional(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    pack_array(out, 2);
    pack_text(out, session_id);
    pack_array(out, 0);
}

static void pack_too_deep(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    open_batch(out, session_id, 1);
    pack_text(out, "deep");
    for (int i = 0; i < DEPTH_BEYOND; i++) {
        pack_array(out, 1);
    }
    pack_nil(out);
}

static void pack_key_twice(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    open_batch(out, session_id, 1);
    pack_pair(out, "session_id", session_id);
}

static void pack_version(struct buffer *out, struct dice *dice, const char *session_id)
{
    open_batch(out, session_id, 1);
    pack_text(out, "v");
    pack_uint(out, 2 + dice_below(dice, 1000));
}

static void pack_no_session(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    (void)session_id;
    pack_map(out, 1);
    pack_text(out, "operations");
    pack_array(out, 0);
}

static void pack_session_type(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)session_id;
    pack_map(out, 2);
    pack_text(out, "session_id");
    pack_uint(out, dice_throw(dice));
    pack_text(out, "operations");
    pack_array(out, 0);
}

static void pack_session_value(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    (void)session_id;
    open_batch(out, "not a {session}", 0);
}

static void pack_client_type(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    open_batch(out, session_id, 1);
    pack_text(out, "client_id");
    pack_bool(out, true);
}

static void pack_strategy(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    open_batch(out, session_id, 1);
    pack_pair(out, "strategy", "nobody_wins");
}

static void pack_no_operations(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    pack_map(out, 1);
    pack_pair(out, "session_id", session_id);
}

static void pack_operations_type(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    pack_map(out, 2);
    pack_pair(out, "session_id", session_id);
    pack_pair(out, "operations", "none");
}

/* Only workers write this, and only to retry topics. */
static void pack_retry(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    open_batch(out, session_id, 1);
    pack_text(out, "retry");
    pack_map(out, 0);
}

static void pack_too_many(struct buffer *out, struct dice *dice, const char *session_id)
{
    (void)dice;
    pack_map(out, 2);
    pack_pair(out, "session_id", session_id);
    pack_text(out, "operations");
    pack_array(out, SOAK_OPERATIONS_MAX + 1);
    for (int i = 0; i <= SOAK_OPERATIONS_MAX; i++) {
        pack_map(out, 0);
    }
}

bool soak_poison_pack(struct buffer *out, struct dice *dice, const char *session_id)
{
    /* In the order of the protocol's checks; the first one is a record without a value. */
    static void (*const packers[])(struct buffer * out, struct dice * dice,
                                   const char *session_id) = {
        NULL,
        pack_nothing,
        pack_too_large,
        pack_noise,
        pack_cut_off,
        pack_trailing,
        pack_positional,
        pack_too_deep,
        pack_key_twice,
        pack_version,
        pack_no_session,
        pack_session_type,
        pack_session_value,
        pack_client_type,
        pack_strategy,
        pack_no_operations,
        pack_operations_type,
        pack_retry,
        pack_too_many,
    };
    const uint32_t choice = dice_below(dice, sizeof(packers) / sizeof(*packers));
    if (packers[choice] == NULL) {
        return false;
    }
    packers[choice](out, dice, session_id);
    return true;
}
