/**
 * TCP sockets on the loopback, which no program started later inherits.
 *
 * Lifetime: descriptors are owned by who asks for them. Threading: none.
 */
#ifndef SCENESYNC_TESTS_SUPPORT_LOOPBACK_SOCKET_H
#define SCENESYNC_TESTS_SUPPORT_LOOPBACK_SOCKET_H

/** Listens on `*port`, or where that is 0 on a free one, which it is set to; does not block. -1: it
 * cannot. */
int loopback_listen(int *port);

/** On the loopback this is done, or refused, at once: the kernel answers for a stopped process.
 * -1: refused. */
int loopback_connect(int port);

/** Sends what it is given without waiting for more, and does not block. */
void socket_make_quick(int descriptor);

#endif
