#include "tests/support/in_place_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { NO_BYTE = 0xc1 }; /* MessagePack never uses it */

struct in_place in_place;

void in_place_make(void)
{
    arena_init(&in_place.arena, (size_t)1 << 20);
    buffer_init(&in_place.copied, (size_t)1 << 20);
    in_place.limits = limits_default();
    in_place.room = (struct element_room){0};
}

void in_place_destroy(void)
{
    arena_deinit(&in_place.arena);
    buffer_deinit(&in_place.copied);
    free(in_place.room.bytes);
}

void in_place_store(struct span document, size_t spare)
{
    free(in_place.room.bytes);
    in_place.room = (struct element_room){.size = document.size, .capacity = document.size + spare};
    in_place.room.bytes = malloc(in_place.room.capacity);
    cr_assert_not_null(in_place.room.bytes);
    memcpy(in_place.room.bytes, document.data, document.size);
    memset(in_place.room.bytes + in_place.room.size, NO_BYTE, spare);
}

struct span in_place_stored(void)
{
    return span_make(in_place.room.bytes, in_place.room.size);
}

bool in_place_copy(struct span changes)
{
    const struct element_document document = {.bytes = in_place_stored(), .has_checked_kind = true};
    struct error error;
    arena_reset(&in_place.arena);
    buffer_clear(&in_place.copied);
    return element_patch(document, changes, &in_place.limits, &in_place.arena, &in_place.copied,
                         &error);
}

/** The transform's place, where it is known, is the transform's. */
static void assert_place(void)
{
    struct span transform = wire_map_find(in_place_stored(), "transform");
    cr_assert(in_place.room.transform_at == 0 ||
              (!span_is_absent(transform) && wire_is_map(transform) &&
               in_place.room.bytes + in_place.room.transform_at == transform.data));
}

bool in_place_change(struct span changes)
{
    const struct element_room before = in_place.room;
    uint8_t *bytes = malloc(in_place.room.capacity);
    cr_assert_not_null(bytes);
    memcpy(bytes, in_place.room.bytes, in_place.room.capacity);
    bool is_copied = in_place_copy(changes);
    bool is_taken = element_patch_in_place(&in_place.room, changes, &in_place.limits);
    cr_assert(in_place.room.bytes == before.bytes && in_place.room.capacity == before.capacity);
    if (is_taken) {
        cr_assert(is_copied, "a copy would have failed");
        cr_assert(in_place.room.size <= in_place.room.capacity);
        cr_assert(span_equal(in_place_stored(), buffer_span(&in_place.copied)),
                  "it is not the copy");
    } else {
        cr_assert_eq(in_place.room.size, before.size);
        cr_assert_eq(memcmp(in_place.room.bytes, bytes, in_place.room.capacity), 0,
                     "it is left, and yet changed");
    }
    assert_place();
    free(bytes);
    return is_taken;
}
