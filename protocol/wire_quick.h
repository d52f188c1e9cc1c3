/**
 * Both checks of a message in one pass: the structural one and the strict one (wire.h). It knows
 * only one answer for sure, that a message keeps all rules, which nearly every one does; what is
 * wrong with any other, and where, the two checks themselves say.
 *
 * Private to wire_structure.c. Threading: stateless. Cost: one pass, no allocation, no recursion.
 */
#ifndef SCENESYNC_PROTOCOL_WIRE_QUICK_H
#define SCENESYNC_PROTOCOL_WIRE_QUICK_H

#include "protocol/wire.h"

/**
 * True where `message` passes wire_check_structure() and, as a whole, wire_check_strict(): `out` is
 * then what the former gives. False, and `out` is left alone, where it does not, or where that
 * cannot be told without memory: maps of very many keys, very many of them inside one another.
 */
__attribute__((warn_unused_result)) bool wire_quick_check(struct span message,
                                                          struct wire_structure *out);

#endif
