/* What the tests of models share: the formula behind the golden values, models made from a golden file, contexts and tables. */
#ifndef REEL_TEST_BED_H
#define REEL_TEST_BED_H

#include "../test.h"

#include "base/mem.h"
#include "format/safetensors.h"
#include "format/weights.h"
#include "models/arch.h"
#include "models/run.h"

/* Numbers of the golden script: tests/golden/make_golden.py, fill(). */
void bed_fill(const char *name, size_t n, double scale, double offset, float *out);
/* A weight's numbers: 1 + v/4 for norms, v/4 for all else. */
void bed_weight(const char *name, int rank, size_t n, float *out);

void bed_golden_open(const char *name, reel_tensors *st);  /* tests/golden/NAME.safetensors */
const float *bed_golden(const reel_tensors *st, const char *name, size_t *n);  /* a copy; free it */

void bed_write_text(const char *dir, const char *name, const char *text);

/* A checkpoint folder for the config of a golden file, with the formula's weights. */
void bed_write_model(const char *dir, const char *config_text);

/* Threads and instruction sets: what the same numbers must come out on. */
typedef struct bed_table { const char *name; int threads; const char *isa; bool fence; } bed_table;
extern const bed_table bed_tables[];
extern const size_t bed_table_count;
reel_context *bed_context(const bed_table *t);
reel_backend *bed_backend(const bed_table *t, reel_context *ctx);

/* max|a - b| / max|b|; a NaN fails. */
void bed_close(const char *what, const float *a, const float *b, size_t n, double bound);

/* Fails with the message: BED_OK(reel_model_open(ctx, dir, &m, bed_err)). */
#define BED_OK(expr) do { \
        reel_error bed_error = {0}, *bed_err = &bed_error; \
        if ((expr) != REEL_OK) \
            fail_msg("%s", bed_error.message); \
    } while (0)

#endif
