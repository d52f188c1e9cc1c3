#include "worker/settings_value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { LOST_WRITES_COUNT = LOST_WRITES_ACCEPT + 1, DIGITS_MAX = 20, PORT_MAX = 65535 };

static void *member_of(const struct setting *setting, struct settings *settings)
{
    return (char *)settings + setting->offset;
}

static const void *const_member_of(const struct setting *setting, const struct settings *settings)
{
    return (const char *)settings + setting->offset;
}

/** Decimal digits only, within the setting's range. */
static bool parse_uint(const struct setting *setting, const char *text, uint64_t *out)
{
    size_t size = strlen(text);
    if (size == 0 || size > DIGITS_MAX || strspn(text, "0123456789") != size) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return value >= setting->min && value <= setting->max;
}

/** Digits with at most one point, within the setting's range. */
static bool parse_double(const struct setting *setting, const char *text, double *out)
{
    size_t size = strlen(text);
    if (size == 0 || size > DIGITS_MAX || strspn(text, "0123456789.") != size) {
        return false;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    *out = value;
    return *end == '\0' && value >= (double)setting->min && value <= (double)setting->max;
}

static bool parse_bool(const char *text, bool *out)
{
    *out = strcasecmp(text, "true") == 0;
    return *out || strcasecmp(text, "false") == 0;
}

static const char *lost_writes_name(unsigned index)
{
    static const char *const names[LOST_WRITES_COUNT] = {"replay", "stop", "accept"};
    return index < LOST_WRITES_COUNT ? names[index] : NULL;
}

/** The value of index `index` of a setting with a fixed choice; NULL behind the last. */
static const char *choice_name(enum setting_type type, unsigned index)
{
    switch (type) {
    case SETTING_STRATEGY:
        return index < STRATEGY_COUNT ? strategy_name((enum strategy)index) : NULL;
    case SETTING_LOST_WRITES:
        return lost_writes_name(index);
    case SETTING_LOG_LEVEL:
        return index <= LOG_DEBUG ? log_level_name((enum log_level)index) : NULL;
    case SETTING_LOG_FORMAT:
        return index <= LOG_JSON ? log_format_name((enum log_format)index) : NULL;
    case SETTING_KAFKA:
    case SETTING_TEXT:
    case SETTING_OPTIONAL_TEXT:
    case SETTING_SECRET:
    case SETTING_TOPIC:
    case SETTING_LISTEN:
    case SETTING_BOOL:
    case SETTING_UINT32:
    case SETTING_UINT64:
    case SETTING_SIZE:
    case SETTING_DOUBLE:
        break;
    }
    return NULL;
}

static bool parse_choice(enum setting_type type, const char *text, unsigned *out)
{
    if (type == SETTING_STRATEGY) { /* which has a second spelling */
        *out = strategy_of_name(span_of_text(text));
        return *out < STRATEGY_COUNT;
    }
    for (unsigned i = 0; choice_name(type, i) != NULL; i++) {
        if (strcmp(choice_name(type, i), text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool is_plain_text(const struct setting *setting, const char *text)
{
    size_t size = strlen(text);
    if (size < setting->min || size > setting->max) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_topic(const struct setting *setting, const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return is_plain_text(setting, text) && strspn(text, letters) == strlen(text) &&
           strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static bool is_listen_address(const struct setting *setting, const char *text)
{
    if (strcmp(text, "off") == 0) {
        return true;
    }
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    const struct setting range = {.max = PORT_MAX};
    return is_plain_text(setting, text) && colon != NULL && colon != text &&
           strchr(text, ' ') == NULL && parse_uint(&range, colon + 1, &port);
}

static bool is_text_allowed(const struct setting *setting, const char *text)
{
    switch (setting->type) {
    case SETTING_TOPIC:
        return is_topic(setting, text);
    case SETTING_LISTEN:
        return is_listen_address(setting, text);
    case SETTING_KAFKA:
    case SETTING_TEXT:
    case SETTING_OPTIONAL_TEXT:
    case SETTING_SECRET:
    case SETTING_BOOL:
    case SETTING_UINT32:
    case SETTING_UINT64:
    case SETTING_SIZE:
    case SETTING_DOUBLE:
    case SETTING_STRATEGY:
    case SETTING_LOST_WRITES:
    case SETTING_LOG_LEVEL:
    case SETTING_LOG_FORMAT:
        break;
    }
    return is_plain_text(setting, text);
}

/** Whether an empty text is kept as NULL. */
static bool is_optional(const struct setting *setting)
{
    return setting->type == SETTING_OPTIONAL_TEXT || setting->type == SETTING_SECRET;
}

static bool is_text(const struct setting *setting)
{
    return is_optional(setting) || setting->type == SETTING_TEXT ||
           setting->type == SETTING_TOPIC || setting->type == SETTING_LISTEN;
}

static enum setting_outcome store_text(const struct setting *setting, struct settings *settings,
                                       const char *value)
{
    if (!is_text_allowed(setting, value)) {
        return SETTING_REFUSED;
    }
    char *copy = NULL;
    if (!is_optional(setting) || value[0] != '\0') {
        copy = strdup(value);
        if (copy == NULL) {
            return SETTING_OUT_OF_MEMORY;
        }
    }
    setting_free(setting, settings);
    char **member = member_of(setting, settings);
    *member = copy;
    return SETTING_STORED;
}

static enum setting_outcome store_number(const struct setting *setting, void *member,
                                         const char *text)
{
    uint64_t value = 0;
    if (!parse_uint(setting, text, &value)) {
        return SETTING_REFUSED;
    }
    if (setting->type == SETTING_UINT32) {
        assert(setting->max <= UINT32_MAX);
        *(uint32_t *)member = (uint32_t)value;
    } else if (setting->type == SETTING_SIZE) {
        assert(setting->max <= SIZE_MAX);
        *(size_t *)member = (size_t)value;
    } else {
        *(uint64_t *)member = value;
    }
    return SETTING_STORED;
}

static enum setting_outcome store_choice(const struct setting *setting, void *member,
                                         const char *text)
{
    unsigned choice = 0;
    if (!parse_choice(setting->type, text, &choice)) {
        return SETTING_REFUSED;
    }
    if (setting->type == SETTING_STRATEGY) {
        *(enum strategy *)member = (enum strategy)choice;
    } else if (setting->type == SETTING_LOST_WRITES) {
        *(enum lost_writes_policy *)member = (enum lost_writes_policy)choice;
    } else if (setting->type == SETTING_LOG_LEVEL) {
        *(enum log_level *)member = (enum log_level)choice;
    } else {
        *(enum log_format *)member = (enum log_format)choice;
    }
    return SETTING_STORED;
}

static enum setting_outcome store_double(const struct setting *setting, void *member,
                                         const char *text)
{
    double value = 0;
    if (!parse_double(setting, text, &value)) {
        return SETTING_REFUSED;
    }
    *(double *)member = value;
    return SETTING_STORED;
}

static enum setting_outcome store_bool(void *member, const char *text)
{
    bool value = false;
    if (!parse_bool(text, &value)) {
        return SETTING_REFUSED;
    }
    *(bool *)member = value;
    return SETTING_STORED;
}

enum setting_outcome setting_store(const struct setting *setting, struct settings *settings,
                                   const char *value)
{
    void *member = member_of(setting, settings);
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_OPTIONAL_TEXT:
    case SETTING_SECRET:
    case SETTING_TOPIC:
    case SETTING_LISTEN:
        return store_text(setting, settings, value);
    case SETTING_BOOL:
        return store_bool(member, value);
    case SETTING_UINT32:
    case SETTING_UINT64:
    case SETTING_SIZE:
        return store_number(setting, member, value);
    case SETTING_DOUBLE:
        return store_double(setting, member, value);
    case SETTING_STRATEGY:
    case SETTING_LOST_WRITES:
    case SETTING_LOG_LEVEL:
    case SETTING_LOG_FORMAT:
        return store_choice(setting, member, value);
    case SETTING_KAFKA:
        break;
    }
    assert(false && "a Kafka property has no member");
    return SETTING_REFUSED;
}

void setting_free(const struct setting *setting, struct settings *settings)
{
    if (is_text(setting)) {
        char **member = member_of(setting, settings);
        free(*member);
        *member = NULL;
    }
}

/** "one, two or three". */
static void describe_choice(enum setting_type type, char *out, size_t out_bytes)
{
    size_t size = 0;
    for (unsigned i = 0; choice_name(type, i) != NULL && size < out_bytes; i++) {
        bool is_last = choice_name(type, i + 1) == NULL;
        const char *glue = i == 0 ? "" : is_last ? " or " : ", ";
        int added = snprintf(out + size, out_bytes - size, "%s%s", glue, choice_name(type, i));
        size += (size_t)added;
    }
}

void setting_describe(const struct setting *setting, char *out, size_t out_bytes)
{
    switch (setting->type) {
    case SETTING_KAFKA:
    case SETTING_TEXT:
    case SETTING_OPTIONAL_TEXT:
    case SETTING_SECRET:
        (void)snprintf(out, out_bytes,
                       "a text of %" PRIu64 " to %" PRIu64 " bytes without control characters",
                       setting->min, setting->max);
        break;
    case SETTING_TOPIC:
        (void)snprintf(out, out_bytes, "1 to %" PRIu64 " letters, digits, '.', '_' and '-'",
                       setting->max);
        break;
    case SETTING_LISTEN:
        (void)snprintf(out, out_bytes, "host:port with a port from 0 to %d, or off", PORT_MAX);
        break;
    case SETTING_BOOL:
        (void)snprintf(out, out_bytes, "true or false");
        break;
    case SETTING_UINT32:
    case SETTING_UINT64:
    case SETTING_SIZE:
        (void)snprintf(out, out_bytes, "an integer from %" PRIu64 " to %" PRIu64, setting->min,
                       setting->max);
        break;
    case SETTING_DOUBLE:
        (void)snprintf(out, out_bytes, "a decimal number from %" PRIu64 " to %" PRIu64,
                       setting->min, setting->max);
        break;
    case SETTING_STRATEGY:
    case SETTING_LOST_WRITES:
    case SETTING_LOG_LEVEL:
    case SETTING_LOG_FORMAT:
        describe_choice(setting->type, out, out_bytes);
        break;
    }
}

const char *setting_format(const struct setting *setting, const struct settings *settings,
                           char *out, size_t out_bytes)
{
    const void *member = const_member_of(setting, settings);
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_OPTIONAL_TEXT:
    case SETTING_SECRET:
    case SETTING_TOPIC:
    case SETTING_LISTEN: {
        const char *text = *(char *const *)member;
        return text != NULL ? text : "";
    }
    case SETTING_BOOL:
        return *(const bool *)member ? "true" : "false";
    case SETTING_UINT32:
        (void)snprintf(out, out_bytes, "%" PRIu32, *(const uint32_t *)member);
        return out;
    case SETTING_UINT64:
        (void)snprintf(out, out_bytes, "%" PRIu64, *(const uint64_t *)member);
        return out;
    case SETTING_SIZE:
        (void)snprintf(out, out_bytes, "%zu", *(const size_t *)member);
        return out;
    case SETTING_DOUBLE:
        (void)snprintf(out, out_bytes, "%.15g", *(const double *)member);
        return out;
    case SETTING_STRATEGY:
        return strategy_name(*(const enum strategy *)member);
    case SETTING_LOST_WRITES:
        return lost_writes_name(*(const enum lost_writes_policy *)member);
    case SETTING_LOG_LEVEL:
        return log_level_name(*(const enum log_level *)member);
    case SETTING_LOG_FORMAT:
        return log_format_name(*(const enum log_format *)member);
    case SETTING_KAFKA:
        break;
    }
    assert(false && "a Kafka property has no member");
    return "";
}
