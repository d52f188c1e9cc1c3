#include "worker/http_patience.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "worker/ticker.h"

enum { LOOK_MS = 1000 };

struct client {
    int socket_fd; /* -1: none */
    uint64_t since_ms;
};

struct http_patience {
    struct clock clock;
    pthread_mutex_t mutex; /* over the clients: a socket in the table is open */
    struct ticker *ticker;
    size_t count;
    struct client clients[];
};

static void look(struct ticker *ticker, void *context)
{
    (void)ticker;
    struct http_patience *patience = context;
    uint64_t now_ms = clock_monotonic_ms(&patience->clock);
    (void)pthread_mutex_lock(&patience->mutex);
    for (size_t i = 0; i < patience->count; i++) {
        const struct client *client = &patience->clients[i];
        if (client->socket_fd >= 0 && now_ms - client->since_ms >= HTTP_PATIENCE_MS) {
            (void)shutdown(client->socket_fd, SHUT_RDWR); /* the server closes it then */
        }
    }
    (void)pthread_mutex_unlock(&patience->mutex);
}

struct http_patience *http_patience_start(size_t connections_max, const struct clock *clock)
{
    struct http_patience *patience =
        calloc(1, sizeof *patience + connections_max * sizeof(struct client));
    if (patience == NULL || pthread_mutex_init(&patience->mutex, NULL) != 0) {
        free(patience);
        return NULL;
    }
    patience->clock = *clock;
    patience->count = connections_max;
    for (size_t i = 0; i < connections_max; i++) {
        patience->clients[i].socket_fd = -1;
    }
    patience->ticker = ticker_start(LOOK_MS, look, patience);
    if (patience->ticker == NULL) {
        http_patience_stop(patience);
        return NULL;
    }
    return patience;
}

void http_patience_stop(struct http_patience *patience)
{
    if (patience != NULL) {
        ticker_stop(patience->ticker);
        (void)pthread_mutex_destroy(&patience->mutex);
        free(patience);
    }
}

size_t http_patience_begin(struct http_patience *patience, int socket_fd)
{
    size_t number = 0;
    (void)pthread_mutex_lock(&patience->mutex);
    while (number < patience->count && patience->clients[number].socket_fd >= 0) {
        number++;
    }
    if (number < patience->count) {
        patience->clients[number] = (struct client){
            .socket_fd = socket_fd, .since_ms = clock_monotonic_ms(&patience->clock)};
    }
    (void)pthread_mutex_unlock(&patience->mutex);
    return number; /* `count` where there is no place: then nobody ends it */
}

void http_patience_renew(struct http_patience *patience, size_t number)
{
    (void)pthread_mutex_lock(&patience->mutex);
    if (number < patience->count) {
        patience->clients[number].since_ms = clock_monotonic_ms(&patience->clock);
    }
    (void)pthread_mutex_unlock(&patience->mutex);
}

void http_patience_end(struct http_patience *patience, size_t number)
{
    (void)pthread_mutex_lock(&patience->mutex);
    if (number < patience->count) {
        patience->clients[number].socket_fd = -1;
    }
    (void)pthread_mutex_unlock(&patience->mutex);
}
