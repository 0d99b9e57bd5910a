/* The page that people read, and what becomes of one that is there. */
#include "hub/card.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "hub/card_yaml.h"

static const char mark[] = "<!-- Written by reel, which writes it anew at each push while this line is here. Remove the line to keep your "
    "own words. -->";

/* '_' inside a word means nothing. */
static bool is_inside_word(const char *text, const char *s)
{
    return *s == '_' && s > text && isalnum((unsigned char)s[-1]) && isalnum((unsigned char)s[1]);
}

/* Text in a paragraph or a table: what Markdown would take for its own is escaped, line ends are blanks. */
static void add_words(reel_text *out, const char *text)
{
    for (const char *s = text; *s != '\0'; s++) {
        if (strchr("\\`*_[]<>|#&", *s) != NULL && !is_inside_word(text, s))
            reel_text_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20 || *s == 0x7F)
            reel_text_puts(out, " ");
        else
            reel_text_add(out, s, 1);
    }
}

/* A name of the Hub as a link. */
static void add_link(reel_text *out, const char *id, const char *kind)
{
    reel_text_puts(out, "[");
    add_words(out, id);
    reel_text_printf(out, "](https://huggingface.co/%s%s)", kind, id);
}

static void add_intro(reel_text *out, const reel_card *c)
{
    reel_text_puts(out, "# ");
    add_words(out, c->name);
    reel_text_puts(out, "\n\nThis model tells what is done in a video. It is ");
    if (c->base_model != NULL) {
        reel_text_puts(out, "a fine-tuned version of ");
        add_link(out, c->base_model, "");
    } else {
        add_words(out, c->started_from != NULL ? c->started_from : "a fine-tuned model");
    }
    reel_text_puts(out, ", trained on ");
    if (c->dataset != NULL)
        add_link(out, c->dataset, "datasets/");
    else if (c->dataset_name != NULL)
        add_words(out, c->dataset_name);
    else
        reel_text_puts(out, "videos of its makers");
    reel_text_puts(out, ".\n");
}

static void add_figure(reel_text *out, const char *name, double value)
{
    if (isfinite(value))
        reel_text_printf(out, "- %s: %.4f\n", name, value);
}

static void add_results(reel_text *out, const reel_card *c)
{
    double precision, recall, f1;
    if (!isfinite(c->loss) && !isfinite(c->accuracy))
        return;
    reel_text_puts(out, "\nIt achieves the following results on the evaluation set");
    if (c->split != NULL) {
        reel_text_puts(out, " (");
        add_words(out, c->split);
        reel_text_puts(out, ")");
    }
    reel_text_puts(out, ":\n\n");
    add_figure(out, "Loss", c->loss);
    add_figure(out, isfinite(c->video_accuracy) ? "Accuracy of clips" : "Accuracy", c->accuracy);
    add_figure(out, "Accuracy of videos (mean over their clips)", c->video_accuracy);
    if (reel_card_averages(c, &precision, &recall, &f1)) {
        add_figure(out, "F1 of videos (macro)", f1);
        add_figure(out, "Precision of videos (macro)", precision);
        add_figure(out, "Recall of videos (macro)", recall);
    }
}

static void add_classes(reel_text *out, const reel_card *c)
{
    if (c->classes == 0)
        return;
    reel_text_puts(out, "\n## Accuracy of each class, by video\n\n| Class | Videos | Accuracy | Precision "
                   "|\n|:------|-------:|---------:|----------:|\n");
    for (size_t i = 0; i < c->classes; i++) {
        const reel_card_class *k = &c->cls[i];
        reel_text_puts(out, "| ");
        add_words(out, k->name);
        reel_text_printf(out, " | %zu | ", k->videos);
        if (k->videos > 0)
            reel_text_printf(out, "%.4f", (double)k->right / (double)k->videos);
        reel_text_puts(out, " | ");
        if (k->answers > 0)
            reel_text_printf(out, "%.4f", (double)k->right / (double)k->answers);
        reel_text_puts(out, " |\n");
    }
}

static void add_use(reel_text *out, const reel_card *c)
{
    const char *name = c->id != NULL ? c->id : "path/to/this/folder";
    reel_text_printf(out, "\n## How to use it\n\nWith reel:\n\n```sh\nreel predict --model %s video.mp4\n```\n\n"
                     "With transformers:\n\n```python\nfrom transformers import pipeline\n\n"
                     "classifier = pipeline(\"video-classification\", model=\"%s\")\nprint(classifier(\"video.mp4\"))\n```\n", name, name);
}

static void add_list(reel_text *out, const char *heading, const reel_card_pair *pair, size_t n)
{
    if (n == 0)
        return;
    reel_text_printf(out, "\n%s\n\n", heading);
    for (size_t i = 0; i < n; i++) {
        reel_text_puts(out, "- ");
        add_words(out, pair[i].name);
        reel_text_puts(out, pair[i].value[0] != '\0' ? ": " : "");
        add_words(out, pair[i].value);
        reel_text_puts(out, "\n");
    }
}

static void add_rows(reel_text *out, const reel_card *c)
{
    if (c->rows == 0)
        return;
    reel_text_puts(out, "\n### Training results\n\n| Training Loss | Epoch | Step | Validation Loss | Accuracy |\n"
                   "|:-------------:|:-----:|:----:|:---------------:|:--------:|\n");
    for (size_t i = 0; i < c->rows; i++) {
        const reel_card_row *r = &c->row[i];
        char epoch[32];
        reel_format_double(epoch, round(r->epoch * 1e4) / 1e4);
        if (isfinite(r->loss))
            reel_text_printf(out, "| %.4f ", r->loss);
        else
            reel_text_puts(out, "| No log ");
        reel_text_printf(out, "| %s | %lld | %.4f | %.4f |\n", epoch, (long long)r->step, r->eval_loss, r->accuracy);
    }
}

char *reel_card_text(const reel_card *c)
{
    reel_text out = {0};
    reel_text_puts(&out, "---\n");
    reel_card_yaml(&out, c);
    reel_text_printf(&out, "---\n\n%s\n\n", mark);
    add_intro(&out, c);
    add_results(&out, c);
    add_classes(&out, c);
    add_use(&out, c);
    add_list(&out, "## Clips", c->sampling, c->samplings);
    add_list(&out, "## Training procedure\n\n### Training hyperparameters", c->setting, c->settings);
    add_rows(&out, c);
    add_list(&out, "### Framework versions", c->version, c->versions);
    return reel_text_take(&out);
}

bool reel_card_is_ours(const char *text) { return strstr(text, "<!-- Written by reel") != NULL; }

char *reel_card_merge(const reel_card *c, const char *old)
{
    return reel_card_is_ours(old) ? reel_card_text(c) : reel_card_add_missing(c, old);
}
