/**
 * What a test of decoding batches needs: a decoder's surroundings, and the two outcomes as
 * assertions.
 *
 * Lifetime: init .. deinit; batches view the arena. Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_BATCH_CHECK_H
#define SCENESYNC_TESTS_BATCH_CHECK_H

#include "protocol/batch.h"

struct batch_check {
    struct arena arena;
    struct limits limits; /* the defaults; a test may change them */
    struct batch_context context;
    struct error error; /* of the latest refusal */
};

void batch_check_init(struct batch_check *check);
void batch_check_deinit(struct batch_check *check);

/** Decodes what must be accepted. */
struct batch batch_accept(struct batch_check *check, struct span payload);
struct batch batch_accept_json(struct batch_check *check, const char *json);

/** Decodes what must be refused with `code`; gives what was salvaged. */
struct batch batch_refuse(struct batch_check *check, struct span payload, enum error_code code);
struct batch batch_refuse_json(struct batch_check *check, const char *json, enum error_code code);

/** That the latest refusal's message has these words. */
void check_message_has(const struct batch_check *check, const char *words);

/** That `span` is there and holds this text. */
void check_text(struct span span, const char *expected);

#endif
