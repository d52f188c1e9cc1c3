#include "worker/settings.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/error.h"
#include "protocol/retry.h"
#include "worker/settings_kafka.h"
#include "worker/settings_value.h"

enum { DESCRIPTION_BYTES_MAX = 160, WAITING_BYTES_MAX = 64 << 20 };

/** Writes "<origin>: <name> = "<value>": " and the rest. Returns false. */
static bool refuse(struct settings_error *error, const struct setting *setting, const char *value,
                   const char *origin)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    char allowed[DESCRIPTION_BYTES_MAX];
    const char *shown =
        setting->type == SETTING_SECRET ? "(hidden)" : error_quote(span_of_text(value), quoted);
    setting_describe(setting, allowed, sizeof allowed);
    return settings_fail(error, "%s: %s = \"%s\": expected %s", origin, setting->name, shown,
                         allowed);
}

static bool set_known(struct settings *settings, const struct setting *setting, const char *value,
                      const char *origin, struct settings_error *error)
{
    char *origin_copy = strdup(origin);
    enum setting_outcome outcome = SETTING_OUT_OF_MEMORY;
    if (origin_copy != NULL) {
        outcome = setting_store(setting, settings, value);
    }
    size_t row = (size_t)(setting - settings_table);
    switch (outcome) {
    case SETTING_STORED:
        free(settings->origins[row]);
        settings->origins[row] = origin_copy;
        return true;
    case SETTING_REFUSED:
        free(origin_copy);
        return refuse(error, setting, value, origin);
    case SETTING_OUT_OF_MEMORY:
        free(origin_copy);
        break;
    }
    return settings_fail(error, "%s: %s: out of memory", origin, setting->name);
}

/** Appends "; did you mean ...?" where a known name is close. */
static bool refuse_unknown(struct settings_error *error, const char *name, const char *origin)
{
    char quoted[ERROR_QUOTE_BYTES_MAX];
    const char *shown = error_quote(span_of_text(name), quoted);
    const struct setting *similar = setting_find_similar(name);
    if (similar != NULL) {
        return settings_fail(error, "%s: %s: no such setting; did you mean %s?", origin, shown,
                             similar->name);
    }
    return settings_fail(error, "%s: %s: no such setting; see scenesync worker --help-settings",
                         origin, shown);
}

bool settings_set(struct settings *settings, const char *name, const char *value,
                  const char *origin, struct settings_error *error)
{
    const struct setting *setting = setting_find(name);
    if (setting != NULL && setting->type != SETTING_KAFKA) {
        return set_known(settings, setting, value, origin, error);
    }
    if (setting != NULL && (value[0] == '\0' || strlen(value) > setting->max)) {
        return refuse(error, setting, value, origin);
    }
    if (settings_kafka_is_name(name)) {
        return settings_kafka_set(settings, name, value, origin, error);
    }
    return refuse_unknown(error, name, origin);
}

static bool set_default(struct settings *settings, const struct setting *setting)
{
    struct settings_error ignored;
    if (setting->type == SETTING_KAFKA) {
        return settings_kafka_set(settings, setting->name, setting->default_value,
                                  SETTINGS_ORIGIN_DEFAULT, &ignored);
    }
    enum setting_outcome outcome = setting_store(setting, settings, setting->default_value);
    assert(outcome != SETTING_REFUSED);
    return outcome == SETTING_STORED;
}

bool settings_init(struct settings *settings)
{
    *settings = (struct settings){0};
    settings->origins = calloc(SETTING_COUNT, sizeof *settings->origins);
    bool ok = settings->origins != NULL;
    for (size_t i = 0; ok && i < SETTING_COUNT; i++) {
        ok = set_default(settings, &settings_table[i]);
    }
    if (!ok) {
        settings_deinit(settings);
    }
    return ok;
}

void settings_deinit(struct settings *settings)
{
    settings_kafka_deinit(settings);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        setting_free(&settings_table[i], settings);
        if (settings->origins != NULL) {
            free(settings->origins[i]);
        }
    }
    free(settings->origins);
    *settings = (struct settings){0};
}

uint64_t settings_retry_delay_ms(const struct settings *settings, uint32_t retry)
{
    assert(retry > 0);
    double max_ms = settings->retry_delay_max_ms;
    double delay_ms = settings->retry_initial_delay_ms;
    /* A multiplier of 1 never reaches the maximum: then the attempts that exist bound the loop. */
    for (uint32_t i = 1; i < retry && i < RETRY_ATTEMPT_MAX && delay_ms < max_ms; i++) {
        delay_ms *= settings->retry_backoff_multiplier;
    }
    return (uint64_t)(delay_ms < max_ms ? delay_ms : max_ms);
}

uint64_t settings_scene_bytes_max(const struct settings *settings)
{
    uint64_t bytes = settings->store_cache_bytes;
    uint64_t waiting = bytes / 8 * 3 < WAITING_BYTES_MAX ? bytes / 8 * 3 : WAITING_BYTES_MAX;
    return bytes - bytes / 8 - waiting;
}

/** Whether an INI file can hold the value: on one line, no white space at its ends. */
static bool fits_line(const char *value)
{
    size_t size = strlen(value);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
            return false;
        }
    }
    return size == 0 || (value[0] != ' ' && value[size - 1] != ' ');
}

static void print_value(FILE *out, const char *key, const char *value, bool secret)
{
    if (secret) {
        (void)fprintf(out, "# %s =%s\n", key, value[0] != '\0' ? " (hidden)" : "");
    } else if (!fits_line(value)) {
        (void)fprintf(out, "# %s = (%zu bytes that do not fit a line)\n", key, strlen(value));
    } else {
        (void)fprintf(out, "%s =%s%s\n", key, value[0] != '\0' ? " " : "", value);
    }
}

/** "retry" of "retry.max_retries". */
static size_t section_size(const char *name)
{
    return strcspn(name, ".");
}

static void print_section(FILE *out, const char *name)
{
    (void)fprintf(out, "\n[%.*s]\n", (int)section_size(name), name);
}

static void print_kafka(const struct settings *settings, FILE *out)
{
    print_section(out, "kafka");
    for (size_t i = 0; i < settings->kafka_count; i++) {
        const struct kafka_property *property = &settings->kafka[i];
        char key[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + sizeof "consumer."];
        (void)snprintf(key, sizeof key, "%s%s", settings_kafka_prefix(property->client),
                       property->name);
        if (strcmp(property->origin, SETTINGS_ORIGIN_DEFAULT) != 0) {
            (void)fprintf(out, "# from %s\n", property->origin);
        }
        print_value(out, key, property->value, settings_kafka_is_secret(property->name));
    }
}

static void print_known(const struct settings *settings, size_t row, FILE *out)
{
    const struct setting *setting = &settings_table[row];
    char text[64];
    if (settings->origins[row] != NULL) {
        (void)fprintf(out, "# from %s\n", settings->origins[row]);
    }
    print_value(out, setting->name + section_size(setting->name) + 1,
                setting_format(setting, settings, text, sizeof text),
                setting->type == SETTING_SECRET);
}

void settings_print(const struct settings *settings, FILE *out)
{
    (void)fputs(
        "# scenesync: the settings in effect. Where one does not come from its default, the\n"
        "# line above it says where it comes from. Secrets are not shown.\n",
        out);
    print_kafka(settings, out);
    const char *section = "kafka";
    for (size_t row = 0; row < SETTING_COUNT; row++) {
        const char *name = settings_table[row].name;
        if (settings_table[row].type == SETTING_KAFKA) {
            continue;
        }
        if (strncmp(section, name, section_size(name) + 1) != 0) {
            print_section(out, name);
            section = name;
        }
        print_known(settings, row, out);
    }
}

void settings_print_help(FILE *out)
{
    (void)fputs("Settings: a file of [section] and key = value lines (--config FILE), then the\n"
                "environment (SCENESYNC_RETRY_MAX_RETRIES=5), then --set retry.max_retries=5; the\n"
                "later wins. Any other kafka.* key is handed to librdkafka as it stands;\n"
                "kafka.consumer.* and kafka.producer.* to that client only.\n",
                out);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        char allowed[DESCRIPTION_BYTES_MAX];
        setting_describe(setting, allowed, sizeof allowed);
        (void)fprintf(out, "\n%s =%s%s\n    %s\n    allowed: %s\n", setting->name,
                      setting->default_value[0] != '\0' ? " " : "", setting->default_value,
                      setting->meaning, allowed);
    }
}

bool settings_is_secret(const char *name)
{
    const struct setting *setting = setting_find(name);
    return (setting != NULL && setting->type == SETTING_SECRET) ||
           (settings_kafka_is_name(name) &&
            settings_kafka_is_secret(settings_kafka_property_name(name)));
}

bool settings_is_default(const struct settings *settings, const char *name)
{
    const struct setting *setting = setting_find(name);
    assert(setting != NULL);
    return settings->origins[setting - settings_table] == NULL;
}

static bool is_same_property(const struct kafka_property *a, const struct kafka_property *b)
{
    return a->client == b->client && strcmp(a->name, b->name) == 0 &&
           strcmp(a->value, b->value) == 0;
}

/** Whether `settings` has the very same property; they are few. */
static bool has_property(const struct settings *settings, const struct kafka_property *property)
{
    for (size_t i = 0; i < settings->kafka_count; i++) {
        if (is_same_property(&settings->kafka[i], property)) {
            return true;
        }
    }
    return false;
}

static void compare_kafka(const struct settings *a, const struct settings *b,
                          void (*take)(void *context, const char *name), void *context)
{
    for (size_t i = 0; i < b->kafka_count; i++) {
        if (!has_property(a, &b->kafka[i])) {
            char name[SETTINGS_KAFKA_PROPERTY_BYTES_MAX + sizeof "kafka."];
            (void)snprintf(name, sizeof name, "kafka.%s", b->kafka[i].name);
            take(context, name);
        }
    }
    if (b->kafka_count < a->kafka_count) {
        take(context, "kafka.*"); /* some are gone */
    }
}

void settings_compare(const struct settings *a, const struct settings *b,
                      void (*take)(void *context, const char *name), void *context)
{
    compare_kafka(a, b, take, context);
    for (size_t row = 0; row < SETTING_COUNT; row++) {
        const struct setting *setting = &settings_table[row];
        char text_a[64], text_b[64];
        if (setting->type != SETTING_KAFKA &&
            strcmp(setting_format(setting, a, text_a, sizeof text_a),
                   setting_format(setting, b, text_b, sizeof text_b)) != 0) {
            take(context, setting->name);
        }
    }
}
