#include "store/redis_store.h"

#include "protocol/decimal.h"

enum { DEFAULT_PORT = 6379, DATABASE_MAX = 1000000 };

static const char allowed[] =
    "redis://[user@]host[:port][/database], rediss://... or unix:///path[?db=number]";

/** Cuts `prefix` off the front of `text`. */
static bool skip_prefix(struct span *text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (text->size < size || memcmp(text->data, prefix, size) != 0) {
        return false;
    }
    *text = span_make(text->data + size, text->size - size);
    return true;
}

/** Splits `text` at the first `separator`: false, and nothing changes, where there is none. */
static bool split(struct span text, char separator, struct span *before, struct span *after)
{
    const uint8_t *at = text.size > 0 ? memchr(text.data, separator, text.size) : NULL;
    if (at == NULL) {
        return false;
    }
    size_t size = (size_t)(at - text.data);
    *before = span_make(text.data, size);
    *after = span_make(at + 1, text.size - size - 1);
    return true;
}

/** Copies a part of the URL: not empty, short enough, nothing in it that would need decoding. */
static bool copy_part(struct span part, const char *what, char out[REDIS_ADDRESS_TEXT_BYTES_MAX],
                      struct error *error)
{
    if (part.size == 0 || part.size >= REDIS_ADDRESS_TEXT_BYTES_MAX) {
        return error_set(error, ERROR_INVALID_VALUE,
                         "the %s in a redis url must have 1 to %d characters, it has %zu; "
                         "allowed is %s",
                         what, REDIS_ADDRESS_TEXT_BYTES_MAX - 1, part.size, allowed);
    }
    for (size_t i = 0; i < part.size; i++) {
        if (part.data[i] <= ' ' || part.data[i] == 0x7f || part.data[i] == '%') {
            return error_set(error, ERROR_INVALID_VALUE,
                             "the %s in a redis url must not contain spaces, control characters "
                             "or percent signs (a user name may stand in redis.username)",
                             what);
        }
    }
    memcpy(out, part.data, part.size);
    out[part.size] = '\0';
    return true;
}

static bool read_database(struct span text, int *database, struct error *error)
{
    uint64_t value;
    if (!decimal_read(text, DATABASE_MAX, &value)) {
        char quoted[ERROR_QUOTE_BYTES_MAX];
        return error_set(error, ERROR_INVALID_VALUE,
                         "the database in a redis url must be a number from 0 to %d, it is \"%s\"",
                         DATABASE_MAX, error_quote(text, quoted));
    }
    *database = (int)value;
    return true;
}

static bool parse_unix(struct span rest, struct redis_address *out, struct error *error)
{
    struct span path = rest, query = {0};
    out->is_unix = true;
    if (split(rest, '?', &path, &query)) {
        if (!skip_prefix(&query, "db=")) {
            return error_set(error, ERROR_INVALID_VALUE,
                             "a redis url of a unix socket takes ?db=number and nothing else");
        }
        if (!read_database(query, &out->database, error)) {
            return false;
        }
    }
    if (path.size == 0 || path.data[0] != '/') {
        return error_set(error, ERROR_INVALID_VALUE,
                         "a unix socket's path must be absolute: unix:///path[?db=number]");
    }
    return copy_part(path, "path", out->host_or_path, error);
}

/** Splits "host", "host:port", "[IPv6]" or "[IPv6]:port"; `port` is absent where not given. */
static bool split_host(struct span authority, struct span *host, struct span *port)
{
    *host = authority;
    *port = (struct span){0};
    if (authority.size > 0 && authority.data[0] == '[') {
        struct span rest;
        if (!split(span_make(authority.data + 1, authority.size - 1), ']', host, &rest)) {
            return false;
        }
        if (rest.size > 0 && rest.data[0] == ':') {
            *port = span_make(rest.data + 1, rest.size - 1);
            return true;
        }
        return rest.size == 0;
    }
    (void)split(authority, ':', host, port);
    return true;
}

static bool parse_tcp(struct span rest, struct redis_address *out, struct error *error)
{
    /* The user first: nothing in front of an '@' may end up in a message, it could be a password.
     */
    struct span user, host, port, path;
    bool has_user = split(rest, '@', &user, &rest);
    if (has_user && memchr(user.data, ':', user.size) != NULL) {
        return error_set(error, ERROR_INVALID_VALUE,
                         "a redis url must not contain a password: set redis.password or "
                         "redis.password_file");
    }
    if (has_user && !copy_part(user, "user name", out->username, error)) {
        return false;
    }
    struct span authority = rest;
    if (split(rest, '/', &authority, &path) && path.size > 0 &&
        !read_database(path, &out->database, error)) {
        return false;
    }
    uint64_t number = DEFAULT_PORT;
    if (!split_host(authority, &host, &port) ||
        (!span_is_absent(port) && (!decimal_read(port, UINT16_MAX, &number) || number == 0))) {
        return error_set(error, ERROR_INVALID_VALUE,
                         "the port in a redis url must be a number from 1 to 65535, and an IPv6 "
                         "host stands in brackets; allowed is %s",
                         allowed);
    }
    out->port = (int)number;
    return copy_part(host, "host", out->host_or_path, error);
}

bool redis_address_parse(const char *url, struct redis_address *out, struct error *error)
{
    struct redis_address address = {0};
    struct span rest = span_of_text(url);
    bool valid;
    if (skip_prefix(&rest, "unix://")) {
        valid = parse_unix(rest, &address, error);
    } else if (skip_prefix(&rest, "redis://")) {
        valid = parse_tcp(rest, &address, error);
    } else if (skip_prefix(&rest, "rediss://")) {
        address.is_tls = true;
        valid = parse_tcp(rest, &address, error);
    } else {
        valid = error_set(error, ERROR_INVALID_VALUE, "a redis url must be %s", allowed);
    }
    if (valid) {
        *out = address;
    }
    return valid;
}
