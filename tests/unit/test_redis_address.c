#include <criterion/criterion.h>

#include "store/redis_store.h"

static struct redis_address parse(const char *url)
{
    struct redis_address address;
    struct error error;
    cr_assert(redis_address_parse(url, &address, &error), "%s: %s", url, error.message);
    return address;
}

Test(redis_address, reads_tcp)
{
    static const struct {
        const char *url, *host, *user;
        int port, database;
    } cases[] = {
        {"redis://127.0.0.1:6380/3", "127.0.0.1", "", 6380, 3},
        {"redis://redis.example.org", "redis.example.org", "", 6379, 0},
        {"redis://localhost/", "localhost", "", 6379, 0},
        {"redis://worker@host:1/0", "host", "worker", 1, 0},
        {"redis://[::1]:65535/2", "::1", "", 65535, 2},
        {"redis://u@[fe80::1]/1", "fe80::1", "u", 6379, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct redis_address address = parse(cases[i].url);
        cr_assert(!address.is_unix && !address.is_tls);
        cr_assert_str_eq(address.host_or_path, cases[i].host);
        cr_assert_str_eq(address.username, cases[i].user);
        cr_assert_eq(address.port, cases[i].port);
        cr_assert_eq(address.database, cases[i].database);
    }
}

Test(redis_address, reads_unix_sockets)
{
    struct redis_address address = parse("unix:///run/redis/redis.sock?db=5");
    cr_assert(address.is_unix);
    cr_assert_str_eq(address.host_or_path, "/run/redis/redis.sock");
    cr_assert_eq(address.database, 5);
    address = parse("unix:///run/redis.sock");
    cr_assert_eq(address.database, 0);
}

Test(redis_address, refuses_what_it_cannot_use_and_says_what_is_allowed)
{
    static const struct {
        const char *url, *text;
    } cases[] = {
        {"", "must be redis://"},
        {"127.0.0.1:6379", "must be redis://"},
        {"http://host", "must be redis://"},
        {"redis://", "host"},
        {"redis://:6379", "host"},
        {"redis://host:0", "port"},
        {"redis://host:65536", "port"},
        {"redis://host:", "port"},
        {"redis://host:port", "port"},
        {"redis://::1", "IPv6"},
        {"redis://[::1", "IPv6"},
        {"redis://[::1]x", "IPv6"},
        {"redis://host/x", "database"},
        {"redis://host/-1", "database"},
        {"redis://host/1000001", "database"},
        {"redis://host/1/2", "database"},
        {"redis://@host", "user name"},
        {"redis://us%40er@host", "percent"},
        {"redis://ho st", "spaces"},
        {"unix://run/redis.sock", "absolute"},
        {"unix://", "absolute"},
        {"unix:///run/redis.sock?database=1", "?db=number"},
        {"unix:///run/redis.sock?db=", "database"},
        {"rediss://host:0", "port"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct redis_address address;
        struct error error;
        cr_assert(!redis_address_parse(cases[i].url, &address, &error), "%s", cases[i].url);
        cr_assert_eq(error.code, ERROR_INVALID_VALUE);
        cr_assert_not_null(strstr(error.message, cases[i].text), "%s: %s", cases[i].url,
                           error.message);
    }
}

Test(redis_address, an_s_more_is_tls)
{
    struct redis_address address;
    struct error error;
    cr_assert(redis_address_parse("rediss://me@redis-1:6380/2", &address, &error), "%s",
              error.message);
    cr_assert(address.is_tls && !address.is_unix);
    cr_assert_str_eq(address.host_or_path, "redis-1");
    cr_assert_eq(address.port, 6380);
    cr_assert(redis_address_parse("redis://redis-1", &address, &error), "%s", error.message);
    cr_assert(!address.is_tls);
}

Test(redis_address, refuses_a_password_and_never_shows_it)
{
    static const char *const urls[] = {"redis://user:hunter2@host:6379/0", "redis://:hunter2@host",
                                       "redis://:hunter2/x@host/0", "redis://user:hunter2@ho st",
                                       "redis://u:hunter2@host:bad"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        struct redis_address address;
        struct error error;
        cr_assert(!redis_address_parse(urls[i], &address, &error), "%s", urls[i]);
        cr_assert_null(strstr(error.message, "hunter2"), "%s", error.message);
        cr_assert_not_null(strstr(error.message, "redis.password"), "%s", error.message);
    }
}

Test(redis_address, host_has_a_limit)
{
    char url[400] = "redis://";
    struct redis_address address;
    struct error error;
    memset(url + 8, 'h', REDIS_ADDRESS_TEXT_BYTES_MAX - 1);
    cr_assert(redis_address_parse(url, &address, &error), "%s", error.message);
    url[8 + REDIS_ADDRESS_TEXT_BYTES_MAX - 1] = 'h';
    cr_assert(!redis_address_parse(url, &address, &error));
}
