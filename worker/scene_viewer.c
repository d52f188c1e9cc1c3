#include "worker/scene_viewer.h"

#include <pthread.h>
#include <stdlib.h>

#include "protocol/identifier.h"
#include "worker/redis_options.h"
#include "worker/scene_json.h"

enum {
    /* The server has one thread, and health must not wait for long. */
    READ_MS_MAX = 300,
    ARENA_BYTES_MAX = 64 << 20,
    STATUS_BAD_REQUEST = 400,
    STATUS_NOT_FOUND = 404,
    STATUS_UNAVAILABLE = 503
};

struct scene_viewer {
    const struct settings *settings;
    struct clock clock;
    struct store *store;   /* NULL until it is first needed */
    pthread_mutex_t mutex; /* over what is below */
    bool is_changed;       /* the store has other credentials than these */
    bool has_credentials;  /* other ones than in the settings */
    char *username, *password;
};

struct scene_viewer *scene_viewer_create(const struct settings *settings, const struct clock *clock)
{
    struct scene_viewer *viewer = calloc(1, sizeof *viewer);
    if (viewer == NULL || pthread_mutex_init(&viewer->mutex, NULL) != 0) {
        free(viewer);
        return NULL;
    }
    viewer->settings = settings;
    viewer->clock = *clock;
    return viewer;
}

void scene_viewer_destroy(struct scene_viewer *viewer)
{
    if (viewer != NULL) {
        store_destroy(viewer->store);
        (void)pthread_mutex_destroy(&viewer->mutex);
        free(viewer->username);
        free(viewer->password);
        free(viewer);
    }
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

void scene_viewer_set_credentials(struct scene_viewer *viewer, const char *username,
                                  const char *password)
{
    (void)pthread_mutex_lock(&viewer->mutex);
    free(viewer->username);
    free(viewer->password);
    viewer->username = copy(username);
    viewer->password = copy(password);
    viewer->is_changed = viewer->has_credentials = true;
    (void)pthread_mutex_unlock(&viewer->mutex);
}

/** With the mutex held. */
static bool open_store(struct scene_viewer *viewer, struct error *error)
{
    struct redis_store_options options;
    if (viewer->is_changed) {
        store_destroy(viewer->store);
        viewer->store = NULL;
        viewer->is_changed = false;
    }
    if (viewer->store != NULL) {
        return true;
    }
    if (!redis_options_of(viewer->settings, &viewer->clock, &options, error)) {
        return false;
    }
    if (viewer->has_credentials) {
        options.username = viewer->username;
        options.password = viewer->password;
    }
    options.group = NULL; /* scenes alone are looked at */
    options.jitter_seed = clock_wall_ms(&viewer->clock);
    viewer->store = redis_store_create(&options);
    return viewer->store != NULL || error_set(error, ERROR_OUT_OF_MEMORY, "out of memory");
}

static void answer_error(struct http_response *response, unsigned status, const char *message)
{
    buffer_clear(&response->body);
    response->status = status;
    struct json_writer writer = json_writer_of(&response->body, false);
    json_write_object_begin(&writer);
    json_write_key_text(&writer, "error");
    json_write_text(&writer, message);
    json_write_object_end(&writer);
}

static void read_scene(struct scene_viewer *viewer, const char *session_id, struct arena *arena,
                       struct http_response *response)
{
    struct scene_dump dump = {0};
    struct error error = {0};
    (void)pthread_mutex_lock(&viewer->mutex);
    bool is_open = open_store(viewer, &error);
    (void)pthread_mutex_unlock(&viewer->mutex);
    if (!is_open || !redis_store_read_scene(viewer->store, span_of_text(session_id), READ_MS_MAX,
                                            arena, &dump, &error)) {
        answer_error(response, STATUS_UNAVAILABLE, error.message);
        return;
    }
    if (dump.version == 0 && dump.count == 0) {
        answer_error(response, STATUS_NOT_FOUND, "there is no such scene");
        return;
    }
    struct json_writer writer = json_writer_of(&response->body, false);
    if (!scene_json_write(session_id, &dump, (struct scene_json_parts){.clocks = false}, arena,
                          &writer, &error)) {
        answer_error(response, STATUS_UNAVAILABLE, error.message);
    }
}

void scene_viewer_answer(struct scene_viewer *viewer, const char *session_id,
                         struct http_response *response)
{
    response->content_type = "application/json";
    if (session_id == NULL || !identifier_is_session_id(span_of_text(session_id))) {
        answer_error(response, STATUS_BAD_REQUEST,
                     "session: expected 1 to 64 of A-Z, a-z, 0-9, _ and -");
        return;
    }
    struct arena arena;
    arena_init(&arena, ARENA_BYTES_MAX);
    read_scene(viewer, session_id, &arena, response);
    arena_deinit(&arena);
}
