/**
 * What Redis's error replies mean for the store (store/README.md, "Faults").
 *
 * Threading: stateless. Replies are texts like "OOM command not allowed …": a code in capitals,
 * then a sentence; a script's errors carry the same codes.
 */
#ifndef SCENESYNC_STORE_REDIS_ERRORS_H
#define SCENESYNC_STORE_REDIS_ERRORS_H

#include "protocol/span.h"

enum redis_error_class {
    REDIS_ERROR_REQUEST,    /* this request can never work; others can */
    REDIS_ERROR_NO_SCRIPT,  /* the script is not loaded; nothing happened */
    REDIS_ERROR_CONNECTION, /* a replica now, or it hangs up: connect again, resolving the name */
    REDIS_ERROR_SERVER      /* Redis cannot work at the moment, or not for this user */
};

enum redis_error_class redis_error_class_of(struct span reply);

enum { REDIS_ERROR_TEXT_BYTES_MAX = 256 };

/** Writes the reply, made printable, and what an operator can do about it. Returns `out`. */
const char *redis_error_describe(struct span reply, char out[REDIS_ERROR_TEXT_BYTES_MAX]);

#endif
