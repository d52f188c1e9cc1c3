/* What was published and must not be there (inside.h). */
#include "tests/ledger/inside.h"

static bool is_replayed(const struct ledger *ledger, const struct identity *identity)
{
    const struct story *const stories = ledger->stories.items;
    size_t i = list_find_identity(&ledger->stories, identity);
    for (; i < ledger->stories.count && order_identities(&stories[i].identity, identity) == 0;
         i++) {
        if (!stories[i].is_replayed) {
            return false;
        }
    }
    return true;
}

/* The delivery that stands there; NULL where none of this identity does. */
static const struct delivery *find_delivery(const struct ledger *ledger,
                                            const struct identity *identity,
                                            const struct place *place)
{
    const struct delivery *const deliveries = ledger->deliveries.items;
    size_t i = list_find_identity(&ledger->deliveries, identity);
    for (; i < ledger->deliveries.count && order_identities(&deliveries[i].identity, identity) == 0;
         i++) {
        if (order_places(&deliveries[i].place, place) == 0) {
            return &deliveries[i];
        }
    }
    return NULL;
}

/* Operations that are all the batch's, at the places that are named. */
static bool is_part_of(const struct model_batch *part, const struct model_batch *whole)
{
    const struct value *index = part->retry.indexes->first;
    for (uint32_t i = 0; i < part->operation_count; i++) {
        uint64_t place = 0;
        if (index == NULL || !value_as_uint(index, &place) || place >= whole->operation_count ||
            !span_equal(part->operations[i].raw, whole->operations[place].raw)) {
            return false;
        }
        index = index->next;
    }
    return index == NULL;
}

/* Of a history that was lost with writes. */
static bool is_of_lost_history(struct ledger *ledger, const struct requeue *requeue)
{
    const struct delivery *const delivery =
        find_delivery(ledger, &requeue->identity, &requeue->source);
    if (!ledger->config.lost_writes || delivery == NULL) {
        return false;
    }
    struct pool pool = {0};
    struct model_batch part;
    struct model_batch whole;
    model_batch_read(requeue->record->value, &ledger->settings, true, &pool, &part);
    model_batch_read(delivery->record->value, &ledger->settings, false, &pool, &whole);
    const bool is_part = is_part_of(&part, &whole);
    pool_free(&pool);
    return is_part;
}

static void check_rest_of_results(struct ledger *ledger)
{
    const struct result *const results = ledger->results.items;
    for (size_t i = 0; i < ledger->results.count; i++) {
        const bool is_known =
            find_delivery(ledger, &results[i].identity, &results[i].source) != NULL;
        if (results[i].is_explained || (is_known && ledger->config.lost_writes)) {
            continue;
        }
        found(ledger, FINDING_DIFFERING, "result at %s: nothing explains it (%s, attempt %llu)",
              text_of_place(&results[i].place).bytes, text_of_identity(&results[i].identity).bytes,
              (unsigned long long)results[i].attempts);
    }
}

static void check_rest_of_refusals(struct ledger *ledger)
{
    const struct refusal *const refusals = ledger->refusals.items;
    for (size_t i = 0; i < ledger->refusals.count; i++) {
        const bool may_be =
            ledger->config.lost_writes && span_equal_text(refusals[i].code, "batch_id_reused");
        if (!refusals[i].is_explained && !may_be) {
            found(ledger, FINDING_DIFFERING,
                  "result at %s: it says that %s was refused, which was not to be",
                  text_of_place(&refusals[i].place).bytes,
                  text_of_place(&refusals[i].source).bytes);
        }
    }
}

static void check_rest_of_requeues(struct ledger *ledger)
{
    const struct requeue *const requeues = ledger->requeues.items;
    for (size_t i = 0; i < ledger->requeues.count; i++) {
        if (!requeues[i].is_explained && is_replayed(ledger, &requeues[i].identity) &&
            !is_of_lost_history(ledger, &requeues[i])) {
            found(ledger, FINDING_DIFFERING,
                  "requeue at %s: nothing explains it (%s, attempt %llu)",
                  text_of_place(&requeues[i].place).bytes,
                  text_of_identity(&requeues[i].identity).bytes,
                  (unsigned long long)requeues[i].attempt);
        }
    }
}

void check_rest(struct ledger *ledger)
{
    const struct dead_letter *const dead = ledger->dead.items;
    check_rest_of_results(ledger);
    check_rest_of_refusals(ledger);
    check_rest_of_requeues(ledger);
    for (size_t i = 0; i < ledger->dead.count; i++) {
        const bool may_be =
            (dead[i].is_of_operations && ledger->has_gaps) ||
            (ledger->config.lost_writes &&
             (dead[i].is_of_operations || span_equal_text(dead[i].code, "batch_id_reused")));
        if (!dead[i].is_explained && !may_be) {
            found(ledger, FINDING_DIFFERING,
                  "dead letter at %s: nothing explains it (%.*s, from %s)",
                  text_of_place(&dead[i].place).bytes, SPAN_ARGS(dead[i].code),
                  text_of_place(&dead[i].source).bytes);
        }
    }
}
