#include "store/redis_scripts.h"

#include <assert.h>
#include <hiredis/hiredis.h>

#include "scripts.h"
#include "store/redis_command.h"

enum { CALL_HEAD = 3 /* EVALSHA, the script, the number of keys */ };

static struct span source_of(enum redis_script script)
{
    switch (script) {
    case REDIS_SCRIPT_COMMIT:
        return span_make(commit_lua, sizeof commit_lua - 1);
    case REDIS_SCRIPT_WATERMARK:
        return span_make(watermark_lua, sizeof watermark_lua - 1);
    case REDIS_SCRIPT_COUNT:
        break;
    }
    assert(script < REDIS_SCRIPT_COUNT);
    return (struct span){0};
}

void redis_script_add_load(enum redis_script script, struct buffer *out)
{
    redis_command_begin(out, 3);
    redis_command_add_text(out, "SCRIPT");
    redis_command_add_text(out, "LOAD");
    redis_command_add(out, source_of(script));
}

bool redis_script_take_sha(struct redis_scripts *scripts, enum redis_script script,
                           const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING || reply->len != REDIS_SHA_BYTES) {
        return false;
    }
    memcpy(scripts->shas[script], reply->str, REDIS_SHA_BYTES);
    return true;
}

void redis_script_begin_call(const struct redis_scripts *scripts, enum redis_script script,
                             size_t key_count, size_t argument_count, struct buffer *out)
{
    redis_command_begin(out, CALL_HEAD + key_count + argument_count);
    redis_command_add_text(out, "EVALSHA");
    redis_command_add(out, span_make(scripts->shas[script], REDIS_SHA_BYTES));
    redis_command_add_uint(out, key_count);
}
