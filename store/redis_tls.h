/**
 * TLS on a connection to Redis, by OpenSSL: hiredis has it as a library of its own, and before 1.0
 * not at all.
 *
 * The server must have a certificate for the host that was asked for, from an authority that is
 * trusted; TLS 1.2 at least. Files are read anew for each connection, so that certificates can be
 * renewed under a running worker. Lifetime: create .. destroy, shorter than the descriptor's.
 * Threading: one thread; SIGPIPE must be ignored. Nothing blocks but on a blocking descriptor.
 */
#ifndef SCENESYNC_STORE_REDIS_TLS_H
#define SCENESYNC_STORE_REDIS_TLS_H

#include "store/redis_store.h"

struct redis_tls;

enum redis_tls_outcome {
    REDIS_TLS_DONE,
    REDIS_TLS_WANTS_READ, /* again when the descriptor is readable; on a blocking one: timed out */
    REDIS_TLS_WANTS_WRITE,
    REDIS_TLS_FAILED /* the connection is of no use any more */
};

/** Reads the files and sends nothing yet. Returns owned, or NULL with the cure in `error`. */
struct redis_tls *redis_tls_create(int descriptor, const char *host,
                                   const struct redis_tls_files *files, struct error *error);

/** NULL is allowed. Does not close the descriptor. */
void redis_tls_destroy(struct redis_tls *tls);

/** The handshake, as far as it goes. */
__attribute__((warn_unused_result)) enum redis_tls_outcome redis_tls_connect(struct redis_tls *tls,
                                                                             struct error *error);

/** Sends some of it; what was not sent must be given again, more may stand behind it. */
__attribute__((warn_unused_result)) enum redis_tls_outcome redis_tls_send(struct redis_tls *tls,
                                                                          const void *bytes,
                                                                          size_t size, size_t *sent,
                                                                          struct error *error);

/** Receives at most one record: room for REDIS_TLS_RECORD_BYTES_MAX leaves none of it behind, where
 * poll() would not tell of it. */
enum { REDIS_TLS_RECORD_BYTES_MAX = 16 * 1024 };
__attribute__((warn_unused_result)) enum redis_tls_outcome
redis_tls_receive(struct redis_tls *tls, void *bytes, size_t size, size_t *received,
                  struct error *error);

#endif
