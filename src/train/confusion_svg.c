#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "train/report.h"

enum { MOST = 120, MARGIN = 170, TOP = 170, CELL_MAX = 36, PICTURE = 900 };

static void xml(reel_text *t, const char *s)
{
    char plain[128];
    reel_escape(plain, sizeof plain, s);
    for (const char *p = plain; *p != '\0'; p++) {
        const char *put = *p == '&' ? "&amp;" : *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : *p == '"' ? "&quot;" : NULL;
        if (put != NULL)
            reel_text_puts(t, put);
        else
            reel_text_add(t, p, 1);
    }
}

/* Classes that occur, as label or as answer: a model with 400 labels judged on 10 shows those that matter. */
static size_t classes_choose(const reel_eval_report *r, size_t chosen[MOST])
{
    size_t n = 0;
    for (size_t k = 0; k < r->classes && n < MOST; k++) {
        size_t seen = r->cls[k].videos;
        for (size_t i = 0; i < r->classes && seen == 0; i++)
            seen += r->confusion[i * r->classes + k];
        if (seen > 0)
            chosen[n++] = k;
    }
    return n;
}

static void names_add(reel_text *t, const reel_eval_report *r, const size_t *chosen, size_t n, int cell)
{
    for (size_t i = 0; i < n; i++) {
        int at = (int)i * cell + cell / 2;
        reel_text_printf(t, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", MARGIN - 6, TOP + at + 4);
        xml(t, r->cls[chosen[i]].name);
        reel_text_printf(t, "</text>\n<text transform=\"translate(%d %d) rotate(-60)\">", MARGIN + at, TOP - 6);
        xml(t, r->cls[chosen[i]].name);
        reel_text_puts(t, "</text>\n");
    }
}

/* White to dark blue by the share of the row; the number in it where there is room. */
static void cell_add(reel_text *t, int x, int y, int cell, size_t count, size_t of)
{
    double share = of > 0 ? (double)count / (double)of : 0;
    int red = (int)(255 - 247 * share), green = (int)(255 - 207 * share), blue = (int)(255 - 148 * share);
    reel_text_printf(t,
                     "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%02x%02x%02x\" stroke=\"#ddd\"/>\n",
                     x, y, cell, cell, (unsigned)red, (unsigned)green, (unsigned)blue);
    if (count > 0 && cell >= 18)
        reel_text_printf(t, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" fill=\"%s\">%zu</text>\n", x + cell / 2,
                         y + cell / 2 + 4, share > 0.5 ? "#fff" : "#000", count);
}

char *reel_confusion_svg(const reel_eval_report *r)
{
    reel_text t = {0};
    size_t chosen[MOST], n = classes_choose(r, chosen);
    int cell = n > 0 ? (int)(PICTURE / n) : CELL_MAX;
    cell = cell > CELL_MAX ? CELL_MAX : cell < 6 ? 6 : cell;
    int side = (int)n * cell;
    reel_text_printf(&t,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                     "font-family=\"sans-serif\" font-size=\"%d\">\n"
                     "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"6\" y=\"18\">rows: true "
                     "class, columns: answer; accuracy %.1f %%</text>\n",
                     MARGIN + side + 120, TOP + side + 20, cell >= 12 ? 11 : 6, 100 * r->accuracy);
    names_add(&t, r, chosen, n, cell);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            cell_add(&t, MARGIN + (int)k * cell, TOP + (int)i * cell, cell,
                     r->confusion[chosen[i] * r->classes + chosen[k]], r->cls[chosen[i]].videos);
    reel_text_puts(&t, "</svg>\n");
    return reel_text_take(&t);
}
