#include "worker/commands.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "protocol/batch.h"
#include "worker/command_kafka.h"
#include "worker/interrupt.h"
#include "worker/json_pack.h"
#include "worker/line_reader.h"
#include "worker/options.h"

static const char help[] =
    "Usage: scenesync produce [options] [FILE]\n"
    "\n"
    "Sends operation batches: one JSON object per line of FILE (or of the standard input) becomes\n"
    "one MessagePack record on the ops topic, keyed by its session_id. Each line is checked as "
    "the\n"
    "worker would; a wrong one is reported by its number and left out. Ends when every record is\n"
    "acknowledged. Empty lines and lines that start with # are passed over; a line hex:81A176...\n"
    "sends these bytes as they are.\n"
    "\n"
    "  echo "
    "'{\"session_id\":\"s1\",\"operations\":[{\"op\":\"remove\",\"id\":\"a\",\"timestamp\":1}]}' "
    "|\n"
    "      scenesync produce\n"
    "\n"
    "Exit: 0 all sent; 1 some lines were wrong; 64 usage; 69 Kafka not reached; 78 configuration.\n"
    "\n"
    "Options:\n"
    "  --topic NAME      topic to send to (default: topics.ops)\n"
    "  --key KEY         key of all records (default: each one's session_id)\n"
    "  --raw             send any JSON value, unchecked\n"
    "  --dry-run         print the MessagePack as hexadecimal and send nothing\n"
    "  --timeout MS      how long to wait for the broker without progress (default: 10000)\n";

enum { HEX_PREFIX_BYTES = 4, POLL_INTERVAL_MS = 100, TIMEOUT_MS_MAX = 86400000 };

static const size_t line_bytes_max = (size_t)256 * 1024 * 1024;
static const size_t arena_bytes_max = (size_t)512 * 1024 * 1024;

struct produce {
    const char *topic, *key;
    bool raw, dry_run;
    uint64_t timeout_ms;
    struct batch_context decoding;
    struct command_kafka kafka; /* this and the next: not on a dry run */
    rd_kafka_topic_t *topic_handle;
    struct arena arena;
    struct buffer message;
    uint64_t line_number;
    uint64_t batches, operations; /* acknowledged; on a dry run: checked */
    uint64_t wrong;               /* lines */
    uint64_t progress_ms;         /* when a record was last acknowledged */
    bool failed;                  /* nothing more can be sent; said on stderr */
};

/** What a delivery report is about; owned by librdkafka's queue until then. */
struct sent_line {
    uint64_t number;
    uint32_t operation_count;
};

/** One line of the input as a record. */
struct outgoing_line {
    struct span key; /* absent: none */
    uint32_t operation_count;
};

static void report_line(struct produce *produce, uint64_t number, const char *what)
{
    (void)fprintf(stderr, "scenesync: line %" PRIu64 ": %s\n", number, what);
    produce->wrong++;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct kafka_context *context = opaque;
    struct produce *produce = context->owner;
    struct sent_line *line = message->_private;
    produce->progress_ms = clock_monotonic_ms(&context->clock);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        produce->batches++;
        produce->operations += line->operation_count;
    } else {
        report_line(produce, line->number, rd_kafka_err2str(message->err));
    }
    free(line);
}

static int hex_digit(uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = byte != '\0' ? strchr(digits, tolower(byte)) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/** Appends the bytes that pairs of hexadecimal digits stand for; blanks between pairs are fine. */
static bool append_hex(struct span text, struct buffer *out)
{
    size_t at = 0;
    while (at < text.size) {
        if (text.data[at] == ' ') {
            at++;
            continue;
        }
        int high = hex_digit(text.data[at]);
        int low = at + 1 < text.size ? hex_digit(text.data[at + 1]) : -1;
        if (high < 0 || low < 0) {
            return false;
        }
        uint8_t byte = (uint8_t)(high << 4 | low);
        buffer_append(out, &byte, 1);
        at += 2;
    }
    return !out->failed;
}

static bool pack_json(struct produce *produce, struct span line)
{
    struct json_pack_error error;
    if (json_pack_text(line, &produce->message, &error)) {
        return true;
    }
    char what[JSON_PACK_ERROR_BYTES_MAX + 64];
    (void)snprintf(what, sizeof what, "column %d: not JSON: %s", error.column, error.message);
    report_line(produce, produce->line_number, what);
    return false;
}

/** Reads what there is to know of the message; false (reported) where the worker would refuse it
 * and `checked` is set. */
static bool inspect(struct produce *produce, bool checked, struct outgoing_line *out)
{
    struct batch batch;
    struct error error;
    arena_reset(&produce->arena);
    bool valid = batch_decode(buffer_span(&produce->message), &produce->decoding, &produce->arena,
                              &batch, &error);
    if (!valid && checked) {
        char what[ERROR_MESSAGE_BYTES_MAX + 64];
        (void)snprintf(what, sizeof what, "%s: %s", error_code_name(error.code), error.message);
        report_line(produce, produce->line_number, what);
        return false;
    }
    *out = (struct outgoing_line){.key = produce->key != NULL ? span_of_text(produce->key)
                                                              : batch.session_id,
                                  .operation_count = valid ? batch.operation_count : 0};
    return true;
}

static void print_hex(struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        (void)printf("%02x", bytes.data[i]);
    }
    (void)putchar('\n');
}

/** Gives the record to librdkafka, waiting for room in its queue; it copies the bytes. */
static rd_kafka_resp_err_t enqueue(struct produce *produce, struct span key, struct sent_line *line)
{
    rd_kafka_t *client = produce->kafka.client;
    const struct clock *clock = &produce->kafka.context.clock;
    produce->progress_ms = clock_monotonic_ms(clock);
    while (true) {
        int failed = rd_kafka_produce(produce->topic_handle, RD_KAFKA_PARTITION_UA,
                                      RD_KAFKA_MSG_F_COPY, produce->message.data,
                                      produce->message.size, key.data, key.size, line);
        rd_kafka_resp_err_t error =
            failed != 0 ? rd_kafka_last_error() : RD_KAFKA_RESP_ERR_NO_ERROR;
        bool is_full = error == RD_KAFKA_RESP_ERR__QUEUE_FULL;
        (void)rd_kafka_poll(client, is_full ? POLL_INTERVAL_MS : 0);
        if (!is_full || interrupt_count() > 0 ||
            clock_monotonic_ms(clock) >= produce->progress_ms + produce->timeout_ms) {
            return error;
        }
    }
}

static void send_record(struct produce *produce, const struct outgoing_line *outgoing)
{
    struct sent_line *line = malloc(sizeof *line);
    if (line == NULL) {
        report_line(produce, produce->line_number, "out of memory");
        return;
    }
    *line = (struct sent_line){produce->line_number, outgoing->operation_count};
    rd_kafka_resp_err_t error = enqueue(produce, outgoing->key, line);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        free(line);
        report_line(produce, produce->line_number, rd_kafka_err2str(error));
        produce->failed = error == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    }
}

static void produce_line(struct produce *produce, struct span line)
{
    bool is_hex = line.size >= HEX_PREFIX_BYTES && memcmp(line.data, "hex:", HEX_PREFIX_BYTES) == 0;
    buffer_clear(&produce->message);
    if (is_hex) {
        struct span digits = span_make(line.data + HEX_PREFIX_BYTES, line.size - HEX_PREFIX_BYTES);
        if (!append_hex(digits, &produce->message)) {
            report_line(produce, produce->line_number, "hex: expects pairs of hexadecimal digits");
            return;
        }
    } else if (!pack_json(produce, line)) {
        return;
    }
    struct outgoing_line outgoing;
    if (!inspect(produce, !is_hex && !produce->raw, &outgoing)) {
        return;
    }
    if (produce->dry_run) {
        print_hex(buffer_span(&produce->message));
        produce->batches++;
        produce->operations += outgoing.operation_count;
    } else {
        send_record(produce, &outgoing);
    }
}

/** The line without white space at its ends. */
static struct span trim(struct span line)
{
    while (line.size > 0 && strchr(" \t\r", line.data[0]) != NULL && line.data[0] != '\0') {
        line = span_make(line.data + 1, line.size - 1);
    }
    while (line.size > 0 && strchr(" \t\r", line.data[line.size - 1]) != NULL &&
           line.data[line.size - 1] != '\0') {
        line.size--;
    }
    return line;
}

static void produce_stream(struct produce *produce, FILE *stream)
{
    struct line_reader reader;
    line_reader_init(&reader, stream, line_bytes_max);
    while (!produce->failed && interrupt_count() == 0 && line_reader_next(&reader)) {
        produce->line_number = reader.number;
        struct span line = trim(buffer_span(&reader.line));
        if (reader.line.failed) {
            report_line(produce, reader.number, "longer than 256 MiB");
        } else if (line.size > 0 && line.data[0] != '#') {
            produce_line(produce, line);
        }
    }
    if (ferror(stream) && interrupt_count() == 0) { /* a signal ends the read as an error */
        report_line(produce, reader.number + 1, strerror(errno));
    }
    line_reader_deinit(&reader);
}

/** Waits for the acknowledgements; gives up after `timeout_ms` without any. */
static int drain(struct produce *produce)
{
    const struct clock *clock = &produce->kafka.context.clock;
    produce->progress_ms = clock_monotonic_ms(clock);
    while (rd_kafka_outq_len(produce->kafka.client) > 0 && interrupt_count() < 2 &&
           clock_monotonic_ms(clock) < produce->progress_ms + produce->timeout_ms) {
        (void)rd_kafka_poll(produce->kafka.client, POLL_INTERVAL_MS);
    }
    int left = rd_kafka_outq_len(produce->kafka.client);
    if (left > 0) { /* purged, so that their reports free what they carry */
        (void)rd_kafka_purge(produce->kafka.client,
                             RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_poll(produce->kafka.client, POLL_INTERVAL_MS);
        (void)fprintf(stderr,
                      "scenesync: %d records were not acknowledged by %s; they may have arrived\n",
                      left, produce->kafka.servers);
        return EXIT_CODE_UNAVAILABLE;
    }
    return EXIT_CODE_OK;
}

static void print_summary(const struct produce *produce)
{
    (void)fprintf(stderr, "%s %" PRIu64 " batches (%" PRIu64 " operations)%s%s",
                  produce->dry_run ? "checked" : "produced", produce->batches, produce->operations,
                  produce->dry_run ? "" : " to ", produce->dry_run ? "" : produce->topic);
    if (produce->wrong > 0) {
        (void)fprintf(stderr, ", %" PRIu64 " lines were wrong", produce->wrong);
    }
    (void)fputc('\n', stderr);
}

static int open_client(struct produce *produce, const struct settings *settings)
{
    char message[SETTINGS_ERROR_BYTES_MAX];
    rd_kafka_conf_t *conf =
        kafka_conf_create(settings, KAFKA_CLIENT_PRODUCER, message, sizeof message);
    if (conf != NULL) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    }
    int result = command_kafka_open(&produce->kafka, RD_KAFKA_PRODUCER, conf, settings, message);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    produce->kafka.context.owner = produce;
    int32_t partition_count = 0;
    result = command_kafka_wait_for_topic(&produce->kafka, produce->topic, produce->timeout_ms,
                                          &partition_count);
    if (result != EXIT_CODE_OK) {
        command_kafka_close(&produce->kafka);
        return result;
    }
    produce->topic_handle = rd_kafka_topic_new(produce->kafka.client, produce->topic, NULL);
    assert(produce->topic_handle != NULL); /* the wait made one of the same name */
    return EXIT_CODE_OK;
}

static int produce_all(struct produce *produce, const struct settings *settings, FILE *stream)
{
    int result = produce->dry_run ? EXIT_CODE_OK : open_client(produce, settings);
    if (result != EXIT_CODE_OK) {
        return result;
    }
    arena_init(&produce->arena, arena_bytes_max);
    buffer_init(&produce->message, line_bytes_max);
    produce_stream(produce, stream);
    if (!produce->dry_run) {
        result = drain(produce);
        rd_kafka_topic_destroy(produce->topic_handle);
        command_kafka_close(&produce->kafka);
    }
    print_summary(produce);
    buffer_deinit(&produce->message);
    arena_deinit(&produce->arena);
    bool complete = produce->wrong == 0 && interrupt_count() == 0;
    return result == EXIT_CODE_OK && !complete ? EXIT_CODE_FAILED : result;
}

static int produce_file(struct produce *produce, const struct settings *settings, const char *path)
{
    FILE *stream = fopen(path, "r");
    if (stream == NULL) {
        (void)fprintf(stderr, "scenesync: %s: cannot open: %s\n", path, strerror(errno));
        return EXIT_CODE_FAILED;
    }
    int result = produce_all(produce, settings, stream);
    (void)fclose(stream);
    return result;
}

int command_produce(int argc, char **argv)
{
    struct produce produce = {.timeout_ms = 10000};
    const struct option_spec own[] = {
        {"topic", OPTION_TEXT, &produce.topic, 0, 0},
        {"key", OPTION_TEXT, &produce.key, 0, 0},
        {"raw", OPTION_FLAG, &produce.raw, 0, 0},
        {"dry-run", OPTION_FLAG, &produce.dry_run, 0, 0},
        {"timeout", OPTION_UINT, &produce.timeout_ms, 1, TIMEOUT_MS_MAX},
    };
    const struct command_spec spec = {.name = "produce",
                                      .help = help,
                                      .options = own,
                                      .option_count = sizeof own / sizeof own[0],
                                      .arguments_max = 1};
    struct options options;
    int result = options_parse(&spec, argc, argv, &options);
    if (result != OPTIONS_GO_ON) {
        return result;
    }
    interrupt_install();
    const struct settings *settings = &options.settings;
    produce.topic = produce.topic != NULL ? produce.topic : settings->topic_ops;
    produce.decoding =
        (struct batch_context){.limits = &settings->limits,
                               .default_strategy = settings->strategy,
                               .allow_batch_strategy = settings->allow_batch_strategy};
    bool from_file = options.argument_count == 1 && strcmp(options.arguments[0], "-") != 0;
    result = from_file ? produce_file(&produce, settings, options.arguments[0])
                       : produce_all(&produce, settings, stdin);
    options_deinit(&options);
    return result;
}
