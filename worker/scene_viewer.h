/**
 * Looks a scene up for the status page, over a connection of its own that is made when it is first
 * needed: what the page does never waits in the cycle's pipeline. Read-only.
 *
 * Lifetime: scene_viewer_create() .. scene_viewer_destroy(). Threading: one thread, the server's,
 * and where it says so any other.
 */
#ifndef SCENESYNC_WORKER_SCENE_VIEWER_H
#define SCENESYNC_WORKER_SCENE_VIEWER_H

#include "worker/clock.h"
#include "worker/http_server.h"
#include "worker/settings.h"

struct scene_viewer;

/** Borrows both. Returns owned; NULL: out of memory. */
struct scene_viewer *scene_viewer_create(const struct settings *settings,
                                         const struct clock *clock);
void scene_viewer_destroy(struct scene_viewer *viewer);

/** From the next look on it is another user or has another password; copied. NULL: none. Any
 * thread. */
void scene_viewer_set_credentials(struct scene_viewer *viewer, const char *username,
                                  const char *password);

/** Answers with the scene as JSON (scene_json.h), or with {"error": …}: 400 for what is no
 * session_id, 404 where there is no such scene, 503 where Redis does not answer in time. */
void scene_viewer_answer(struct scene_viewer *viewer, const char *session_id,
                         struct http_response *response);

#endif
