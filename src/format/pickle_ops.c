/* The opcodes of a state dict, one function each, and the loop that runs them. */
#include "format/pickle_machine.h"

#include "base/text.h"

enum { PROTOCOL = 2, PROTOCOL_3 = 3 };  /* what a state dict is made of has the same opcodes in both */

/* --- opcodes that push --- */

static reel_status push_kind(pk_machine *m, pk_kind kind, reel_error *err)
{
    return reel_pk_push_new(m, (pk_value){.kind = (uint8_t)kind}, err);
}

static reel_status op_none(pk_machine *m, reel_error *err) { return push_kind(m, PK_NONE, err); }
static reel_status op_bool(pk_machine *m, reel_error *err) { return push_kind(m, PK_BOOL, err); }
static reel_status op_list(pk_machine *m, reel_error *err) { return push_kind(m, PK_LIST, err); }
static reel_status op_dict(pk_machine *m, reel_error *err) { return push_kind(m, PK_DICT, err); }
static reel_status op_empty_tuple(pk_machine *m, reel_error *err) { return push_kind(m, PK_TUPLE, err); }

static reel_status push_number(pk_machine *m, size_t bytes, reel_error *err)
{
    uint32_t number;
    reel_status status = reel_pk_take_number(m, bytes, &number, err);
    if (status != REEL_OK)
        return status;
    return reel_pk_push_new(m, (pk_value){.kind = PK_INT, .number = bytes == 4 ? (int32_t)number : (int64_t)number}, err);
}

static reel_status op_int1(pk_machine *m, reel_error *err) { return push_number(m, 1, err); }
static reel_status op_int2(pk_machine *m, reel_error *err) { return push_number(m, 2, err); }
static reel_status op_int4(pk_machine *m, reel_error *err) { return push_number(m, 4, err); }

/* A number of up to 255 bytes, two's complement; more than eight are no size of anything. */
static reel_status op_long(pk_machine *m, reel_error *err)
{
    uint32_t n;
    const uint8_t *b;
    uint64_t number = 0;
    reel_status status = REEL_OK;
    REEL_TRY(reel_pk_take_number(m, 1, &n, err));
    REEL_TRY(reel_pk_take(m, n, &b, err));
    if (n > 8)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: pickle (data.pkl), byte %zu: a whole number of %u bytes is too large", m->what,
                         m->op, n);
    for (uint32_t i = 0; i < n; i++)
        number |= (uint64_t)b[i] << 8 * i;
    if (n > 0 && n < 8 && (b[n - 1] & 0x80) != 0)
        number |= UINT64_MAX << 8 * n;
    status = reel_pk_push_new(m, (pk_value){.kind = PK_INT, .number = (int64_t)number}, err);
done:
    return status;
}

static reel_status op_float(pk_machine *m, reel_error *err)
{
    const uint8_t *b;
    reel_status status = reel_pk_take(m, 8, &b, err);
    return status != REEL_OK ? status : reel_pk_push_new(m, (pk_value){.kind = PK_FLOAT}, err);
}

static reel_status op_text(pk_machine *m, reel_error *err)
{
    uint32_t n;
    const uint8_t *text;
    reel_status status = REEL_OK;
    REEL_TRY(reel_pk_take_number(m, 4, &n, err));
    REEL_TRY(reel_pk_take(m, n, &text, err));
    if (!reel_utf8_valid((const char *)text, n))
        return reel_pk_fail(m, "a text is not valid UTF-8", err);
    status = reel_pk_push_new(m, (pk_value){.kind = PK_TEXT, .ref = n, .number = text - m->p}, err);
done:
    return status;
}

/* --- marks, memo, containers --- */

static reel_status op_mark(pk_machine *m, reel_error *err)
{
    if (m->marks == PK_MAX_MARKS)
        return reel_pk_fail_limit(m, "a deeper nesting (marks)", PK_MAX_MARKS, err);
    m->mark[m->marks++] = m->depth;
    return REEL_OK;
}

/* Memo numbers rise one by one as pickle gives them. */
static reel_status put(pk_machine *m, size_t bytes, reel_error *err)
{
    uint32_t i;
    reel_status status = REEL_OK;
    REEL_TRY(reel_pk_take_number(m, bytes, &i, err));
    if (reel_pk_above(m) == 0)
        return reel_pk_fail_empty(m, err);
    if (i > m->memos)
        return reel_pk_fail(m, "the memo is filled out of order", err);
    if (i == m->memos) {
        PK_GROW(m, m->memo, m->memo_room, m->memos, "a larger memo", err);
        m->memos++;
    }
    m->memo[i] = m->stack[m->depth - 1];
done:
    return status;
}

static reel_status get(pk_machine *m, size_t bytes, reel_error *err)
{
    uint32_t i;
    reel_status status = reel_pk_take_number(m, bytes, &i, err);
    if (status != REEL_OK)
        return status;
    return i < m->memos ? reel_pk_push(m, m->memo[i], err) : reel_pk_fail(m, "the memo has no such value", err);
}

static reel_status op_put1(pk_machine *m, reel_error *err) { return put(m, 1, err); }
static reel_status op_put4(pk_machine *m, reel_error *err) { return put(m, 4, err); }
static reel_status op_get1(pk_machine *m, reel_error *err) { return get(m, 1, err); }
static reel_status op_get4(pk_machine *m, reel_error *err) { return get(m, 4, err); }

/* The values from stack place `from` on become one tuple. */
static reel_status make_tuple(pk_machine *m, size_t from, reel_error *err)
{
    reel_status status = REEL_OK;
    pk_value v = {.kind = PK_TUPLE, .ref = (uint32_t)(m->depth - from), .number = (int64_t)m->members};
    for (size_t i = from; i < m->depth; i++) {
        PK_GROW(m, m->member, m->member_room, m->members, "more members of tuples", err);
        m->member[m->members++] = m->stack[i];
    }
    m->depth = from;
    status = reel_pk_push_new(m, v, err);
done:
    return status;
}

static reel_status op_tuple(pk_machine *m, reel_error *err)
{
    size_t from;
    reel_status status = reel_pk_pop_mark(m, &from, err);
    return status != REEL_OK ? status : make_tuple(m, from, err);
}

static reel_status tuple_of(pk_machine *m, size_t n, reel_error *err)
{
    return reel_pk_above(m) >= n ? make_tuple(m, m->depth - n, err) : reel_pk_fail_empty(m, err);
}

static reel_status op_tuple1(pk_machine *m, reel_error *err) { return tuple_of(m, 1, err); }
static reel_status op_tuple2(pk_machine *m, reel_error *err) { return tuple_of(m, 2, err); }
static reel_status op_tuple3(pk_machine *m, reel_error *err) { return tuple_of(m, 3, err); }

static reel_status op_append(pk_machine *m, reel_error *err)
{
    uint32_t dropped;
    pk_value *list;
    reel_status status = reel_pk_pop(m, &dropped, err);
    return status != REEL_OK ? status : reel_pk_top(m, "what APPEND adds to", PK_LIST, &list, err);
}

static reel_status op_appends(pk_machine *m, reel_error *err)
{
    size_t from;
    pk_value *list;
    reel_status status = reel_pk_pop_mark(m, &from, err);
    if (status != REEL_OK)
        return status;
    m->depth = from;
    return reel_pk_top(m, "what APPENDS adds to", PK_LIST, &list, err);
}

/* The pairs from stack place `from` on go into the dict below them. */
static reel_status set_items(pk_machine *m, size_t from, reel_error *err)
{
    reel_status status = REEL_OK;
    pk_value *dict;
    size_t end = m->depth;
    if ((end - from) % 2 != 0)
        return reel_pk_fail(m, "a key without a value", err);
    m->depth = from;
    REEL_TRY(reel_pk_top(m, "what SETITEM adds to", PK_DICT, &dict, err));
    for (size_t i = from; i < end; i += 2) {
        PK_GROW(m, m->pair, m->pair_room, m->pairs, "more members of dicts", err);
        m->pair[m->pairs++] = (pk_pair){.key = m->stack[i], .value = m->stack[i + 1]};
        if (dict->ref == 0)
            dict->ref = (uint32_t)m->pairs;
        else
            m->pair[dict->number - 1].next = (uint32_t)m->pairs;
        dict->number = (int64_t)m->pairs;
    }
done:
    return status;
}

static reel_status op_set_item(pk_machine *m, reel_error *err)
{
    return reel_pk_above(m) >= 3 ? set_items(m, m->depth - 2, err) : reel_pk_fail_empty(m, err);
}

static reel_status op_set_items(pk_machine *m, reel_error *err)
{
    size_t from;
    reel_status status = reel_pk_pop_mark(m, &from, err);
    return status != REEL_OK ? status : set_items(m, from, err);
}

/* Attributes of an OrderedDict: _metadata, the versions of modules. Not needed, and so not kept. */
static reel_status op_build(pk_machine *m, reel_error *err)
{
    uint32_t state;
    pk_value *to;
    reel_status status = REEL_OK;
    REEL_TRY(reel_pk_pop(m, &state, err));
    REEL_TRY(reel_pk_top(m, "what BUILD gives attributes to", PK_DICT, &to, err));
    if (m->value[state].kind != PK_DICT)
        status = reel_pk_fail_kind(m, "the state of BUILD", "a dict", &m->value[state], err);
    else if (!to->tag)
        status = reel_pk_fail(m, "BUILD on a plain dict", err);
done:
    return status;
}

static reel_status op_stop(pk_machine *m, reel_error *err)
{
    if (m->marks > 0 || m->depth != 1)
        return reel_pk_fail(m, "at its end the stack does not hold the state dict alone", err);
    if (m->at != m->n)
        return reel_pk_fail(m, "bytes stand behind its end", err);
    m->stopped = true;
    return REEL_OK;
}

/* --- the machine --- */

static const struct { uint8_t code; reel_status (*run)(pk_machine *m, reel_error *err); } ops[] = {
    {'c', reel_pk_op_global}, {'(', op_mark}, {'.', op_stop}, {'R', reel_pk_op_reduce}, {'b', op_build}, {'Q', reel_pk_op_persid},
    {'q', op_put1}, {'r', op_put4}, {'h', op_get1}, {'j', op_get4},
    {'X', op_text}, {'J', op_int4}, {'K', op_int1}, {'M', op_int2}, {0x8a, op_long}, {'G', op_float},
    {'N', op_none}, {0x88, op_bool}, {0x89, op_bool},
    {')', op_empty_tuple}, {'t', op_tuple}, {0x85, op_tuple1}, {0x86, op_tuple2}, {0x87, op_tuple3},
    {']', op_list}, {'a', op_append}, {'e', op_appends}, {'}', op_dict}, {'s', op_set_item}, {'u', op_set_items},
};

/* All others that pickle has, for the message. */
static const struct { uint8_t code; const char *name; } refused[] = {
    {'0', "POP"}, {'1', "POP_MARK"}, {'2', "DUP"}, {'F', "FLOAT"}, {'I', "INT"}, {'L', "LONG"}, {'P', "PERSID"}, {'S', "STRING"},
    {'T', "BINSTRING"}, {'U', "SHORT_BINSTRING"}, {'V', "UNICODE"}, {'g', "GET"}, {'p', "PUT"}, {'d', "DICT"}, {'l', "LIST"},
    {'i', "INST"}, {'o', "OBJ"}, {'B', "BINBYTES"}, {'C', "SHORT_BINBYTES"}, {0x80, "PROTO"}, {0x81, "NEWOBJ"}, {0x82, "EXT1"},
    {0x83, "EXT2"}, {0x84, "EXT4"}, {0x8b, "LONG4"}, {0x8c, "SHORT_BINUNICODE"}, {0x8d, "BINUNICODE8"}, {0x8e, "BINBYTES8"},
    {0x8f, "EMPTY_SET"}, {0x90, "ADDITEMS"}, {0x91, "FROZENSET"}, {0x92, "NEWOBJ_EX"}, {0x93, "STACK_GLOBAL"}, {0x94, "MEMOIZE"},
    {0x95, "FRAME"}, {0x96, "BYTEARRAY8"}, {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"},
};

static reel_status refuse(const pk_machine *m, uint8_t code, reel_error *err)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].code == code)
            return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: the opcode %s is refused (data.pkl, byte %zu): a state dict has none. "
                             PK_ADVICE, m->what, refused[i].name, m->op);
    return reel_fail(err, REEL_ERR_FORMAT, "%s: damaged pickle (data.pkl), byte %zu: 0x%02x is no opcode", m->what, m->op, code);
}

static reel_status step(pk_machine *m, reel_error *err)
{
    m->op = m->at;
    if (m->at == m->n)
        return reel_pk_fail(m, "it has no end; is the file truncated?", err);
    uint8_t code = m->p[m->at++];
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i].code == code)
            return ops[i].run(m, err);
    return refuse(m, code, err);
}

reel_status reel_pk_run(pk_machine *m, reel_error *err)
{
    if (m->n > PK_MAX_PICKLE)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: the pickle (data.pkl) has %zu bytes, the limit is %d", m->what, m->n, PK_MAX_PICKLE);
    if (m->n < 2 || m->p[0] != 0x80)
        return reel_pk_fail(m, "it does not begin with a protocol; is the file truncated?", err);
    if (m->p[1] != PROTOCOL && m->p[1] != PROTOCOL_3)
        return reel_fail(err, REEL_ERR_UNSUPPORTED, "%s: the pickle (data.pkl) has protocol %d; only %d, which torch.save writes, and %d "
                         "are read. " PK_ADVICE, m->what, m->p[1], PROTOCOL, PROTOCOL_3);
    m->at = 2;
    while (!m->stopped) {
        reel_status status = step(m, err);
        if (status != REEL_OK)
            return status;
    }
    return REEL_OK;
}
