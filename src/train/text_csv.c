#include "train/text_csv.h"

#include <string.h>

void reel_csv_field(reel_text *t, const char *field)
{
    char plain[4096];
    reel_escape(plain, sizeof plain, field);
    bool quote = strpbrk(plain, ",\"") != NULL;
    if (quote)
        reel_text_puts(t, "\"");
    for (const char *p = plain; *p != '\0'; p++) {
        if (*p == '"')
            reel_text_puts(t, "\"");
        reel_text_add(t, p, 1);
    }
    if (quote)
        reel_text_puts(t, "\"");
}
