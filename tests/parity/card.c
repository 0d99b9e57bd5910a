/* For push_parity.py: each text of stdin, ended by NUL, put wherever a card has free text; the cards go to stdout, ended by NUL. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/card.h"

int main(void)
{
    char *text = NULL;
    size_t size = 0;
    while (getdelim(&text, &size, '\0', stdin) > 0) {
        const reel_card_class cls = {text, 2, 2, 1};
        const reel_card_pair pair = {text, text};
        const reel_card c = {.name = text, .license = text, .dataset_name = text, .split = text, .started_from = text, .loss = 0.5, .accuracy = 1,
                             .video_accuracy = NAN, .cls = &cls, .classes = 1, .setting = &pair, .settings = 1};
        char *card = reel_card_text(&c);
        if (card == NULL)
            return 1;
        fwrite(card, 1, strlen(card) + 1, stdout);
        reel_free(card);
    }
    free(text);
    return fflush(stdout) != 0;
}
