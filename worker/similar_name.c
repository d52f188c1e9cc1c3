#include "worker/similar_name.h"

#include <ctype.h>
#include <string.h>

char similar_name_fold(char letter)
{
    if (letter == '.') {
        return '_';
    }
    return (char)tolower((unsigned char)letter);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/** Levenshtein's distance between two names of at most SIMILAR_NAME_BYTES_MAX bytes. */
static size_t name_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t row[SIMILAR_NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            bool is_same = similar_name_fold(a[i - 1]) == similar_name_fold(b[j - 1]);
            size_t replaced = diagonal + (is_same ? 0 : 1);
            diagonal = row[j];
            row[j] = smaller(replaced, smaller(row[j - 1], row[j]) + 1);
        }
    }
    return row[b_size];
}

struct similar_name similar_name_of(const char *wanted)
{
    /* One slip in four letters may be a slip. */
    return (struct similar_name){.wanted = wanted, .best_distance = strlen(wanted) / 4 + 1};
}

bool similar_name_offer(struct similar_name *similar, const char *candidate)
{
    size_t size = strlen(similar->wanted);
    size_t candidate_size = strlen(candidate);
    if (size > SIMILAR_NAME_BYTES_MAX || candidate_size > SIMILAR_NAME_BYTES_MAX) {
        return false;
    }
    size_t distance = name_distance(similar->wanted, size, candidate, candidate_size);
    if (distance >= similar->best_distance) {
        return false;
    }
    similar->best_distance = distance;
    return true;
}
