/* Between the two files of the card. */
#ifndef REEL_HUB_CARD_YAML_H
#define REEL_HUB_CARD_YAML_H

#include "base/text.h"
#include "hub/card.h"

/* The block without its fences. */
void reel_card_yaml(reel_text *out, const reel_card *c);
/* One scalar. */
void reel_yaml_add(reel_text *out, const char *text);
/* `old` with the keys of the block that it lacks. NULL: no memory. */
char *reel_card_add_missing(const reel_card *c, const char *old);
/* Means over the classes that have videos; false where none has. */
bool reel_card_averages(const reel_card *c, double *precision, double *recall, double *f1);

#endif
