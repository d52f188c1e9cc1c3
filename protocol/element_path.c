#include "protocol/element_path.h"

#include <assert.h>

static bool is_escaped(uint8_t byte)
{
    return byte == '~' || byte == '/';
}

struct element_path element_path_make(const struct element_path *above, struct span key)
{
    size_t size = (above == NULL ? 0 : above->pointer_bytes) + 1 + key.size;
    for (size_t i = 0; i < key.size; i++) {
        size += is_escaped(key.data[i]);
    }
    return (struct element_path){.above = above, .key = key, .pointer_bytes = size};
}

void element_path_write(const struct element_path *path, uint8_t *pointer)
{
    /* From the end to the beginning: that is the way the chain goes. */
    uint8_t *to = pointer + path->pointer_bytes;
    for (; path != NULL; path = path->above) {
        for (size_t i = path->key.size; i > 0; i--) {
            uint8_t byte = path->key.data[i - 1];
            if (is_escaped(byte)) {
                *--to = byte == '~' ? '0' : '1';
                byte = '~';
            }
            *--to = byte;
        }
        *--to = '/';
    }
    assert(to == pointer);
}

struct span element_path_pointer(const struct element_path *path, struct arena *arena)
{
    uint8_t *pointer = arena_alloc(arena, path->pointer_bytes);
    if (pointer == NULL) {
        return (struct span){0};
    }
    element_path_write(path, pointer);
    return span_make(pointer, path->pointer_bytes);
}

/* A byte's rank in the order of pointers. */
static int rank(uint8_t byte)
{
    return byte == '/' ? -1 : byte;
}

int element_path_compare(const struct element_path *path, struct span pointer)
{
    size_t at = path->above == NULL ? 0 : path->above->pointer_bytes;
    if (at == pointer.size) {
        return 1; /* the pointer is the one above, and stands before all that is below */
    }
    assert(pointer.data[at] == '/');
    at++;
    for (size_t i = 0; i < path->key.size; i++) {
        uint8_t byte = path->key.data[i];
        uint8_t escaped[2] = {'~', byte == '~' ? '0' : '1'};
        size_t size = is_escaped(byte) ? 2 : 1;
        for (size_t k = 0; k < size; k++, at++) {
            int mine = size == 1 ? byte : escaped[k];
            if (at == pointer.size) {
                return 1;
            }
            if (mine != pointer.data[at]) {
                return mine - rank(pointer.data[at]);
            }
        }
    }
    return at == pointer.size || pointer.data[at] == '/' ? 0 : -1;
}

int element_pointer_compare(struct span a, struct span b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    for (size_t i = 0; i < size; i++) {
        if (a.data[i] != b.data[i]) {
            return rank(a.data[i]) - rank(b.data[i]);
        }
    }
    return (a.size > b.size) - (a.size < b.size);
}
