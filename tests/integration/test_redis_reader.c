/*
 * Reading scenes without writing: what is there, what is refused, and a Redis that is away.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "store/redis_reader.h"
#include "tests/support/child_process.h"
#include "tests/support/redis_store_fixture.h"

enum { ARENA_BYTES_MAX = 16 << 20, TIMEOUT_MS = 20000, SHORT_MS = 400, SESSIONS_MAX = 20000 };

static struct redis_server *server;
static struct redis_reader *reader;
static struct arena arena;
static struct error error;

static void open_reader(struct redis_store_options options)
{
    redis_reader_destroy(reader);
    reader = redis_reader_create(&options);
    cr_assert_not_null(reader);
}

static struct redis_store_options default_options(void)
{
    static const struct store_retention retention = {0};
    return redis_fixture_options(server, &retention);
}

static void begin(void)
{
    server = redis_server_start();
    arena_init(&arena, ARENA_BYTES_MAX);
    open_reader(default_options());
}

static void end(void)
{
    redis_reader_destroy(reader);
    arena_deinit(&arena);
    redis_server_stop(server);
}

TestSuite(redis_reader, .init = begin, .fini = end, .timeout = 60);

static enum redis_read read_scene(const char *session_id, struct scene_snapshot *out)
{
    return redis_reader_scene(reader, span_of_text(session_id), TIMEOUT_MS, &arena, out, &error);
}

Test(redis_reader, reads_meta_positions_and_elements)
{
    REDIS_RUN(server, "HSET", "scene:{s1}", "version", "18446744073709551615", "commit", "x",
              "element_count", "2", "updated_at", "-5", "at:scene.ops/3", "7 1000",
              "at:scene.ops.retry-1/3", "0 -1", "owner", "somebody else's");
    REDIS_RUN(server, "HSET", "scene:{s1}:elements", "a", "one", "b", "");
    struct scene_snapshot scene;
    cr_assert_eq(read_scene("s1", &scene), REDIS_READ_DONE);
    cr_assert(scene.has_meta);
    cr_assert_eq(scene.version, UINT64_MAX);
    cr_assert_eq(scene.element_count, 2);
    cr_assert_eq(scene.updated_at_ms, -5);
    cr_assert_eq(scene.position_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const bool is_ops = span_equal_text(scene.positions[i].name, "scene.ops/3");
        cr_assert(is_ops || span_equal_text(scene.positions[i].name, "scene.ops.retry-1/3"));
        cr_assert_eq(scene.positions[i].offset, is_ops ? 7 : 0);
    }
    cr_assert_eq(scene.count, 2);
    const size_t a = span_equal_text(scene.ids[0], "a") ? 0 : 1;
    cr_assert(span_equal_text(scene.values[a], "one"));
    cr_assert_eq(scene.values[1 - a].size, 0);

    cr_assert_eq(read_scene("nobody", &scene), REDIS_READ_DONE);
    cr_assert(!scene.has_meta && scene.count == 0 && scene.position_count == 0);
}

Test(redis_reader, refuses_what_is_no_scene_and_goes_on)
{
    struct scene_snapshot scene;
    REDIS_RUN(server, "SET", "scene:{s1}:elements", "text");
    REDIS_RUN(server, "HSET", "scene:{s2}", "at:scene.ops/0", "seven");
    REDIS_RUN(server, "HSET", "scene:{s3}", "version", "1.5");
    REDIS_RUN(server, "HSET", "scene:{s4}", "version", "4");
    cr_assert_eq(read_scene("s1", &scene), REDIS_READ_REFUSED);
    cr_assert_not_null(strstr(error.message, "WRONGTYPE"), "%s", error.message);
    cr_assert_eq(read_scene("s2", &scene), REDIS_READ_REFUSED);
    cr_assert_not_null(strstr(error.message, "at:<topic>/<partition>"), "%s", error.message);
    cr_assert_eq(read_scene("s3", &scene), REDIS_READ_REFUSED);
    cr_assert_not_null(strstr(error.message, "`version`"), "%s", error.message);
    cr_assert_eq(read_scene("s4", &scene), REDIS_READ_DONE);
    cr_assert_eq(scene.version, 4);
}

/* Sessions as the scan gave them, one behind the other. */
struct found {
    char text[SESSIONS_MAX * 8];
    size_t size, count;
};

static bool take(void *context, struct span session_id)
{
    struct found *const found = context;
    found->size += (size_t)snprintf(found->text + found->size, sizeof(found->text) - found->size,
                                    "%.*s,", SPAN_ARGS(session_id));
    found->count++;
    return true;
}

Test(redis_reader, scans_for_sessions_of_its_prefix)
{
    static struct found found;
    struct redis_store_options options = default_options();
    options.key_prefix = "a*[b]?:";
    open_reader(options);
    REDIS_RUN(server, "SET", "a*[b]?:{s1}", "1");
    REDIS_RUN(server, "SET", "a*[b]?:{s2}:elements", "1");
    REDIS_RUN(server, "SET", "axb?:{no1}", "1");
    REDIS_RUN(server, "SET", "a*[b]?:no2}", "1");
    REDIS_RUN(server, "SET", "a*[b]?:{no3", "1");
    REDIS_RUN(server, "SET", "a*[b]?:{no4}x", "1");
    REDIS_RUN(server, "SET", "a*[b]?:watermark:g", "1");
    cr_assert_eq(redis_reader_scan(reader, TIMEOUT_MS, take, &found, &error), REDIS_READ_DONE);
    cr_assert_eq(found.count, 2, "%s", found.text);
    cr_assert_not_null(strstr(found.text, "s1,"));
    cr_assert_not_null(strstr(found.text, "s2,"));
}

Test(redis_reader, scans_many_keys_in_steps)
{
    static struct found found;
    REDIS_RUN(server, "EVAL", "for i = 1, 5000 do redis.call('SET', 'scene:{' .. i .. '}', 1) end",
              "0");
    cr_assert_eq(redis_reader_scan(reader, TIMEOUT_MS, take, &found, &error), REDIS_READ_DONE);
    cr_assert_geq(found.count, 5000u, "each at least once");
}

static bool take_none(void *context, struct span session_id)
{
    (void)context;
    (void)session_id;
    return false;
}

Test(redis_reader, a_taker_without_memory_ends_the_scan)
{
    REDIS_RUN(server, "SET", "scene:{s1}", "1");
    cr_assert_eq(redis_reader_scan(reader, TIMEOUT_MS, take_none, NULL, &error),
                 REDIS_READ_NO_MEMORY);
}

Test(redis_reader, an_arena_that_is_full_is_said)
{
    struct arena small;
    arena_init(&small, 64);
    struct scene_snapshot scene;
    REDIS_RUN(server, "HSET", "scene:{s1}:elements", "a", "one", "b", "two", "c", "three");
    cr_assert_eq(redis_reader_scene(reader, span_of_text("s1"), TIMEOUT_MS, &small, &scene, &error),
                 REDIS_READ_NO_MEMORY);
    arena_deinit(&small);
}

Test(redis_reader, connects_again)
{
    struct scene_snapshot scene;
    cr_assert_eq(redis_reader_connect(reader, TIMEOUT_MS, &error), REDIS_READ_DONE);
    redis_server_kill(server);
    redis_server_launch(server);
    cr_assert_eq(read_scene("s1", &scene), REDIS_READ_DONE);
}

Test(redis_reader, gives_up_in_time)
{
    struct scene_snapshot scene;
    struct redis_store_options options = default_options();
    options.command_timeout_ms = 200;
    open_reader(options);
    cr_assert_eq(redis_reader_connect(reader, TIMEOUT_MS, &error), REDIS_READ_DONE);
    redis_server_pause(server);
    const uint64_t begun_ms = monotonic_ms();
    cr_assert_eq(redis_reader_scene(reader, span_of_text("s1"), SHORT_MS, &arena, &scene, &error),
                 REDIS_READ_UNAVAILABLE);
    cr_assert_not_null(strstr(error.message, "redis.command_timeout_ms"), "%s", error.message);
    redis_server_resume(server);
    redis_server_kill(server);
    cr_assert_eq(redis_reader_scene(reader, span_of_text("s1"), SHORT_MS, &arena, &scene, &error),
                 REDIS_READ_UNAVAILABLE);
    cr_assert_not_null(strstr(error.message, "cannot connect to Redis"), "%s", error.message);
    cr_assert_lt(monotonic_ms() - begun_ms, 5000u);
}

/* A user with nothing but the right to read. */
Test(redis_reader, needs_no_right_to_write)
{
    struct scene_snapshot scene;
    static struct found found;
    REDIS_RUN(server, "ACL", "SETUSER", "auditor", "on", ">secret", "~scene:{*", "-@all", "+select",
              "+scan", "+multi", "+exec", "+hgetall");
    REDIS_RUN(server, "HSET", "scene:{s1}", "version", "3");
    struct redis_store_options options = default_options();
    options.username = "auditor";
    options.password = "secret";
    options.address.database = 0;
    open_reader(options);
    cr_assert_eq(read_scene("s1", &scene), REDIS_READ_DONE, "%s", error.message);
    cr_assert_eq(scene.version, 3);
    cr_assert_eq(redis_reader_scan(reader, TIMEOUT_MS, take, &found, &error), REDIS_READ_DONE);
    cr_assert_eq(found.count, 1);

    options.password = "wrong";
    open_reader(options);
    cr_assert_eq(redis_reader_connect(reader, SHORT_MS, &error), REDIS_READ_UNAVAILABLE);
    cr_assert_not_null(strstr(error.message, "redis.password"), "the cure: %s", error.message);
    cr_assert_null(strstr(error.message, "wrong "), "the password is not repeated");
}

Test(redis_reader, reads_the_database_of_a_socket)
{
    struct scene_snapshot scene;
    REDIS_RUN(server, "HSET", "scene:{s1}", "version", "3");
    REDIS_RUN(server, "MOVE", "scene:{s1}", "5");
    struct redis_store_options options = default_options();
    char url[300];
    (void)snprintf(url, sizeof(url), "unix://%s?db=5", redis_server_socket_path(server));
    options.address = (struct redis_address){0};
    cr_assert(redis_address_parse(url, &options.address, &error));
    open_reader(options);
    cr_assert_eq(read_scene("s1", &scene), REDIS_READ_DONE);
    cr_assert_eq(scene.version, 3);
}
