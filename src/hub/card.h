/* README.md of a model: the block of YAML that the Hub reads, and the page that people read. Pure text: facts in, text out. */
#ifndef REEL_HUB_CARD_H
#define REEL_HUB_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An evaluation of the run. loss NaN: none was logged before it. */
typedef struct reel_card_row { double loss, epoch; int64_t step; double eval_loss, accuracy; } reel_card_row;

/* Of videos: how many are of the class, were taken for it, and both. */
typedef struct reel_card_class { const char *name; size_t videos, answers, right; } reel_card_class;

typedef struct reel_card_pair { const char *name, *value; } reel_card_pair;

/* Text may hold anything. NULL: not known, and left out; numbers: NaN. */
typedef struct reel_card {
    const char *name;                    /* the model's: no path */
    const char *id;                      /* ORG/NAME on the Hub */
    const char *license;
    const char *base_model;              /* ORG/NAME; NULL: not one of the Hub */
    const char *started_from;            /* for people, where it is none */
    const char *dataset;                 /* ORG/NAME; NULL: local */
    const char *dataset_name, *split;    /* for people; of the evaluation */
    double loss, accuracy, video_accuracy;
    const reel_card_class *cls; size_t classes;
    const reel_card_row *row; size_t rows;
    const reel_card_pair *setting; size_t settings;     /* hyperparameters */
    const reel_card_pair *sampling; size_t samplings;   /* how clips are cut and made into pixels */
    const reel_card_pair *version; size_t versions;
} reel_card;

enum { REEL_CARD_LIMIT = 8 << 20 };  /* bytes of one that is read */

/* The whole of it. NULL: no memory. */
char *reel_card_text(const reel_card *c);

/* The same where a README.md is there already: one that reel wrote is replaced, of any other only missing keys of the block are added.
 * NULL: no memory. */
char *reel_card_merge(const reel_card *c, const char *old);

/* Did reel write it, and its reader leave it so? */
bool reel_card_is_ours(const char *text);

/* A scalar of YAML: as it is where no reader can take it for something else, in quotes otherwise. NULL: no memory. */
char *reel_card_scalar(const char *text);

#endif
