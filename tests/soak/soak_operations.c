#include "tests/soak/soak_operations.h"

#include <ctype.h>
#include <stdio.h>

#include "protocol/pack.h"
#include "tests/soak/soak_batches.h"

enum {
    TEXT_IDS = 14, /* of SOAK_ELEMENT_IDS; the others are UUIDs */
    UUID_BYTES = 16,
    JITTER_MS = 40,       /* operations of a batch are made around its time, not in order */
    STALE_MS = 60000,     /* an offline client's operations are up to this old */
    GUESSED_VERSIONS = 90 /* base_versions are guesses; some of them hit */
};

static const char huge_text[SOAK_ELEMENT_BYTES_MAX + 1] = "";

static int64_t make_timestamp(const struct soak_author *author)
{
    int64_t timestamp_ms = author->now_ms + dice_between(author->dice, -JITTER_MS, JITTER_MS);
    if (dice_chance(author->dice, 80)) {
        timestamp_ms -= dice_between(author->dice, 0, STALE_MS);
    }
    return timestamp_ms;
}

/* JavaScript's and Python's encoders write times as floats. */
static void pack_timestamp(struct buffer *out, const struct soak_author *author)
{
    const int64_t timestamp_ms = make_timestamp(author);
    pack_text(out, "timestamp");
    if (dice_chance(author->dice, 100)) {
        pack_double(out, (double)timestamp_ms + 0.75);
    } else {
        pack_int(out, timestamp_ms);
    }
}

/* Opens an operation of `field_count` fields beside its timestamp and what tells its kind. */
static void open_operation(struct buffer *out, const struct soak_author *author, const char *tag,
                           const char *variant, uint32_t field_count)
{
    const bool has_base = dice_chance(author->dice, 120);
    const uint32_t count = field_count + 1 + (has_base ? 1 : 0);
    if (dice_chance(author->dice, 300)) {
        pack_map(out, 1);
        pack_text(out, variant);
        pack_map(out, count);
    } else {
        pack_map(out, count + 1);
        pack_text(out, "op");
        pack_text(out, tag);
    }
    pack_timestamp(out, author);
    if (has_base) {
        pack_text(out, "base_version");
        pack_uint(out, dice_below(author->dice, GUESSED_VERSIONS));
    }
}

/* One UUID in three writings: they are one element. */
static void pack_uuid(struct buffer *out, const struct soak_author *author, uint32_t number)
{
    uint8_t bytes[UUID_BYTES] = {0xab, 0xcd};
    bytes[8] = (uint8_t)(author->scene >> 8);
    bytes[9] = (uint8_t)author->scene;
    bytes[15] = (uint8_t)number;
    const uint32_t writing = dice_below(author->dice, 3);
    if (writing == 0) {
        pack_bin(out, span_make(bytes, sizeof(bytes)));
        return;
    }
    char text[SOAK_ID_BYTES];
    (void)snprintf(text, sizeof(text), "abcd0000-0000-0000-%04x-%012x", author->scene & 0xffff,
                   number);
    for (char *at = text; writing == 1 && *at != '\0'; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    pack_text(out, text);
}

static void pack_id(struct buffer *out, const struct soak_author *author, const char *id)
{
    pack_text(out, "id");
    if (id != NULL) {
        pack_text(out, id);
        return;
    }
    /* The smaller of two: some elements are busier than others. */
    const uint32_t first = dice_below(author->dice, SOAK_ELEMENT_IDS);
    const uint32_t second = dice_below(author->dice, SOAK_ELEMENT_IDS);
    const uint32_t number = first < second ? first : second;
    if (number >= TEXT_IDS) {
        pack_uuid(out, author, number);
        return;
    }
    char text[SOAK_ID_BYTES];
    (void)snprintf(text, sizeof(text), "e%u", number);
    pack_text(out, text);
}

static void pack_content(struct buffer *out, const struct soak_author *author)
{
    if (dice_chance(author->dice, 4)) {
        pack_str(out, span_make(huge_text, sizeof(huge_text)));
        return;
    }
    char text[64];
    (void)snprintf(text, sizeof(text), "text %016llx",
                   (unsigned long long)dice_throw(author->dice));
    pack_text(out, text);
}

/* Values that a careless writer would change: they have to survive byte for byte. */
static void pack_free_value(struct buffer *out, const struct soak_author *author)
{
    struct dice *const dice = author->dice;
    switch (dice_below(dice, 6)) {
    case 0:
        pack_array(out, 0);
        break;
    case 1:
        pack_uint(out, dice_throw(dice));
        break;
    case 2:
        pack_double(out, (double)(dice_throw(dice) >> 11) / 9007199254740992.0);
        break;
    case 3: {
        static const uint8_t wide_one[] = {0xd3, 0, 0, 0, 0, 0, 0, 0, 1};
        pack_raw(out, span_make(wide_one, sizeof(wide_one)));
        break;
    }
    case 4:
        pack_map(out, 1);
        pack_text(out, "nested");
        pack_uint(out, dice_below(dice, 1000));
        break;
    default:
        pack_text(out, "\xc3\xa4\xe2\x82\xac");
        break;
    }
}

static void pack_transform(struct buffer *out, const struct soak_author *author)
{
    pack_map(out, 3);
    pack_text(out, "x");
    pack_double(out,
                dice_chance(author->dice, 20) ? 1e300 : (double)dice_below(author->dice, 4000) / 8);
    pack_text(out, "y");
    pack_uint(out, dice_below(author->dice, 4000));
    pack_text(out, "z_index");
    pack_int(out, dice_between(author->dice, -1000, 1000));
}

void soak_operation_pack_add(struct buffer *out, const struct soak_author *author, const char *id)
{
    const bool has_transform = dice_chance(author->dice, 600);
    open_operation(out, author, "add", "AddElement", 1);
    pack_text(out, "element");
    pack_map(out, has_transform ? 4 : 3);
    pack_id(out, author, id);
    pack_text(out, "kind");
    pack_map(out, 2);
    pack_text(out, "type");
    pack_text(out, "Text");
    pack_text(out, "data");
    pack_map(out, 1);
    pack_text(out, "content");
    pack_content(out, author);
    if (has_transform) {
        pack_text(out, "transform");
        pack_transform(out, author);
    }
    pack_text(out, "extra");
    pack_free_value(out, author);
}

static void pack_change(struct buffer *out, const struct soak_author *author)
{
    switch (dice_below(author->dice, 7)) {
    case 0:
        pack_text(out, "transform");
        pack_transform(out, author);
        break;
    case 1:
        pack_text(out, "selected");
        pack_bool(out, dice_chance(author->dice, 500));
        break;
    case 2:
        pack_text(out, "parent");
        if (dice_chance(author->dice, 500)) {
            pack_nil(out);
        } else {
            pack_text(out, "e0");
        }
        break;
    case 3: /* the patch's way to delete, where it is there at all */
        pack_text(out, "extra");
        pack_nil(out);
        break;
    case 4: /* of a wrong type: this part of the change has no effect */
        pack_text(out, "interactive");
        pack_text(out, "maybe");
        break;
    case 5:
        pack_text(out, "kind");
        pack_map(out, 1);
        pack_text(out, "data");
        pack_map(out, 1);
        pack_text(out, "content");
        pack_content(out, author);
        break;
    default:
        pack_text(out, "note");
        pack_free_value(out, author);
        break;
    }
}

void soak_operation_pack_update(struct buffer *out, const struct soak_author *author,
                                const char *id)
{
    open_operation(out, author, "update", "UpdateElement", 2);
    pack_id(out, author, id);
    pack_text(out, "changes");
    pack_map(out, 1);
    pack_change(out, author);
}

static void pack_remove(struct buffer *out, const struct soak_author *author)
{
    open_operation(out, author, "remove", "RemoveElement", 1);
    pack_id(out, author, NULL);
}

static void pack_interaction(struct buffer *out, const struct soak_author *author)
{
    open_operation(out, author, "interaction", "Interaction", 1);
    pack_text(out, "event");
    pack_free_value(out, author);
}

/* Fails for good; the rest of its batch goes on. */
static void pack_invalid(struct buffer *out, const struct soak_author *author)
{
    static const uint8_t extension[] = {0xd4, 0x05, 0x00};
    switch (dice_below(author->dice, 5)) {
    case 0: /* not even well-formed by the protocol's rules: nothing to echo */
        pack_raw(out, span_make(extension, sizeof(extension)));
        break;
    case 1:
        pack_uint(out, 7);
        break;
    case 2:
        open_operation(out, author, "remove", "RemoveElement", 0);
        break;
    case 3:
        open_operation(out, author, "explode", "ExplodeElement", 1);
        pack_id(out, author, NULL);
        break;
    default:
        open_operation(out, author, "update", "UpdateElement", 2);
        pack_id(out, author, NULL);
        pack_text(out, "changes");
        pack_map(out, 2); /* one key twice */
        pack_text(out, "selected");
        pack_bool(out, true);
        pack_text(out, "selected");
        pack_bool(out, false);
        break;
    }
}

void soak_operation_pack(struct buffer *out, const struct soak_author *author)
{
    const uint32_t kind = dice_below(author->dice, 100);
    if (kind < 32) {
        soak_operation_pack_add(out, author, NULL);
    } else if (kind < 76) {
        soak_operation_pack_update(out, author, NULL);
    } else if (kind < 88) {
        pack_remove(out, author);
    } else if (kind < 97) {
        pack_interaction(out, author);
    } else {
        pack_invalid(out, author);
    }
}
