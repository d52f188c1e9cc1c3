/* Puts a workload's batches on a topic. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/bench/kafka_client.h"
#include "tests/bench/stopwatch.h"
#include "tests/bench/workload_options.h"

static const char help[] =
    "Usage: bench_produce --bootstrap HOST:PORT --topic NAME [options]\n"
    "\n"
    "Writes batches to a topic, keyed by their session_id, and waits until the broker has them "
    "all.\n"
    "Prints one JSON object.\n"
    "\n"
    "Options:\n"
    "  --batches N       how many (default: 10000)\n"
    "  --skip N          make and drop N before: what another call has written (default: 0)\n"
    "  --rate N          batches per second (default: as fast as it goes)\n" WORKLOAD_OPTIONS_HELP;

enum { BATCHES_DEFAULT = 10000, BATCHES_MAX = 100000000, RATE_MAX = 1000000, FLUSH_MS = 60000 };

static const uint64_t second_ns = 1000000000;

struct choice {
    const char *bootstrap, *topic;
    uint64_t batches, skip, rate; /* rate 0: no limit */
    struct workload_options workload;
};

/** Waits until batch number `index` of the rate is due. */
static void pace(const struct timespec *began, uint64_t rate, uint64_t index)
{
    if (rate > 0) {
        uint64_t due_ns = (uint64_t)began->tv_nsec + index * second_ns / rate;
        struct timespec due = {.tv_sec = began->tv_sec + (time_t)(due_ns / second_ns),
                               .tv_nsec = (long)(due_ns % second_ns)};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
}

static bool produce_all(const struct choice *choice, struct workload *workload,
                        rd_kafka_t *producer, uint64_t *bytes)
{
    static struct workload_batch batch;
    struct buffer value;
    struct timespec began;
    bool sent = true;
    buffer_init(&value, SIZE_MAX / 4);
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    for (uint64_t i = 0; sent && i < choice->skip + choice->batches; i++) {
        workload_next(workload, &batch);
        if (i < choice->skip) {
            continue;
        }
        char session[WORKLOAD_SESSION_BYTES_MAX];
        size_t session_size = workload_session(batch.scene, session);
        buffer_clear(&value);
        workload_encode_batch(workload, &batch, &value);
        pace(&began, choice->rate, i - choice->skip);
        sent = !value.failed &&
               kafka_client_send(producer, choice->topic, span_make(session, session_size),
                                 buffer_span(&value));
        *bytes += value.size;
    }
    buffer_deinit(&value);
    return sent;
}

static bool flush_all(rd_kafka_t *producer)
{
    rd_kafka_resp_err_t error = rd_kafka_flush(producer, FLUSH_MS);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)fprintf(stderr, "bench: %d records not delivered: %s\n", rd_kafka_outq_len(producer),
                      rd_kafka_err2str(error));
    }
    return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int run(const struct choice *choice)
{
    struct workload_sizes sizes;
    uint64_t failed = 0, bytes = 0;
    double seconds = 0;
    struct workload *workload = workload_options_create(&choice->workload, &sizes);
    rd_kafka_t *producer =
        workload == NULL ? NULL : kafka_client_producer(choice->bootstrap, "50", &failed);
    bool done = false;
    double began_s = stopwatch_seconds();
    if (producer != NULL) {
        done =
            produce_all(choice, workload, producer, &bytes) && flush_all(producer) && failed == 0;
        seconds = stopwatch_seconds() - began_s;
        rd_kafka_destroy(producer);
    }
    if (failed > 0) {
        (void)fprintf(stderr, "bench: %" PRIu64 " records not delivered\n", failed);
    }
    if (done) {
        (void)printf("{\"batches\": %" PRIu64 ", \"operations\": %" PRIu64 ", \"bytes\": %" PRIu64
                     ", \"seconds\": %.6f}\n",
                     choice->batches, choice->batches * sizes.operations, bytes, seconds);
    }
    workload_destroy(workload);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct choice choice = {.bootstrap = "", .topic = "", .batches = BATCHES_DEFAULT};
    workload_options_init(&choice.workload);
    struct option_spec specs[WORKLOAD_OPTIONS_COUNT + 5] = {
        {"bootstrap", OPTION_TEXT, &choice.bootstrap, 0, 0},
        {"topic", OPTION_TEXT, &choice.topic, 0, 0},
        {"batches", OPTION_UINT, &choice.batches, 1, BATCHES_MAX},
        {"skip", OPTION_UINT, &choice.skip, 0, BATCHES_MAX},
        {"rate", OPTION_UINT, &choice.rate, 1, RATE_MAX},
    };
    workload_options_specify(&choice.workload, specs + 5);
    const struct command_spec spec = {.name = "bench_produce",
                                      .help = help,
                                      .options = specs,
                                      .option_count = sizeof specs / sizeof specs[0],
                                      .without_settings = true};
    struct options options;
    int code = options_parse(&spec, argc, argv, &options);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    bool is_complete = workload_options_require("bootstrap", choice.bootstrap) &&
                       workload_options_require("topic", choice.topic);
    code = is_complete ? run(&choice) : WORKLOAD_OPTIONS_EXIT_USAGE;
    options_deinit(&options);
    return code;
}
