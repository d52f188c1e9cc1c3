#include "worker/topic_plan.h"

#include <assert.h>
#include <inttypes.h>

#define DAY_MS UINT64_C(86400000)

/* A dead letter is larger than the message that it carries; so kafka_conf.c has it. */
enum { MESSAGE_ROOM = 3 };

/* Kafka's default; dead letters wait for a person, who may be on holiday. */
static const uint64_t retention_ms = 7 * DAY_MS, dead_letter_retention_ms = 30 * DAY_MS;

size_t topic_plan_count(const struct settings *settings)
{
    return 3 + settings->retry_retries_max;
}

enum topic_role topic_plan_name(const struct settings *settings, size_t index,
                                char name[SETTINGS_TOPIC_BYTES_MAX + 1])
{
    size_t tiers = settings->retry_retries_max;
    enum topic_role role = TOPIC_ROLE_OPS;
    const char *fixed = settings->topic_ops;
    assert(index < topic_plan_count(settings));
    if (index >= 1 && index <= tiers) {
        (void)snprintf(name, SETTINGS_TOPIC_BYTES_MAX + 1, "%s%zu", settings->topic_retry_prefix,
                       index);
        return TOPIC_ROLE_RETRY;
    }
    if (index == tiers + 1) {
        role = TOPIC_ROLE_RESULTS;
        fixed = settings->topic_results;
    } else if (index == tiers + 2) {
        role = TOPIC_ROLE_DEAD_LETTER;
        fixed = settings->topic_dead_letter;
    }
    (void)snprintf(name, SETTINGS_TOPIC_BYTES_MAX + 1, "%s", fixed);
    return role;
}

uint64_t topic_plan_delay_max_ms(const struct settings *settings)
{
    return settings->retry_retries_max == 0
               ? 0
               : settings_retry_delay_ms(settings, settings->retry_retries_max);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/** Twice what is needed, so that a day's outage on top of it loses nothing. */
static uint64_t choose_retention_ms(const struct settings *settings, enum topic_role role)
{
    uint64_t needed_ms = larger(settings->dedupe_window_ms, topic_plan_delay_max_ms(settings));
    switch (role) {
    case TOPIC_ROLE_OPS:
    case TOPIC_ROLE_RETRY:
        return larger(retention_ms, 2 * needed_ms);
    case TOPIC_ROLE_RESULTS:
        return retention_ms;
    case TOPIC_ROLE_DEAD_LETTER:
        break;
    }
    return dead_letter_retention_ms;
}

static void add_text(struct topic_plan *plan, const char *name, const char *value)
{
    struct topic_config *config = &plan->configs[plan->config_count++];
    assert(plan->config_count <= TOPIC_PLAN_CONFIGS_MAX);
    config->name = name;
    (void)snprintf(config->value, sizeof config->value, "%s", value);
}

static void add_uint(struct topic_plan *plan, const char *name, uint64_t value)
{
    char text[TOPIC_PLAN_VALUE_BYTES];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    add_text(plan, name, text);
}

void topic_plan_make(const struct settings *settings, size_t index, uint64_t message_bytes_max,
                     int replica_count, struct topic_plan *plan)
{
    *plan = (struct topic_plan){0};
    plan->role = topic_plan_name(settings, index, plan->name);
    add_text(plan, "cleanup.policy", "delete"); /* a broker's default may be another one */
    add_uint(plan, "retention.ms", choose_retention_ms(settings, plan->role));
    add_uint(
        plan, "max.message.bytes",
        larger(message_bytes_max, MESSAGE_ROOM * (uint64_t)settings->limits.message_bytes_max));
    if (plan->role == TOPIC_ROLE_OPS) {
        add_text(plan, "message.timestamp.type", "LogAppendTime");
    }
    if (replica_count >= 3) {
        add_text(plan, "min.insync.replicas", "2");
    }
}
