#include "store/redis_probe.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>

#include "protocol/decimal.h"
#include "store/redis_command.h"
#include "store/redis_keys.h"
#include "store/redis_watermark.h"

enum { REDIS_MAJOR_MIN = 7 };

void redis_probe_init(struct redis_probe *probe, const struct redis_store_options *options,
                      struct redis_scripts *scripts, uint64_t random)
{
    *probe = (struct redis_probe){.username = options->username,
                                  .password = options->password,
                                  .database = options->address.database,
                                  .scripts = scripts};
    (void)snprintf(probe->scratch_session, sizeof probe->scratch_session,
                   "scenesync-selftest-%016" PRIx64, random);
}

/** The name tells operators in CLIENT LIST who is connected. */
static void encode_hello(const struct redis_probe *probe, struct buffer *out)
{
    bool has_password = probe->password != NULL;
    bool has_username = probe->username != NULL && probe->username[0] != '\0';
    redis_command_begin(out, has_password ? 7 : 4);
    redis_command_add_text(out, "HELLO");
    redis_command_add_text(out, "2");
    if (has_password) {
        redis_command_add_text(out, "AUTH");
        redis_command_add_text(out, has_username ? probe->username : "default");
        redis_command_add_text(out, probe->password);
    }
    redis_command_add_text(out, "SETNAME");
    redis_command_add_text(out, "scenesync");
}

static void encode_clean(const struct redis_probe *probe, struct buffer *out)
{
    redis_command_begin(out, 1 + REDIS_KEY_COUNT);
    redis_command_add_text(out, "DEL");
    for (unsigned key = 0; key < REDIS_KEY_COUNT; key++) {
        redis_key_add(out, probe->scripts->key_prefix, span_of_text(probe->scratch_session),
                      (enum redis_key)key);
    }
}

/**
 * What each commit of the self test writes. A generation holds one record, so the second and the
 * third rotate; no offset is committed, so the third carries a record over; it may keep no
 * tombstone, so it drops one.
 */
struct test_commit {
    struct {
        const char *id; /* NULL: no further element */
        enum element_write_kind kind;
    } elements[2];
    struct {
        const char *field; /* NULL: no further record */
        uint32_t attempt;
        bool pending;
    } records[2];
    uint32_t tombstones_max;
};

enum { TEST_COMMITS = 4 };

static const struct test_commit test_commits[TEST_COMMITS] = {
    {.elements = {{"a", ELEMENT_WRITE_PRESENT}, {"b", ELEMENT_WRITE_TOMBSTONE}},
     .records = {{"kept", 1, false}, {"moved", 1, true}},
     .tombstones_max = 1},
    {.elements = {{"b", ELEMENT_WRITE_REVIVED}},
     .records = {{"moved", 2, false}},
     .tombstones_max = 1},
    {.elements = {{"c", ELEMENT_WRITE_TOMBSTONE}}, .records = {{"last", 1, false}}},
    {.tombstones_max = 1}, /* without the check */
};

/** Commit `round` raises the scene's version from `round` to `round + 1`. */
static struct store_token test_token(size_t version)
{
    struct store_token token = {.size = version > 0};
    token.text[0] = (char)('0' + version);
    return token;
}

static size_t make_elements(const struct test_commit *test, struct element_write out[2])
{
    static const uint8_t tombstone[] = {0x93, 0x01, 0x01, 0xc0};
    size_t count = 0;
    for (; count < 2 && test->elements[count].id != NULL; count++) {
        out[count] = (struct element_write){.id = span_of_text(test->elements[count].id),
                                            .value = span_make(tombstone, sizeof tombstone),
                                            .kind = test->elements[count].kind,
                                            .record_time_ms = 1};
    }
    return count;
}

static size_t make_records(const struct test_commit *test, struct record_write out[2])
{
    size_t count = 0;
    for (; count < 2 && test->records[count].field != NULL; count++) {
        uint32_t attempt = test->records[count].attempt;
        out[count] = (struct record_write){
            .field = span_of_text(test->records[count].field),
            .value = span_of_text(attempt == 1 ? "1 test/0 1\n" : "2 test/0 1\n"),
            .attempt = attempt,
            .pending = test->records[count].pending};
    }
    return count;
}

static void encode_commit(const struct redis_probe *probe, size_t round, struct buffer *out)
{
    assert(round < TEST_COMMITS);
    const struct test_commit *test = &test_commits[round];
    struct element_write elements[2];
    struct record_write records[2];
    struct store_position position = {
        .name = span_of_text("test/0"), .offset = (int64_t)round, .timestamp_ms = 1};
    struct scene_commit commit = {
        .session_id = span_of_text(probe->scratch_session),
        .checked = round + 1 < TEST_COMMITS,
        .expected_version = round,
        .expected_token = test_token(round),
        .version = round + 1,
        .token = test_token(round + 1),
        .scene_element_count = 1,
        .updated_at_ms = 1,
        .elements = elements,
        .element_count = make_elements(test, elements),
        .records = records,
        .record_count = make_records(test, records),
        .positions = &position,
        .position_count = 1,
    };
    struct redis_scripts scripts = *probe->scripts;
    scripts.retention = (struct store_retention){.dedupe_batches_max = 1,
                                                 .dedupe_bytes_max = 1000,
                                                 .tombstones_max = test->tombstones_max,
                                                 .tombstone_retention_ms = 1000};
    redis_commit_encode(&commit, &scripts, out);
}

bool redis_probe_has_step(const struct redis_probe *probe, enum redis_probe_step step)
{
    bool is_watermarks = step == REDIS_PROBE_LOAD_WATERMARK || step == REDIS_PROBE_WATERMARK;
    return !is_watermarks || !span_is_absent(probe->scripts->group);
}

void redis_probe_encode(const struct redis_probe *probe, enum redis_probe_step step,
                        struct buffer *out)
{
    switch (step) {
    case REDIS_PROBE_HELLO:
        encode_hello(probe, out);
        return;
    case REDIS_PROBE_SELECT:
        redis_command_begin(out, 2);
        redis_command_add_text(out, "SELECT");
        redis_command_add_int(out, probe->database);
        return;
    case REDIS_PROBE_LOAD_WATERMARK:
        redis_script_add_load(REDIS_SCRIPT_WATERMARK, out);
        return;
    case REDIS_PROBE_LOAD_COMMIT:
        redis_script_add_load(REDIS_SCRIPT_COMMIT, out);
        return;
    case REDIS_PROBE_WATERMARK:
        redis_watermark_add_check(probe->scripts, out);
        return;
    case REDIS_PROBE_BEGIN:
        redis_command_begin(out, 1);
        redis_command_add_text(out, "MULTI");
        return;
    case REDIS_PROBE_EXECUTE:
        redis_command_begin(out, 1);
        redis_command_add_text(out, "EXEC");
        return;
    case REDIS_PROBE_CLEAN_BEFORE:
    case REDIS_PROBE_CLEAN_AFTER:
        encode_clean(probe, out);
        return;
    case REDIS_PROBE_COMMIT_FIRST:
    case REDIS_PROBE_COMMIT_REVIVE:
    case REDIS_PROBE_COMMIT_ROTATE:
    case REDIS_PROBE_COMMIT_UNCHECKED:
        encode_commit(probe, (size_t)(step - REDIS_PROBE_COMMIT_FIRST), out);
        return;
    case REDIS_PROBE_STEPS:
        break;
    }
    assert(step < REDIS_PROBE_STEPS);
}

/** The value of a key in a reply of alternating keys and values, or NULL. */
static const redisReply *find_value(const redisReply *reply, const char *key)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i];
        if (name->type == REDIS_REPLY_STRING && strcmp(name->str, key) == 0) {
            return reply->element[i + 1];
        }
    }
    return NULL;
}

static bool is_text(const redisReply *value, const char *text)
{
    return value != NULL && value->type == REDIS_REPLY_STRING && strcmp(value->str, text) == 0;
}

static bool take_hello(struct redis_scripts *scripts, const redisReply *reply, struct error *error)
{
    bool is_map = reply->type == REDIS_REPLY_ARRAY;
    const redisReply *version = is_map ? find_value(reply, "version") : NULL;
    const redisReply *role = is_map ? find_value(reply, "role") : NULL;
    if (version == NULL || version->type != REDIS_REPLY_STRING) {
        return error_set(error, ERROR_STORE_ERROR, "UNSUPPORTED the server names no version");
    }
    struct span text = span_make(version->str, version->len);
    uint64_t major = 0;
    if (decimal_read_prefix(text, UINT32_MAX, &major) == 0 || major < REDIS_MAJOR_MIN) {
        char quoted[ERROR_QUOTE_BYTES_MAX];
        return error_set(error, ERROR_STORE_ERROR, "UNSUPPORTED the server's version is %s",
                         error_quote(text, quoted));
    }
    if (role != NULL && role->type == REDIS_REPLY_STRING && !is_text(role, "master")) {
        return error_set(error, ERROR_STORE_ERROR, "READONLY the server is a replica");
    }
    scripts->is_cluster = is_text(find_value(reply, "mode"), "cluster");
    return true;
}

static bool take_sha(struct redis_scripts *scripts, enum redis_script script,
                     const redisReply *reply, struct error *error)
{
    return redis_script_take_sha(scripts, script, reply) ||
           error_set(error, ERROR_STORE_ERROR, "UNSUPPORTED the server gave a script no sha");
}

static bool take_watermark(struct redis_scripts *scripts, const redisReply *reply,
                           struct error *error)
{
    return redis_watermark_take_check(scripts, reply) ||
           error_set(error, ERROR_STORE_ERROR,
                     "SELFTEST the watermark's script did not do what it should");
}

/** The commit of `round` must have taken effect, and the third have dropped its tombstone. */
static bool take_commit(size_t round, const redisReply *reply, struct error *error)
{
    size_t expected_elements = round == 2 ? 2 : 1;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != expected_elements ||
        reply->element[0]->type != REDIS_REPLY_INTEGER || reply->element[0]->integer != 1) {
        return error_set(error, ERROR_STORE_ERROR,
                         "SELFTEST commit %zu on scratch keys did not do what it should", round);
    }
    return true;
}

/** The reply to one command of the transaction. */
static bool take_executed(enum redis_probe_step step, const redisReply *reply, struct error *error)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        return error_set(error, ERROR_STORE_ERROR, "%s", reply->str);
    }
    return step == REDIS_PROBE_CLEAN_BEFORE || step == REDIS_PROBE_CLEAN_AFTER ||
           take_commit((size_t)(step - REDIS_PROBE_COMMIT_FIRST), reply, error);
}

/** EXEC's reply: those of all commands of the transaction; the first that is wrong counts. */
static bool take_transaction(const redisReply *reply, struct error *error)
{
    size_t commands = REDIS_PROBE_EXECUTE - REDIS_PROBE_BEGIN - 1;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != commands) {
        return error_set(error, ERROR_STORE_ERROR,
                         "SELFTEST the transaction on scratch keys was not executed");
    }
    for (size_t i = 0; i < commands; i++) {
        enum redis_probe_step step = (enum redis_probe_step)(REDIS_PROBE_BEGIN + 1 + i);
        if (!take_executed(step, reply->element[i], error)) {
            return false;
        }
    }
    return true;
}

bool redis_probe_take(struct redis_probe *probe, enum redis_probe_step step,
                      const redisReply *reply, struct error *error)
{
    switch (step) {
    case REDIS_PROBE_HELLO:
        return take_hello(probe->scripts, reply, error);
    case REDIS_PROBE_LOAD_WATERMARK:
        return take_sha(probe->scripts, REDIS_SCRIPT_WATERMARK, reply, error);
    case REDIS_PROBE_LOAD_COMMIT:
        return take_sha(probe->scripts, REDIS_SCRIPT_COMMIT, reply, error);
    case REDIS_PROBE_WATERMARK:
        return take_watermark(probe->scripts, reply, error);
    case REDIS_PROBE_EXECUTE:
        return take_transaction(reply, error);
    case REDIS_PROBE_SELECT:
    case REDIS_PROBE_BEGIN: /* from here on +QUEUED */
    case REDIS_PROBE_CLEAN_BEFORE:
    case REDIS_PROBE_COMMIT_FIRST:
    case REDIS_PROBE_COMMIT_REVIVE:
    case REDIS_PROBE_COMMIT_ROTATE:
    case REDIS_PROBE_COMMIT_UNCHECKED:
    case REDIS_PROBE_CLEAN_AFTER:
    case REDIS_PROBE_STEPS:
        break;
    }
    return true;
}
