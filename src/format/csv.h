/* Lists of clips: one `path label` or `path,label` a line. */
#ifndef REEL_FORMAT_CSV_H
#define REEL_FORMAT_CSV_H
#include "base/error.h"
#include <stddef.h>
typedef struct reel_csv_row { char *path, *label; size_t line; } reel_csv_row;
typedef struct reel_csv { reel_csv_row *row; size_t n; } reel_csv;
/* Text of n bytes; `what` names it in messages. Blank lines, CRLF and a UTF-8 mark are fine. Fuzz entry. */
reel_status reel_csv_parse(const char *text, size_t n, const char *what, reel_csv *out, reel_error *err);
void reel_csv_free(reel_csv *csv);
#endif
