/* Weights packed once, for inference: from the numbers of a file, in the precision of their products. */
#include "backend/cpu/weight.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"

/* Panels from numbers of any floating type: straight where the types agree, else through rows of float32, a thread each. */
static void load_panels(reel_cpu *c, void *panels, const reel_weight *w, const unsigned char *numbers, reel_dtype from)
{
    const reel_cpu_type *t = reel_cpu_type_of_pack(w->kind);
    const size_t out = w->plain.rows, in = w->plain.cols, size = reel_dtype_size(from);
    const bool straight = size == t->size && from == (w->kind == REEL_PACK_F32 ? REEL_F32 : REEL_BF16) &&
                          (uintptr_t)numbers % size == 0;
    float *rows = reel_cpu_scratch(c, straight ? 1 : (size_t)c->threads * REEL_PANEL * in * sizeof *rows);
    if (rows == NULL)
        return;
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (size_t j = 0; j < out; j += REEL_PANEL) {
        const size_t n = reel_cpu_min(REEL_PANEL, out - j);
        void *panel = reel_cpu_at(t, panels, j * t->depth(in));
        if (straight) {
            t->pack_turned(c, panel, numbers + j * in * size, in, in, n);
            continue;
        }
        float *mine = rows + (size_t)omp_get_thread_num() * REEL_PANEL * in;
        reel_dtype_to_float(mine, numbers + j * in * size, from, n * in);
        t->pack_turned_float(c, panel, mine, in, in, n);
    }
}

/* One row of W, symmetric: w = scale q, q from -127 to 127, to the nearest. */
static void quantise_weight_row(reel_cpu_weight *cw, size_t j, const float *row, int8_t *q, size_t in)
{
    float most = 0;
    int32_t sum = 0;
    for (size_t i = 0; i < in; i++)
        most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    const float factor = reel_quantise_factor(most);
    for (size_t i = 0; i < in; i++) {
        q[i] = (int8_t)nearbyintf(row[i] * factor);
        sum += q[i];
    }
    reel_pack_int8_row(cw->panels, q, j, in);
    cw->column[j] = most / 127.0f;
    cw->start[j] = -128 * sum;
}

static void load_int8(reel_cpu *c, reel_cpu_weight *cw, reel_view plain, const unsigned char *numbers, reel_dtype from)
{
    const size_t out = plain.rows, in = plain.cols, size = reel_dtype_size(from);
    float *rows = reel_cpu_scratch(c, (size_t)c->threads * in * (sizeof *rows + 1));
    if (rows == NULL)
        return;
    memset(cw->panels, 0, reel_quads_size(in, out));
#pragma omp parallel for num_threads(c->threads) schedule(static)
    for (size_t j = 0; j < out; j++) {
        float *row = rows + (size_t)omp_get_thread_num() * in;
        int8_t *q = (int8_t *)(rows + (size_t)c->threads * in) + (size_t)omp_get_thread_num() * in;
        reel_dtype_to_float(row, numbers + j * in * size, from, in);
        quantise_weight_row(cw, j, row, q, in);
    }
}

static void weight_free(reel_cpu_weight *cw)
{
    if (cw == NULL)
        return;
    reel_free(cw->panels);
    reel_free(cw->column);
    reel_free(cw->start);
    reel_free(cw);
}

static reel_cpu_weight *weight_new(const reel_weight *w)
{
    const size_t out = w->plain.rows, in = w->plain.cols;
    const reel_cpu_type *t = reel_cpu_type_of_pack(w->kind);
    const bool int8 = w->kind == REEL_PACK_INT8;
    reel_cpu_weight *cw = reel_calloc(1, sizeof *cw);
    if (cw == NULL)
        return NULL;
    cw->panels = int8 ? reel_alloc_aligned(reel_quads_size(in, out), 1) : reel_alloc_aligned(t->packed(in, out), t->size);
    if (int8) {
        cw->column = reel_calloc(out, sizeof *cw->column);
        cw->start = reel_calloc(reel_panel_columns(out), sizeof *cw->start);
    }
    if (cw->panels == NULL || (int8 && (cw->column == NULL || cw->start == NULL))) {
        weight_free(cw);
        return NULL;
    }
    return cw;
}

void reel_cpu_weight_unpack(reel_backend *be, reel_weight *w)
{
    (void)be;
    weight_free(w->packed);
    w->packed = NULL;
}

void reel_cpu_weight_load(reel_backend *be, reel_weight *w, const void *numbers, reel_dtype type)
{
    reel_cpu *c = reel_cpu_running(be);
    if (c == NULL)
        return;
    reel_cpu_weight *cw = w->packed != NULL ? w->packed : weight_new(w);
    w->packed = cw;
    if (cw == NULL)
        reel_backend_fail(be, REEL_ERR_NOMEM, "out of memory: packed weight (%zu, %zu)", w->plain.rows, w->plain.cols);
    else if (w->kind == REEL_PACK_INT8)
        load_int8(c, cw, w->plain, numbers, type);
    else
        load_panels(c, cw->panels, w, numbers, type);
}
