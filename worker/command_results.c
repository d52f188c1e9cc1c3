#include "worker/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "protocol/identifier.h"
#include "protocol/utf8.h"
#include "protocol/wire.h"
#include "worker/command_kafka.h"
#include "worker/interrupt.h"
#include "worker/json_print.h"
#include "worker/options.h"

static const char help[] =
    "Usage: scenesync results [options]\n"
    "\n"
    "Prints what is on the results topic, from its beginning, and what comes: one SyncResult per\n"
    "line, as JSON. Reads without a consumer group, so it takes nothing away from anybody.\n"
    "\n"
    "  scenesync results --session s1 --final --count 1 --timeout 5000\n"
    "\n"
    "Exit: 0 --count reached, or ended by --timeout without --count, or by a signal; 1 --count "
    "not\n"
    "reached; 64 usage; 69 Kafka not reached; 78 configuration.\n"
    "\n"
    "Options:\n"
    "  --session ID      only this scene's\n"
    "  --batch ID        only this batch's\n"
    "  --final           only results that no retry will change\n"
    "  --count N         end after N of them\n"
    "  --timeout MS      end after this time\n"
    "  --from-end        only what comes from now on\n"
    "  --headers         print the record around it: partition, offset, key, headers, result\n"
    "  --topic NAME      topic to read, e.g. the dead letters' (default: topics.results)\n";

enum {
    OPEN_TIMEOUT_MS = 10000,
    POLL_INTERVAL_MS = 100,
    MS_MAX = 2147483647,
    GROUP_BYTES_MAX = 64,
    PARTITIONS_MAX = 100000
};

/* A result with every body is far below this; a JSON text is at most 6 times its bytes. */
static const size_t line_bytes_max = (size_t)1024 * 1024 * 1024;

struct results {
    const char *session_id, *batch_id, *topic;
    bool final_only, from_end, headers;
    uint64_t count, timeout_ms; /* 0: without */
    struct command_kafka kafka;
    struct buffer line;
    uint64_t printed;
    uint64_t deadline_ms; /* monotonic; 0: none */
    bool output_closed;
};

static bool str_equals(struct span map, const char *key, const char *text)
{
    struct span raw = wire_map_find(map, key);
    if (span_is_absent(raw)) {
        return false;
    }
    struct wire_value value = wire_peek(raw);
    return value.type == WIRE_STR && span_equal_text(value.body, text);
}

static bool is_final(struct span map)
{
    struct span raw = wire_map_find(map, "final");
    return !span_is_absent(raw) && wire_peek(raw).type == WIRE_BOOL && wire_peek(raw).boolean;
}

/** Whether the filters let the record through. What is not a map has a session only by its key. */
static bool matches(const struct results *results, struct span key, struct span value)
{
    struct wire_structure structure;
    bool is_map =
        wire_check_structure(value, &structure, NULL) && wire_peek(value).type == WIRE_MAP;
    if (results->session_id != NULL) {
        bool matched = is_map ? str_equals(value, "session_id", results->session_id)
                              : span_equal_text(key, results->session_id);
        if (!matched) {
            return false;
        }
    }
    if (results->batch_id != NULL &&
        !(is_map && str_equals(value, "batch_id", results->batch_id))) {
        return false;
    }
    return !results->final_only || (is_map && is_final(value));
}

/** A key or a header's value: text where it is text. */
static void print_text_or_bytes(struct span bytes, struct json_writer *writer)
{
    if (span_is_absent(bytes)) {
        json_write_null(writer);
    } else if (utf8_is_valid(bytes)) {
        json_write_str(writer, bytes);
    } else {
        json_write_base64(writer, "", bytes);
    }
}

static void print_headers(const rd_kafka_message_t *message, struct json_writer *writer)
{
    json_write_key_text(writer, "headers");
    json_write_object_begin(writer);
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *name = NULL;
        const void *value = NULL;
        size_t size = 0;
        for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
                           RD_KAFKA_RESP_ERR_NO_ERROR;
             i++) {
            json_write_key_text(writer, name);
            print_text_or_bytes(span_make(value, size), writer);
        }
    }
    json_write_object_end(writer);
}

/** The value under `result`; what is not MessagePack under `undecodable`. */
static void print_value_member(struct span value, struct json_writer *writer)
{
    struct json_writer before = *writer;
    size_t size_before = writer->out->size;
    json_write_key_text(writer, "result");
    if (value.size == 0) {
        json_write_null(writer);
    } else if (!json_print(value, writer)) {
        *writer = before;
        writer->out->size = size_before;
        json_write_key_text(writer, "undecodable");
        json_write_base64(writer, "", value);
    }
}

static void print_envelope(const rd_kafka_message_t *message, struct json_writer *writer)
{
    json_write_object_begin(writer);
    json_write_key_text(writer, "partition");
    json_write_int(writer, message->partition);
    json_write_key_text(writer, "offset");
    json_write_int(writer, message->offset);
    json_write_key_text(writer, "timestamp");
    json_write_int(writer, rd_kafka_message_timestamp(message, NULL));
    json_write_key_text(writer, "key");
    print_text_or_bytes(span_make(message->key, message->key_len), writer);
    print_headers(message, writer);
    print_value_member(span_make(message->payload, message->len), writer);
    json_write_object_end(writer);
}

static void print_bare(struct span value, struct json_writer *writer)
{
    if (!json_print(value, writer)) {
        json_write_object_begin(writer);
        json_write_key_text(writer, "undecodable");
        json_write_base64(writer, "", value);
        json_write_object_end(writer);
    }
}

/** Prints the record on a line of its own. Returns EXIT_CODE_OK, or EXIT_CODE_FAILED after one
 * line on stderr; whoever read our output and went away ends us without a complaint. */
static int print_record(struct results *results, const rd_kafka_message_t *message)
{
    buffer_clear(&results->line);
    struct json_writer writer = json_writer_of(&results->line, false);
    if (results->headers) {
        print_envelope(message, &writer);
    } else {
        print_bare(span_make(message->payload, message->len), &writer);
    }
    buffer_append(&results->line, "\n", 1);
    if (results->line.failed) {
        (void)fprintf(stderr,
                      "scenesync: partition %" PRId32 " offset %" PRId64 ": out of memory\n",
                      message->partition, message->offset);
        return EXIT_CODE_FAILED;
    }
    struct span line = buffer_span(&results->line);
    if (fwrite(line.data, 1, line.size, stdout) != line.size || fflush(stdout) != 0) {
        results->output_closed = true;
        if (errno != EPIPE) {
            (void)fprintf(stderr, "scenesync: cannot write: %s\n", strerror(errno));
            return EXIT_CODE_FAILED;
        }
    }
    results->printed++;
    return EXIT_CODE_OK;
}

static int take_message(struct results *results, const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
        (void)fprintf(stderr, "scenesync: kafka: %s\n", rd_kafka_message_errstr(message));
        return EXIT_CODE_INTERNAL;
    }
    if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        (void)fprintf(stderr,
                      "scenesync: topic %s may not be read by this client at %s; grant it READ\n",
                      results->topic, results->kafka.servers);
        return EXIT_CODE_UNAVAILABLE;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return EXIT_CODE_OK; /* passes by itself, or --timeout ends the wait */
    }
    struct span key = span_make(message->key, message->key_len);
    struct span value = span_make(message->payload, message->len);
    return matches(results, key, value) ? print_record(results, message) : EXIT_CODE_OK;
}

/** Whether whoever read our output has gone: noticed without a write, since results may be rare. */
static bool is_output_closed(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO};
    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

static bool is_done(struct results *results)
{
    results->output_closed = results->output_closed || is_output_closed();
    bool is_counted = results->count > 0 && results->printed >= results->count;
    bool is_late = results->deadline_ms > 0 &&
                   clock_monotonic_ms(&results->kafka.context.clock) >= results->deadline_ms;
    return is_counted || is_late || results->output_closed || interrupt_count() > 0;
}

static int tail(struct results *results)
{
    int result = EXIT_CODE_OK;
    while (result == EXIT_CODE_OK && !is_done(results)) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(results->kafka.client, POLL_INTERVAL_MS);
        if (message != NULL) {
            result = take_message(results, message);
            rd_kafka_message_destroy(message);
        }
    }
    bool complete =
        results->count == 0 || results->printed >= results->count || results->output_closed;
    if (result == EXIT_CODE_OK && !complete) {
        (void)fprintf(stderr, "scenesync: %" PRIu64 " of %" PRIu64 " results came\n",
                      results->printed, results->count);
        return EXIT_CODE_FAILED;
    }
    return result;
}

/** Where a partition is read from: its first record, or what comes after its last one now. */
static rd_kafka_resp_err_t start_offset(struct results *results, int32_t partition, int64_t *offset)
{
    int64_t low = 0;
    *offset = RD_KAFKA_OFFSET_BEGINNING;
    return results->from_end
               ? rd_kafka_query_watermark_offsets(results->kafka.client, results->topic, partition,
                                                  &low, offset, OPEN_TIMEOUT_MS)
               : RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t assign(struct results *results, int32_t partition_count)
{
    if (partition_count > PARTITIONS_MAX) {
        return RD_KAFKA_RESP_ERR_INVALID_PARTITIONS;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partition_count);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int32_t i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < partition_count; i++) {
        error = start_offset(results, i,
                             &rd_kafka_topic_partition_list_add(list, results->topic, i)->offset);
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        error = rd_kafka_assign(results->kafka.client, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

/** Finds the topic, reads it, leaves. */
static int run(struct results *results)
{
    uint64_t timeout_ms = results->timeout_ms > 0 ? results->timeout_ms : OPEN_TIMEOUT_MS;
    int32_t partition_count = 0;
    int result =
        command_kafka_wait_for_topic(&results->kafka, results->topic, timeout_ms, &partition_count);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    rd_kafka_resp_err_t error = assign(results, partition_count);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)fprintf(stderr, "scenesync: topic %s cannot be read at %s: %s\n", results->topic,
                      results->kafka.servers, rd_kafka_err2str(error));
        return EXIT_CODE_UNAVAILABLE;
    }
    result = tail(results);
    (void)rd_kafka_assign(results->kafka.client, NULL);
    return result;
}

/** A group of its own: librdkafka's consumer needs a name, and nobody else's must be touched. */
static bool set_group(rd_kafka_conf_t *conf, char *message, size_t message_bytes)
{
    struct clock clock = clock_system();
    char group[GROUP_BYTES_MAX];
    (void)snprintf(group, sizeof group, "scenesync-results-%ld-%" PRIu64, (long)getpid(),
                   clock_wall_ms(&clock));
    return rd_kafka_conf_set(conf, "group.id", group, message, message_bytes) == RD_KAFKA_CONF_OK;
}

static int open_and_run(struct results *results, const struct settings *settings)
{
    char message[SETTINGS_ERROR_BYTES_MAX];
    rd_kafka_conf_t *conf =
        kafka_conf_create(settings, KAFKA_CLIENT_CONSUMER, message, sizeof message);
    if (conf != NULL && !set_group(conf, message, sizeof message)) {
        rd_kafka_conf_destroy(conf);
        conf = NULL;
    }
    int result = command_kafka_open(&results->kafka, RD_KAFKA_CONSUMER, conf, settings, message);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    (void)rd_kafka_poll_set_consumer(results->kafka.client);
    if (results->timeout_ms > 0) {
        results->deadline_ms =
            clock_monotonic_ms(&results->kafka.context.clock) + results->timeout_ms;
    }
    buffer_init(&results->line, line_bytes_max);
    result = run(results);
    buffer_deinit(&results->line);
    (void)rd_kafka_consumer_close(results->kafka.client);
    command_kafka_close(&results->kafka);
    return result;
}

/** On the results topic no other names stand; a dead letter may be of one that was refused. */
static bool is_session_possible(const struct results *results, const struct settings *settings)
{
    return results->session_id == NULL || strcmp(results->topic, settings->topic_results) != 0 ||
           identifier_is_session_id(span_of_text(results->session_id));
}

int command_results(int argc, char **argv)
{
    struct results results = {0};
    const struct option_spec own[] = {
        {"session", OPTION_TEXT, &results.session_id, 0, 0},
        {"batch", OPTION_TEXT, &results.batch_id, 0, 0},
        {"final", OPTION_FLAG, &results.final_only, 0, 0},
        {"count", OPTION_UINT, &results.count, 1, MS_MAX},
        {"timeout", OPTION_UINT, &results.timeout_ms, 1, MS_MAX},
        {"from-end", OPTION_FLAG, &results.from_end, 0, 0},
        {"headers", OPTION_FLAG, &results.headers, 0, 0},
        {"topic", OPTION_TEXT, &results.topic, 0, 0},
    };
    const struct command_spec spec = {.name = "results",
                                      .help = help,
                                      .options = own,
                                      .option_count = sizeof own / sizeof own[0]};
    struct options options;
    int result = options_parse(&spec, argc, argv, &options);
    if (result != OPTIONS_GO_ON) {
        return result;
    }
    results.topic = results.topic != NULL ? results.topic : options.settings.topic_results;
    if (is_session_possible(&results, &options.settings)) {
        interrupt_install();
        result = open_and_run(&results, &options.settings);
    } else {
        (void)fputs("scenesync: --session: expected 1 to 64 of A-Z, a-z, 0-9, _ and -\n", stderr);
        result = EXIT_CODE_USAGE;
    }
    options_deinit(&options);
    return result;
}
