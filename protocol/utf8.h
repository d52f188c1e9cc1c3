/** UTF-8 validity (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
#ifndef SCENESYNC_PROTOCOL_UTF8_H
#define SCENESYNC_PROTOCOL_UTF8_H

#include "protocol/span.h"

/** The bits that no byte of eight ASCII ones has. */
static const uint64_t UTF8_HIGH_BITS = UINT64_C(0x8080808080808080);

/** True where all of `text` is valid UTF-8. O(size), ASCII eight bytes at a time. */
bool utf8_is_valid(struct span text);

/** The size of the longest valid prefix, in bytes. */
size_t utf8_valid_prefix(struct span text);

#endif
