/* What a requeue or a dead letter keeps of the record it comes from (inside.h). */
#include "tests/ledger/inside.h"

static bool is_own_header(const char *name)
{
    return strncmp(name, "scenesync-", strlen("scenesync-")) == 0;
}

static bool is_same_header(const struct ledger_header *a, const struct ledger_header *b)
{
    return strcmp(a->name, b->name) == 0 && span_is_absent(a->value) == span_is_absent(b->value) &&
           span_equal(a->value, b->value);
}

bool keeps_headers(const struct ledger_record *copy, const struct ledger_record *from,
                   bool with_own, struct reason *reason)
{
    size_t at = 0;
    for (size_t i = 0; i < from->header_count; i++) {
        if (!with_own && is_own_header(from->headers[i].name)) {
            continue;
        }
        if (at >= copy->header_count || !is_same_header(&copy->headers[at], &from->headers[i])) {
            return differs(reason, "header %s is missing or changed", from->headers[i].name);
        }
        at++;
    }
    for (; at < copy->header_count; at++) {
        if (!is_own_header(copy->headers[at].name)) {
            return differs(reason, "header %s is not from the record", copy->headers[at].name);
        }
    }
    return true;
}

bool keeps_key(const struct ledger_record *copy, const struct ledger_record *from,
               struct reason *reason)
{
    return (span_is_absent(copy->key) == span_is_absent(from->key) &&
            span_equal(copy->key, from->key)) ||
           differs(reason, "its key is not the record's");
}
