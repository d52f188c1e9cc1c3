#include "worker/commands.h"

#include <stdio.h>
#include <time.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "worker/interrupt.h"
#include "worker/options.h"
#include "worker/topic_plan.h"

static const char help[] =
    "Usage: scenesync broker [options] [TOPIC...]\n"
    "\n"
    "Runs a small Kafka broker for development: nothing to install, nothing kept. Its address is\n"
    "the first line on the standard output; it has the topics of the settings (operations, "
    "results,\n"
    "dead letters and the retry tiers up to retry.max_retries) and each TOPIC. Ends with SIGINT "
    "or\n"
    "SIGTERM.\n"
    "\n"
    "  scenesync broker &\n"
    "  scenesync worker --set kafka.bootstrap.servers=127.0.0.1:PORT\n"
    "\n"
    "It is librdkafka's mock cluster, in memory and on the loopback interface only. Consumer "
    "groups\n"
    "work (with kafka.session.timeout.ms 6000 a member that died is noticed soon), and topics are\n"
    "created when they are first written to. It silently drops a partition's oldest records "
    "beyond\n"
    "5 MiB or 100,000 batches, and has no transactions, topic administration or access control:\n"
    "never trust it with data.\n"
    "\n"
    "Exit: 0 ended by a signal; 64 usage; 70 no broker could be started; 78 configuration.\n"
    "\n"
    "Options:\n"
    "  --partitions N    partitions of each topic, 1 to 1000 (default: 4)\n";

enum { BROKER_COUNT = 1, PARTITIONS_DEFAULT = 4, PARTITIONS_MAX = 1000, WAIT_MS = 100 };

static int fail(const char *what, const char *subject, const char *reason)
{
    (void)fprintf(stderr, "scenesync: %s%s: %s\n", what, subject, reason);
    return EXIT_CODE_INTERNAL;
}

static int create_topic(rd_kafka_mock_cluster_t *cluster, const char *topic, int partition_count)
{
    rd_kafka_resp_err_t error =
        rd_kafka_mock_topic_create(cluster, topic, partition_count, BROKER_COUNT);
    /* A TOPIC may be one of the settings' own. */
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        return fail("cannot create topic ", topic, rd_kafka_err2str(error));
    }
    return EXIT_CODE_OK;
}

static int create_topics(rd_kafka_mock_cluster_t *cluster, const struct options *options,
                         int partition_count)
{
    const struct settings *settings = &options->settings;
    int code = EXIT_CODE_OK;
    for (size_t i = 0; code == EXIT_CODE_OK && i < topic_plan_count(settings); i++) {
        char name[SETTINGS_TOPIC_BYTES_MAX + 1];
        (void)topic_plan_name(settings, i, name);
        code = create_topic(cluster, name, partition_count);
    }
    for (int i = 0; code == EXIT_CODE_OK && i < options->argument_count; i++) {
        code = create_topic(cluster, options->arguments[i], partition_count);
    }
    return code;
}

static void wait_for_interrupt(void)
{
    while (interrupt_count() == 0) {
        struct timespec wait = {.tv_nsec = WAIT_MS * 1000000L};
        (void)nanosleep(&wait, NULL);
    }
}

/** Serves until interrupted. `host` is the client that carries the cluster; it connects nowhere. */
static int serve(rd_kafka_t *host, const struct options *options, int partition_count)
{
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(host, BROKER_COUNT);
    if (cluster == NULL) {
        return fail("cannot start", " the broker", "no loopback port could be opened");
    }
    int code = create_topics(cluster, options, partition_count);
    if (code == EXIT_CODE_OK) {
        (void)printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
        (void)fflush(stdout);
        (void)fprintf(stderr, "scenesync: for development only, keeps nothing\n");
        wait_for_interrupt();
    }
    rd_kafka_mock_cluster_destroy(cluster);
    return code;
}

int command_broker(int argc, char **argv)
{
    uint64_t partition_count = PARTITIONS_DEFAULT;
    const struct option_spec own[] = {
        {"partitions", OPTION_UINT, &partition_count, 1, PARTITIONS_MAX},
    };
    const struct command_spec spec = {.name = "broker",
                                      .help = help,
                                      .options = own,
                                      .option_count = sizeof own / sizeof own[0],
                                      .arguments_max = PARTITIONS_MAX};
    struct options options;
    int code = options_parse(&spec, argc, argv, &options);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    interrupt_install();
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "log_level", "3", reason, sizeof reason);
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (host == NULL) {
        rd_kafka_conf_destroy(conf);
        code = fail("cannot start", " the broker", reason);
    } else {
        code = serve(host, &options, (int)partition_count);
        rd_kafka_destroy(host);
    }
    options_deinit(&options);
    return code;
}
