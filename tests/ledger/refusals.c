/* Records refused whole: what must have been published of them (inside.h). */
#include "tests/ledger/inside.h"

static bool is_text(const struct value *map, const char *key, struct span expected,
                    struct reason *reason)
{
    const struct value *const value = value_find(map, key);
    const bool is_it = value == NULL
                           ? expected.size == 0
                           : value->type == VALUE_STR && span_equal(value->text, expected);
    return is_it || differs(reason, "%s is not '%.*s'", key, SPAN_ARGS(expected));
}

static bool is_zero(const struct value *map, const char *key, struct reason *reason)
{
    uint64_t number = 1;
    return (value_as_uint(value_find(map, key), &number) && number == 0) ||
           differs(reason, "%s is not 0", key);
}

static bool is_bool(const struct value *map, const char *key, bool expected, struct reason *reason)
{
    const struct value *const value = value_find(map, key);
    return (value_is(value, VALUE_BOOL) && value->boolean == expected) ||
           differs(reason, "%s is not %s", key, expected ? "true" : "false");
}

static bool compare_refusal(const struct ledger *ledger, const struct identity *identity,
                            const char *code, const struct value *map, struct reason *reason)
{
    static const char *const zeros[] = {"synced_count",  "conflict_count", "failed_count",
                                        "pending_count", "clamped_count",  "scene_version",
                                        "duration_ms"};
    for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
        if (!is_zero(map, zeros[i], reason)) {
            return false;
        }
    }
    const struct span strategy = span_of_text(model_strategy_name(ledger->settings.strategy));
    uint64_t attempts = 0;
    return is_text(map, "error_code", span_of_text(code), reason) &&
           is_text(map, "session_id", identity->session_id, reason) &&
           is_text(map, "client_id", identity->client_id, reason) &&
           is_text(map, "batch_id", identity->batch_id, reason) &&
           is_text(map, "strategy", strategy, reason) && is_bool(map, "success", false, reason) &&
           is_bool(map, "final", true, reason) &&
           ((value_as_uint(value_find(map, "attempts"), &attempts) && attempts == 1) ||
            differs(reason, "attempts is not 1"));
}

bool was_refused(const struct ledger *ledger, const struct place *place)
{
    const struct refusal *const refusals = ledger->refusals.items;
    const size_t at = list_find_source(&ledger->refusals, place);
    return at < ledger->refusals.count && order_places(&refusals[at].source, place) == 0;
}

void check_refusal(struct ledger *ledger, const struct delivery *delivery, const char *code)
{
    struct refusal *const refusals = ledger->refusals.items;
    const struct place *const place = &delivery->place;
    size_t count = 0;
    for (size_t i = list_find_source(&ledger->refusals, place);
         i < ledger->refusals.count && order_places(&refusals[i].source, place) == 0; i++) {
        struct pool pool = {0};
        struct reason reason;
        refusals[i].is_explained = true;
        count++;
        const struct value *const map = value_read(refusals[i].record->value, &pool);
        if (!compare_refusal(ledger, &delivery->identity, code, map, &reason)) {
            found(ledger, FINDING_DIFFERING, "refused record %s: its result at %s: %s",
                  text_of_place(place).bytes, text_of_place(&refusals[i].place).bytes,
                  reason.bytes);
        }
        pool_free(&pool);
    }
    ledger->counts.repeated_results += count > 1 ? count - 1 : 0;
    if (count == 0) {
        found(ledger, FINDING_LOST, "refused record %s: no result says so (%s)",
              text_of_place(place).bytes, code);
    }
}

void check_refused(struct ledger *ledger)
{
    const struct delivery *const refused = ledger->refused.items;
    for (size_t i = 0; i < ledger->refused.count; i++) {
        (void)check_dead_letter(ledger, refused[i].record, &refused[i].place, refused[i].code,
                                "refused record");
        if (!span_is_absent(refused[i].identity.session_id)) {
            check_refusal(ledger, &refused[i], refused[i].code);
        }
    }
    struct requeue *const requeues = ledger->requeues.items;
    for (size_t i = 0; i < ledger->requeues.count; i++) {
        if (requeues[i].code != NULL) {
            requeues[i].is_explained = true;
            (void)check_dead_letter(ledger, requeues[i].record, &requeues[i].place,
                                    requeues[i].code, "refused record");
        }
    }
}
