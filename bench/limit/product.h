/* Matrix products of oneDNN, made once for a shape and run often. onednn.c alone knows the library. */
#ifndef REEL_BACKEND_CPU_PRODUCT_H
#define REEL_BACKEND_CPU_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/backend.h"

typedef struct reel_product reel_product;
typedef struct reel_products reel_products;

/* What is multiplied. Sums are float32, those of whole numbers int32. */
typedef enum reel_product_kind {
    REEL_PRODUCT_F32,   /* A, B, C float32 */
    REEL_PRODUCT_BF16,  /* A, B bfloat16; C float32, or bfloat16 with c_bf16 */
    REEL_PRODUCT_INT8   /* A uint8, B int8, C int32; no bias, act or sum */
} reel_product_kind;

/* C (m, n) = act(A B + bias) [+ C], rows `ld` elements apart. */
typedef struct reel_product_spec {
    size_t m, n, k, lda, ldb, ldc;
    reel_product_kind kind;
    bool c_bf16;
    bool b_f32;     /* BF16, packed: pack is given float32 numbers */
    bool a_turned;  /* A is stored (k, m) */
    bool b_turned;  /* B is stored (n, k) */
    bool packed;    /* B comes from reel_product_pack; ldb and b_turned say how pack finds it */
    bool serial;    /* run by one thread, also by several at once, each with its slot; else by all threads, slot 0 */
    bool bias;      /* a row of n float32 numbers is added before act */
    bool sum;       /* what is in C is added behind act */
    reel_act act;
    const reel_product *layout;  /* packed only: B was packed for that product (same n, k); NULL: for this one */
} reel_product_spec;

reel_status reel_products_open(int threads, reel_products **out, reel_error *err);
void reel_products_close(reel_products **ps);

/* The product for a specification, from the table or newly made. Not for parallel regions; changes the thread count of
 * OpenMP while it runs. Lives as long as the table. */
reel_status reel_product_get(reel_products *ps, const reel_product_spec *spec, reel_product **out, reel_error *err);

size_t reel_product_packed_bytes(const reel_product *p);

/* false: the library failed. `b`: plain numbers, or packed where the product is. `bias` only where the product has one. */
bool reel_product_pack(reel_product *p, int slot, void *packed, const void *b);
bool reel_product_run(reel_product *p, int slot, void *c, const void *a, const void *b, const float *bias);

#endif
