/* Writing csv. */
#ifndef REEL_TRAIN_TEXT_CSV_H
#define REEL_TRAIN_TEXT_CSV_H

#include "base/text.h"

/* Adds a field: quoted where it must be, quotes doubled, control bytes and invalid UTF-8 as \xNN. */
void reel_csv_field(reel_text *t, const char *field);

#endif
