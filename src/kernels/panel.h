/* How a right operand of the blocks of math.h and low.h lies in memory: panels of REEL_PANEL columns, one behind the other, each with
 * its rows of REEL_PANEL numbers; columns behind the last are zeros. Types narrower than 32 bits go by words: two (bfloat16) or
 * four (int8) rows side by side. */
#ifndef REEL_KERNELS_PANEL_H
#define REEL_KERNELS_PANEL_H

#include <stddef.h>

enum { REEL_PANEL = 64 };

/* float32: rows go by parts of so many, and a part in strips of as many columns as the instruction set's block takes at once (16 in
 * AVX2, else the whole panel), so that a strip of a part stays in the first cache and is read straight on. */
enum { REEL_DEEP = 512 };

static inline size_t reel_panel_columns(size_t n) { return (n + REEL_PANEL - 1) / REEL_PANEL * REEL_PANEL; }

#endif
