/* The block of YAML at the top of a card (hub.md, section 11), and adding to one that is there. */
#include "hub/card_yaml.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* ---- scalars ---- */

/* Words that YAML 1.1 reads as something else than text. */
static bool is_reserved(const char *text)
{
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool is_plain(const char *text)
{
    const bool letter = (text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z');
    return letter && !is_reserved(text) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") == strlen(text);
}

/* A code point, and its length in bytes; U+FFFD and 1 for what is no UTF-8. */
static unsigned code_point(const unsigned char *s, size_t *n)
{
    const size_t length = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    unsigned c = length == 1 ? s[0] : s[0] & (0x7Fu >> length);
    if (!reel_utf8_valid((const char *)s, strnlen((const char *)s, length)) || strnlen((const char *)s, length) < length) {
        *n = 1;
        return 0xFFFD;
    }
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (s[i] & 0x3Fu);
    *n = length;
    return c;
}

/* Control characters, line ends of all kinds, the mark of byte order, what is no character. */
static bool must_escape(unsigned c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF || (c & 0xFFFE) == 0xFFFE ||
           (c >= 0xFDD0 && c <= 0xFDEF);
}

static void add_quoted(reel_text *out, const char *text)
{
    size_t n;
    reel_text_puts(out, "\"");
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0'; s += n) {
        const unsigned c = code_point(s, &n);
        if (c == '"' || c == '\\')
            reel_text_printf(out, "\\%c", (int)c);
        else if (must_escape(c))
            reel_text_printf(out, c > 0xFFFF ? "\\U%08X" : "\\u%04X", c);
        else if (c == 0xFFFD)
            reel_text_puts(out, "\xEF\xBF\xBD");
        else
            reel_text_add(out, (const char *)s, n);
    }
    reel_text_puts(out, "\"");
}

void reel_yaml_add(reel_text *out, const char *text)
{
    if (is_plain(text))
        reel_text_puts(out, text);
    else
        add_quoted(out, text);
}

char *reel_card_scalar(const char *text)
{
    reel_text out = {0};
    reel_yaml_add(&out, text);
    return reel_text_take(&out);
}

/* ---- macro averages ---- */

bool reel_card_averages(const reel_card *c, double *precision, double *recall, double *f1)
{
    size_t n = 0;
    *precision = *recall = *f1 = 0;
    for (size_t i = 0; i < c->classes; i++) {
        const reel_card_class *k = &c->cls[i];
        if (k->videos == 0)
            continue;
        const double right = (double)k->right;
        *recall += right / (double)k->videos;
        *precision += k->answers > 0 ? right / (double)k->answers : 0;
        *f1 += 2 * right / (double)(k->videos + k->answers);
        n++;
    }
    *precision /= (double)n;
    *recall /= (double)n;
    *f1 /= (double)n;
    return n > 0;
}

/* ---- the block, key by key ---- */

static void add_key(reel_text *out, const char *key, const char *value)
{
    reel_text_printf(out, "%s: ", key);
    reel_yaml_add(out, value);
    reel_text_puts(out, "\n");
}

/* Four decimals at most, and always a number of YAML: 0.9419, 1.0. */
static void add_number(reel_text *out, double x)
{
    char text[32];
    reel_format_double(text, round(x * 1e4) / 1e4);
    reel_text_puts(out, strchr(text, 'e') != NULL ? "0.0" : text);
}

static void add_metric(reel_text *out, const char *type, const char *name, const char *of, double value)
{
    reel_text_printf(out, "    - type: %s\n      name: %s%s\n      value: ", type, name, of);
    add_number(out, value);
    reel_text_puts(out, "\n");
}

static void add_index(reel_text *out, const reel_card *c)
{
    double precision, recall, f1;
    reel_text_puts(out, "model-index:\n- name: ");
    reel_yaml_add(out, c->name);
    reel_text_puts(out, "\n  results:\n  - task:\n      type: video-classification\n      name: Video Classification\n    dataset:\n      "
                   "type: ");
    reel_yaml_add(out, c->dataset != NULL ? c->dataset : c->dataset_name);
    reel_text_puts(out, "\n      name: ");
    reel_yaml_add(out, c->dataset_name);
    if (c->split != NULL) {
        reel_text_puts(out, "\n      split: ");
        reel_yaml_add(out, c->split);
    }
    reel_text_puts(out, "\n    metrics:\n");
    const bool both = isfinite(c->video_accuracy);  /* then a name says of what it is */
    const char *of_videos = both ? " of videos" : "";
    add_metric(out, "accuracy", "Accuracy", both ? " of clips" : "", c->accuracy);
    if (both)
        add_metric(out, "accuracy", "Accuracy", of_videos, c->video_accuracy);
    if (reel_card_averages(c, &precision, &recall, &f1)) {
        add_metric(out, "f1", "F1 (macro)", of_videos, f1);
        add_metric(out, "precision", "Precision (macro)", of_videos, precision);
        add_metric(out, "recall", "Recall (macro)", of_videos, recall);
    }
}

static void add_metrics(reel_text *out, const reel_card *c)
{
    double unused[3];
    reel_text_puts(out, "metrics:\n- accuracy\n");
    if (reel_card_averages(c, &unused[0], &unused[1], &unused[2]))
        reel_text_puts(out, "- f1\n- precision\n- recall\n");
}

static void add_value(reel_text *out, const reel_card *c, const char *key)
{
    const bool measured = isfinite(c->accuracy) && c->dataset_name != NULL && c->name != NULL;
    if (strcmp(key, "library_name") == 0)
        add_key(out, key, "transformers");
    else if (strcmp(key, "license") == 0 && c->license != NULL)
        add_key(out, key, c->license);
    else if (strcmp(key, "base_model") == 0 && c->base_model != NULL)
        add_key(out, key, c->base_model);
    else if (strcmp(key, "pipeline_tag") == 0)
        add_key(out, key, "video-classification");
    else if (strcmp(key, "tags") == 0)
        reel_text_puts(out, "tags:\n- video-classification\n- reel\n");
    else if (strcmp(key, "datasets") == 0 && c->dataset != NULL) {
        reel_text_puts(out, "datasets:\n- ");
        reel_yaml_add(out, c->dataset);
        reel_text_puts(out, "\n");
    } else if (strcmp(key, "metrics") == 0 && measured)
        add_metrics(out, c);
    else if (strcmp(key, "model-index") == 0 && measured)
        add_index(out, c);
}

static const char *const keys[] = {"library_name", "license", "base_model", "pipeline_tag", "tags", "datasets", "metrics", "model-index"};

void reel_card_yaml(reel_text *out, const reel_card *c)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        add_value(out, c, keys[i]);
}

/* ---- one that is there ---- */

static bool is_fence(const char *line)
{
    if (strncmp(line, "---", 3) != 0)
        return false;
    const char *rest = line + 3 + strspn(line + 3, " \t\r");
    return *rest == '\n' || *rest == '\0';
}

/* Where the block begins and ends (at its second fence); false where there is none. */
static bool find_block(const char *text, const char **begin, const char **end)
{
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
        text += 3;
    text += strspn(text, " \t\r\n");
    if (!is_fence(text))
        return false;
    *begin = text + reel_line_length(text);
    for (const char *line = *begin; *line != '\0'; line += reel_line_length(line))
        if (is_fence(line)) {
            *end = line;
            return true;
        }
    return false;
}

/* A key at the left edge, in quotes or not. */
static bool has_key(const char *begin, const char *end, const char *key)
{
    const size_t n = strlen(key);
    for (const char *line = begin; line < end; line += reel_line_length(line)) {
        const bool quoted = *line == '"' || *line == '\'';
        const char *at = line + quoted;
        if (strncmp(at, key, n) == 0 && (!quoted || at[n] == *line) && at[n + quoted + strspn(at + n + quoted, " \t")] == ':')
            return true;
    }
    return false;
}

/* "{…}": nothing can be added below. */
static bool is_flow(const char *begin, const char *end)
{
    const char *first = begin + strspn(begin, " \t\r\n");
    return first < end && *first == '{';
}

char *reel_card_add_missing(const reel_card *c, const char *old)
{
    reel_text out = {0};
    const char *begin, *end;
    if (!find_block(old, &begin, &end)) {
        reel_text_puts(&out, "---\n");
        reel_card_yaml(&out, c);
        reel_text_puts(&out, "---\n\n");
        reel_text_puts(&out, old);
        return reel_text_take(&out);
    }
    reel_text_add(&out, old, (size_t)(end - old));
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !is_flow(begin, end); i++)
        if (!has_key(begin, end, keys[i]))
            add_value(&out, c, keys[i]);
    reel_text_puts(&out, end);
    return reel_text_take(&out);
}
