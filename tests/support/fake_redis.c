#include "tests/support/fake_redis.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_TRIES_MAX = 1000, POLL_MS = 5 };

struct fake_redis fake_redis_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    struct fake_redis fake = {.listener = socket(AF_INET, SOCK_STREAM, 0), .connection = -1};
    cr_assert(fake.listener >= 0 && bind(fake.listener, (struct sockaddr *)&address, size) == 0 &&
              listen(fake.listener, 0) == 0 &&
              getsockname(fake.listener, (struct sockaddr *)&address, &size) == 0);
    fake.port = ntohs(address.sin_port);
    return fake;
}

void fake_redis_stop(struct fake_redis *fake)
{
    fake_redis_hang_up(fake);
    (void)close(fake->listener);
}

void fake_redis_accept(struct fake_redis *fake, struct store *store)
{
    struct pollfd item = {.fd = fake->listener, .events = POLLIN};
    int tries = 0;
    while (poll(&item, 1, 0) == 0) {
        cr_assert_lt(tries++, ACCEPT_TRIES_MAX, "nobody connects");
        (void)store_poll(store, POLL_MS);
    }
    fake_redis_hang_up(fake);
    fake->connection = accept(fake->listener, NULL, NULL);
    cr_assert_geq(fake->connection, 0);
}

void fake_redis_say(struct fake_redis *fake, const char *bytes)
{
    const size_t size = strlen(bytes);
    cr_assert_eq(send(fake->connection, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

void fake_redis_hang_up(struct fake_redis *fake)
{
    if (fake->connection >= 0) {
        (void)close(fake->connection);
        fake->connection = -1;
    }
}

int fake_redis_knock(const struct fake_redis *fake)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)fake->port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(descriptor >= 0 && fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0);
    (void)connect(descriptor, (const struct sockaddr *)&address, sizeof(address));
    return descriptor;
}
