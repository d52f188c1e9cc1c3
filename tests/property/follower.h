/**
 * The model, following the worker record by record: what each record that was settled has to leave
 * behind in its scene, and what has to be published for it.
 *
 * For runs in which each cycle takes one record. It shares no code with the worker; results are
 * compared as the ledger does it (tests/ledger/results.c). Lifetime: follower_create() ..
 * follower_destroy(). Threading: one thread.
 */
#ifndef SCENESYNC_TESTS_PROPERTY_FOLLOWER_H
#define SCENESYNC_TESTS_PROPERTY_FOLLOWER_H

#include "tests/model/model.h"
#include "tests/property/history.h"
#include "tests/property/kafka.h"
#include "tests/property/verdict.h"

struct follower;

struct follower *follower_create(const struct history *history);
void follower_destroy(struct follower *follower);

/** The record was settled now; `published`: all that the worker has published, of which what is new
 * must be this record's. */
bool follower_take(struct follower *follower, const struct kafka_record *record, uint64_t now_ms,
                   const struct kafka *kafka, struct verdict *verdict);

const struct model_scene *follower_scene(const struct follower *follower, uint32_t scene);

/** Whether a batch of that identity is under way, or one of the newest `count` of its scene that
 * are done. */
bool follower_remembers(const struct follower *follower, const struct step *sent, uint32_t count);

/** How many attempts were made, and of how many operations. */
uint64_t follower_attempts(const struct follower *follower);

#endif
