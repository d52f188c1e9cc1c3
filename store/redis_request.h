/**
 * One thing asked of Redis, whatever it is: the callers' loads, commits and scene reads, and the
 * store's own commands.
 *
 * Lifetime: plain data; borrows what the caller submitted. Threading: one thread.
 */
#ifndef SCENESYNC_STORE_REDIS_REQUEST_H
#define SCENESYNC_STORE_REDIS_REQUEST_H

#include "store/redis_probe.h"
#include "store/redis_scene_read.h"

enum redis_request_kind {
    REDIS_REQUEST_PROBE,  /* one step of the probe */
    REDIS_REQUEST_SCRIPT, /* SCRIPT LOAD, after Redis forgot a script */
    REDIS_REQUEST_LOAD,
    REDIS_REQUEST_COMMIT,
    REDIS_REQUEST_WATERMARK,
    REDIS_REQUEST_SCENE_READ
};

struct redis_request {
    enum redis_request_kind kind;
    union {
        enum redis_probe_step step;
        enum redis_script script;
        struct scene_load *load;
        struct scene_commit *commit;
        struct watermark_request *watermark;
        struct redis_scene_read *scene_read;
    } of;
    enum store_status status; /* what it completes with, as far as known */
    size_t replies, replies_taken;
    uint64_t stream_end; /* where its commands end in the stream of bytes sent */
    unsigned resends;    /* because Redis had forgotten the script */
};

/** Appends the commands; returns how many: each has one reply. */
size_t redis_request_encode(const struct redis_request *request, const struct redis_probe *probe,
                            struct buffer *out);

/** Takes the next reply, no error reply, of a caller's request; sets the status. */
void redis_request_take(struct redis_request *request, const struct redisReply *reply);

/** Fails a caller's request for good; of several failures the first counts. */
void redis_request_fail(struct redis_request *request, enum error_code code, const char *message);

/** Redis would not serve it now, and said so: its outcome is unknown. A read of a scene, which
 * somebody waits for, keeps why, for the case that it is tried in vain. */
void redis_request_put_off(struct redis_request *request, struct span reply);

/** Hands the status to the caller: the request is the caller's again. */
void redis_request_complete(const struct redis_request *request);

/** Whether it was served and that shows that one of `refused_kind` would be, too. Loads of a scene
 * may be served while its commits are not. The watermark is written only after all of them were. */
bool redis_request_ends_trouble(const struct redis_request *request,
                                enum redis_request_kind refused_kind);

bool redis_request_is_callers(const struct redis_request *request);

/** The script that a commit or a write of the watermark calls. */
enum redis_script redis_request_script(const struct redis_request *request);

#endif
