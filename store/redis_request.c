#include "store/redis_request.h"

#include "store/redis_errors.h"
#include "store/redis_load.h"
#include "store/redis_watermark.h"

size_t redis_request_encode(const struct redis_request *request, const struct redis_probe *probe,
                            struct buffer *out)
{
    switch (request->kind) {
    case REDIS_REQUEST_PROBE:
        redis_probe_encode(probe, request->of.step, out);
        return 1;
    case REDIS_REQUEST_SCRIPT:
        redis_script_add_load(request->of.script, out);
        return 1;
    case REDIS_REQUEST_LOAD:
        return redis_load_encode(request->of.load, probe->scripts->key_prefix, out);
    case REDIS_REQUEST_COMMIT:
        redis_commit_encode(request->of.commit, probe->scripts, out);
        return 1;
    case REDIS_REQUEST_WATERMARK:
        redis_watermark_encode(request->of.watermark, probe->scripts, out);
        return 1;
    case REDIS_REQUEST_SCENE_READ:
        return redis_scene_read_encode(request->of.scene_read, probe->scripts->key_prefix, out);
    }
    return 0;
}

void redis_request_take(struct redis_request *request, const struct redisReply *reply)
{
    bool taken = true;
    if (request->status != STORE_DONE) {
        return;
    }
    switch (request->kind) {
    case REDIS_REQUEST_LOAD:
        taken = redis_load_take(request->of.load, request->replies_taken, reply);
        break;
    case REDIS_REQUEST_COMMIT:
        request->status = redis_commit_take(request->of.commit, reply);
        break;
    case REDIS_REQUEST_WATERMARK:
        request->status = redis_watermark_take(request->of.watermark, reply);
        break;
    case REDIS_REQUEST_SCENE_READ:
        taken = redis_scene_read_take(request->of.scene_read, request->replies_taken, reply);
        break;
    case REDIS_REQUEST_PROBE:
    case REDIS_REQUEST_SCRIPT:
        break;
    }
    if (!taken) {
        request->status = STORE_FAILED;
    }
}

static struct error *error_of(const struct redis_request *request)
{
    switch (request->kind) {
    case REDIS_REQUEST_LOAD:
        return &request->of.load->error;
    case REDIS_REQUEST_COMMIT:
        return &request->of.commit->error;
    case REDIS_REQUEST_WATERMARK:
        return &request->of.watermark->error;
    case REDIS_REQUEST_SCENE_READ:
        return &request->of.scene_read->error;
    case REDIS_REQUEST_PROBE:
    case REDIS_REQUEST_SCRIPT:
        break;
    }
    return NULL;
}

void redis_request_fail(struct redis_request *request, enum error_code code, const char *message)
{
    if (request->status != STORE_FAILED && request->status != STORE_UNKNOWN) {
        request->status = STORE_FAILED;
        error_set(error_of(request), code, "%s", message);
    }
}

void redis_request_put_off(struct redis_request *request, struct span reply)
{
    char message[REDIS_ERROR_TEXT_BYTES_MAX];
    if (request->status == STORE_FAILED) {
        return;
    }
    request->status = STORE_UNKNOWN;
    if (request->kind == REDIS_REQUEST_SCENE_READ) {
        error_set(&request->of.scene_read->error, ERROR_STORE_ERROR, "%s",
                  redis_error_describe(reply, message));
    }
}

void redis_request_complete(const struct redis_request *request)
{
    switch (request->kind) {
    case REDIS_REQUEST_LOAD:
        request->of.load->status = request->status;
        return;
    case REDIS_REQUEST_COMMIT:
        request->of.commit->status = request->status;
        return;
    case REDIS_REQUEST_WATERMARK:
        request->of.watermark->status = request->status;
        return;
    case REDIS_REQUEST_SCENE_READ:
        request->of.scene_read->status = request->status;
        return;
    case REDIS_REQUEST_PROBE:
    case REDIS_REQUEST_SCRIPT:
        return;
    }
}

bool redis_request_ends_trouble(const struct redis_request *request,
                                enum redis_request_kind refused_kind)
{
    bool is_served = request->status == STORE_DONE || request->status == STORE_REFUSED ||
                     request->status == STORE_DISOWNED;
    bool is_mark = request->kind == REDIS_REQUEST_WATERMARK && request->of.watermark->is_write;
    return is_served && (request->kind == refused_kind || is_mark) &&
           redis_request_is_callers(request);
}

bool redis_request_is_callers(const struct redis_request *request)
{
    return request->kind != REDIS_REQUEST_PROBE && request->kind != REDIS_REQUEST_SCRIPT;
}

enum redis_script redis_request_script(const struct redis_request *request)
{
    return request->kind == REDIS_REQUEST_WATERMARK ? REDIS_SCRIPT_WATERMARK : REDIS_SCRIPT_COMMIT;
}
