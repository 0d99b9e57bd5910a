/* Products through oneDNN's matmul, in its 2.x and its 3.x interface: what bench_limit measures reel's own against.
 *
 * matmul with B in the layout it asks for is the fastest form or within 3 % of it in all shapes. A primitive that several threads
 * execute needs the user's scratchpad, one a thread. Inside a parallel region oneDNN runs serially; such primitives are made while
 * OpenMP is told that there is one thread. */
#include "product.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { BUCKETS = 256 };
typedef enum memory_role { MEM_A, MEM_B, MEM_C, MEM_BIAS, MEM_PAD, MEM_PLAIN, MEM_PACKED, MEM_PACK_PAD, MEM_ROLES } memory_role;
typedef struct slot_memories { dnnl_memory_t of[MEM_ROLES]; } slot_memories;

/* A specification field by field, to be compared: what lies between its fields in memory is anything. */
typedef struct spec_words { size_t w[8]; } spec_words;

struct reel_product {
    reel_product_spec spec;
    spec_words words;
    reel_products *owner;
    dnnl_primitive_desc_t desc, pack_desc;
    dnnl_primitive_t run, pack;
    size_t packed_bytes;
    slot_memories *slots;
    int slot_count;
    reel_product *next;
};

struct reel_products {
    int threads;
    dnnl_engine_t engine;
    dnnl_stream_t *streams;  /* one a slot */
    void **pads;
    size_t pad_bytes;
    reel_product *buckets[BUCKETS];
};

/* ---- the two interfaces ---- */

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t desc_ref;
static desc_ref desc_of(const dnnl_memory_desc_t *d) { return *d; }
static void desc_free(dnnl_memory_desc_t *d) { if (*d != NULL) dnnl_memory_desc_destroy(*d); }
static dnnl_status_t desc_strided(dnnl_memory_desc_t *d, const dnnl_dims_t dims, dnnl_data_type_t t, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(d, 2, dims, t, strides);
}
static dnnl_status_t desc_any(dnnl_memory_desc_t *d, const dnnl_dims_t dims, dnnl_data_type_t t)
{
    return dnnl_memory_desc_create_with_tag(d, 2, dims, t, dnnl_format_tag_any);
}
static dnnl_status_t matmul_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine, desc_ref a, desc_ref b, desc_ref bias,
                                 desc_ref c, const_dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(out, engine, a, b, bias, c, attr);
}
static dnnl_status_t append_act(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha)
{
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, 0);
}
static dnnl_status_t append_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef); }
#else
typedef const dnnl_memory_desc_t *desc_ref;
static desc_ref desc_of(const dnnl_memory_desc_t *d) { return d; }
static void desc_free(dnnl_memory_desc_t *d) { (void)d; }
static dnnl_status_t desc_strided(dnnl_memory_desc_t *d, const dnnl_dims_t dims, dnnl_data_type_t t, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_init_by_strides(d, 2, dims, t, strides);
}
static dnnl_status_t desc_any(dnnl_memory_desc_t *d, const dnnl_dims_t dims, dnnl_data_type_t t)
{
    return dnnl_memory_desc_init_by_tag(d, 2, dims, t, dnnl_format_tag_any);
}
static dnnl_status_t matmul_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine, desc_ref a, desc_ref b, desc_ref bias,
                                 desc_ref c, const_dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t d;
    dnnl_status_t s = dnnl_matmul_desc_init(&d, a, b, bias, c);
    return s != dnnl_success ? s : dnnl_primitive_desc_create(out, &d, attr, engine, NULL);
}
static dnnl_status_t append_act(dnnl_post_ops_t ops, dnnl_alg_kind_t kind, float alpha)
{
    return dnnl_post_ops_append_eltwise(ops, 1, kind, alpha, 0);
}
static dnnl_status_t append_sum(dnnl_post_ops_t ops) { return dnnl_post_ops_append_sum(ops, 1); }
#endif

#define DNNL_TRY(call) do { if ((s = (call)) != dnnl_success) goto done; } while (0)

static dnnl_status_t matrix_desc(dnnl_memory_desc_t *d, dnnl_data_type_t t, size_t rows, size_t cols, size_t ld, bool turned)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    const dnnl_dims_t plain = {(dnnl_dim_t)ld, 1}, other = {1, (dnnl_dim_t)ld};
    return desc_strided(d, dims, t, turned ? other : plain);
}

static dnnl_status_t attributes(dnnl_primitive_attr_t *out, reel_act act, bool sum)
{
    static const struct { dnnl_alg_kind_t kind; float alpha; } acts[] = {
        [REEL_ACT_GELU] = {dnnl_eltwise_gelu_erf, 0}, [REEL_ACT_GELU_TANH] = {dnnl_eltwise_gelu_tanh, 0},
        [REEL_ACT_QUICK_GELU] = {dnnl_eltwise_swish, 1.702f}, [REEL_ACT_RELU] = {dnnl_eltwise_relu, 0},
        [REEL_ACT_SILU] = {dnnl_eltwise_swish, 1},
    };
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(out);
    if (s != dnnl_success)
        return s;
    DNNL_TRY(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user));
    DNNL_TRY(dnnl_post_ops_create(&ops));
    if (act != REEL_ACT_NONE)
        DNNL_TRY(append_act(ops, acts[act].kind, acts[act].alpha));
    if (sum)
        DNNL_TRY(append_sum(ops));
    DNNL_TRY(dnnl_primitive_attr_set_post_ops(*out, ops));
done:
    if (ops != NULL)
        dnnl_post_ops_destroy(ops);
    return s;
}

/* ---- one product ---- */

static desc_ref query(const_dnnl_primitive_desc_t desc, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(desc, what, 0);
}

static dnnl_status_t make_pack(reel_product *p, desc_ref plain, const_dnnl_primitive_attr_t attr)
{
    dnnl_engine_t engine = p->owner->engine;
    desc_ref wanted = query(p->desc, dnnl_query_weights_md);
    dnnl_status_t s;
    p->packed_bytes = dnnl_memory_desc_get_size(wanted);
    DNNL_TRY(dnnl_reorder_primitive_desc_create(&p->pack_desc, plain, engine, wanted, engine, attr));
    DNNL_TRY(dnnl_primitive_create(&p->pack, p->pack_desc));
done:
    return s;
}

/* `given`: of the numbers that pack reads. */
typedef struct product_types { dnnl_data_type_t a, b, c, given; } product_types;

static product_types types_of(const reel_product_spec *q)
{
    switch (q->kind) {
    case REEL_PRODUCT_BF16:
        return (product_types){dnnl_bf16, dnnl_bf16, q->c_bf16 ? dnnl_bf16 : dnnl_f32, q->b_f32 ? dnnl_f32 : dnnl_bf16};
    case REEL_PRODUCT_INT8:
        return (product_types){dnnl_u8, dnnl_s8, dnnl_s32, dnnl_s8};
    default:
        return (product_types){dnnl_f32, dnnl_f32, dnnl_f32, dnnl_f32};
    }
}

static dnnl_status_t make_run(reel_product *p)
{
    const reel_product_spec *q = &p->spec;
    const dnnl_dims_t b_dims = {(dnnl_dim_t)q->k, (dnnl_dim_t)q->n};
    const product_types t = types_of(q);
    dnnl_memory_desc_t a = {0}, b = {0}, any = {0}, c = {0}, bias = {0};
    dnnl_primitive_attr_t attr = NULL, plain_attr = NULL;
    dnnl_status_t s;
    DNNL_TRY(matrix_desc(&a, t.a, q->m, q->k, q->lda, q->a_turned));
    DNNL_TRY(matrix_desc(&b, q->packed ? t.given : t.b, q->k, q->n, q->ldb, q->b_turned));
    DNNL_TRY(matrix_desc(&c, t.c, q->m, q->n, q->ldc, false));
    DNNL_TRY(matrix_desc(&bias, dnnl_f32, 1, q->n, q->n, false));
    DNNL_TRY(desc_any(&any, b_dims, t.b));
    DNNL_TRY(attributes(&attr, q->act, q->sum));
    DNNL_TRY(attributes(&plain_attr, REEL_ACT_NONE, false));
    desc_ref right = !q->packed ? desc_of(&b) : q->layout == NULL ? desc_of(&any) : query(q->layout->desc, dnnl_query_weights_md);
    DNNL_TRY(matmul_desc(&p->desc, p->owner->engine, desc_of(&a), right, q->bias ? desc_of(&bias) : NULL, desc_of(&c), attr));
    DNNL_TRY(dnnl_primitive_create(&p->run, p->desc));
    if (q->packed)
        DNNL_TRY(make_pack(p, desc_of(&b), plain_attr));
done:
    desc_free(&a);
    desc_free(&b);
    desc_free(&c);
    desc_free(&bias);
    desc_free(&any);
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    if (plain_attr != NULL)
        dnnl_primitive_attr_destroy(plain_attr);
    return s;
}

static dnnl_status_t add_memory(reel_product *p, slot_memories *slot, memory_role role, desc_ref d)
{
    return dnnl_memory_create(&slot->of[role], d, p->owner->engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t make_slot(reel_product *p, slot_memories *slot)
{
    dnnl_status_t s;
    DNNL_TRY(add_memory(p, slot, MEM_A, query(p->desc, dnnl_query_src_md)));
    DNNL_TRY(add_memory(p, slot, MEM_B, query(p->desc, dnnl_query_weights_md)));
    DNNL_TRY(add_memory(p, slot, MEM_C, query(p->desc, dnnl_query_dst_md)));
    DNNL_TRY(add_memory(p, slot, MEM_PAD, query(p->desc, dnnl_query_scratchpad_md)));
    if (p->spec.bias)
        DNNL_TRY(add_memory(p, slot, MEM_BIAS, dnnl_primitive_desc_query_md(p->desc, dnnl_query_weights_md, 1)));
    if (p->pack != NULL) {
        DNNL_TRY(add_memory(p, slot, MEM_PLAIN, query(p->pack_desc, dnnl_query_src_md)));
        DNNL_TRY(add_memory(p, slot, MEM_PACKED, query(p->pack_desc, dnnl_query_dst_md)));
        DNNL_TRY(add_memory(p, slot, MEM_PACK_PAD, query(p->pack_desc, dnnl_query_scratchpad_md)));
    }
done:
    return s;
}

static void product_free(reel_product *p)
{
    for (int i = 0; p->slots != NULL && i < p->slot_count; i++)
        for (int role = 0; role < MEM_ROLES; role++)
            if (p->slots[i].of[role] != NULL)
                dnnl_memory_destroy(p->slots[i].of[role]);
    reel_free(p->slots);
    if (p->pack != NULL)
        dnnl_primitive_destroy(p->pack);
    if (p->run != NULL)
        dnnl_primitive_destroy(p->run);
    if (p->pack_desc != NULL)
        dnnl_primitive_desc_destroy(p->pack_desc);
    if (p->desc != NULL)
        dnnl_primitive_desc_destroy(p->desc);
    reel_free(p);
}

/* All pads have the size of the largest that any product asks for. */
static bool pads_grow(reel_products *ps, size_t bytes)
{
    if (bytes <= ps->pad_bytes)
        return true;
    for (int i = 0; i < ps->threads; i++) {
        void *pad = reel_alloc_aligned(bytes, 1);
        if (pad == NULL)
            return false;  /* the others may be larger than pad_bytes says: no harm */
        reel_free(ps->pads[i]);
        ps->pads[i] = pad;
    }
    ps->pad_bytes = bytes;
    return true;
}

static reel_status say_failure(const reel_product_spec *q, dnnl_status_t s, reel_error *err)
{
    if (s == dnnl_out_of_memory)
        return reel_fail_nomem(err, "matrix product");
    return reel_fail(err, REEL_ERR_BACKEND, "oneDNN %d.%d.%d cannot multiply (%zu, %zu) by (%zu, %zu): status %d",
                     dnnl_version()->major, dnnl_version()->minor, dnnl_version()->patch, q->m, q->k, q->k, q->n, (int)s);
}

static reel_status product_make(reel_products *ps, const reel_product_spec *spec, reel_product **out, reel_error *err)
{
    reel_status status = REEL_OK;
    dnnl_status_t s = dnnl_success;
    *out = NULL;
    reel_product *p = reel_calloc(1, sizeof *p);
    if (p == NULL)
        return reel_fail_nomem(err, "matrix product");
    p->spec = *spec;
    p->owner = ps;
    p->slot_count = spec->serial ? ps->threads : 1;
    p->slots = reel_calloc((size_t)p->slot_count, sizeof *p->slots);
    if (p->slots == NULL) {
        status = reel_fail_nomem(err, "matrix product");
        goto done;
    }
    s = make_run(p);
    for (int i = 0; s == dnnl_success && i < p->slot_count; i++)
        s = make_slot(p, &p->slots[i]);
    if (s != dnnl_success) {
        status = say_failure(spec, s, err);
        goto done;
    }
    size_t pad = dnnl_memory_desc_get_size(query(p->desc, dnnl_query_scratchpad_md));
    size_t pack_pad = p->pack != NULL ? dnnl_memory_desc_get_size(query(p->pack_desc, dnnl_query_scratchpad_md)) : 0;
    if (!pads_grow(ps, pad > pack_pad ? pad : pack_pad)) {
        status = reel_fail_nomem(err, "scratch memory of a matrix product");
        goto done;
    }
    *out = p;
    p = NULL;
done:
    if (p != NULL)
        product_free(p);
    return status;
}

/* ---- the table ---- */

static spec_words words_of(const reel_product_spec *q)
{
    const size_t flags = (size_t)q->a_turned | (size_t)q->b_turned << 1 | (size_t)q->packed << 2 | (size_t)q->serial << 3 |
                         (size_t)q->bias << 4 | (size_t)q->sum << 5 | (size_t)q->c_bf16 << 6 | (size_t)q->b_f32 << 7 |
                         (size_t)q->kind << 8 | (size_t)q->act << 12;
    return (spec_words){{q->m, q->n, q->k, q->lda, q->ldb, q->ldc, flags, (size_t)(uintptr_t)q->layout}};
}

static size_t bucket_of(const spec_words *words)
{
    uint64_t h = 1469598103934665603u;  /* FNV-1a, a word at a time */
    for (size_t i = 0; i < sizeof words->w / sizeof *words->w; i++)
        h = (h ^ words->w[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 32) % BUCKETS;
}

reel_status reel_product_get(reel_products *ps, const reel_product_spec *spec, reel_product **out, reel_error *err)
{
    const spec_words words = words_of(spec);
    const size_t bucket = bucket_of(&words);
    for (reel_product *p = ps->buckets[bucket]; p != NULL; p = p->next)
        if (memcmp(&p->words, &words, sizeof words) == 0) {
            *out = p;
            return REEL_OK;
        }
    int before = omp_get_max_threads();
    omp_set_num_threads(spec->serial ? 1 : ps->threads);
    reel_status status = product_make(ps, spec, out, err);
    omp_set_num_threads(before);
    if (status != REEL_OK)
        return status;
    (*out)->words = words;
    (*out)->next = ps->buckets[bucket];
    ps->buckets[bucket] = *out;
    return REEL_OK;
}

reel_status reel_products_open(int threads, reel_products **out, reel_error *err)
{
    reel_status status = REEL_OK;
    dnnl_status_t s = dnnl_success;
    *out = NULL;
    reel_products *ps = reel_calloc(1, sizeof *ps);
    if (ps == NULL)
        return reel_fail_nomem(err, "matrix products");
    ps->threads = threads;
    ps->streams = reel_calloc((size_t)threads, sizeof *ps->streams);
    ps->pads = reel_calloc((size_t)threads, sizeof *ps->pads);
    if (ps->streams == NULL || ps->pads == NULL) {
        status = reel_fail_nomem(err, "matrix products");
        goto done;
    }
    s = dnnl_engine_create(&ps->engine, dnnl_cpu, 0);
    for (int i = 0; s == dnnl_success && i < threads; i++)
        s = dnnl_stream_create(&ps->streams[i], ps->engine, dnnl_stream_default_flags);
    if (s != dnnl_success) {
        status = reel_fail(err, REEL_ERR_BACKEND, "oneDNN cannot be started (status %d)", (int)s);
        goto done;
    }
    *out = ps;
    ps = NULL;
done:
    reel_products_close(&ps);
    return status;
}

void reel_products_close(reel_products **table)
{
    reel_products *ps = *table;
    if (ps == NULL)
        return;
    for (size_t b = 0; b < BUCKETS; b++)
        for (reel_product *p = ps->buckets[b], *next; p != NULL; p = next) {
            next = p->next;
            product_free(p);
        }
    for (int i = 0; i < ps->threads; i++) {
        if (ps->streams != NULL && ps->streams[i] != NULL)
            dnnl_stream_destroy(ps->streams[i]);
        if (ps->pads != NULL)
            reel_free(ps->pads[i]);
    }
    if (ps->engine != NULL)
        dnnl_engine_destroy(ps->engine);
    reel_free(ps->streams);
    reel_free(ps->pads);
    reel_free(ps);
    *table = NULL;
}

/* ---- running ---- */

size_t reel_product_packed_bytes(const reel_product *p)
{
    return p->packed_bytes;
}

/* The library takes pointers to what it may write; operands that it only reads are lent in the same way. */
static bool lend(dnnl_memory_t memory, const void *data)
{
    return dnnl_memory_set_data_handle(memory, (void *)(uintptr_t)data) == dnnl_success;
}

static bool execute(dnnl_primitive_t primitive, dnnl_stream_t stream, int n, const dnnl_exec_arg_t *args)
{
    return dnnl_primitive_execute(primitive, stream, n, args) == dnnl_success && dnnl_stream_wait(stream) == dnnl_success;
}

bool reel_product_pack(reel_product *p, int slot, void *packed, const void *b)
{
    dnnl_memory_t *m = p->slots[slot].of;
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_FROM, m[MEM_PLAIN]}, {DNNL_ARG_TO, m[MEM_PACKED]}, {DNNL_ARG_SCRATCHPAD, m[MEM_PACK_PAD]}};
    return lend(m[MEM_PLAIN], b) && lend(m[MEM_PACKED], packed) && lend(m[MEM_PACK_PAD], p->owner->pads[slot]) &&
           execute(p->pack, p->owner->streams[slot], 3, args);
}

bool reel_product_run(reel_product *p, int slot, void *c, const void *a, const void *b, const float *bias)
{
    dnnl_memory_t *m = p->slots[slot].of;
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, m[MEM_A]}, {DNNL_ARG_WEIGHTS, m[MEM_B]}, {DNNL_ARG_DST, m[MEM_C]}, {DNNL_ARG_SCRATCHPAD, m[MEM_PAD]},
        {DNNL_ARG_BIAS, m[MEM_BIAS]}};
    bool ready = lend(m[MEM_A], a) && lend(m[MEM_B], b) && lend(m[MEM_C], c) && lend(m[MEM_PAD], p->owner->pads[slot]) &&
                 (!p->spec.bias || lend(m[MEM_BIAS], bias));
    return ready && execute(p->run, p->owner->streams[slot], p->spec.bias ? 5 : 4, args);
}
