#include "worker/observatory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http_server.h"
#include "worker/json_writer.h"
#include "worker/lag_monitor.h"
#include "worker/metrics.h"
#include "worker/pages.h"
#include "worker/scene_viewer.h"
#include "worker/status_json.h"

enum { STATUS_OK = 200, STATUS_UNAVAILABLE = 503, LIVE_SILENCE_MS_MAX = 60000 };

struct observatory {
    struct observatory_parts parts;
    uint64_t start_ms; /* monotonic */
    struct lag_monitor *lags;
    struct scene_viewer *viewer;
    struct http_server *server;
};

/* ---- What is to be seen ---- */

/** Everything for one answer, and what it borrows. */
struct sight {
    struct snapshot snapshot;
    struct partition_lag *lags; /* owned */
    char not_ready[PROGRESS_REASON_BYTES_MAX];
    struct metrics_view view;
};

static void look(const struct observatory *observatory, struct sight *sight)
{
    const struct observatory_parts *parts = &observatory->parts;
    uint64_t age_ms = UINT64_MAX;
    size_t lag_count = 0;
    enum progress_activity activity = progress_activity_of(parts->progress);
    *sight = (struct sight){.lags = NULL};
    snapshot_board_read(parts->board, &sight->snapshot);
    if (!lag_monitor_read(observatory->lags, &sight->lags, &lag_count, &age_ms)) {
        lag_count = 0; /* no memory for it: the rest is worth seeing all the same */
    }
    sight->view = (struct metrics_view){
        .settings = parts->settings,
        .snapshot = &sight->snapshot,
        .lags = sight->lags,
        .lag_count = lag_count,
        .is_ready = progress_is_ready(parts->progress, sight->not_ready),
        .store_is_up = activity == PROGRESS_IDLE || activity == PROGRESS_WORKING ||
                       activity == PROGRESS_BROKER_AWAY,
        .broker_is_up = age_ms < LAG_MONITOR_AGE_MS_MAX,
        .silence_ms = progress_silence_ms(parts->progress),
        .now_ms = clock_monotonic_ms(parts->clock),
    };
}

static void look_away(struct sight *sight)
{
    free(sight->lags);
}

/* ---- Answers ---- */

static void answer_metrics(void *context, const struct http_request *request,
                           struct http_response *response)
{
    (void)request;
    struct sight sight;
    struct process_usage process;
    look(context, &sight);
    sight.view.process = process_usage_read(&process) ? &process : NULL;
    response->content_type = METRICS_CONTENT_TYPE;
    metrics_write(&sight.view, &response->body);
    look_away(&sight);
}

/** {"<key>": <value>, "reason": …, "doing": …} */
static void write_health(struct http_response *response, const char *key, bool value,
                         const char *reason, const char *activity)
{
    struct json_writer writer = json_writer_of(&response->body, false);
    response->status = value ? STATUS_OK : STATUS_UNAVAILABLE;
    response->content_type = "application/json";
    json_write_object_begin(&writer);
    json_write_key_text(&writer, key);
    json_write_bool(&writer, value);
    if (!value) {
        json_write_key_text(&writer, "reason");
        json_write_text(&writer, reason);
    }
    json_write_key_text(&writer, "doing");
    json_write_text(&writer, activity);
    json_write_object_end(&writer);
    buffer_append(&response->body, "\n", 1);
}

static void answer_live(void *context, const struct http_request *request,
                        struct http_response *response)
{
    (void)request;
    const struct observatory_parts *parts = &((struct observatory *)context)->parts;
    uint64_t limit_ms = parts->settings->stall_timeout_ms;
    limit_ms = limit_ms > LIVE_SILENCE_MS_MAX ? limit_ms : LIVE_SILENCE_MS_MAX;
    bool is_live =
        !progress_is_stalled(parts->progress) && progress_silence_ms(parts->progress) < limit_ms;
    write_health(response, "live", is_live, "the cycle does not get further",
                 progress_activity_name(progress_activity_of(parts->progress)));
}

static void answer_ready(void *context, const struct http_request *request,
                         struct http_response *response)
{
    (void)request;
    const struct observatory_parts *parts = &((struct observatory *)context)->parts;
    char reason[PROGRESS_REASON_BYTES_MAX] = "";
    bool is_ready = progress_is_ready(parts->progress, reason);
    write_health(response, "ready", is_ready, reason,
                 progress_activity_name(progress_activity_of(parts->progress)));
}

static void answer_status(void *context, const struct http_request *request,
                          struct http_response *response)
{
    (void)request;
    const struct observatory *observatory = context;
    const struct observatory_parts *parts = &observatory->parts;
    struct recent_view *recent = calloc(1, sizeof *recent);
    struct sight sight;
    if (recent == NULL) {
        response->status = STATUS_UNAVAILABLE;
        return;
    }
    recent_read(parts->recent, recent);
    look(observatory, &sight);
    struct status_view view = {
        .metrics = sight.view,
        .activity = progress_activity_name(progress_activity_of(parts->progress)),
        .not_ready = sight.not_ready,
        .uptime_ms = sight.view.now_ms - observatory->start_ms,
        .now_wall_ms = clock_wall_ms(parts->clock),
        .recent = recent,
    };
    response->content_type = "application/json";
    status_json_write(&view, &response->body);
    look_away(&sight);
    free(recent);
}

static void answer_scene(void *context, const struct http_request *request,
                         struct http_response *response)
{
    const struct observatory *observatory = context;
    scene_viewer_answer(observatory->viewer, http_request_parameter(request, "session"), response);
}

/* As --print-config writes them, which hides secrets. */
static void answer_settings(void *context, const struct http_request *request,
                            struct http_response *response)
{
    (void)request;
    const struct observatory *observatory = context;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file != NULL) {
        settings_print(observatory->parts.settings, file);
    }
    if (file == NULL || fclose(file) != 0) {
        response->status = STATUS_UNAVAILABLE;
    } else {
        buffer_append(&response->body, text, size);
    }
    free(text);
}

static void answer_page(void *context, const struct http_request *request,
                        struct http_response *response)
{
    (void)context;
    const struct page *page = page_find(request->path);
    assert(page != NULL); /* routes name pages only */
    response->content_type = page->content_type;
    buffer_append_span(&response->body, page->text);
}

static const struct http_route routes[] = {
    {"/metrics", answer_metrics},
    {"/livez", answer_live},
    {"/readyz", answer_ready},
    {"/status.json", answer_status},
    {"/settings.txt", answer_settings},
    {"/scene.json", answer_scene},
    {"/", answer_page},
    {"/status.js", answer_page},
    {"/status.css", answer_page},
};

/* ---- Lifetime ---- */

static void log_listening(const struct observatory *observatory)
{
    struct log_line line;
    char url[HTTP_URL_BYTES_MAX];
    http_server_url(observatory->server, url);
    log_begin(&line, observatory->parts.log, LOG_INFO, "http listening");
    log_text(&line, "url", url);
    log_end(&line);
}

static void log_unobserved(const struct observatory *observatory, const char *message)
{
    struct log_line line;
    log_begin(&line, observatory->parts.log, LOG_WARN, "no metrics and no health");
    log_text(&line, "reason", message);
    log_end(&line);
}

struct observatory *observatory_start(const struct observatory_parts *parts, char *message,
                                      size_t message_bytes)
{
    struct observatory *observatory = calloc(1, sizeof *observatory);
    if (observatory == NULL) {
        (void)snprintf(message, message_bytes, "out of memory");
        return NULL;
    }
    observatory->parts = *parts;
    observatory->start_ms = clock_monotonic_ms(parts->clock);
    if (strcmp(parts->settings->http_listen, "off") == 0) {
        return observatory;
    }
    observatory->lags =
        lag_monitor_start(parts->source, parts->progress, parts->clock, parts->settings->topic_ops);
    observatory->viewer = scene_viewer_create(parts->settings, parts->clock);
    if (observatory->lags == NULL || observatory->viewer == NULL) {
        (void)snprintf(message, message_bytes, "out of memory or threads");
        observatory_stop(observatory);
        return NULL;
    }
    const struct http_server_parts server = {
        .address = parts->settings->http_listen,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .context = observatory,
        .log = parts->log,
        .clock = parts->clock,
    };
    observatory->server = http_server_start(&server, message, message_bytes);
    if (observatory->server != NULL) {
        log_listening(observatory);
    } else if (settings_is_default(parts->settings, "http.listen")) {
        log_unobserved(observatory, message);
    } else {
        observatory_stop(observatory);
        return NULL;
    }
    return observatory;
}

void observatory_stop(struct observatory *observatory)
{
    if (observatory == NULL) {
        return;
    }
    http_server_stop(observatory->server);
    scene_viewer_destroy(observatory->viewer);
    lag_monitor_stop(observatory->lags);
    free(observatory);
}

void observatory_set_credentials(struct observatory *observatory, const char *username,
                                 const char *password)
{
    if (observatory->viewer != NULL) {
        scene_viewer_set_credentials(observatory->viewer, username, password);
    }
}
