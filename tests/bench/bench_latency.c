/* From produce to result: sends batches at a steady rate, whatever comes back, and takes the time
 * until each one's result is there. It counts from when the batch was due, not from when it was
 * sent, so that a stall of the system (or of this program) is in the numbers of all it delayed. */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/bench/batch_index.h"
#include "tests/bench/histogram.h"
#include "tests/bench/kafka_client.h"
#include "tests/bench/workload_options.h"

static const char help[] =
    "Usage: bench_latency --bootstrap HOST:PORT --topic NAME --results NAME --rate N [options]\n"
    "\n"
    "Sends batches at a steady rate and takes the time until each one's result is there; prints "
    "one\n"
    "JSON object, times in microseconds. The first batch goes ahead and is waited for, so that\n"
    "whoever answers has started. Results that are there already are not looked at.\n"
    "\n"
    "Options:\n"
    "  --rate N          batches per second\n"
    "  --seconds N       how long to measure (default: 10)\n"
    "  --warmup N        seconds before, in which the rate rises evenly to it and that do not\n"
    "                    count: who answers fills its caches (default: 5)\n" WORKLOAD_OPTIONS_HELP;

enum {
    RATE_MAX = 1000000,
    SECONDS_DEFAULT = 10,
    SECONDS_MAX = 3600,
    WARMUP_DEFAULT = 5,
    POLL_MS = 20,
    FIRST_WAIT_MS = 60000,
    GRACE_MS = 15000,
    FLUSH_MS = 15000
};

static const uint64_t second_ns = 1000000000;

struct choice {
    const char *bootstrap, *topic, *results;
    uint64_t rate, seconds, warmup;
    struct workload_options workload;
};

/** The batches, encoded before the first is due. */
struct batches {
    struct buffer bytes;
    size_t *ends;
    uint32_t *scenes;
    size_t count;
    struct batch_index index;
};

/** What sender and reader share: all of it stands still while both run, but `late_ns_max`, which is
 * the sender's, and what stands below, which is the reader's. */
struct run {
    const struct choice *choice;
    struct batches batches;
    rd_kafka_t *producer, *consumer;
    uint64_t began_ns; /* when batch 1 is due */
    uint64_t late_ns_max;
    bool sender_failed;
    bool *answered;
    size_t answered_count;
    struct histogram histogram;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * second_ns + (uint64_t)now.tv_nsec;
}

/** How many batches the rising rate sends. */
static uint64_t warmup_count(const struct choice *choice)
{
    return choice->rate * choice->warmup / 2;
}

/** Batch 0 goes ahead; batch 1 is the first that the rate counts. After t of T seconds of warm-up
 * t² / 2T times the rate have been sent. */
static uint64_t due_ns(const struct run *run, size_t place)
{
    const struct choice *choice = run->choice;
    uint64_t rest = place - 1, warmup = warmup_count(choice);
    if (rest < warmup) {
        double seconds = sqrt(2.0 * (double)choice->warmup * (double)rest / (double)choice->rate);
        return run->began_ns + (uint64_t)(seconds * (double)second_ns);
    }
    return run->began_ns + choice->warmup * second_ns + (rest - warmup) * second_ns / choice->rate;
}

static struct span batch_bytes(const struct batches *batches, size_t place)
{
    size_t begin = place > 0 ? batches->ends[place - 1] : 0;
    return span_make(batches->bytes.data + begin, batches->ends[place] - begin);
}

static bool encode_batches(struct batches *batches, struct workload *workload)
{
    static struct workload_batch batch;
    for (size_t i = 0; i < batches->count; i++) {
        workload_next(workload, &batch);
        workload_encode_batch(workload, &batch, &batches->bytes);
        batches->ends[i] = batches->bytes.size;
        batches->scenes[i] = batch.scene;
    }
    if (batches->bytes.failed) {
        return false;
    }
    for (size_t i = 0; i < batches->count; i++) {
        if (!batch_index_put(&batches->index, batch_bytes(batches, i), i)) {
            return false;
        }
    }
    return true;
}

static bool init_batches(struct batches *batches, size_t count, struct workload *workload)
{
    buffer_init(&batches->bytes, SIZE_MAX / 4);
    batches->count = count;
    batches->ends = calloc(count, sizeof *batches->ends);
    batches->scenes = calloc(count, sizeof *batches->scenes);
    bool made = batches->ends != NULL && batches->scenes != NULL &&
                batch_index_init(&batches->index, count) && encode_batches(batches, workload);
    if (!made) {
        (void)fprintf(stderr, "bench: no memory for %zu batches\n", count);
    }
    return made;
}

static void deinit_batches(struct batches *batches)
{
    buffer_deinit(&batches->bytes);
    free(batches->ends);
    free(batches->scenes);
    batch_index_deinit(&batches->index);
}

static bool send_batch(const struct run *run, size_t place)
{
    char session[WORKLOAD_SESSION_BYTES_MAX];
    size_t size = workload_session(run->batches.scenes[place], session);
    return kafka_client_send(run->producer, run->choice->topic, span_make(session, size),
                             batch_bytes(&run->batches, place));
}

static void *send_all(void *context)
{
    struct run *run = context;
    for (size_t i = 1; i < run->batches.count; i++) {
        uint64_t due = due_ns(run, i);
        struct timespec until = {.tv_sec = (time_t)(due / second_ns),
                                 .tv_nsec = (long)(due % second_ns)};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        uint64_t now = now_ns();
        if (now > due && now - due > run->late_ns_max) {
            run->late_ns_max = now - due;
        }
        if (!send_batch(run, i)) {
            run->sender_failed = true;
            break;
        }
    }
    (void)rd_kafka_flush(run->producer, FLUSH_MS);
    return NULL;
}

/** Takes one result, or nothing within POLL_MS. The first result of a batch counts. */
static void read_result(struct run *run)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(run->consumer, POLL_MS);
    if (message == NULL) {
        return;
    }
    uint64_t now = now_ns();
    size_t place = 0;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
        batch_index_find(&run->batches.index, span_make(message->payload, message->len), &place) &&
        !run->answered[place]) {
        run->answered[place] = true;
        run->answered_count++;
        if (place > warmup_count(run->choice)) {
            uint64_t due = due_ns(run, place);
            histogram_add(&run->histogram, now > due ? (now - due) / 1000 : 0);
        }
    }
    rd_kafka_message_destroy(message);
}

static bool read_until(struct run *run, size_t count, uint64_t deadline_ns)
{
    while (run->answered_count < count && now_ns() < deadline_ns) {
        read_result(run);
    }
    return run->answered_count >= count;
}

/** The first batch alone, then all the others at their rate. */
static bool measure(struct run *run)
{
    uint64_t ms_ns = second_ns / 1000;
    if (!send_batch(run, 0) || !read_until(run, 1, now_ns() + FIRST_WAIT_MS * ms_ns)) {
        (void)fprintf(stderr, "bench: the first batch was not answered\n");
        return false;
    }
    run->began_ns = now_ns() + 100 * ms_ns;
    pthread_t sender;
    if (pthread_create(&sender, NULL, send_all, run) != 0) {
        (void)fprintf(stderr, "bench: no thread\n");
        return false;
    }
    (void)read_until(run, run->batches.count, due_ns(run, run->batches.count) + GRACE_MS * ms_ns);
    (void)pthread_join(sender, NULL);
    return !run->sender_failed;
}

static void print_buckets(const struct histogram *histogram)
{
    const char *separator = "";
    (void)printf("\"buckets_us\": [");
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->counts[i] > 0) {
            (void)printf("%s[%" PRIu64 ", %" PRIu64 "]", separator, histogram_bucket_end_us(i),
                         histogram->counts[i]);
            separator = ", ";
        }
    }
    (void)printf("]");
}

static void print_run(const struct run *run)
{
    const struct histogram *histogram = &run->histogram;
    (void)printf("{\"rate\": %" PRIu64 ", \"measured\": %" PRIu64 ", \"missing\": %zu, "
                 "\"p50_us\": %" PRIu64 ", \"p99_us\": %" PRIu64 ", \"p999_us\": %" PRIu64
                 ", \"max_us\": %" PRIu64 ", \"sent_late_us_max\": %" PRIu64 ", ",
                 run->choice->rate, histogram->total, run->batches.count - run->answered_count,
                 histogram_quantile_us(histogram, 0.5), histogram_quantile_us(histogram, 0.99),
                 histogram_quantile_us(histogram, 0.999), histogram->max_us,
                 run->late_ns_max / 1000);
    print_buckets(histogram);
    (void)printf("}\n");
}

/** The producer lingers as long as librdkafka does by default: a request for each batch alone would
 * keep a small machine's broker so busy that nothing else was measured. */
static bool connect_run(struct run *run, uint64_t *failed)
{
    run->producer = kafka_client_producer(run->choice->bootstrap, "5", failed);
    run->consumer = kafka_client_reader(run->choice->bootstrap, run->choice->results);
    run->answered = calloc(run->batches.count, sizeof *run->answered);
    return run->producer != NULL && run->consumer != NULL && run->answered != NULL;
}

static void disconnect_run(struct run *run)
{
    if (run->producer != NULL) {
        rd_kafka_destroy(run->producer);
    }
    if (run->consumer != NULL) {
        (void)rd_kafka_consumer_close(run->consumer);
        rd_kafka_destroy(run->consumer);
    }
    free(run->answered);
}

static int run_choice(const struct choice *choice)
{
    static struct run run;
    struct workload_sizes sizes;
    uint64_t failed = 0;
    struct workload *workload = workload_options_create(&choice->workload, &sizes);
    if (workload == NULL) {
        return EXIT_FAILURE;
    }
    run.choice = choice;
    size_t count = (size_t)(1 + warmup_count(choice) + choice->rate * choice->seconds);
    bool done = init_batches(&run.batches, count, workload) && connect_run(&run, &failed) &&
                measure(&run) && failed == 0;
    if (done) {
        print_run(&run);
    }
    disconnect_run(&run);
    deinit_batches(&run.batches);
    workload_destroy(workload);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct choice choice = {.bootstrap = "",
                            .topic = "",
                            .results = "",
                            .rate = 1,
                            .seconds = SECONDS_DEFAULT,
                            .warmup = WARMUP_DEFAULT};
    workload_options_init(&choice.workload);
    struct option_spec specs[WORKLOAD_OPTIONS_COUNT + 6] = {
        {"bootstrap", OPTION_TEXT, &choice.bootstrap, 0, 0},
        {"topic", OPTION_TEXT, &choice.topic, 0, 0},
        {"results", OPTION_TEXT, &choice.results, 0, 0},
        {"rate", OPTION_UINT, &choice.rate, 1, RATE_MAX},
        {"seconds", OPTION_UINT, &choice.seconds, 1, SECONDS_MAX},
        {"warmup", OPTION_UINT, &choice.warmup, 0, SECONDS_MAX},
    };
    workload_options_specify(&choice.workload, specs + 6);
    const struct command_spec spec = {.name = "bench_latency",
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
                       workload_options_require("topic", choice.topic) &&
                       workload_options_require("results", choice.results);
    code = is_complete ? run_choice(&choice) : WORKLOAD_OPTIONS_EXIT_USAGE;
    options_deinit(&options);
    return code;
}
