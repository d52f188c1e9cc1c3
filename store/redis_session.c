#include "store/redis_session.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>

enum {
    RECEIVES_PER_POLL_MAX = 64, /* then what else the poll has to do gets its turn */
    RESENDS_MAX = 3 /* of one request, while somebody flushes the scripts all the time */
};

static uint64_t now_ms(const struct redis_session *session)
{
    return session->options.monotonic_ms(session->options.clock_context);
}

static void set_state(struct redis_session *session, enum redis_session_state state)
{
    session->state = state;
    session->progressed = true;
}

/* Completing requests. */

static void complete(struct redis_session *session, const struct redis_request *request)
{
    redis_request_complete(request);
    if (redis_request_is_callers(request)) {
        session->requests--;
        session->progressed = true;
    } else if (request->kind == REDIS_REQUEST_PROBE) {
        session->probe_replies--;
    } else {
        session->is_script_sent[request->of.script] = false;
    }
}

/** Completes it at the next poll; at once where there is no memory for that. */
static void finish_later(struct redis_session *session, struct redis_request *request,
                         enum store_status status)
{
    request->status = status;
    if (redis_queue_reserve(&session->finished)) {
        redis_queue_push(&session->finished, request);
    } else {
        complete(session, request);
    }
}

static void complete_finished(struct redis_session *session)
{
    while (session->finished.count > 0) {
        struct redis_request request = redis_queue_pop(&session->finished);
        complete(session, &request);
    }
}

/* Leaving the ready state. */

/** Closes the connection, to open another one after a while. */
static void hang_up(struct redis_session *session)
{
    redis_connection_close(&session->connection);
    while (session->queue.count > 0) {
        struct redis_request request = redis_queue_pop(&session->queue);
        request.status = STORE_UNKNOWN;
        complete(session, &request);
    }
    assert(session->probe_replies == 0 && !session->is_script_sent[REDIS_SCRIPT_COMMIT] &&
           !session->is_script_sent[REDIS_SCRIPT_WATERMARK]);
    session->has_unsent_commit = false;
    session->wake_ms = now_ms(session) + backoff_next_ms(&session->backoff);
    set_state(session, REDIS_CLOSED);
}

static void drop(struct redis_session *session, const char *why)
{
    hang_up(session);
    redis_notices_tell(&session->notices, now_ms(session), STORE_EVENT_DISCONNECTED, why);
}

/** Redis answered with an error that is no request's fault. */
static void refuse_work(struct redis_session *session, struct span reply)
{
    char detail[REDIS_ERROR_TEXT_BYTES_MAX];
    (void)redis_error_describe(reply, detail);
    if (redis_error_class_of(reply) == REDIS_ERROR_CONNECTION) {
        drop(session, detail);
    } else if (session->state == REDIS_READY || session->state == REDIS_PROBING) {
        session->wake_ms = now_ms(session) + backoff_next_ms(&session->backoff);
        set_state(session, REDIS_WAITING);
        redis_notices_tell(&session->notices, now_ms(session), STORE_EVENT_WAITING, detail);
    }
}

/* Sending. */

/** Queues a request's commands for sending. False: no memory, nothing happened. */
static bool send_request(struct redis_session *session, struct redis_request *request)
{
    if (!redis_queue_reserve(&session->queue)) {
        return false;
    }
    request->status = STORE_DONE;
    request->replies = redis_request_encode(request, &session->probe,
                                            redis_connection_output(&session->connection));
    request->replies_taken = 0;
    if (!redis_connection_end_command(&session->connection)) {
        return false;
    }
    request->stream_end = session->connection.queued_total;
    redis_queue_push(&session->queue, request);
    return true;
}

void redis_session_submit(struct redis_session *session, struct redis_request *request)
{
    session->requests++;
    if (session->state != REDIS_READY) {
        finish_later(session, request, STORE_UNKNOWN);
    } else if (!send_request(session, request)) {
        redis_request_fail(request, ERROR_OUT_OF_MEMORY,
                           "no memory to queue a request to the store");
        finish_later(session, request, STORE_FAILED);
    } else if (request->kind == REDIS_REQUEST_COMMIT) {
        session->has_unsent_commit = true;
    }
}

void redis_session_fail(struct redis_session *session, struct redis_request *request)
{
    session->requests++;
    finish_later(session, request, STORE_FAILED);
}

/** Sends the steps of the probe from `first` up to the one before `end`. */
static void send_probe(struct redis_session *session, enum redis_probe_step first,
                       enum redis_probe_step end)
{
    for (unsigned step = first; step < (unsigned)end; step++) {
        struct redis_request request = {.kind = REDIS_REQUEST_PROBE,
                                        .of.step = (enum redis_probe_step)step};
        if (!redis_probe_has_step(&session->probe, request.of.step)) {
            continue;
        }
        if (!send_request(session, &request)) {
            drop(session, "no memory to queue the self test");
            return;
        }
        session->probe_replies++;
    }
}

static void start_probe(struct redis_session *session)
{
    session->progress_ms = now_ms(session);
    set_state(session, REDIS_PROBING);
    send_probe(session, REDIS_PROBE_HELLO, REDIS_PROBE_WATERMARK);
}

static void start_connecting(struct redis_session *session)
{
    struct error error;
    session->is_new_connection = true;
    session->scripts.history_size = 0;
    session->progress_ms = now_ms(session);
    if (!redis_connection_open(&session->connection, &session->options.address,
                               &session->options.tls, &error)) {
        drop(session, error.message);
        return;
    }
    set_state(session, REDIS_CONNECTING);
}

/** Sends a script's call again, behind a new SCRIPT LOAD: it had no effect. */
static void resend_with_script(struct redis_session *session, struct redis_request *request)
{
    struct redis_request load = {.kind = REDIS_REQUEST_SCRIPT,
                                 .of.script = redis_request_script(request)};
    bool *is_sent = &session->is_script_sent[load.of.script];
    *is_sent = *is_sent || send_request(session, &load);
    request->resends++;
    if (!*is_sent || !send_request(session, request)) {
        request->status = STORE_UNKNOWN;
        complete(session, request);
    }
}

/* Taking replies. */

static void end_trouble(struct redis_session *session)
{
    backoff_reset(&session->backoff);
    redis_notices_end_trouble(&session->notices);
    session->refused_kind = REDIS_REQUEST_PROBE;
}

static void become_ready(struct redis_session *session)
{
    if (session->refused_kind == REDIS_REQUEST_PROBE) {
        end_trouble(session);
    }
    if (session->is_new_connection) {
        session->is_new_connection = false;
        session->epoch++;
    }
    set_state(session, REDIS_READY);
    redis_notices_tell(&session->notices, now_ms(session), STORE_EVENT_CONNECTED,
                       session->options.address.host_or_path);
}

static void take_probe_reply(struct redis_session *session, enum redis_probe_step step,
                             const redisReply *reply)
{
    struct error error;
    if (session->state != REDIS_PROBING) {
        return; /* an earlier step failed */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        refuse_work(session, span_make(reply->str, reply->len));
        if (step == REDIS_PROBE_HELLO && session->state == REDIS_WAITING) {
            hang_up(session); /* Redis never says HELLO again to a connection without a password */
        }
    } else if (!redis_probe_take(&session->probe, step, reply, &error)) {
        refuse_work(session, span_of_text(error.message));
    } else if (step == REDIS_PROBE_LOAD_COMMIT) {
        send_probe(session, REDIS_PROBE_WATERMARK, REDIS_PROBE_STEPS);
    } else if (step == REDIS_PROBE_EXECUTE) {
        become_ready(session);
    }
}

/** An error reply to one of a request's commands; the first of several counts. */
static void take_error(struct redis_session *session, struct redis_request *request,
                       struct span reply)
{
    char message[REDIS_ERROR_TEXT_BYTES_MAX];
    switch (redis_error_class_of(reply)) {
    case REDIS_ERROR_REQUEST:
        if (request->kind == REDIS_REQUEST_WATERMARK && !request->of.watermark->is_write) {
            /* No fault of this read alone: nothing can be committed until the key is mended. */
            (void)snprintf(message, sizeof message, "WATERMARK %.*s", SPAN_ARGS(reply));
            reply = span_of_text(message);
            break;
        }
        redis_request_fail(request, ERROR_STORE_ERROR, redis_error_describe(reply, message));
        return;
    case REDIS_ERROR_NO_SCRIPT:
        if (session->state == REDIS_READY && request->resends < RESENDS_MAX) {
            request->status = STORE_IN_FLIGHT;
            return;
        }
        break;
    case REDIS_ERROR_CONNECTION:
    case REDIS_ERROR_SERVER:
        break;
    }
    session->refused_kind = request->kind;
    redis_request_put_off(request, reply);
    refuse_work(session, reply);
}

/** Takes a reply to the oldest request; may drop the connection, and with it the request. */
static void interpret(struct redis_session *session, struct redis_request *request,
                      const redisReply *reply)
{
    if (request->kind == REDIS_REQUEST_PROBE) {
        take_probe_reply(session, request->of.step, reply);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        take_error(session, request, span_make(reply->str, reply->len));
    } else {
        redis_request_take(request, reply);
    }
}

static void take_reply(struct redis_session *session, const redisReply *reply)
{
    struct redis_request *first = redis_queue_first(&session->queue);
    if (first == NULL) {
        drop(session, "Redis sent a reply that nothing asked for");
        return;
    }
    interpret(session, first, reply);
    if (session->state == REDIS_CLOSED) {
        return;
    }
    first = redis_queue_first(&session->queue); /* the queue may have grown */
    first->replies_taken++;
    if (first->replies_taken < first->replies) {
        return;
    }
    struct redis_request request = redis_queue_pop(&session->queue);
    if (request.kind == REDIS_REQUEST_COMMIT) {
        fault_reach(session->options.faults, FAULT_COMMIT_REPLIED);
    }
    if (request.status == STORE_IN_FLIGHT) {
        resend_with_script(session, &request);
    } else {
        if (redis_request_ends_trouble(&request, session->refused_kind)) {
            end_trouble(session);
        }
        complete(session, &request);
    }
}

static void take_replies(struct redis_session *session)
{
    while (session->state != REDIS_CLOSED) {
        struct redisReply *reply;
        struct error error;
        if (!redis_connection_next_reply(&session->connection, &reply, &error)) {
            drop(session, error.message);
            return;
        }
        if (reply == NULL) {
            return;
        }
        take_reply(session, reply);
        freeReplyObject(reply);
    }
}

static void receive(struct redis_session *session)
{
    for (int i = 0; i < RECEIVES_PER_POLL_MAX && session->state != REDIS_CLOSED; i++) {
        size_t received;
        struct error error;
        if (!redis_connection_receive(&session->connection, &received, &error)) {
            drop(session, error.message);
            return;
        }
        if (received == 0) {
            return;
        }
        session->progress_ms = now_ms(session);
        take_replies(session);
    }
}

/* Polling. */

static void send_output(struct redis_session *session)
{
    struct error error;
    uint64_t sent_before = session->connection.sent_total;
    struct redis_request *first = redis_queue_first(&session->queue);
    if (!redis_connection_has_output(&session->connection)) {
        return;
    }
    if (!redis_connection_send(&session->connection, &error)) {
        drop(session, error.message);
        return;
    }
    if (session->has_unsent_commit && !redis_connection_has_output(&session->connection)) {
        session->has_unsent_commit = false;
        fault_reach(session->options.faults, FAULT_COMMIT_SENT);
    }
    /* Redis's time to answer starts when it has all of the oldest request. Bytes of later ones are
     * no sign of life: the socket takes them while Redis hangs. */
    if (first != NULL && first->stream_end > sent_before &&
        session->connection.sent_total > sent_before) {
        session->progress_ms = now_ms(session);
    }
}

/** When something has to be done without any input; UINT64_MAX: never. */
static uint64_t next_deadline_ms(const struct redis_session *session)
{
    uint64_t deadline = UINT64_MAX;
    switch (session->state) {
    case REDIS_CLOSED:
        return session->wake_ms;
    case REDIS_CONNECTING:
        return session->progress_ms + (uint64_t)session->options.connect_timeout_ms;
    case REDIS_WAITING:
        if (session->probe_replies == 0) {
            deadline = session->wake_ms;
        }
        break;
    case REDIS_PROBING:
    case REDIS_READY:
        break;
    }
    uint64_t timeout = session->progress_ms + (uint64_t)session->options.command_timeout_ms;
    return session->queue.count > 0 && timeout < deadline ? timeout : deadline;
}

static void meet_deadline(struct redis_session *session)
{
    char why[ERROR_QUOTE_BYTES_MAX];
    uint64_t now = now_ms(session);
    if (now < next_deadline_ms(session)) {
        return;
    }
    if (session->state == REDIS_CLOSED) {
        start_connecting(session);
    } else if (session->state == REDIS_CONNECTING) {
        (void)snprintf(why, sizeof why,
                       "connecting to Redis took %d ms (redis.connect_timeout_ms)%s",
                       session->options.connect_timeout_ms,
                       session->connection.awaits_input ? "; is its port one with TLS?" : "");
        drop(session, why);
    } else if (session->state == REDIS_WAITING && session->probe_replies == 0 &&
               now >= session->wake_ms) {
        start_probe(session);
    } else {
        (void)snprintf(why, sizeof why, "no reply from Redis for %d ms (redis.command_timeout_ms)",
                       session->options.command_timeout_ms);
        drop(session, why);
    }
}

/** Sends, waits for up to `wait_ms` and receives. False: a signal came, the caller wants to know.
 */
static bool exchange(struct redis_session *session, int wait_ms)
{
    bool is_connecting = session->state == REDIS_CONNECTING;
    if (!is_connecting) {
        send_output(session);
    }
    struct pollfd item = {.fd = redis_connection_fd(&session->connection), .events = POLLIN};
    if (is_connecting) {
        item.events = session->connection.awaits_input ? POLLIN : POLLOUT;
    } else if (redis_connection_has_output(&session->connection)) {
        item.events = POLLIN | POLLOUT;
    }
    int ready = poll(&item, 1, session->progressed ? 0 : wait_ms);
    if (ready <= 0) {
        return ready == 0;
    }
    if (!is_connecting) {
        receive(session);
        return true;
    }
    struct error error;
    bool is_open = false;
    if (!redis_connection_go_on_opening(&session->connection, &is_open, &error)) {
        drop(session, error.message);
    } else if (is_open) {
        start_probe(session);
    }
    return true;
}

size_t redis_session_poll(struct redis_session *session, int timeout_ms)
{
    uint64_t start = now_ms(session), waited_ms = 0;
    uint64_t budget_ms = timeout_ms > 0 ? (uint64_t)timeout_ms : 0;
    session->progressed = false;
    complete_finished(session);
    for (;;) {
        /* By the time waited too: a test's clock may stand still. */
        uint64_t now = now_ms(session), deadline = next_deadline_ms(session);
        uint64_t spent = now - start > waited_ms ? now - start : waited_ms;
        uint64_t wait_ms = spent < budget_ms ? budget_ms - spent : 0;
        if (deadline < now + wait_ms) {
            wait_ms = deadline > now ? deadline - now : 0;
        }
        bool goes_on = exchange(session, (int)wait_ms);
        waited_ms += wait_ms;
        meet_deadline(session);
        if (!goes_on || session->progressed || spent >= budget_ms) {
            return session->requests;
        }
    }
}

void redis_session_init(struct redis_session *session, const struct redis_store_options *options)
{
    *session = (struct redis_session){.options = *options,
                                      .refused_kind = REDIS_REQUEST_PROBE,
                                      .notices = {.observer = options->observer}};
    backoff_init(&session->backoff, options->jitter_seed);
    session->scripts.key_prefix = span_of_text(options->key_prefix);
    session->scripts.group =
        options->group != NULL ? span_of_text(options->group) : (struct span){0};
    session->scripts.retention = options->retention;
    redis_probe_init(&session->probe, options, &session->scripts,
                     backoff_random(&session->backoff));
    redis_connection_init(&session->connection);
    redis_queue_init(&session->queue);
    redis_queue_init(&session->finished);
}

void redis_session_set_credentials(struct redis_session *session, const char *username,
                                   const char *password)
{
    session->options.username = session->probe.username = username;
    session->options.password = session->probe.password = password;
}

void redis_session_deinit(struct redis_session *session)
{
    complete_finished(session);
    hang_up(session);
    redis_connection_deinit(&session->connection);
    redis_queue_deinit(&session->queue);
    redis_queue_deinit(&session->finished);
}
