/* A test bed: one back end, matrices on it with guards, and naive arithmetic in double to compare with. */
#ifndef REEL_TESTS_BACKEND_BED_H
#define REEL_TESTS_BACKEND_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "backend/backend.h"

/* "cpu", "plain" (no vector kernels) or "fence"; with 2 threads. */
extern const char *bed_kind;
extern reel_context *bed_context;
extern reel_backend *bed;

/* A matrix: its numbers on the host as float32 (rows x ld), its place on the device, and `raw`, what lies there (the numbers
 * themselves for F32). What lies between rows and behind the last is a pattern that must survive; on the fence nothing lies
 * behind the last but a closed page. */
typedef struct mat { reel_view v; float *host; size_t bytes; void *raw; } mat;

void bed_open(int threads);
void bed_close(void);
float bed_random(void);  /* -1 to 1 */
void bed_seed(uint32_t s);

mat mat_new(size_t rows, size_t cols, size_t ld);     /* random numbers */
mat mat_empty(size_t rows, size_t cols, size_t ld);   /* no numbers (NaN) */
mat mat_new_of(reel_dtype t, size_t rows, size_t cols, size_t ld);    /* F32 or BF16 */
mat mat_empty_of(reel_dtype t, size_t rows, size_t cols, size_t ld);
mat mat_row(size_t n);                                /* a vector of random numbers */
mat mat_none(void);
mat mat_copy(const mat *m);                           /* another matrix of the same numbers */
void mat_free(mat *m);
void mat_put(mat *m);                                 /* host to device; the host's numbers become what is stored */
void mat_get(mat *m);                                 /* device to host, after a sync that must be well */
double mat_at(const mat *m, size_t r, size_t c);
/* got's device numbers are within tolerance * max|want| of want (rows x cols), and the pattern is whole. */
void mat_check(const char *what, mat *got, const double *want, double tolerance);
/* The same where the largest number says nothing about the rounding: a bound on the difference itself. */
void mat_check_absolute(const char *what, mat *got, const double *want, double bound);
/* Each number within slack[i] of want[i] before it was rounded to the matrix's type, once, to nearest. */
void mat_check_each(const char *what, mat *got, const double *want, const double *slack);
/* Root of the mean square of the differences, over that of want. */
void mat_check_rms(const char *what, mat *got, const double *want, double bound);
static inline float *mat_dev(const mat *m) { return m->v.dev; }

float half_round(float x);                /* to the nearest bfloat16, ties to even; made without reel */
uint16_t half_bits(float x);
double half_unit(reel_dtype t);           /* the most that rounding to nearest changes a number by, relative: 2^-24, 2^-8 */

double *doubles(size_t n);  /* zeroed */

/* Runs a test program on the kind of back end that the first argument names. */
int bed_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count);
#define BED_MAIN(...) \
    int main(int argc, char **argv) \
    { \
        const struct CMUnitTest tests[] = {__VA_ARGS__}; \
        return bed_main(argc, argv, tests, sizeof tests / sizeof *tests); \
    }

#endif
