/* What the parts of bench_limit share: the operations of VideoMAE, memory for their operands, the clock's results. */
#ifndef REEL_BENCH_LIMIT_H
#define REEL_BENCH_LIMIT_H

#include <reel/model.h>

#include "backend/backend.h"
#include "product.h"

enum { SETS = 3, MAX_ROUNDS = 101, TOKENS = 1568, FORMS = 4 };

/* PATCH and FORWARD: in training, from plain weights. *_INFER: weights packed once. */
typedef enum op_kind { PATCH, PATCH_INFER, FORWARD, INFER, INPUT, WEIGHT, ATTENTION_FWD, ATTENTION_BWD, NORM_FWD, NORM_BWD, ACT_BWD, CAST, UPDATE } op_kind;

typedef struct op {
    const char *name;
    op_kind kind;
    size_t m, n, k;                /* (m, k) times (k, n); rows and columns of the others in m, n */
    int forward, step;             /* how often in a forward, in a training step */
    bool keep, residual;
    reel_act act;
    reel_weight weight;            /* *_INFER: ours, packed */
    reel_product *product[FORMS];  /* bare forms, of which the best counts */
    void *packed[FORMS];           /* the right operand of those that want it packed */
    int forms;
    double ours[MAX_ROUNDS], bare[FORMS][MAX_ROUNDS], limit;
} op;

/* Numbers of one type for operands, several sets, which rotate as layers would have it. Without memory it measures. */
typedef struct pool { char *base[SETS]; size_t at, most; } pool;

typedef struct bench {
    reel_context *ctx;
    reel_backend *be;
    reel_products *products;
    reel_precision precision;
    reel_dtype type;               /* of what lies between the layers' residual stream */
    int threads, rounds;
    size_t batch, heads, width, tokens, parameters;
    pool floats, halves, bytes;    /* bytes: whole numbers for bare products */
    float *all;                    /* the parameters of the whole model and what belongs to them */
} bench;

void limit_stop(const char *why);
void *limit_memory(size_t bytes);
void limit_fill(float *p, size_t n);     /* random numbers, -1/4 to 1/4 */

/* Operands: begin, then one after the other. */
void limit_begin(bench *b);
void *limit_take(bench *b, reel_dtype t, int set, size_t n);

static inline bool op_is_linear(const op *o) { return o->kind <= WEIGHT; }
static inline bool op_is_attention(const op *o) { return o->kind == ATTENTION_FWD || o->kind == ATTENTION_BWD; }
/* The others have the limit of the same shape in inference, or none. */
static inline bool op_has_bare(const op *o) { return op_is_attention(o) || (op_is_linear(o) && o->kind != FORWARD && o->kind != PATCH); }

/* bare.c */
void bare_prepare(bench *b, op *o);
void bare_run(bench *b, op *o, int form, int set);   /* while measuring: takes operands and does nothing */
/* ours.c */
void ours_prepare(bench *b, op *o);
void ours_run(bench *b, op *o, int set);             /* while measuring: plans */

#endif
