#include "worker/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "worker/command_kafka.h"
#include "worker/interrupt.h"
#include "worker/options.h"
#include "worker/topic_judge.h"

static const char help[] =
    "Usage: scenesync topics [options]\n"
    "\n"
    "Creates the topics of the settings that are missing: operations, retry tiers up to\n"
    "retry.max_retries, results, dead letters; with what a pool of workers needs of them. A\n"
    "topic that exists is never changed: where it differs from what the workers need, a line says\n"
    "so, with the command that would change it. Running it again does nothing more.\n"
    "\n"
    "  scenesync topics --config scenesync.ini --dry-run\n"
    "  scenesync topics --config scenesync.ini --partitions 24\n"
    "\n"
    "--dry-run has the brokers check what would be created. The user needs CREATE and DESCRIBE on\n"
    "the topics, and DESCRIBE_CONFIGS to compare those that exist. The retry topics get as many\n"
    "partitions as the ops topic has, the dead letters one.\n"
    "\n"
    "Exit: 0 all are there, or would be; 1 one could not be created, or exists and stops the\n"
    "workers; 64 usage; 69 Kafka not reached; 75 interrupted; 78 configuration.\n"
    "\n"
    "Options:\n"
    "  --dry-run         say what would be done, and do nothing\n"
    "  --partitions N    of the ops, retry and results topics (default: 12)\n"
    "  --replication-factor N\n"
    "                    of every topic (default: 3, or the number of brokers where it is less)\n"
    "  --timeout MS      how long to wait for Kafka (default: 30000)\n";

enum {
    PARTITIONS_DEFAULT = 12,
    PARTITIONS_MAX = 10000,
    REPLICAS_DEFAULT = 3,
    REPLICAS_MAX = 32,
    TIMEOUT_MS_DEFAULT = 30000,
    TIMEOUT_MS_MAX = 86400000,
    TRY_MS = 1000,     /* a question to the brokers; asked again until the time-out */
    ENTRIES_MS = 5000, /* a broker without topic administration never answers */
    PAUSE_MS = 100
};

struct topics_options {
    bool dry_run;
    uint64_t partition_count, replica_count; /* 0: not given */
    uint64_t timeout_ms;
};

/* Everything that a run holds. */
struct topics_run {
    const struct settings *settings;
    const struct topics_options *options;
    struct command_kafka kafka;
    uint64_t deadline_ms;
    int replica_count;
    struct topic_rules rules;
    struct findings findings;
    size_t count;
    struct topic_plan plans[TOPIC_PLAN_COUNT_MAX];
    struct topic_state states[TOPIC_PLAN_COUNT_MAX];
    const char *names[TOPIC_PLAN_COUNT_MAX];
};

static bool is_over(const struct topics_run *run)
{
    return interrupt_count() > 0 ||
           clock_monotonic_ms(&run->kafka.context.clock) >= run->deadline_ms;
}

static void rest(struct topics_run *run)
{
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    (void)rd_kafka_poll(run->kafka.client, 0);
    (void)nanosleep(&pause, NULL);
}

static int fail_unavailable(struct topics_run *run, rd_kafka_resp_err_t error)
{
    if (interrupt_count() > 0) {
        return EXIT_CODE_INTERRUPTED;
    }
    const char *reason = command_kafka_reason(&run->kafka, error);
    (void)fprintf(stderr,
                  "scenesync: kafka cannot be reached at %s within %" PRIu64 " ms: %s; %s\n",
                  run->kafka.servers, run->options->timeout_ms, reason,
                  command_kafka_cure(&run->kafka, "check kafka.bootstrap.servers, its security "
                                                  "settings and the broker"));
    return EXIT_CODE_UNAVAILABLE;
}

/* ---- What there is ---- */

static int await_brokers(struct topics_run *run)
{
    int broker_count = 0;
    rd_kafka_resp_err_t error = topic_admin_count_brokers(run->kafka.client, TRY_MS, &broker_count);
    while (error != RD_KAFKA_RESP_ERR_NO_ERROR && !is_over(run)) {
        rest(run);
        error = topic_admin_count_brokers(run->kafka.client, TRY_MS, &broker_count);
    }
    run->rules.broker_count = broker_count;
    run->replica_count = run->options->replica_count > 0   ? (int)run->options->replica_count
                         : broker_count < REPLICAS_DEFAULT ? broker_count
                                                           : REPLICAS_DEFAULT;
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? EXIT_CODE_OK : fail_unavailable(run, error);
}

/** A topic that has just been made has no leaders yet: that is no answer. */
static rd_kafka_resp_err_t read_settled(struct topics_run *run, size_t index)
{
    struct topic_state *state = &run->states[index];
    for (;;) {
        rd_kafka_resp_err_t error =
            topic_admin_read(run->kafka.client, run->names[index], TRY_MS, state);
        bool is_settled = error == RD_KAFKA_RESP_ERR_NO_ERROR &&
                          state->error != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
        if (is_settled || is_over(run)) {
            return error;
        }
        rest(run);
    }
}

static int read_topics(struct topics_run *run)
{
    run->count = topic_plan_count(run->settings);
    run->rules.settings = run->settings;
    run->rules.message_bytes_max = topic_admin_message_bytes_max(run->settings);
    for (size_t i = 0; i < run->count; i++) {
        topic_plan_make(run->settings, i, run->rules.message_bytes_max, run->replica_count,
                        &run->plans[i]);
        run->names[i] = run->plans[i].name;
        rd_kafka_resp_err_t error = read_settled(run, i);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR || interrupt_count() > 0) {
            return fail_unavailable(run, error);
        }
    }
    topic_admin_read_configs(run->kafka.client, run->names, run->count, ENTRIES_MS, run->states);
    return EXIT_CODE_OK;
}

/* ---- What is to be ---- */

static bool exists(const struct topic_state *state)
{
    return state->error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/** Ops and retry topics need equal counts: one that exists decides, the ops topic first. */
static int32_t choose_input_partitions(const struct topics_run *run)
{
    int32_t count = 0;
    for (size_t i = 0; i < run->count && count == 0; i++) {
        enum topic_role role = run->plans[i].role;
        if ((role == TOPIC_ROLE_OPS || role == TOPIC_ROLE_RETRY) && exists(&run->states[i])) {
            count = run->states[i].partition_count;
        }
    }
    int32_t asked = (int32_t)run->options->partition_count;
    return count > 0 ? count : asked > 0 ? asked : PARTITIONS_DEFAULT;
}

static int32_t choose_partitions(const struct topics_run *run, enum topic_role role)
{
    int32_t asked = (int32_t)run->options->partition_count;
    switch (role) {
    case TOPIC_ROLE_OPS:
    case TOPIC_ROLE_RETRY:
        return run->rules.ops_partition_count;
    case TOPIC_ROLE_RESULTS:
        return asked > 0 ? asked : PARTITIONS_DEFAULT;
    case TOPIC_ROLE_DEAD_LETTER:
        break;
    }
    return 1;
}

static void say_created(const struct topics_run *run, const struct topic_plan *plan,
                        int32_t partition_count)
{
    (void)printf("%s %s: partitions=%" PRId32 " replication-factor=%d",
                 run->options->dry_run ? "would create" : "created", plan->name, partition_count,
                 run->replica_count);
    for (size_t i = 0; i < plan->config_count; i++) {
        (void)printf(" %s=%s", plan->configs[i].name, plan->configs[i].value);
    }
    (void)printf("\n");
}

static int fail_create(const struct topic_plan *plan, rd_kafka_resp_err_t error,
                       const char *message)
{
    const char *cure = "correct --partitions or --replication-factor, or see the broker's log";
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
        cure = "grant the user CREATE on the topic, or create it as another user";
    } else if (error == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        cure = "no broker has answered: see that they are well; `scenesync broker` creates the "
               "topics of its own settings when it starts";
    } else if (error == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) {
        cure = "`scenesync broker` creates the topics of its own settings when it starts";
    }
    (void)fprintf(stderr, "scenesync: topic %s cannot be created: %s (%s); %s\n", plan->name,
                  message, rd_kafka_err2name(error), cure);
    return EXIT_CODE_FAILED;
}

static int create(struct topics_run *run, size_t index)
{
    const struct topic_plan *plan = &run->plans[index];
    char message[TOPIC_ADMIN_MESSAGE_BYTES];
    int32_t partition_count = choose_partitions(run, plan->role);
    rd_kafka_resp_err_t error =
        topic_admin_create(run->kafka.client, plan, partition_count, run->replica_count,
                           run->options->dry_run, (int)run->options->timeout_ms, message);
    if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        (void)printf("exists %s: somebody else has just created it\n", plan->name);
        return EXIT_CODE_OK;
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail_create(plan, error, message);
    }
    say_created(run, plan, partition_count);
    return EXIT_CODE_OK;
}

/** Ends when it can be written to, or with the time-out. */
static void await_leaders(struct topics_run *run, size_t index)
{
    struct topic_state *state = &run->states[index];
    do {
        rd_kafka_resp_err_t error =
            topic_admin_read(run->kafka.client, run->names[index], TRY_MS, state);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR && exists(state) && state->leaderless_count == 0) {
            return;
        }
        rest(run);
    } while (!is_over(run));
}

static void compare(struct topics_run *run, size_t index)
{
    const struct topic_plan *plan = &run->plans[index];
    const struct topic_state *state = &run->states[index];
    int32_t asked = (int32_t)run->options->partition_count;
    (void)printf("exists %s: partitions=%" PRId32 " replication-factor=%" PRId32 "\n", plan->name,
                 state->partition_count, state->replica_count);
    if (plan->role == TOPIC_ROLE_OPS && asked > 0 && asked != state->partition_count) {
        const struct finding finding = {
            .level = FINDING_WARN,
            .check = "topic.partitions",
            .subject = plan->name,
            .cure = "to have more, grow the retry topics first, then this one, by kafka-topics.sh "
                    "--alter; fewer need a new topic"};
        findings_add(&run->findings, &finding, "%" PRId32 ", --partitions asks for %" PRId32,
                     state->partition_count, asked);
    }
    topic_judge(&run->rules, plan, state, true, &run->findings);
}

static int do_topics(struct topics_run *run)
{
    int code = await_brokers(run);
    if (code == EXIT_CODE_OK) {
        code = read_topics(run);
    }
    if (code != EXIT_CODE_OK) {
        return code;
    }
    run->rules.ops_partition_count = choose_input_partitions(run);
    for (size_t i = 0; i < run->count && interrupt_count() == 0; i++) {
        rd_kafka_resp_err_t error = run->states[i].error;
        if (exists(&run->states[i])) {
            compare(run, i);
        } else if (error != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
            code = fail_create(&run->plans[i], error, rd_kafka_err2str(error));
        } else if (create(run, i) != EXIT_CODE_OK) {
            code = EXIT_CODE_FAILED;
        } else if (!run->options->dry_run) {
            await_leaders(run, i);
        }
    }
    if (interrupt_count() > 0) {
        return EXIT_CODE_INTERRUPTED;
    }
    bool is_written = fflush(stdout) == 0 && !run->findings.failed;
    return run->findings.counts[FINDING_ERROR] > 0 || !is_written ? EXIT_CODE_FAILED : code;
}

static int run_topics(const struct settings *settings, const struct topics_options *options)
{
    struct topics_run run = {.settings = settings, .options = options, .findings = {.out = stdout}};
    char message[SETTINGS_ERROR_BYTES_MAX];
    rd_kafka_conf_t *conf = topic_admin_conf(settings, message, sizeof message);
    int code = command_kafka_open(&run.kafka, RD_KAFKA_CONSUMER, conf, settings, message);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    run.deadline_ms = clock_monotonic_ms(&run.kafka.context.clock) + options->timeout_ms;
    code = do_topics(&run);
    command_kafka_close(&run.kafka);
    return code;
}

int command_topics(int argc, char **argv)
{
    struct topics_options own = {.timeout_ms = TIMEOUT_MS_DEFAULT};
    const struct option_spec specs[] = {
        {.name = "dry-run", .type = OPTION_FLAG, .out = &own.dry_run},
        {"partitions", OPTION_UINT, &own.partition_count, 1, PARTITIONS_MAX},
        {"replication-factor", OPTION_UINT, &own.replica_count, 1, REPLICAS_MAX},
        {"timeout", OPTION_UINT, &own.timeout_ms, 1, TIMEOUT_MS_MAX},
    };
    const struct command_spec spec = {.name = "topics",
                                      .help = help,
                                      .options = specs,
                                      .option_count = sizeof specs / sizeof specs[0]};
    struct options options;
    int code = options_parse(&spec, argc, argv, &options);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    interrupt_install();
    code = run_topics(&options.settings, &own);
    options_deinit(&options);
    return code;
}
