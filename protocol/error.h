/**
 * What can go wrong, by name: the codes of the wire (protocol/README.md, "Codes") and a message
 * for a person.
 *
 * An error is a code and a message of fixed size, on the caller's storage; nothing allocates. A
 * message names the operation, the key, the value's type or size and the limit, never payload
 * bytes that could carry what a user typed (ids and key names are shown, made printable).
 * Threading: plain data.
 */
#ifndef SCENESYNC_PROTOCOL_ERROR_H
#define SCENESYNC_PROTOCOL_ERROR_H

#include "protocol/span.h"

enum { ERROR_MESSAGE_BYTES_MAX = 256 };

enum error_code {
    ERROR_NONE,
    /* A batch refused whole: protocol.md section 2, in the order of the checks. */
    ERROR_TOO_LARGE,
    ERROR_NOT_MESSAGEPACK,
    ERROR_NOT_A_MAP,
    ERROR_TOO_DEEP,
    ERROR_DUPLICATE_KEY,
    ERROR_UNSUPPORTED_VERSION,
    ERROR_MISSING_FIELD,
    ERROR_WRONG_TYPE,
    ERROR_INVALID_VALUE,
    ERROR_TOO_MANY_OPERATIONS,
    /* A batch refused whole: section 7. */
    ERROR_BATCH_ID_REUSED,
    ERROR_INVALID_RETRY,
    /* One operation: section 5. */
    ERROR_ELEMENT_NOT_FOUND,
    ERROR_ELEMENT_REMOVED,
    ERROR_ELEMENT_ALREADY_EXISTS,
    ERROR_STALE_TIMESTAMP,
    ERROR_CONCURRENT_MODIFICATION,
    ERROR_INVALID_OPERATION,
    ERROR_ELEMENT_TOO_LARGE,
    ERROR_TOO_MANY_ELEMENTS,
    ERROR_STORE_ERROR,
    ERROR_RETRY_TOO_LARGE,
    /* A dead letter's code only: section 7. */
    ERROR_RETRIES_EXHAUSTED,
    /* Never on the wire: the process itself is short of memory (an arena's cap, malloc). */
    ERROR_OUT_OF_MEMORY,
    ERROR_CODE_COUNT
};

/** What a failure means for the record that met it. Only routing acts on it. */
enum error_class {
    ERROR_CLASS_POISON,    /* the bytes are wrong for good: dead letter */
    ERROR_CLASS_TRANSIENT, /* may pass by itself: requeue until the attempts are spent */
    ERROR_CLASS_CONFLICT,  /* decided against the operation: waiting cannot change it */
    ERROR_CLASS_FATAL      /* the process cannot go on: stop without committing */
};

struct error {
    enum error_code code;
    char message[ERROR_MESSAGE_BYTES_MAX]; /* NUL-terminated UTF-8, one line */
};

/** The code as it stands on the wire, e.g. "not_messagepack". A static string. */
const char *error_code_name(enum error_code code);

/** The code of a wire name, or ERROR_CODE_COUNT for one that does not exist. */
enum error_code error_code_of_name(struct span name);

enum error_class error_class_of(enum error_code code);

/**
 * Sets code and message (printf format; cut at the size, always terminated, never in the middle of
 * a UTF-8 sequence). `error` may be NULL: then nothing happens. Returns false always, so that a
 * failing function can `return error_set(...)`.
 */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum { ERROR_QUOTE_BYTES_MAX = 100 };

/**
 * Makes outside text fit for a message: at most 64 bytes of it, control characters, quotes and
 * invalid UTF-8 as '?', "..." where it was cut. Writes into `out` and returns it.
 */
const char *error_quote(struct span text, char out[ERROR_QUOTE_BYTES_MAX]);

#endif
