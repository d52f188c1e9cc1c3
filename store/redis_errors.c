#include "store/redis_errors.h"

#include <stdio.h>

struct error_entry {
    const char *code;
    enum redis_error_class class;
    const char *cure;
};

static const struct error_entry entries[] = {
    {"WRONGTYPE", REDIS_ERROR_REQUEST,
     "another program keeps something else under this key: remove it or change redis.key_prefix"},
    {"SCENESYNC", REDIS_ERROR_REQUEST, "report this as a bug of scenesync"},
    {"WATERMARK", REDIS_ERROR_SERVER,
     "another program keeps something else under <redis.key_prefix>watermark:<group>: remove it"},
    {"HISTORY", REDIS_ERROR_CONNECTION,
     "another primary took over behind this connection, or the first replica came"},
    {"NOSCRIPT", REDIS_ERROR_NO_SCRIPT, "the script is loaded again by itself"},
    {"READONLY", REDIS_ERROR_CONNECTION, "point redis.url at the primary"},
    {"DENIED", REDIS_ERROR_CONNECTION, "set a password in Redis, or its protected-mode to no"},
    {"ERR max number of clients reached", REDIS_ERROR_CONNECTION, "raise Redis's maxclients"},
    {"LOADING", REDIS_ERROR_SERVER, "it goes on when Redis has read its data set"},
    {"MASTERDOWN", REDIS_ERROR_SERVER, "point redis.url at the primary"},
    {"CLUSTERDOWN", REDIS_ERROR_SERVER, "bring the cluster's missing nodes back"},
    {"TRYAGAIN", REDIS_ERROR_SERVER, "it goes on when the cluster has moved the slot"},
    {"MOVED", REDIS_ERROR_SERVER, "point redis.url at the node that holds the slots"},
    {"ASK", REDIS_ERROR_SERVER, "it goes on when the cluster has moved the slot"},
    {"BUSY", REDIS_ERROR_SERVER, "another program's script blocks Redis: SCRIPT KILL ends it"},
    {"MISCONF", REDIS_ERROR_SERVER, "Redis cannot save: look at its log and its disk"},
    {"NOREPLICAS", REDIS_ERROR_SERVER,
     "bring the replicas back or lower Redis's min-replicas-to-write"},
    {"OOM", REDIS_ERROR_SERVER, "raise Redis's maxmemory or remove what is not needed"},
    {"NOAUTH", REDIS_ERROR_SERVER, "set redis.password, and redis.username if it has ACL users"},
    {"WRONGPASS", REDIS_ERROR_SERVER, "correct redis.username and redis.password"},
    {"NOPERM", REDIS_ERROR_SERVER,
     "grant the user the commands that store/README.md lists, on redis.key_prefix and '*'"},
    {"ERR The user executing the script", REDIS_ERROR_SERVER,
     "grant the user the commands that store/README.md lists, on redis.key_prefix and '*'"},
    {"ERR ACL failure in script:", REDIS_ERROR_SERVER, /* Redis 8 */
     "grant the user the commands that store/README.md lists, on redis.key_prefix and '*'"},
    {"UNSUPPORTED", REDIS_ERROR_SERVER, "upgrade to Redis 7.0 or later, or to Valkey"},
    {"ERR unknown command", REDIS_ERROR_SERVER, "upgrade to Redis 7.0 or later, or to Valkey"},
    {"ERR Unknown Redis command called from script", REDIS_ERROR_SERVER,
     "a command that store/README.md lists is taken away by rename-command: give it back"},
    {"ERR DB index is out of range", REDIS_ERROR_SERVER, "correct the database in redis.url"},
};

enum { ENTRY_COUNT = sizeof entries / sizeof *entries, REPLY_BYTES_SHOWN = 140 };

/** True where the reply starts with the code, or quotes it: `-` precedes the error inside a script,
 * `: ` the one that EXECABORT names. */
static bool has_code(struct span reply, const char *code)
{
    size_t size = strlen(code);
    for (size_t at = 0; at + size <= reply.size; at++) {
        bool is_start = at == 0 || reply.data[at - 1] == '-' ||
                        (at >= 2 && memcmp(reply.data + at - 2, ": ", 2) == 0);
        bool is_end = at + size == reply.size || reply.data[at + size] == ' ';
        if (is_start && is_end && memcmp(reply.data + at, code, size) == 0) {
            return true;
        }
    }
    return false;
}

static const struct error_entry *find_entry(struct span reply)
{
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        if (has_code(reply, entries[i].code)) {
            return &entries[i];
        }
    }
    return NULL;
}

enum redis_error_class redis_error_class_of(struct span reply)
{
    const struct error_entry *entry = find_entry(reply);
    return entry != NULL ? entry->class : REDIS_ERROR_SERVER;
}

const char *redis_error_describe(struct span reply, char out[REDIS_ERROR_TEXT_BYTES_MAX])
{
    const struct error_entry *entry = find_entry(reply);
    size_t size = reply.size < REPLY_BYTES_SHOWN ? reply.size : REPLY_BYTES_SHOWN;
    for (size_t i = 0; i < size; i++) {
        out[i] = '?';
        if (reply.data[i] >= ' ' && reply.data[i] < 0x7f) {
            out[i] = (char)reply.data[i];
        }
    }
    (void)snprintf(out + size, REDIS_ERROR_TEXT_BYTES_MAX - size, ": %s",
                   entry != NULL ? entry->cure : "look at Redis's log");
    return out;
}
