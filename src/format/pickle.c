#include "format/pickle.h"

#include <string.h>

#include "base/mem.h"
#include "format/pickle_machine.h"

enum { MAX_NAME = 1024 };

static size_t tensors_in(const pk_machine *m, const pk_value *dict)
{
    size_t n = 0;
    for (uint32_t i = dict->ref; i != 0; i = m->pair[i - 1].next)
        n += m->value[m->pair[i - 1].value].kind == PK_TENSOR;
    return n;
}

/* The value of a key, the last one of that name; NULL where there is none. */
static const pk_value *look_up(const pk_machine *m, const pk_value *dict, const char *key)
{
    const pk_value *found = NULL;
    for (uint32_t i = dict->ref; i != 0; i = m->pair[i - 1].next) {
        const pk_value *k = &m->value[m->pair[i - 1].key];
        if (k->kind == PK_TEXT && reel_pk_same((const char *)m->p + k->number, k->ref, key))
            found = &m->value[m->pair[i - 1].value];
    }
    return found;
}

/* Training scripts put the state dict beside an epoch and other things. */
static const pk_value *state_dict(const pk_machine *m, const pk_value *whole)
{
    static const char *const names[] = {"state_dict", "model", "module", "model_state_dict"};
    if (tensors_in(m, whole) > 0)
        return whole;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const pk_value *v = look_up(m, whole, names[i]);
        if (v != NULL && v->kind == PK_DICT && tensors_in(m, v) > 0)
            return v;
    }
    return whole;
}

static reel_status describe(const pk_machine *m, const pk_pair *p, reel_pickle_tensor *out, reel_error *err)
{
    const pk_value *name = &m->value[p->key];
    const pk_view *w = &m->view[m->value[p->value].ref];
    const pk_value *storage = &m->value[w->storage], *key = &m->value[storage->ref];
    if (name->kind != PK_TEXT)
        return reel_pk_fail_kind(m, "the name of a tensor", "a text", name, err);
    const char *text = (const char *)m->p + name->number;
    if (name->ref > MAX_NAME || memchr(text, '\0', name->ref) != NULL)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: a tensor name in data.pkl %s", m->what,
                         name->ref > MAX_NAME ? "is too long (limit 1024 bytes)" : "holds a NUL byte");
    if (w->lazy)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: tensor %.*s is a conjugate or negative view (of conj(), or the imaginary part of "
                         "one), which is not read. Save it with .resolve_conj().resolve_neg().", m->what, (int)name->ref, text);
    *out = (reel_pickle_tensor){
        .name = text, .name_n = name->ref, .key = (const char *)m->p + key->number, .key_n = key->ref, .dtype = (reel_dtype)w->dtype,
        .stored = (reel_dtype)storage->tag, .numel = (uint64_t)storage->number, .offset = w->offset, .shape = w->shape,
    };
    memcpy(out->stride, w->stride, sizeof out->stride);
    return REEL_OK;
}

static reel_status collect(const pk_machine *m, reel_pickle *out, reel_error *err)
{
    const pk_value *whole = &m->value[m->stack[0]];
    reel_status status = REEL_OK;
    if (whole->kind != PK_DICT)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: holds %s, not a state dict (a dict of tensors)", m->what,
                         reel_pk_kind_name(whole->kind));
    const pk_value *dict = state_dict(m, whole);
    size_t n = tensors_in(m, dict);
    if (n > PK_MAX_TENSORS)
        return reel_pk_fail_limit(m, "more tensors", PK_MAX_TENSORS, err);
    reel_pickle p = {.tensor = reel_calloc(n, sizeof *p.tensor)};
    if (p.tensor == NULL)
        return reel_fail_nomem(err, m->what);
    for (uint32_t i = dict->ref; i != 0; i = m->pair[i - 1].next)
        if (m->value[m->pair[i - 1].value].kind == PK_TENSOR)
            REEL_TRY(describe(m, &m->pair[i - 1], &p.tensor[p.n++], err));
    *out = p;
    p = (reel_pickle){0};
done:
    reel_pickle_free(&p);
    return status;
}

reel_status reel_pickle_read(const uint8_t *pickle, size_t n, const char *what, reel_pickle *out, reel_error *err)
{
    pk_machine m = {.p = pickle, .n = n, .what = what};
    *out = (reel_pickle){0};
    reel_status status = reel_pk_run(&m, err);
    if (status == REEL_OK)
        status = collect(&m, out, err);
    reel_pk_free(&m);
    return status;
}

void reel_pickle_free(reel_pickle *p)
{
    reel_free(p->tensor);
    *p = (reel_pickle){0};
}
