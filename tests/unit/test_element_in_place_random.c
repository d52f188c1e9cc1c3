/* Random changes written over random documents. */
#include "tests/support/in_place_fixture.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "protocol/pack.h"
#include "tests/support/dice.h"
#include "tests/support/messages.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

TestSuite(element_in_place_random, .init = in_place_make, .fini = in_place_destroy);

static struct dice dice;

static uint32_t random_below(uint32_t bound)
{
    return dice_below(&dice, bound);
}

#define ONE_OF(array) ((array)[random_below((uint32_t)COUNT_OF(array))])

/** JSON that grows. */
struct text {
    char bytes[4096];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size =
        vsnprintf(text->bytes + text->size, sizeof text->bytes - text->size, format, arguments);
    va_end(arguments);
    cr_assert(size >= 0 && (size_t)size < sizeof text->bytes - text->size);
    text->size += (size_t)size;
}

/** Each number below `count`, once, in a random order, or in theirs. */
static void draw_order(unsigned *order, unsigned count, bool is_shuffled)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned other = is_shuffled ? random_below(i + 1) : i;
        order[i] = order[other];
        order[other] = i;
    }
}

static void add_value(struct text *text, unsigned depth)
{
    static const char *const scalars[] = {
        "7",  "300",   "1.5",  "'x'",  "'abc'",    "'a text of more bytes'",
        "''", "false", "true", "null", "[1,null]", "[{'a':null}]",
    };
    static const char *const keys[] = {"a", "b", "type"};
    if (depth == 0 || random_below(2) == 0) {
        add(text, "%s", ONE_OF(scalars));
        return;
    }
    unsigned order[COUNT_OF(keys)];
    draw_order(order, COUNT_OF(keys), true);
    unsigned count = random_below(3) == 0 ? random_below(COUNT_OF(keys) + 1) : 1;
    add(text, "{");
    for (unsigned i = 0; i < count; i++) {
        add(text, "%s'%s':", i == 0 ? "" : ",", keys[order[i]]);
        add_value(text, depth - 1);
    }
    add(text, "}");
}

static void add_transform(struct text *text, unsigned count_max)
{
    static const char *const fields[] = {"x", "y", "width", "height", "rotation", "z_index", "a"};
    static const char *const likely[] = {"1.5", "-2.5", "1e30", "0.0"};
    static const char *const numbers[] = {
        "7", "-7", "300", "70000", "1e300", "null", "'12345678'", "'hex:cf0000000000000007'", "{}",
    };
    unsigned order[COUNT_OF(fields)];
    draw_order(order, COUNT_OF(fields), random_below(4) == 0);
    unsigned count = 0;
    add(text, "{");
    for (unsigned i = 0; i < COUNT_OF(fields) && count < count_max; i++) {
        if (random_below(3) == 0) {
            continue;
        }
        bool is_likely = order[i] < 5 && random_below(16) > 0;
        add(text, "%s'%s':%s", count++ == 0 ? "" : ",", fields[order[i]],
            is_likely ? ONE_OF(likely) : ONE_OF(numbers));
    }
    add(text, "}");
}

static const char *const field_names[] = {"kind",   "transform", "selected", "interactive",
                                          "parent", "id",        "a",        "b"};
enum { KIND_FIELD, TRANSFORM_FIELD, SELECTED_FIELD, INTERACTIVE_FIELD, OTHER_FIELDS = 6 };

static void add_document(struct text *text)
{
    unsigned order[COUNT_OF(field_names)];
    draw_order(order, COUNT_OF(field_names), true);
    add(text, "{'first':0");
    for (unsigned i = 0; i < COUNT_OF(field_names); i++) {
        unsigned field = order[i];
        if (field != KIND_FIELD && random_below(8) == 0) {
            continue;
        }
        add(text, ",'%s':", field_names[field]);
        if (field == KIND_FIELD && random_below(8) > 0) {
            add(text, "{'a':7,'data':{'content':'abc','a':7},'type':'T'}");
        } else if (field == KIND_FIELD) {
            add(text, "{'type':'T','data':");
            add_value(text, 1);
            add(text, "}");
        } else if (field == TRANSFORM_FIELD && random_below(8) > 0) {
            add_transform(text, 7);
        } else {
            add_value(text, 2);
        }
    }
    add(text, "}");
}

static void add_kind_change(struct text *text)
{
    static const char *const contents[] = {"'x'", "'abcd'", "''", "'a text of more bytes'", "null"};
    static const char *const starts[] = {"{'data':{'a':", "{'data':{'content':", "{'data':{'b':"};
    switch (random_below(4)) {
    case 0:
        add_value(text, 3);
        return;
    case 1:
        add(text, "{'a':");
        break;
    default:
        add(text, "%s", ONE_OF(starts));
        add(text, "%s}}", ONE_OF(contents));
        return;
    }
    add_value(text, 1);
    add(text, "}");
}

/** Gives the field that is changed; of several, the first. */
static unsigned add_changes(struct text *text)
{
    unsigned order[COUNT_OF(field_names)];
    draw_order(order, COUNT_OF(field_names), true);
    unsigned count = random_below(8) == 0 ? random_below(3) : 1;
    add(text, "{");
    for (unsigned i = 0; i < count; i++) {
        add(text, "%s'%s':", i == 0 ? "" : ",", field_names[order[i]]);
        if (order[i] == TRANSFORM_FIELD && random_below(8) > 0) {
            add_transform(text, random_below(4));
        } else if (order[i] == KIND_FIELD) {
            add_kind_change(text);
        } else if (order[i] < OTHER_FIELDS && random_below(2) == 0) {
            add(text, "%s", random_below(2) == 0 ? "false" : "true");
        } else {
            add_value(text, 3);
        }
    }
    add(text, "}");
    return order[0];
}

/** What was taken, and what was not. */
struct tally {
    unsigned by_field[COUNT_OF(field_names)];
    unsigned nested, grown, shrunk, moved, empty_transform, left;
};

static void change_at_random(struct tally *tally)
{
    struct text text = {.size = 0};
    unsigned field = add_changes(&text);
    struct span changes = message_of(text.bytes);
    const struct element_room before = in_place.room;
    if (in_place_change(changes)) {
        struct span value = wire_map_find(changes, field_names[field]);
        tally->by_field[field]++;
        tally->nested += field >= OTHER_FIELDS && wire_is_map(value);
        tally->empty_transform += field == TRANSFORM_FIELD && value.size == 1;
        tally->grown += in_place.room.size > before.size;
        tally->shrunk += in_place.room.size < before.size;
        tally->moved +=
            before.transform_at != 0 && in_place.room.transform_at != before.transform_at;
        return;
    }
    tally->left++;
    if (in_place_copy(changes)) {
        in_place_store(bytes_keep(buffer_span(&in_place.copied)), random_below(24));
    }
}

Test(element_in_place_random, is_the_copy_for_random_changes, .timeout = 60)
{
    enum { DOCUMENTS = 1500, CHANGES = 24, SEED = 20240501 };
    struct tally tally = {.left = 0};
    dice.state = SEED;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        struct text text = {.size = 0};
        add_document(&text);
        struct span document = message_of(text.bytes);
        in_place_store(document, random_below(48));
        in_place.limits = limits_default();
        if (random_below(4) == 0) {
            in_place.limits.element_bytes_max = document.size + random_below(24);
        }
        if (random_below(4) == 0) {
            in_place.limits.text_bytes_max = 3 + random_below(24);
        }
        for (unsigned k = 0; k < CHANGES; k++) {
            change_at_random(&tally);
        }
    }
    for (unsigned field = 0; field < COUNT_OF(field_names); field++) {
        bool is_ruled = field > INTERACTIVE_FIELD && field < OTHER_FIELDS;
        cr_expect(is_ruled ? tally.by_field[field] == 0 : tally.by_field[field] >= 100, "%s: %u",
                  field_names[field], tally.by_field[field]);
    }
    cr_expect_geq(tally.nested, 100, "nested: %u", tally.nested);
    cr_expect_geq(tally.grown, 100, "grown: %u", tally.grown);
    cr_expect_geq(tally.shrunk, 100, "shrunk: %u", tally.shrunk);
    cr_expect_geq(tally.moved, 100, "moved: %u", tally.moved);
    cr_expect_geq(tally.empty_transform, 100, "empty: %u", tally.empty_transform);
    cr_expect_geq(tally.left, 1000, "left: %u", tally.left);
}
