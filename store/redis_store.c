#include "store/redis_store.h"

#include <assert.h>
#include <stdlib.h>

#include "store/redis_load.h"
#include "store/redis_session.h"

enum {
    SCENE_READ_TRIES_MAX = 5, /* while others change the scene */
    SCENE_READ_POLL_MS = 100
};

struct redis_store {
    struct store base; /* first: a struct store is this */
    struct redis_session session;
    char *texts;       /* owns the options' strings */
    char *credentials; /* owns what redis_store_set_credentials() gave; NULL: not yet */
};

static struct redis_session *session_of(struct store *store)
{
    return &((struct redis_store *)store)->session;
}

static void submit_load(struct store *store, struct scene_load *load)
{
    struct redis_request request = {.kind = REDIS_REQUEST_LOAD, .of.load = load};
    load->status = STORE_IN_FLIGHT;
    if (redis_load_begin(load)) {
        redis_session_submit(session_of(store), &request);
    } else {
        redis_session_fail(session_of(store), &request);
    }
}

static void submit_commit(struct store *store, struct scene_commit *commit)
{
    struct redis_request request = {.kind = REDIS_REQUEST_COMMIT, .of.commit = commit};
    commit->status = STORE_IN_FLIGHT;
    commit->dropped_count = 0;
    redis_session_submit(session_of(store), &request);
}

static void submit_watermark(struct store *store, struct watermark_request *watermark)
{
    struct redis_request request = {.kind = REDIS_REQUEST_WATERMARK, .of.watermark = watermark};
    assert(watermark->count > 0 && watermark->count <= STORE_WATERMARK_ENTRIES_MAX);
    assert(!span_is_absent(session_of(store)->scripts.group));
    watermark->status = STORE_IN_FLIGHT;
    redis_session_submit(session_of(store), &request);
}

static size_t poll_store(struct store *store, int timeout_ms)
{
    return redis_session_poll(session_of(store), timeout_ms);
}

static bool is_ready(const struct store *store)
{
    return ((const struct redis_store *)store)->session.state == REDIS_READY;
}

static uint64_t epoch(const struct store *store)
{
    return ((const struct redis_store *)store)->session.epoch;
}

static void destroy(struct store *base)
{
    struct redis_store *store = (struct redis_store *)base;
    redis_session_deinit(&store->session);
    free(store->texts);
    free(store->credentials);
    free(store);
}

static const struct store_interface redis_interface = {
    .submit_load = submit_load,
    .submit_commit = submit_commit,
    .submit_watermark = submit_watermark,
    .poll = poll_store,
    .is_ready = is_ready,
    .epoch = epoch,
    .destroy = destroy,
};

/** Copies the text to `*place`, moves `*place` behind it, and points `*text` at the copy. */
static void move_text(const char **text, char **place)
{
    if (*text != NULL) {
        size_t size = strlen(*text) + 1;
        memcpy(*place, *text, size);
        *text = *place;
        *place += size;
    }
}

/** Copies the options' strings into one allocation. Returns it, or NULL when out of memory. */
static char *own_texts(struct redis_store_options *options)
{
    const char **texts[] = {&options->username, &options->password, &options->key_prefix,
                            &options->group,    &options->tls.ca,   &options->tls.certificate,
                            &options->tls.key};
    size_t size = 1;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size += *texts[i] != NULL ? strlen(*texts[i]) + 1 : 0;
    }
    char *copies = malloc(size);
    char *place = copies;
    for (size_t i = 0; copies != NULL && i < sizeof texts / sizeof *texts; i++) {
        move_text(texts[i], &place);
    }
    return copies;
}

struct store *redis_store_create(const struct redis_store_options *given)
{
    struct redis_store_options options = *given;
    struct redis_store *store = malloc(sizeof *store);
    if (store == NULL) {
        return NULL;
    }
    if (options.username == NULL && options.address.username[0] != '\0') {
        options.username = options.address.username;
    }
    store->texts = own_texts(&options);
    if (store->texts == NULL) {
        free(store);
        return NULL;
    }
    store->credentials = NULL;
    store->base.interface = &redis_interface;
    redis_session_init(&store->session, &options);
    return &store->base;
}

bool redis_store_set_credentials(struct store *base, const char *username, const char *password)
{
    struct redis_store *store = (struct redis_store *)base;
    struct redis_session *session = &store->session;
    struct redis_store_options changed = {.username = username, .password = password};
    if (changed.username == NULL && session->options.address.username[0] != '\0') {
        changed.username = session->options.address.username;
    }
    char *texts = own_texts(&changed);
    if (texts == NULL) {
        return false;
    }
    redis_session_set_credentials(session, changed.username, changed.password);
    free(store->credentials);
    store->credentials = texts;
    return true;
}

/** Polls until the store is ready and the request complete, or `deadline_ms` has come. */
static bool run_scene_step(struct redis_session *session, struct redis_scene_read *read,
                           uint64_t deadline_ms)
{
    const struct redis_store_options *options = &session->options;
    struct redis_request request = {.kind = REDIS_REQUEST_SCENE_READ, .of.scene_read = read};
    while (session->state != REDIS_READY) {
        if (options->monotonic_ms(options->clock_context) >= deadline_ms) {
            return false;
        }
        (void)redis_session_poll(session, SCENE_READ_POLL_MS);
    }
    read->status = STORE_IN_FLIGHT;
    redis_session_submit(session, &request);
    while (read->status == STORE_IN_FLIGHT) { /* at most until command_timeout_ms strikes */
        (void)redis_session_poll(session, SCENE_READ_POLL_MS);
    }
    return true;
}

/** Takes all steps, each of which moves towards the end, or those up to one that fails. */
static bool run_scene_read(struct redis_session *session, struct redis_scene_read *read,
                           uint64_t deadline_ms)
{
    do {
        if (!run_scene_step(session, read, deadline_ms)) {
            return false;
        }
    } while (read->status == STORE_DONE && redis_scene_read_go_on(read));
    return true;
}

bool redis_store_read_scene(struct store *store, struct span session_id, int timeout_ms,
                            struct arena *arena, struct scene_dump *out, struct error *error)
{
    struct redis_session *session = session_of(store);
    const struct redis_store_options *options = &session->options;
    uint64_t deadline_ms = options->monotonic_ms(options->clock_context) + (uint64_t)timeout_ms;
    struct redis_scene_read read = {.error = {.code = ERROR_NONE}};
    enum redis_scene_read_step first = REDIS_SCENE_READ_HEAD;
    for (int i = 0; i < SCENE_READ_TRIES_MAX; i++) {
        arena_reset(arena);
        read = (struct redis_scene_read){.session_id = session_id, .arena = arena, .step = first};
        if (!run_scene_read(session, &read, deadline_ms)) {
            return error_set(error, ERROR_STORE_ERROR, "the store was not ready within %d ms: %s",
                             timeout_ms, session->notices.last_detail);
        }
        if (read.status == STORE_FAILED) {
            *error = read.error;
            return false;
        }
        if (read.status == STORE_DONE && read.consistent) {
            *out = read.dump;
            return true;
        }
        /* All of it fitted: it may be asked for at once, which is hard to come between. */
        first = read.status == STORE_DONE ? REDIS_SCENE_READ_WHOLE : REDIS_SCENE_READ_HEAD;
    }
    if (read.error.code != ERROR_NONE) {
        *error = read.error; /* what Redis would not do */
        return false;
    }
    char quoted[ERROR_QUOTE_BYTES_MAX];
    return error_set(error, ERROR_STORE_ERROR,
                     "scene %s changed during each of %d reads, or the connection was lost: try "
                     "again",
                     error_quote(session_id, quoted), SCENE_READ_TRIES_MAX);
}
