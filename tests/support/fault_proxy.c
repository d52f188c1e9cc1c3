#include "tests/support/fault_proxy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/command_scanner.h"
#include "tests/support/delayed_flow.h"
#include "tests/support/loopback_socket.h"

enum {
    LINKS_MAX = 32,
    TEXT_BYTES_MAX = 128,
    FIXED_FDS = 2, /* the wake-up pipe and the listener */
    WAIT_MS_MAX = 1000
};

/* A client's connection and the one made for it. */
struct link {
    int client, server;
    struct flow up, down;
    struct command_scanner scanner;
    bool has_hole;    /* bytes were lost */
    bool is_stranded; /* all that comes is lost, and it stays open */
    bool is_ending;   /* cut_after() has found its command: the server hears no more */
    bool is_told;     /* and was told so */
};

/* What the test asks for; `order` rises with each call, the thread follows. */
struct orders {
    uint64_t order;
    enum fault_proxy_mode mode;
    uint64_t delay_ms;
    int target_port;
    uint64_t cuts; /* of all connections */
    bool must_stop;
};

struct fault_proxy {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t followed;
    struct orders wanted, now;
    int wake_pipe[2];
    int port, listener; /* listener -1: refusing */
    size_t cut_after_left, cut_count, accepted_count;
    char cut_after_words[TEXT_BYTES_MAX];
    struct link *links[LINKS_MAX];
    size_t link_count;
};

/* Links. */

static void close_link(struct fault_proxy *proxy, size_t index)
{
    struct link *const link = proxy->links[index];
    (void)close(link->client);
    (void)close(link->server);
    free(link);
    proxy->links[index] = proxy->links[--proxy->link_count];
}

static void close_links(struct fault_proxy *proxy, bool with_holes_only)
{
    for (size_t i = proxy->link_count; i > 0; i--) {
        if (!with_holes_only || proxy->links[i - 1]->has_hole) {
            close_link(proxy, i - 1);
        }
    }
}

static void accept_client(struct fault_proxy *proxy)
{
    const int client = accept(proxy->listener, NULL, NULL);
    if (client < 0) {
        return; /* it has given up */
    }
    const int server = loopback_connect(proxy->now.target_port);
    struct link *const link = server < 0 ? NULL : calloc(1, sizeof(*link));
    if (link == NULL) {
        (void)close(client);
        if (server >= 0) {
            (void)close(server);
        }
        return;
    }
    (void)fcntl(client, F_SETFD, FD_CLOEXEC);
    socket_make_quick(client);
    socket_make_quick(server);
    link->client = client;
    link->server = server;
    proxy->links[proxy->link_count++] = link;
    proxy->accepted_count++;
}

/* Follows the commands in `bytes`. Returns how many bytes may go on: up to the end of the command
 * that cut_after() waits for. */
static size_t scan_commands(struct fault_proxy *proxy, struct link *link, const uint8_t *bytes,
                            size_t size)
{
    size_t taken = 0;
    while (taken < size && !link->is_ending) {
        taken += command_scanner_take(&link->scanner, bytes + taken, size - taken);
        if (link->scanner.is_ended && proxy->cut_after_left > 0 &&
            command_scanner_has(&link->scanner, proxy->cut_after_words)) {
            proxy->cut_after_left--;
            link->is_ending = proxy->cut_after_left == 0;
        }
    }
    return taken;
}

/* Reads what a side sends, and loses it or lets it go on. False: that side is broken. */
static bool take_bytes(struct fault_proxy *proxy, struct link *link, bool is_up, uint64_t now_ms)
{
    uint8_t bytes[16 << 10];
    struct flow *const flow = is_up ? &link->up : &link->down;
    const size_t room = flow_room(flow);
    const size_t wanted = room < sizeof(bytes) ? room : sizeof(bytes);
    const ssize_t got = recv(is_up ? link->client : link->server, bytes, wanted, 0);
    if (got <= 0) {
        flow->is_ended = got == 0;
        return got == 0 || errno == EAGAIN || errno == EINTR;
    }
    size_t size = (size_t)got;
    const bool is_lost = link->is_ending || link->is_stranded ||
                         proxy->now.mode == FAULT_PROXY_SWALLOW ||
                         (!is_up && proxy->now.mode == FAULT_PROXY_DROP_REPLIES);
    if (is_lost) {
        link->has_hole = !link->is_stranded;
        return true;
    }
    if (is_up) {
        size = scan_commands(proxy, link, bytes, size);
    }
    flow_put(flow, bytes, size, now_ms + proxy->now.delay_ms);
    return true;
}

/* The server gets the rest and hears that nothing follows: it carries out what it has and hangs
 * up. False: so it did. */
static bool end_link(struct fault_proxy *proxy, struct link *link)
{
    link->has_hole = true;
    link->down.byte_count = 0;
    link->down.part_count = 0;
    if (link->up.byte_count == 0 && !link->is_told) {
        (void)shutdown(link->server, SHUT_WR);
        link->is_told = true;
    }
    if (link->down.is_ended) {
        proxy->cut_count++;
        return false;
    }
    return true;
}

/* False: it is over. */
static bool serve_link(struct fault_proxy *proxy, struct link *link, const struct pollfd *items,
                       uint64_t now_ms)
{
    const short readable = POLLIN | POLLHUP | POLLERR;
    if ((items[0].revents & readable) != 0 && !take_bytes(proxy, link, true, now_ms)) {
        return false;
    }
    if ((items[1].revents & readable) != 0 && !take_bytes(proxy, link, false, now_ms)) {
        return false;
    }
    if (link->is_ending && !end_link(proxy, link)) {
        return false;
    }
    if (!flow_send(&link->up, link->server, now_ms) ||
        !flow_send(&link->down, link->client, now_ms)) {
        return false;
    }
    const bool client_left = link->up.is_ended && link->up.byte_count == 0 && !link->is_ending;
    const bool server_left = link->down.is_ended && link->down.byte_count == 0;
    return !client_left && !server_left;
}

/* The thread. */

/* Says what the next poll is to wait for on a side, and for how long at most. */
static short events_of(const struct flow *in, const struct flow *out, uint64_t now_ms, int *wait_ms)
{
    short events = 0;
    if (!in->is_ended && flow_room(in) > 0) {
        events = (short)(events | POLLIN);
    }
    if (out->part_count > 0 && out->parts[0].due_ms <= now_ms) {
        events = (short)(events | POLLOUT);
    } else if (out->part_count > 0 && out->parts[0].due_ms - now_ms < (uint64_t)*wait_ms) {
        *wait_ms = (int)(out->parts[0].due_ms - now_ms);
    }
    return events;
}

static nfds_t list_items(const struct fault_proxy *proxy, struct pollfd *items, int *wait_ms)
{
    const uint64_t now_ms = monotonic_ms();
    const bool is_frozen = proxy->now.mode == FAULT_PROXY_FREEZE;
    *wait_ms = WAIT_MS_MAX;
    nfds_t count = FIXED_FDS;
    items[0] = (struct pollfd){.fd = proxy->wake_pipe[0], .events = POLLIN};
    items[1] = (struct pollfd){
        .fd = is_frozen || proxy->link_count == LINKS_MAX ? -1 : proxy->listener, .events = POLLIN};
    for (size_t i = 0; i < proxy->link_count && !is_frozen; i++) {
        const struct link *const link = proxy->links[i];
        const short client_events = events_of(&link->up, &link->down, now_ms, wait_ms);
        const short server_events = events_of(&link->down, &link->up, now_ms, wait_ms);
        /* A side without events is left out: its hang-up would be reported over and over. */
        items[count++] =
            (struct pollfd){.fd = client_events != 0 ? link->client : -1, .events = client_events};
        items[count++] =
            (struct pollfd){.fd = server_events != 0 ? link->server : -1, .events = server_events};
    }
    return count;
}

/* Puts what is asked for in force, and lets the test know. */
static void follow_orders(struct fault_proxy *proxy)
{
    const struct orders *const wanted = &proxy->wanted;
    if (wanted->order == proxy->now.order) {
        return;
    }
    const bool is_cut =
        wanted->cuts != proxy->now.cuts || wanted->mode == FAULT_PROXY_REFUSE || wanted->must_stop;
    if (is_cut || wanted->mode != proxy->now.mode) {
        close_links(proxy, !is_cut);
    }
    const bool must_listen = wanted->mode != FAULT_PROXY_REFUSE && !wanted->must_stop;
    if (must_listen && proxy->listener < 0) {
        proxy->listener = loopback_listen(&proxy->port); /* -1: the test sees connections refused */
    } else if (!must_listen && proxy->listener >= 0) {
        (void)close(proxy->listener);
        proxy->listener = -1;
    }
    proxy->now = *wanted;
    (void)pthread_cond_signal(&proxy->followed);
}

static void serve(struct fault_proxy *proxy, const struct pollfd *items, nfds_t count)
{
    const uint64_t now_ms = monotonic_ms();
    /* From the last one down: closing one moves the last into its place. */
    for (size_t i = (count - FIXED_FDS) / 2; i > 0; i--) {
        if (!serve_link(proxy, proxy->links[i - 1], items + FIXED_FDS + 2 * (i - 1), now_ms)) {
            close_link(proxy, i - 1);
        }
    }
    if (items[1].revents != 0) {
        accept_client(proxy);
    }
    if (items[0].revents != 0) {
        char wakes[16];
        (void)!read(proxy->wake_pipe[0], wakes, sizeof(wakes));
    }
}

static void *work(void *context)
{
    struct fault_proxy *const proxy = context;
    struct pollfd items[FIXED_FDS + 2 * LINKS_MAX];
    (void)pthread_mutex_lock(&proxy->mutex);
    while (!proxy->now.must_stop) {
        int wait_ms = 0;
        const nfds_t count = list_items(proxy, items, &wait_ms);
        (void)pthread_mutex_unlock(&proxy->mutex);
        (void)poll(items, count, wait_ms);
        (void)pthread_mutex_lock(&proxy->mutex);
        serve(proxy, items, count);
        follow_orders(proxy);
    }
    (void)pthread_mutex_unlock(&proxy->mutex);
    return NULL;
}

/* The test's side. */

struct fault_proxy *fault_proxy_start(int target_port)
{
    struct fault_proxy *const proxy = calloc(1, sizeof(*proxy));
    cr_assert_not_null(proxy);
    proxy->wanted.target_port = target_port;
    proxy->now = proxy->wanted;
    proxy->listener = loopback_listen(&proxy->port);
    cr_assert_geq(proxy->listener, 0, "no free port for a proxy: %s", strerror(errno));
    cr_assert_eq(pipe(proxy->wake_pipe), 0);
    for (int i = 0; i < 2; i++) {
        (void)fcntl(proxy->wake_pipe[i], F_SETFD, FD_CLOEXEC);
    }
    (void)pthread_mutex_init(&proxy->mutex, NULL);
    (void)pthread_cond_init(&proxy->followed, NULL);
    cr_assert_eq(pthread_create(&proxy->thread, NULL, work, proxy), 0);
    return proxy;
}

static struct orders *begin_order(struct fault_proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->mutex);
    proxy->wanted.order++;
    return &proxy->wanted;
}

static void end_order(struct fault_proxy *proxy)
{
    cr_assert_eq(write(proxy->wake_pipe[1], "!", 1), 1);
    while (proxy->now.order != proxy->wanted.order) {
        (void)pthread_cond_wait(&proxy->followed, &proxy->mutex);
    }
    (void)pthread_mutex_unlock(&proxy->mutex);
}

void fault_proxy_stop(struct fault_proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    begin_order(proxy)->must_stop = true;
    end_order(proxy);
    (void)pthread_join(proxy->thread, NULL);
    (void)close(proxy->wake_pipe[0]);
    (void)close(proxy->wake_pipe[1]);
    (void)pthread_mutex_destroy(&proxy->mutex);
    (void)pthread_cond_destroy(&proxy->followed);
    free(proxy);
}

int fault_proxy_port(const struct fault_proxy *proxy)
{
    return proxy->port;
}

void fault_proxy_set_mode(struct fault_proxy *proxy, enum fault_proxy_mode mode)
{
    begin_order(proxy)->mode = mode;
    end_order(proxy);
}

void fault_proxy_set_delay(struct fault_proxy *proxy, uint64_t delay_ms)
{
    begin_order(proxy)->delay_ms = delay_ms;
    end_order(proxy);
}

void fault_proxy_retarget(struct fault_proxy *proxy, int target_port)
{
    struct orders *const wanted = begin_order(proxy);
    wanted->target_port = target_port;
    wanted->cuts++;
    end_order(proxy);
}

void fault_proxy_strand(struct fault_proxy *proxy)
{
    (void)begin_order(proxy);
    for (size_t i = 0; i < proxy->link_count; i++) {
        proxy->links[i]->is_stranded = true;
    }
    end_order(proxy);
}

void fault_proxy_cut(struct fault_proxy *proxy)
{
    begin_order(proxy)->cuts++;
    end_order(proxy);
}

void fault_proxy_cut_after(struct fault_proxy *proxy, size_t count, const char *words)
{
    (void)begin_order(proxy);
    proxy->cut_after_left = count;
    (void)snprintf(proxy->cut_after_words, sizeof(proxy->cut_after_words), "%s", words);
    end_order(proxy);
}

static size_t read_count(struct fault_proxy *proxy, const size_t *count)
{
    (void)pthread_mutex_lock(&proxy->mutex);
    const size_t value = *count;
    (void)pthread_mutex_unlock(&proxy->mutex);
    return value;
}

size_t fault_proxy_cuts(struct fault_proxy *proxy)
{
    return read_count(proxy, &proxy->cut_count);
}

size_t fault_proxy_connections(struct fault_proxy *proxy)
{
    return read_count(proxy, &proxy->link_count);
}

size_t fault_proxy_accepted(struct fault_proxy *proxy)
{
    return read_count(proxy, &proxy->accepted_count);
}
