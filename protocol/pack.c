#include "protocol/pack.h"

#include <msgpack/pack.h>
#include <msgpack/version.h>

/* msgpack-c stops at the first write that fails; the failure itself sticks in the buffer. */
static int write_bytes(void *data, const char *bytes, size_t size)
{
    struct buffer *out = data;
    buffer_append(out, bytes, size);
    return out->failed ? -1 : 0;
}

static msgpack_packer packer_of(struct buffer *out)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, write_bytes);
    return packer;
}

void pack_nil(struct buffer *out)
{
    msgpack_packer packer = packer_of(out);
    (void)msgpack_pack_nil(&packer);
}

void pack_bool(struct buffer *out, bool value)
{
    msgpack_packer packer = packer_of(out);
    (void)(value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer));
}

void pack_uint(struct buffer *out, uint64_t value)
{
    msgpack_packer packer = packer_of(out);
    (void)msgpack_pack_uint64(&packer, value);
}

void pack_int(struct buffer *out, int64_t value)
{
    msgpack_packer packer = packer_of(out);
    (void)msgpack_pack_int64(&packer, value);
}

void pack_double(struct buffer *out, double value)
{
    msgpack_packer packer = packer_of(out);
    (void)msgpack_pack_double(&packer, value);
}

/* MessagePack has no longer strings; msgpack-c would write a length cut to 32 bits. */
static bool is_too_long(struct buffer *out, struct span span)
{
    if (span.size > UINT32_MAX) {
        out->failed = true;
    }
    return out->failed;
}

void pack_str(struct buffer *out, struct span text)
{
    if (!is_too_long(out, text)) {
        msgpack_packer packer = packer_of(out);
        (void)msgpack_pack_str(&packer, text.size);
        buffer_append_span(out, text);
    }
}

void pack_text(struct buffer *out, const char *text)
{
    pack_str(out, span_of_text(text));
}

void pack_bin(struct buffer *out, struct span bytes)
{
    if (!is_too_long(out, bytes)) {
        msgpack_packer packer = packer_of(out);
        (void)msgpack_pack_bin(&packer, bytes.size);
        buffer_append_span(out, bytes);
    }
}

void pack_array(struct buffer *out, uint32_t count)
{
    msgpack_packer packer = packer_of(out);
    (void)msgpack_pack_array(&packer, count);
}

void pack_map(struct buffer *out, uint32_t count)
{
    msgpack_packer packer = packer_of(out);
    (void)msgpack_pack_map(&packer, count);
}

void pack_raw(struct buffer *out, struct span raw)
{
    buffer_append_span(out, raw);
}

const char *pack_library_version(void)
{
    return msgpack_version();
}
