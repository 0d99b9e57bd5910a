/* The opcodes that would import and call: the globals that a state dict needs, and what is made of them by hand. */
#include "format/pickle_machine.h"

#include <string.h>

/* --- globals --- */

enum {
    ORDERED_DICT, REBUILD_TENSOR, REBUILD_TYPED, REBUILD_PARAMETER, REBUILD_WITH_STATE, REBUILD_FROM_TYPE, TENSOR,
    STORAGES,                            /* from here on: a storage, of the type that is added */
    TYPES = STORAGES + REEL_DTYPE_COUNT  /* and a type */
};

static const struct { const char *module, *name; uint8_t tag; } globals[] = {
    {"collections", "OrderedDict", ORDERED_DICT},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR},
    {"torch._utils", "_rebuild_tensor_v3", REBUILD_TYPED},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER},
    {"torch._utils", "_rebuild_parameter_with_state", REBUILD_WITH_STATE},
    {"torch._tensor", "_rebuild_from_type_v2", REBUILD_FROM_TYPE}, {"torch", "Tensor", TENSOR},
    {"torch", "FloatStorage", STORAGES + REEL_F32}, {"torch", "HalfStorage", STORAGES + REEL_F16},
    {"torch", "BFloat16Storage", STORAGES + REEL_BF16}, {"torch", "DoubleStorage", STORAGES + REEL_F64},
    {"torch", "LongStorage", STORAGES + REEL_I64}, {"torch", "IntStorage", STORAGES + REEL_I32},
    {"torch", "ShortStorage", STORAGES + REEL_I16}, {"torch", "CharStorage", STORAGES + REEL_I8},
    {"torch", "ByteStorage", STORAGES + REEL_U8}, {"torch", "BoolStorage", STORAGES + REEL_BOOL},
    {"torch", "ComplexFloatStorage", STORAGES + REEL_C64}, {"torch", "ComplexDoubleStorage", STORAGES + REEL_C128},
    {"torch.storage", "UntypedStorage", STORAGES + REEL_U8},
    {"torch", "uint16", TYPES + REEL_U16}, {"torch", "uint32", TYPES + REEL_U32}, {"torch", "uint64", TYPES + REEL_U64},
    {"torch", "float8_e4m3fn", TYPES + REEL_F8_E4M3}, {"torch", "float8_e5m2", TYPES + REEL_F8_E5M2},
    {"torch", "float8_e4m3fnuz", TYPES + REEL_F8_E4M3FNUZ}, {"torch", "float8_e5m2fnuz", TYPES + REEL_F8_E5M2FNUZ},
    {"torch", "float8_e8m0fnu", TYPES + REEL_F8_E8M0}, {"torch", "complex32", TYPES + REEL_C32},
};

reel_status reel_pk_op_global(pk_machine *m, reel_error *err)
{
    const char *module, *name;
    size_t module_n, name_n;
    reel_status status = REEL_OK;
    REEL_TRY(reel_pk_take_line(m, &module, &module_n, err));
    REEL_TRY(reel_pk_take_line(m, &name, &name_n, err));
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (reel_pk_same(module, module_n, globals[i].module) && reel_pk_same(name, name_n, globals[i].name))
            return reel_pk_push_new(m, (pk_value){.kind = PK_GLOBAL, .tag = globals[i].tag}, err);
    status = reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: the global %.*s.%.*s is refused (data.pkl, byte %zu): weights need tensors "
                       "alone. " PK_ADVICE, m->what, (int)module_n, module, (int)name_n, name, m->op);
done:
    return status;
}

/* --- storages and tensors --- */

/* Member i of a tuple, of the kind wanted. */
static reel_status member(const pk_machine *m, const pk_value *tuple, uint32_t i, const char *where, pk_kind wanted,
                          const pk_value **v, reel_error *err)
{
    *v = &m->value[m->member[(size_t)tuple->number + i]];
    return (*v)->kind == wanted ? REEL_OK : reel_pk_fail_kind(m, where, reel_pk_kind_name(wanted), *v, err);
}

/* ("storage", type, key, device, elements) */
reel_status reel_pk_op_persid(pk_machine *m, reel_error *err)
{
    uint32_t id;
    const pk_value *word, *type, *key, *device, *numel;
    reel_status status = REEL_OK;
    REEL_TRY(reel_pk_pop(m, &id, err));
    const pk_value *t = &m->value[id];
    if (t->kind != PK_TUPLE || t->ref != 5)
        return reel_pk_fail(m, "a persistent id that is not a storage's five values", err);
    REEL_TRY(member(m, t, 0, "the first value of a persistent id", PK_TEXT, &word, err));
    if (!reel_pk_same((const char *)m->p + word->number, word->ref, "storage"))
        return reel_pk_fail(m, "a persistent id that does not say 'storage'", err);
    REEL_TRY(member(m, t, 1, "the type of a storage", PK_GLOBAL, &type, err));
    if (type->tag < STORAGES || type->tag >= TYPES)
        return reel_pk_fail(m, "the type of a storage is none", err);
    REEL_TRY(member(m, t, 2, "the key of a storage", PK_TEXT, &key, err));
    REEL_TRY(member(m, t, 3, "the device of a storage", PK_TEXT, &device, err));
    REEL_TRY(member(m, t, 4, "the size of a storage", PK_INT, &numel, err));
    if (numel->number < 0)
        return reel_pk_fail(m, "the size of a storage is negative", err);
    status = reel_pk_push_new(m, (pk_value){.kind = PK_STORAGE, .tag = (uint8_t)(type->tag - STORAGES),
                                 .ref = m->member[(size_t)t->number + 2], .number = numel->number}, err);
done:
    return status;
}

static reel_status read_sizes(const pk_machine *m, const pk_value *tuple, const char *where, int64_t out[REEL_MAX_RANK],
                              reel_error *err)
{
    if (tuple->ref > REEL_MAX_RANK)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: pickle (data.pkl), byte %zu: %s has %u dimensions, the limit is %d", m->what,
                         m->op, where, tuple->ref, REEL_MAX_RANK);
    for (uint32_t i = 0; i < tuple->ref; i++) {
        const pk_value *v;
        reel_status status = member(m, tuple, i, where, PK_INT, &v, err);
        if (status != REEL_OK)
            return status;
        if (v->number < 0)
            return reel_fail(err, REEL_ERR_FORMAT, "%s: pickle (data.pkl), byte %zu: %s holds a negative number, %lld", m->what,
                             m->op, where, (long long)v->number);
        out[i] = v->number;
    }
    return REEL_OK;
}

/* The type behind the hooks of a tensor that says it, and what may stand behind all: {"conj": True}, {"neg": True}. */
static reel_status read_type(const pk_machine *m, const pk_value *args, bool typed, pk_view *w, reel_error *err)
{
    const uint32_t plain = typed ? 7 : 6;
    const pk_value *type, *more = args->ref > plain ? &m->value[m->member[(size_t)args->number + plain]] : NULL;
    w->lazy = more != NULL && more->kind == PK_DICT && more->ref != 0;
    if (more != NULL && more->kind != PK_DICT)
        return reel_pk_fail_kind(m, "the metadata of a tensor", "a dict", more, err);
    if (!typed)
        return REEL_OK;
    reel_status status = member(m, args, 6, "the type of a tensor", PK_GLOBAL, &type, err);
    if (status == REEL_OK && type->tag < TYPES)
        status = reel_pk_fail(m, "the type of a tensor is none", err);
    w->dtype = status == REEL_OK ? (uint8_t)(type->tag - TYPES) : 0;
    return status;
}

/* (storage, offset, size, stride, requires_grad, backward hooks), typed: and its type, where the storage's is another */
static reel_status rebuild_tensor(pk_machine *m, const pk_value *args, bool typed, reel_error *err)
{
    reel_status status = REEL_OK;
    const pk_value *storage, *offset, *size, *stride, *grad, *hooks;
    pk_view w = {0};
    if (args->ref != 6 + (uint32_t)typed && args->ref != 7 + (uint32_t)typed)
        return reel_pk_fail(m, typed ? "_rebuild_tensor_v3 does not have seven or eight arguments"
                                     : "_rebuild_tensor_v2 does not have six or seven arguments", err);
    REEL_TRY(member(m, args, 0, "the storage of a tensor", PK_STORAGE, &storage, err));
    REEL_TRY(member(m, args, 1, "the storage offset of a tensor", PK_INT, &offset, err));
    REEL_TRY(member(m, args, 2, "the size of a tensor", PK_TUPLE, &size, err));
    REEL_TRY(member(m, args, 3, "the stride of a tensor", PK_TUPLE, &stride, err));
    REEL_TRY(member(m, args, 4, "requires_grad of a tensor", PK_BOOL, &grad, err));
    REEL_TRY(member(m, args, 5, "the hooks of a tensor", PK_DICT, &hooks, err));
    if (offset->number < 0)
        return reel_pk_fail(m, "a tensor begins before its storage (negative offset)", err);
    if (size->ref != stride->ref)
        return reel_pk_fail(m, "a tensor has another number of strides than of sizes", err);
    if (m->views >= PK_MAX_TENSORS)
        return reel_pk_fail_limit(m, "more tensors", PK_MAX_TENSORS, err);
    w.dtype = storage->tag;
    REEL_TRY(read_type(m, args, typed, &w, err));
    w.storage = m->member[(size_t)args->number];
    w.offset = (uint64_t)offset->number;
    w.shape.rank = (int)size->ref;
    REEL_TRY(read_sizes(m, size, "the size of a tensor", w.shape.dim, err));
    REEL_TRY(read_sizes(m, stride, "the stride of a tensor", w.stride, err));
    PK_GROW(m, m->view, m->view_room, m->views, "more tensors", err);
    m->view[m->views] = w;
    status = reel_pk_push_new(m, (pk_value){.kind = PK_TENSOR, .ref = (uint32_t)m->views++}, err);
done:
    return status;
}

/* (function, class, its arguments, attributes): a tensor with attributes, which are not kept */
static reel_status rebuild_from_type(pk_machine *m, const pk_value *args, reel_error *err)
{
    const pk_value *function, *type, *inner;
    reel_status status = REEL_OK;
    if (args->ref != 4)
        return reel_pk_fail(m, "_rebuild_from_type_v2 does not have four arguments", err);
    REEL_TRY(member(m, args, 0, "the function of _rebuild_from_type_v2", PK_GLOBAL, &function, err));
    REEL_TRY(member(m, args, 1, "the class of a tensor", PK_GLOBAL, &type, err));
    REEL_TRY(member(m, args, 2, "the arguments of _rebuild_from_type_v2", PK_TUPLE, &inner, err));
    if (type->tag != TENSOR || (function->tag != REBUILD_TENSOR && function->tag != REBUILD_TYPED))
        return reel_pk_fail(m, "_rebuild_from_type_v2 would make something else than a tensor", err);
    status = rebuild_tensor(m, inner, function->tag == REBUILD_TYPED, err);
done:
    return status;
}

/* (tensor, requires_grad, backward hooks) and, with_state, attributes, which are not kept: the tensor */
static reel_status rebuild_parameter(pk_machine *m, const pk_value *args, bool with_state, reel_error *err)
{
    const pk_value *tensor;
    if (args->ref != 3 + (uint32_t)with_state)
        return reel_pk_fail(m, with_state ? "_rebuild_parameter_with_state does not have four arguments"
                                          : "_rebuild_parameter does not have three arguments", err);
    reel_status status = member(m, args, 0, "the tensor of a parameter", PK_TENSOR, &tensor, err);
    return status != REEL_OK ? status : reel_pk_push(m, m->member[(size_t)args->number], err);
}

/* Where pickle would call a function: each of the six that may stand here is done by hand. */
reel_status reel_pk_op_reduce(pk_machine *m, reel_error *err)
{
    uint32_t args, function;
    reel_status status = REEL_OK;
    REEL_TRY(reel_pk_pop(m, &args, err));
    REEL_TRY(reel_pk_pop(m, &function, err));
    const pk_value *f = &m->value[function], *a = &m->value[args];
    if (f->kind != PK_GLOBAL || f->tag >= TENSOR)
        return reel_pk_fail(m, "REDUCE would call something that is no function of the list", err);
    if (a->kind != PK_TUPLE)
        return reel_pk_fail_kind(m, "the arguments of REDUCE", "a tuple", a, err);
    if (f->tag == REBUILD_TENSOR || f->tag == REBUILD_TYPED)
        return rebuild_tensor(m, a, f->tag == REBUILD_TYPED, err);
    if (f->tag == REBUILD_PARAMETER || f->tag == REBUILD_WITH_STATE)
        return rebuild_parameter(m, a, f->tag == REBUILD_WITH_STATE, err);
    if (f->tag == REBUILD_FROM_TYPE)
        return rebuild_from_type(m, a, err);
    status = a->ref == 0 ? reel_pk_push_new(m, (pk_value){.kind = PK_DICT, .tag = true}, err)
                         : reel_pk_fail(m, "OrderedDict with arguments", err);
done:
    return status;
}
