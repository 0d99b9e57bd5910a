#include "format/pickle_machine.h"

#include <string.h>

#include "base/mem.h"

void reel_pk_free(pk_machine *m)
{
    reel_free(m->value);
    reel_free(m->stack);
    reel_free(m->member);
    reel_free(m->memo);
    reel_free(m->pair);
    reel_free(m->view);
}

/* --- failures --- */

static const char *const kind_name[] = {"None", "a bool", "a whole number", "a float", "a text", "a global", "a tuple", "a list",
                                        "a dict", "a storage", "a tensor"};

const char *reel_pk_kind_name(pk_kind kind)
{
    return kind_name[kind];
}

reel_status reel_pk_fail(const pk_machine *m, const char *fault, reel_error *err)
{
    return reel_fail(err, REEL_ERR_FORMAT, "%s: damaged pickle (data.pkl), byte %zu: %s", m->what, m->op, fault);
}

reel_status reel_pk_fail_limit(const pk_machine *m, const char *of, size_t limit, reel_error *err)
{
    return reel_fail(err, REEL_ERR_LIMIT, "%s: the pickle (data.pkl) has %s than %zu, the limit, at byte %zu; a state dict needs "
                     "far less", m->what, of, limit, m->op);
}

reel_status reel_pk_fail_kind(const pk_machine *m, const char *where, const char *wanted, const pk_value *got, reel_error *err)
{
    return reel_fail(err, REEL_ERR_FORMAT, "%s: pickle (data.pkl), byte %zu: %s must be %s, not %s", m->what, m->op, where, wanted,
                     kind_name[got->kind]);
}

reel_status reel_pk_fail_empty(const pk_machine *m, reel_error *err)
{
    return reel_pk_fail(m, "the stack is empty where a value is needed", err);
}

/* --- the stack --- */

reel_status reel_pk_grow(pk_machine *m, void **items, size_t *room, size_t used, size_t size, const char *of, reel_error *err)
{
    if (used >= PK_MAX_VALUES)
        return reel_pk_fail_limit(m, of, PK_MAX_VALUES, err);
    return reel_grow(items, room, used, size) ? REEL_OK : reel_fail_nomem(err, m->what);
}

reel_status reel_pk_push(pk_machine *m, uint32_t v, reel_error *err)
{
    reel_status status = REEL_OK;
    PK_GROW(m, m->stack, m->stack_room, m->depth, "a deeper stack", err);
    m->stack[m->depth++] = v;
done:
    return status;
}

reel_status reel_pk_push_new(pk_machine *m, pk_value v, reel_error *err)
{
    reel_status status = REEL_OK;
    PK_GROW(m, m->value, m->value_room, m->values, "more values", err);
    m->value[m->values] = v;
    status = reel_pk_push(m, (uint32_t)m->values++, err);
done:
    return status;
}

size_t reel_pk_above(const pk_machine *m)
{
    return m->depth - (m->marks > 0 ? m->mark[m->marks - 1] : 0);
}

reel_status reel_pk_pop(pk_machine *m, uint32_t *v, reel_error *err)
{
    *v = 0;
    if (reel_pk_above(m) == 0)
        return reel_pk_fail_empty(m, err);
    *v = m->stack[--m->depth];
    return REEL_OK;
}

reel_status reel_pk_top(pk_machine *m, const char *where, pk_kind wanted, pk_value **v, reel_error *err)
{
    *v = NULL;
    if (reel_pk_above(m) == 0)
        return reel_pk_fail_empty(m, err);
    *v = &m->value[m->stack[m->depth - 1]];
    return (*v)->kind == wanted ? REEL_OK : reel_pk_fail_kind(m, where, kind_name[wanted], *v, err);
}

reel_status reel_pk_pop_mark(pk_machine *m, size_t *from, reel_error *err)
{
    *from = 0;
    if (m->marks == 0)
        return reel_pk_fail(m, "a mark is missing on the stack", err);
    *from = m->mark[--m->marks];
    return REEL_OK;
}

/* --- arguments of opcodes --- */

reel_status reel_pk_take(pk_machine *m, size_t n, const uint8_t **bytes, reel_error *err)
{
    *bytes = NULL;
    if (n > m->n - m->at)
        return reel_pk_fail(m, "the pickle ends inside an opcode; is the file truncated?", err);
    *bytes = m->p + m->at;
    m->at += n;
    return REEL_OK;
}

reel_status reel_pk_take_number(pk_machine *m, size_t n, uint32_t *number, reel_error *err)
{
    const uint8_t *b;
    reel_status status = reel_pk_take(m, n, &b, err);
    *number = 0;
    for (size_t i = 0; status == REEL_OK && i < n; i++)
        *number |= (uint32_t)b[i] << 8 * i;
    return status;
}

reel_status reel_pk_take_line(pk_machine *m, const char **text, size_t *n, reel_error *err)
{
    const uint8_t *from = m->p + m->at;
    size_t left = m->n - m->at;
    const uint8_t *end = memchr(from, '\n', left < PK_MAX_GLOBAL ? left : PK_MAX_GLOBAL);
    *text = NULL;
    *n = 0;
    if (end == NULL)
        return reel_pk_fail(m, "the name of a global does not end", err);
    *text = (const char *)from;
    *n = (size_t)(end - from);
    m->at += *n + 1;
    return REEL_OK;
}

bool reel_pk_same(const char *a, size_t n, const char *b)
{
    return strlen(b) == n && memcmp(a, b, n) == 0;
}
