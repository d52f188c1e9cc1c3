/**
 * What one pair of an operation's map does to an element: the rules that protocol.md section 3 puts
 * on top of RFC 7396. Private to element_*.c: the patch goes by it, and so do the clocks, which
 * must not take for written what the patch ignores.
 *
 * Inline, because it runs once per changed key of every update. Threading: stateless.
 */
#ifndef SCENESYNC_PROTOCOL_ELEMENT_CHANGE_H
#define SCENESYNC_PROTOCOL_ELEMENT_CHANGE_H

#include "protocol/element_fields.h"
#include "protocol/identifier.h"
#include "protocol/wire_scan.h"

/* What is being changed: the rules on top of RFC 7396 hold in the first two only. */
enum element_role { ELEMENT_ROLE_TOP, ELEMENT_ROLE_TRANSFORM, ELEMENT_ROLE_OTHER };

enum change_action {
    CHANGE_IGNORE,
    CHANGE_DELETE,
    CHANGE_STORE_RAW,    /* the change's bytes */
    CHANGE_STORE_NUMBER, /* a known field of the transform, clamped */
    CHANGE_STORE_ID,     /* an element id: normalised */
    CHANGE_MERGE         /* a map into a map */
};

/** By what the pairs of an operation's map are decided on. */
struct change_rules {
    /* They are an add's element, merged into one that is there: nil is a value, or in a known field
     * as good as absent, and an empty map is a value. Otherwise they are an update's changes. */
    bool is_add;
    struct arena *arena;
    struct error *error;
};

/** One key of the changes, and what it meets. */
struct change {
    struct element_pair pair; /* CHANGE_STORE_ID: the value is the text to store */
    enum change_action action;
    enum element_role role;     /* CHANGE_MERGE: of the maps */
    enum transform_field field; /* CHANGE_STORE_NUMBER */
    /* What element_patch() found it to meet; change_decide() leaves these alone. */
    const uint8_t *local_start;  /* of the target's pair with that key; NULL where it has none */
    const uint8_t *local_value;  /* of that pair's value */
    const uint8_t *local_end;    /* of that pair; NULL where nobody had to look for it */
    struct change *next_matched; /* the next one in the target's order */
};

/** RFC 7396 for a value that the protocol has no rule about. */
static inline __attribute__((always_inline)) enum change_action
change_decide_other(bool is_add, struct span value)
{
    if (wire_is_nil(value)) {
        return is_add ? CHANGE_STORE_RAW : CHANGE_DELETE;
    }
    if (!wire_is_map(value)) {
        return CHANGE_STORE_RAW;
    }
    return is_add && wire_peek(value).count == 0 ? CHANGE_STORE_RAW : CHANGE_MERGE;
}

/** An id that an add would refuse is ignored; fails only for want of memory. */
static inline __attribute__((always_inline)) bool
change_decide_parent(const struct change_rules *rules, struct change *change)
{
    struct wire_value value = wire_peek(change->pair.value);
    change->action = CHANGE_IGNORE;
    if (value.type == WIRE_NIL) {
        change->action = rules->is_add ? CHANGE_IGNORE : CHANGE_STORE_RAW;
        return true;
    }
    struct error reason;
    struct span id;
    if (identifier_read_element_id(&value, "parent", rules->arena, &id, &reason)) {
        /* Where it is the received text itself, its bytes are stored as they are. */
        change->action = CHANGE_STORE_RAW;
        if (id.data != value.body.data) {
            change->pair.value = id;
            change->action = CHANGE_STORE_ID;
        }
        return true;
    }
    return reason.code != ERROR_OUT_OF_MEMORY || element_fail_memory(rules->error);
}

static inline __attribute__((always_inline)) void change_decide_transform(bool is_add,
                                                                          struct change *change)
{
    enum transform_field field = transform_field_of(change->pair.key);
    if (field == TRANSFORM_FIELD_COUNT) {
        change->action = change_decide_other(is_add, change->pair.value);
        return;
    }
    change->field = field;
    switch (transform_judge(field, change->pair.value)) {
    case TRANSFORM_REFUSED:
        change->action = CHANGE_IGNORE;
        break;
    case TRANSFORM_KEPT:
        change->action = CHANGE_STORE_RAW;
        break;
    case TRANSFORM_CLAMPED:
        change->action = CHANGE_STORE_NUMBER;
        break;
    }
}

/** Whether a transform has fields and all are ignored: then it is too, also where the element,
 * stored by somebody else, has none. Mostly the first field says no. */
static inline __attribute__((always_inline)) bool change_says_nothing(bool is_add,
                                                                      struct span transform)
{
    struct wire_cursor cursor = wire_cursor_of(transform);
    uint32_t count = wire_advance_map(&cursor);
    for (uint32_t i = 0; i < count; i++) {
        struct change change;
        element_read_pair(&cursor, &change.pair);
        change_decide_transform(is_add, &change);
        if (change.action != CHANGE_IGNORE) {
            return false;
        }
    }
    return count > 0;
}

static inline __attribute__((always_inline)) bool
change_decide_top(const struct change_rules *rules, struct change *change)
{
    struct span value = change->pair.value;
    switch (element_field_of(change->pair.key)) {
    case ELEMENT_ID:
        change->action = CHANGE_IGNORE;
        break;
    case ELEMENT_TRANSFORM:
        change->role = ELEMENT_ROLE_TRANSFORM;
        change->action = wire_is_map(value) && !change_says_nothing(rules->is_add, value)
                             ? CHANGE_MERGE
                             : CHANGE_IGNORE;
        break;
    case ELEMENT_KIND:
        change->action = wire_is_map(value) ? CHANGE_MERGE : CHANGE_IGNORE;
        break;
    case ELEMENT_INTERACTIVE:
    case ELEMENT_SELECTED:
        change->action = wire_is_bool(value) ? CHANGE_STORE_RAW : CHANGE_IGNORE;
        break;
    case ELEMENT_PARENT:
        return change_decide_parent(rules, change);
    case ELEMENT_FIELD_COUNT:
        change->action = change_decide_other(rules->is_add, value);
        break;
    }
    return true;
}

/**
 * Decides on the pair that is in `change`, which stands in a map of that role. Fails only with
 * ERROR_OUT_OF_MEMORY.
 */
static inline __attribute__((always_inline)) bool
change_decide(const struct change_rules *rules, enum element_role role, struct change *change)
{
    change->role = ELEMENT_ROLE_OTHER;
    switch (role) {
    case ELEMENT_ROLE_TOP:
        return change_decide_top(rules, change);
    case ELEMENT_ROLE_TRANSFORM:
        change_decide_transform(rules->is_add, change);
        break;
    case ELEMENT_ROLE_OTHER:
        change->action = change_decide_other(rules->is_add, change->pair.value);
        break;
    }
    return true;
}

#endif
