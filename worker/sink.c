#include "worker/sink.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "worker/kafka_conf.h"
#include "worker/sink_topics.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    BACKOFF_DOUBLINGS_MAX = 6,
    PURGE_WAIT_MS = 1000, /* delivery reports of a producer that is given up: already queued */
    FATAL_BYTES_MAX = 512
};

struct sink {
    rd_kafka_t *producer; /* NULL between a fatal error and the next attempt to create one */
    struct sink_topics topics;
    const struct settings *settings;
    struct clock clock;
    struct log *log;
    struct kafka_context context;
    struct outgoing *first, *last; /* in flight, in the order of sink_send() */
    size_t in_flight_count, handed_over_count;
    size_t alone_count;          /* messages that must be sent alone */
    bool queue_full;             /* librdkafka's; until it has reported something */
    uint64_t next_send_ms;       /* no message waits to be sent before; UINT64_MAX: none waits */
    uint32_t fatal_count;        /* since the last acknowledgement */
    uint64_t create_producer_ms; /* while there is none */
};

/* ---- Messages in flight ---- */

static void append(struct sink *sink, struct outgoing *outgoing)
{
    outgoing->next = NULL;
    outgoing->previous = sink->last;
    if (sink->last != NULL) {
        sink->last->next = outgoing;
    } else {
        sink->first = outgoing;
    }
    sink->last = outgoing;
    sink->in_flight_count++;
}

/** Ends a message's flight; from here on it is the caller's again. */
static void finish(struct sink *sink, struct outgoing *outgoing, enum outgoing_status status)
{
    if (outgoing->previous != NULL) {
        outgoing->previous->next = outgoing->next;
    } else {
        sink->first = outgoing->next;
    }
    if (outgoing->next != NULL) {
        outgoing->next->previous = outgoing->previous;
    } else {
        sink->last = outgoing->previous;
    }
    outgoing->next = NULL;
    outgoing->previous = NULL;
    sink->in_flight_count--;
    sink->alone_count -= outgoing->alone ? 1 : 0;
    outgoing->status = status;
}

static uint64_t backoff_ms(uint32_t failure_count)
{
    uint32_t doublings =
        failure_count < BACKOFF_DOUBLINGS_MAX ? failure_count : BACKOFF_DOUBLINGS_MAX;
    uint64_t wait_ms = (uint64_t)BACKOFF_MIN_MS << doublings;
    return wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS;
}

static void send_at(struct sink *sink, struct outgoing *outgoing, uint64_t at_ms)
{
    outgoing->send_at_ms = at_ms;
    if (at_ms < sink->next_send_ms) {
        sink->next_send_ms = at_ms;
    }
}

/* ---- Failures ---- */

static const char *cure_of(rd_kafka_resp_err_t error)
{
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
        return "create the topic; the message waits for it";
    }
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
        return "grant this client WRITE on the topic and IDEMPOTENT_WRITE on the cluster";
    }
    if (error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
        return "give the topic as many partitions as the ops topic; the key decides meanwhile";
    }
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        return "raise kafka.producer.queue.buffering.max.kbytes";
    }
    return "the message is sent again until Kafka takes it";
}

static void report(struct sink *sink, const struct outgoing *outgoing, rd_kafka_resp_err_t error)
{
    if (!kafka_context_may_log(&sink->context, error, outgoing->topic)) {
        return;
    }
    struct log_line line;
    log_begin(&line, sink->log, LOG_WARN, "cannot write to kafka");
    log_text(&line, "topic", outgoing->topic);
    log_int(&line, "partition", outgoing->partition);
    log_uint(&line, "value_bytes", outgoing->value.size);
    log_text(&line, "code", rd_kafka_err2name(error));
    log_text(&line, "reason", rd_kafka_err2str(error));
    log_text(&line, "cure", cure_of(error));
    log_end(&line);
}

static bool is_size_error(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
           error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

/** The failures that say nothing about the message: its producer ended. */
static bool is_end_of_producer(const struct sink *sink, rd_kafka_resp_err_t error)
{
    return rd_kafka_fatal_error(sink->producer, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR ||
           error == RD_KAFKA_RESP_ERR__FATAL || error == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
           error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT || error == RD_KAFKA_RESP_ERR__DESTROY;
}

/** A message that is not handed over (any more) and was not written, as far as is known. */
static void handle_failure(struct sink *sink, struct outgoing *outgoing, rd_kafka_resp_err_t error)
{
    uint64_t now_ms = clock_monotonic_ms(&sink->clock);
    if (is_end_of_producer(sink, error)) {
        send_at(sink, outgoing, now_ms);
        return;
    }
    if (is_size_error(error) && outgoing->alone) {
        finish(sink, outgoing, OUTGOING_TOO_LARGE);
        return;
    }
    if (is_size_error(error)) {
        /* The broker judges batches; only a message that went alone is known to be the reason. */
        outgoing->alone = true;
        sink->alone_count++;
        send_at(sink, outgoing, now_ms);
        return;
    }
    report(sink, outgoing, error);
    if (error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION && outgoing->partition >= 0) {
        outgoing->partition = RD_KAFKA_PARTITION_UA;
        send_at(sink, outgoing, now_ms);
        return;
    }
    send_at(sink, outgoing, now_ms + backoff_ms(outgoing->failure_count));
    outgoing->failure_count++;
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct kafka_context *context = opaque;
    struct sink *sink = context->owner;
    struct outgoing *outgoing = message->_private;
    assert(outgoing->handed_over && outgoing->status == OUTGOING_IN_FLIGHT);
    outgoing->handed_over = false;
    sink->handed_over_count--;
    sink->queue_full = false;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        sink->fatal_count = 0;
        finish(sink, outgoing, OUTGOING_ACKNOWLEDGED);
    } else {
        handle_failure(sink, outgoing, message->err);
    }
}

/* ---- The producer ---- */

static rd_kafka_t *create_producer(struct sink *sink, char *message, size_t message_bytes)
{
    rd_kafka_conf_t *conf =
        kafka_conf_create(sink->settings, KAFKA_CLIENT_PRODUCER, message, message_bytes);
    if (conf == NULL) {
        return NULL;
    }
    kafka_conf_set_context(conf, &sink->context);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, message, message_bytes);
    if (producer == NULL) {
        rd_kafka_conf_destroy(conf);
    } else {
        sink_topics_open(&sink->topics, producer, sink->settings);
    }
    return producer;
}

/** Ends the producer. Messages that it has not reported on may have been written. */
static void give_up_producer(struct sink *sink)
{
    (void)rd_kafka_purge(sink->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(sink->producer, PURGE_WAIT_MS);
    sink_topics_close(&sink->topics);
    rd_kafka_destroy(sink->producer);
    sink->producer = NULL;
    sink->queue_full = false;
    struct outgoing *outgoing = sink->first;
    for (; outgoing != NULL && sink->handed_over_count > 0; outgoing = outgoing->next) {
        if (outgoing->handed_over) {
            outgoing->handed_over = false;
            sink->handed_over_count--;
            send_at(sink, outgoing, 0);
        }
    }
}

/** After a fatal error a producer refuses everything: a new one starts over with what is left. */
static void check_fatal(struct sink *sink)
{
    char reason[FATAL_BYTES_MAX];
    rd_kafka_resp_err_t error = rd_kafka_fatal_error(sink->producer, reason, sizeof reason);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    struct log_line line;
    log_begin(&line, sink->log, LOG_WARN, "kafka producer failed, is created again");
    log_text(&line, "code", rd_kafka_err2name(error));
    log_text(&line, "reason", reason);
    log_uint(&line, "in_flight", sink->in_flight_count);
    log_end(&line);
    give_up_producer(sink);
    uint64_t wait_ms = sink->fatal_count == 0 ? 0 : backoff_ms(sink->fatal_count);
    sink->create_producer_ms = clock_monotonic_ms(&sink->clock) + wait_ms;
    sink->fatal_count++;
}

/** Whether there is a producer, creating one where the last one failed. */
static bool ensure_producer(struct sink *sink)
{
    uint64_t now_ms = clock_monotonic_ms(&sink->clock);
    if (sink->producer != NULL || now_ms < sink->create_producer_ms) {
        return sink->producer != NULL;
    }
    char reason[FATAL_BYTES_MAX];
    sink->producer = create_producer(sink, reason, sizeof reason);
    if (sink->producer == NULL) {
        struct log_line line;
        log_begin(&line, sink->log, LOG_ERROR, "cannot create a kafka producer");
        log_text(&line, "reason", reason);
        log_end(&line);
        sink->create_producer_ms = now_ms + backoff_ms(sink->fatal_count);
        sink->fatal_count++;
    }
    return sink->producer != NULL;
}

struct sink *sink_create(const struct settings *settings, const struct clock *clock,
                         struct log *log, char *message, size_t message_bytes)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL) {
        (void)snprintf(message, message_bytes, "out of memory for the Kafka producer");
        return NULL;
    }
    sink->settings = settings;
    sink->clock = *clock;
    sink->log = log;
    sink->context =
        (struct kafka_context){.log = log, .clock = *clock, .client = "producer", .owner = sink};
    sink->next_send_ms = UINT64_MAX;
    sink->producer = create_producer(sink, message, message_bytes);
    if (sink->producer == NULL) {
        free(sink);
        return NULL;
    }
    return sink;
}

void sink_destroy(struct sink *sink)
{
    if (sink == NULL) {
        return;
    }
    if (sink->producer != NULL) {
        give_up_producer(sink);
    }
    free(sink);
}

/* ---- Sending ---- */

/** librdkafka's interface is not const-correct; it reads what it is lent. */
static void *lent(const void *data)
{
    union {
        const void *from;
        void *to;
    } pointer = {.from = data};
    return pointer.to;
}

/** librdkafka ends the process where it gets no memory, so this cannot fail. */
static rd_kafka_headers_t *make_headers(const struct outgoing *outgoing)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(outgoing->header_count);
    for (size_t i = 0; i < outgoing->header_count; i++) {
        const struct record_header *header = &outgoing->headers[i];
        (void)rd_kafka_header_add(headers, header->name, -1, header->value.data,
                                  (ssize_t)header->value.size);
    }
    return headers;
}

/** Hands a message to librdkafka, which borrows the value and copies the rest. */
static rd_kafka_resp_err_t produce(struct sink *sink, struct outgoing *outgoing)
{
    rd_kafka_headers_t *headers = make_headers(outgoing);
    rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = outgoing->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = outgoing->partition},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = lent(outgoing->key.data), .size = outgoing->key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = lent(outgoing->value.data), .size = outgoing->value.size}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = 0},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = outgoing},
    };
    rd_kafka_error_t *failure =
        rd_kafka_produceva(sink->producer, arguments, sizeof arguments / sizeof arguments[0]);
    if (failure == NULL) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    /* On success the headers are librdkafka's; on failure they are still ours. */
    rd_kafka_headers_destroy(headers);
    rd_kafka_resp_err_t error = rd_kafka_error_code(failure);
    rd_kafka_error_destroy(failure);
    return error;
}

/** Hands one message over. Returns false where librdkafka's queue is full. */
static bool hand_over(struct sink *sink, struct outgoing *outgoing)
{
    outgoing->handed_over = true;
    rd_kafka_resp_err_t error = produce(sink, outgoing);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        sink->handed_over_count++;
        return true;
    }
    outgoing->handed_over = false;
    /* An empty queue that is full is one that is set too small for the message: a failure. */
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && sink->handed_over_count > 0) {
        sink->queue_full = true;
        send_at(sink, outgoing, 0);
        return false;
    }
    if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        finish(sink, outgoing, OUTGOING_TOO_LARGE);
        return true;
    }
    handle_failure(sink, outgoing, error);
    return true;
}

/** Sends the first of the messages that must go alone, once nothing else is on its way. */
static void send_alone(struct sink *sink)
{
    struct outgoing *outgoing = sink->first;
    while (!outgoing->alone) {
        outgoing = outgoing->next;
    }
    if (sink->handed_over_count == 0 && outgoing->send_at_ms <= clock_monotonic_ms(&sink->clock)) {
        (void)hand_over(sink, outgoing);
    }
}

/** Sends what waits and is due, in order. Cost: one pass over the messages in flight. */
static void send_due(struct sink *sink)
{
    uint64_t now_ms = clock_monotonic_ms(&sink->clock);
    if (sink->next_send_ms > now_ms || sink->queue_full || !ensure_producer(sink)) {
        return;
    }
    if (sink->alone_count > 0) {
        send_alone(sink);
        return;
    }
    sink->next_send_ms = UINT64_MAX;
    struct outgoing *next = NULL;
    for (struct outgoing *outgoing = sink->first; outgoing != NULL; outgoing = next) {
        next = outgoing->next;
        if (outgoing->handed_over) {
            continue;
        }
        if (outgoing->send_at_ms > now_ms) {
            send_at(sink, outgoing, outgoing->send_at_ms);
        } else if (!hand_over(sink, outgoing)) {
            break;
        }
    }
}

void sink_send(struct sink *sink, struct outgoing *outgoing)
{
    outgoing->status = OUTGOING_IN_FLIGHT;
    outgoing->handed_over = false;
    outgoing->alone = false;
    outgoing->failure_count = 0;
    append(sink, outgoing);
    if (sink->producer == NULL || sink->queue_full || sink->alone_count > 0) {
        send_at(sink, outgoing, 0);
    } else {
        (void)hand_over(sink, outgoing);
    }
}

/** Until when to wait for acknowledgements: something may have to be sent before. */
static int wait_ms(const struct sink *sink, int timeout_ms)
{
    uint64_t now_ms = clock_monotonic_ms(&sink->clock);
    uint64_t until_ms = sink->next_send_ms;
    if (sink->producer == NULL && sink->create_producer_ms > until_ms) {
        until_ms = sink->create_producer_ms;
    }
    if (sink->queue_full || sink->alone_count > 0 || until_ms >= now_ms + (uint64_t)timeout_ms) {
        return timeout_ms;
    }
    return until_ms <= now_ms ? 0 : (int)(until_ms - now_ms);
}

size_t sink_poll(struct sink *sink, int timeout_ms)
{
    send_due(sink);
    int wait = sink->in_flight_count == 0 ? 0 : wait_ms(sink, timeout_ms);
    if (sink->producer != NULL) {
        (void)rd_kafka_poll(sink->producer, wait);
        check_fatal(sink);
    } else {
        struct timespec pause = {.tv_sec = wait / 1000, .tv_nsec = (long)(wait % 1000) * 1000000};
        (void)nanosleep(&pause, NULL);
    }
    send_due(sink);
    return sink->in_flight_count;
}
