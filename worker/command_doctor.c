#include "worker/commands.h"

#include <stdarg.h>
#include <stdio.h>

#include "worker/command_kafka.h"
#include "worker/doctor.h"
#include "worker/interrupt.h"
#include "worker/options.h"

static const char help[] =
    "Usage: scenesync doctor [options]\n"
    "\n"
    "Checks what a pool of workers needs, on the live Kafka and Redis of its settings, and prints\n"
    "a line per check: ok, warn or error, what was found, and the cure. Give it the workers'\n"
    "settings and their user. It may run beside them: it joins no group, writes no record, and\n"
    "removes its scratch keys from Redis.\n"
    "\n"
    "  scenesync doctor --config scenesync.ini\n"
    "  scenesync doctor --json | jq -r 'select(.level == \"error\") | .cure'\n"
    "\n"
    "Kafka: reached, brokers, topics (partitions, replicas, cleanup, retention, sizes, time\n"
    "stamps), the clients' limits, the consumer group, rights. Redis: reached, version, role,\n"
    "eviction, persistence, clock, and the workers' own self test, which needs all their rights.\n"
    "\n"
    "Exit: 0 no errors, maybe warnings; 1 errors; 64 usage; 69 Kafka or Redis not reached;\n"
    "75 interrupted; 78 configuration.\n"
    "\n"
    "Options:\n"
    "  --json            an object per line: level, check, subject, found, cure\n"
    "  --timeout MS      how long to wait for each answer (default: 5000)\n";

enum {
    TIMEOUT_MS_DEFAULT = 5000,
    TIMEOUT_MS_MAX = 600000,
    MESSAGE_BYTES = SETTINGS_ERROR_BYTES_MAX
};

void doctor_say(const struct doctor *doctor, enum finding_level level, const char *check,
                const char *cure, const char *format, ...)
{
    char found[FINDING_TEXT_BYTES];
    const struct finding finding = {.level = level, .check = check, .cure = cure};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(found, sizeof found, format, arguments);
    va_end(arguments);
    findings_add(doctor->findings, &finding, "%s", found);
}

/** Returns EXIT_CODE_OK, EXIT_CODE_UNAVAILABLE, or why there could be no client. */
static int check_kafka(const struct doctor *doctor)
{
    struct command_kafka kafka;
    struct doctor_topics topics = {0};
    char message[MESSAGE_BYTES];
    rd_kafka_conf_t *conf = topic_admin_conf(doctor->settings, message, sizeof message);
    int code = command_kafka_open(&kafka, RD_KAFKA_CONSUMER, conf, doctor->settings, message);
    if (code != EXIT_CODE_OK) {
        return code;
    }
    doctor_check_clients(doctor);
    if (!doctor_check_topics(doctor, &kafka, &topics)) {
        code = EXIT_CODE_UNAVAILABLE;
    } else if (interrupt_count() == 0) {
        doctor_check_group(doctor, kafka.client);
        doctor_check_rights(doctor, kafka.client, &topics);
    }
    command_kafka_close(&kafka);
    return code;
}

static int run(const struct settings *settings, bool is_json, uint64_t timeout_ms)
{
    struct clock clock = clock_system();
    struct findings findings = {.out = stdout, .is_json = is_json};
    const struct doctor doctor = {.settings = settings,
                                  .clock = &clock,
                                  .timeout_ms = (int)timeout_ms,
                                  .findings = &findings};
    int code = check_kafka(&doctor);
    if (code != EXIT_CODE_OK && code != EXIT_CODE_UNAVAILABLE) {
        return code;
    }
    if (interrupt_count() == 0 && !doctor_check_redis(&doctor)) {
        code = EXIT_CODE_UNAVAILABLE;
    }
    if (interrupt_count() > 0) {
        return EXIT_CODE_INTERRUPTED;
    }
    bool is_well = findings.counts[FINDING_ERROR] == 0 && !findings.failed;
    return code == EXIT_CODE_OK && !is_well ? EXIT_CODE_FAILED : code;
}

int command_doctor(int argc, char **argv)
{
    bool is_json = false;
    uint64_t timeout_ms = TIMEOUT_MS_DEFAULT;
    const struct option_spec own[] = {
        {.name = "json", .type = OPTION_FLAG, .out = &is_json},
        {"timeout", OPTION_UINT, &timeout_ms, 1, TIMEOUT_MS_MAX},
    };
    const struct command_spec spec = {
        .name = "doctor", .help = help, .options = own, .option_count = sizeof own / sizeof own[0]};
    struct options options;
    int code = options_parse(&spec, argc, argv, &options);
    if (code != OPTIONS_GO_ON) {
        return code;
    }
    interrupt_install();
    code = run(&options.settings, is_json, timeout_ms);
    options_deinit(&options);
    return code;
}
