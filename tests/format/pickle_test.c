/* The restricted unpickler: what a state dict is made of is read, everything else is refused, by name where it has one. */
#include "../test.h"

#include "base/mem.h"
#include "format/pickle.h"

#include "torch_made.h"

#define BYTES(s) s, sizeof s - 1

static reel_status read_pickle(const void *data, size_t n, reel_pickle *out, reel_error *err)
{
    /* a copy of the very size, so that sanitizers see a byte read too many */
    uint8_t *copy = malloc(n > 0 ? n : 1);
    memcpy(copy, data, n);
    reel_status status = reel_pickle_read(copy, n, "x.bin", out, err);
    if (status != REEL_OK)
        assert_null(out->tensor);
    for (size_t i = 0; i < out->n; i++)  /* names lie in the copy: touch them before it goes */
        assert_true(out->tensor[i].name >= (const char *)copy && out->tensor[i].name + out->tensor[i].name_n <= (const char *)copy + n);
    free(copy);
    return status;
}

static void refused(const void *data, size_t n, const char *word)
{
    reel_pickle p;
    reel_error err = {0};
    reel_status status = read_pickle(data, n, &p, &err);
    if (status == REEL_OK || strstr(err.message, word) == NULL || strstr(err.message, "x.bin") == NULL)
        fail_msg("wanted '%s', got status %d: %s", word, status, err.message);
}

static const pk_tensor one = {"w", "FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}};

static void tensors_come_out(void **state)
{
    (void)state;
    const pk_tensor t[] = {one, {"layer.bias", "BFloat16Storage", "17", 100, 5, 1, {7}, {2}}, {"s", "LongStorage", "x", 1, 0, 0, {0}, {0}}};
    reel_text text = {0};
    reel_pickle p;
    reel_error err = {0};
    pk_state(&text, t, 3);
    if (reel_pickle_read((const uint8_t *)text.s, text.len, "x.bin", &p, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p.n, 3);
    assert_memory_equal(p.tensor[1].name, "layer.bias", p.tensor[1].name_n);
    assert_int_equal(p.tensor[1].name_n, 10);
    assert_memory_equal(p.tensor[1].key, "17", p.tensor[1].key_n);
    assert_int_equal(p.tensor[1].dtype, REEL_BF16);
    assert_int_equal(p.tensor[1].numel, 100);
    assert_int_equal(p.tensor[1].offset, 5);
    assert_int_equal(p.tensor[1].stride[0], 2);
    assert_int_equal(p.tensor[0].shape.rank, 2);
    assert_int_equal(p.tensor[0].shape.dim[1], 3);
    assert_int_equal(p.tensor[0].stride[0], 3);
    assert_int_equal(p.tensor[2].shape.rank, 0);
    assert_int_equal(p.tensor[2].dtype, REEL_I64);
    reel_pickle_free(&p);
    reel_text_free(&text);
}

/* --- opcodes --- */

/* Each byte that is no opcode of a state dict is refused wherever it stands, also where its arguments are there. */
static void other_opcodes_are_refused(void **state)
{
    (void)state;
    static const char good[] = "c(.RbQqrhjXJKMGN)t]ae}su\x85\x86\x87\x88\x89\x8a";
    int others = 0;
    for (int code = 0; code < 256; code++) {
        char text[] = "\x80\x02NNNNNNNNNNNNNNNNNNN.";
        if (code != 0 && strchr(good, code) != NULL)
            continue;
        text[4] = (char)code;
        refused(text, sizeof text - 1, "byte 4");
        others++;
    }
    assert_int_equal(others, 256 - 30);
}

static void dangerous_opcodes_have_their_names(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t n; const char *word; } bad[] = {
        {BYTES("\x80\x02(X\x02\0\0\0idiposix\nsystem\n."), "INST"}, {BYTES("\x80\x02(cposix\nsystem\no."), "posix.system"},
        {BYTES("\x80\x02(NNo."), "OBJ"}, {BYTES("\x80\x02NN\x81."), "NEWOBJ"}, {BYTES("\x80\x02NNN\x92."), "NEWOBJ_EX"},
        {BYTES("\x80\x02NN\x93."), "STACK_GLOBAL"}, {BYTES("\x80\x02\x82\x01."), "EXT1"}, {BYTES("\x80\x02\x83\x01\0."), "EXT2"},
        {BYTES("\x80\x02\x84\x01\0\0\0."), "EXT4"}, {BYTES("\x80\x02Pid\n."), "PERSID"}, {BYTES("\x80\x02N\x80\x02."), "PROTO"},
        {BYTES("\x80\x02N0."), "POP"}, {BYTES("\x80\x02N2."), "DUP"}, {BYTES("\x80\x02(1."), "POP_MARK"}, {BYTES("\x80\x02S'a'\n."), "STRING"},
        {BYTES("\x80\x02\x95\0\0\0\0\0\0\0\0."), "FRAME"}, {BYTES("\x80\x02N\x94."), "MEMOIZE"}, {BYTES("\x80\x02\x8c\x01" "a."), "SHORT_BINUNICODE"},
        {BYTES("\x80\x02\xff."), "0xff is no opcode"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i].bytes, bad[i].n, bad[i].word);
}

static void other_globals_are_refused(void **state)
{
    (void)state;
    static const struct { const char *module, *name; } bad[] = {
        {"posix", "system"}, {"os", "system"}, {"builtins", "eval"}, {"builtins", "exec"}, {"builtins", "getattr"}, {"nt", "system"},
        {"subprocess", "Popen"}, {"torch._utils", "_rebuild_tensor"}, {"torch._utils", "_rebuild_tensor_v4"},
        {"torch._utils", "_rebuild_qtensor"}, {"torch.storage", "TypedStorage"}, {"torch.storage", "_load_from_bytes"},
        {"torch._tensor", "_rebuild_from_type"}, {"torch.nn.parameter", "Parameter"}, {"torch", "float32"},
        {"torch", "floatStorage"}, {"torch", "FloatStorag"}, {"torch", "FloatStorageX"}, {"torc", "FloatStorage"}, {"", ""},
        {"torch", "ComplexHalfStorage"}, {"collections", "OrderedDict.fromkeys"}, {"numpy.core.multiarray", "_reconstruct"},
        {"argparse", "Namespace"}, {"torch.jit", "load"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char name[100];
        reel_text t = {0};
        reel_text_puts(&t, "\x80\x02");
        pk_global(&t, bad[i].module, bad[i].name);
        reel_text_puts(&t, ".");
        snprintf(name, sizeof name, "the global %s.%s is refused", bad[i].module, bad[i].name);
        refused(t.s, t.len, name);
        refused(t.s, t.len, "save_file");  /* the advice */
        reel_text_free(&t);
    }
}

/* --- tensors with more about them --- */

/* function(storage, offset, (2, 3), (3, 1), False, OrderedDict(), …): `more` is what stands behind. */
static void put_call(reel_text *t, const char *function, const char *storage, int64_t numel, const char *more, size_t more_n)
{
    static const int64_t size[] = {2, 3}, stride[] = {3, 1};
    if (function != NULL)
        pk_global(t, "torch._utils", function);
    reel_text_puts(t, "((");
    pk_text(t, "storage", 7);
    reel_text_puts(t, storage);
    pk_text(t, "0", 1);
    pk_text(t, "cpu", 3);
    pk_int(t, numel);
    reel_text_puts(t, "tQ");
    pk_int(t, 0);
    pk_ints(t, size, 2);
    pk_ints(t, stride, 2);
    reel_text_puts(t, "\x89");
    pk_global(t, "collections", "OrderedDict");
    reel_text_puts(t, ")R");
    reel_text_add(t, more, more_n);
    reel_text_puts(t, "t");
    if (function != NULL)
        reel_text_puts(t, "R");
}

static void one_tensor(const reel_text *t, reel_dtype dtype, reel_dtype stored)
{
    reel_pickle p;
    reel_error err = {0};
    if (reel_pickle_read((const uint8_t *)t->s, t->len, "x.bin", &p, &err) != REEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p.n, 1);
    assert_memory_equal(p.tensor[0].name, "w", p.tensor[0].name_n);
    assert_int_equal(p.tensor[0].dtype, dtype);
    assert_int_equal(p.tensor[0].stored, stored);
    assert_int_equal(p.tensor[0].shape.dim[1], 3);
    reel_pickle_free(&p);
}

static void begin(reel_text *t, char protocol)
{
    const char head[] = {(char)0x80, protocol, '}'};
    t->len = 0;
    reel_text_add(t, head, sizeof head);
    pk_text(t, "w", 1);
}

#define UNTYPED "ctorch.storage\nUntypedStorage\n"

static void tensors_with_types_of_their_own(void **state)
{
    (void)state;
    static const struct { const char *name; reel_dtype dtype; } types[] = {
        {"uint16", REEL_U16}, {"uint32", REEL_U32}, {"uint64", REEL_U64}, {"float8_e4m3fn", REEL_F8_E4M3}, {"float8_e5m2", REEL_F8_E5M2},
        {"float8_e4m3fnuz", REEL_F8_E4M3FNUZ}, {"float8_e5m2fnuz", REEL_F8_E5M2FNUZ}, {"float8_e8m0fnu", REEL_F8_E8M0},
        {"complex32", REEL_C32},
    };
    reel_text t = {0};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char more[60];
        const int n = snprintf(more, sizeof more, "ctorch\n%s\n", types[i].name);
        begin(&t, 2);
        put_call(&t, "_rebuild_tensor_v3", UNTYPED, 48, more, (size_t)n);
        reel_text_puts(&t, "s.");
        one_tensor(&t, types[i].dtype, REEL_U8);
    }
    static const struct { const char *storage; reel_dtype dtype; } stored[] = {
        {"ctorch\nComplexFloatStorage\n", REEL_C64}, {"ctorch\nComplexDoubleStorage\n", REEL_C128}, {UNTYPED, REEL_U8},
    };
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        begin(&t, 2);
        put_call(&t, "_rebuild_tensor_v2", stored[i].storage, 6, "", 0);
        reel_text_puts(&t, "s.");
        one_tensor(&t, stored[i].dtype, stored[i].dtype);
    }
    static const struct { const char *more; size_t n; const char *word; } bad[] = {
        {BYTES("N"), "type of a tensor must be a global"}, {BYTES("ctorch\nTensor\n"), "type of a tensor is none"},
        {BYTES("ctorch\nFloatStorage\n"), "type of a tensor is none"}, {BYTES("ctorch\nuint16\nN"), "metadata of a tensor must be a dict"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        begin(&t, 2);
        put_call(&t, "_rebuild_tensor_v3", UNTYPED, 48, bad[i].more, bad[i].n);
        reel_text_puts(&t, "s.");
        refused(t.s, t.len, bad[i].word);
    }
    reel_text_free(&t);
}

/* Attributes that Python code gave to a parameter or a tensor are left aside. */
static void tensors_with_attributes(void **state)
{
    (void)state;
    reel_text t = {0};
    begin(&t, 2);
    pk_global(&t, "torch._utils", "_rebuild_parameter_with_state");
    reel_text_puts(&t, "(");
    put_call(&t, "_rebuild_tensor_v2", "ctorch\nFloatStorage\n", 6, "", 0);
    reel_text_puts(&t, "\x88}}");
    pk_text(&t, "foo", 3);
    reel_text_puts(&t, "K\3stRs.");
    one_tensor(&t, REEL_F32, REEL_F32);
    for (int typed = 0; typed < 2; typed++) {
        begin(&t, 2);
        pk_global(&t, "torch._tensor", "_rebuild_from_type_v2");
        reel_text_puts(&t, "(");
        pk_global(&t, "torch._utils", typed ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
        pk_global(&t, "torch", "Tensor");
        put_call(&t, NULL, typed ? UNTYPED : "ctorch\nHalfStorage\n", typed ? 12 : 6, "ctorch\nuint16\n", typed ? 14 : 0);
        reel_text_puts(&t, "}N\x86tRs.");
        one_tensor(&t, typed ? REEL_U16 : REEL_F16, typed ? REEL_U8 : REEL_F16);
    }
    reel_text_free(&t);
}

static void views_by_conjugation(void **state)
{
    (void)state;
    static const char neg[] = "}X\3\0\0\0neg\x88s";
    reel_text t = {0};
    begin(&t, 2);
    put_call(&t, "_rebuild_tensor_v2", "ctorch\nFloatStorage\n", 6, BYTES(neg));
    reel_text_puts(&t, "s.");
    refused(t.s, t.len, "tensor w is a conjugate or negative view");
    refused(t.s, t.len, "resolve_neg");
    begin(&t, 2);
    put_call(&t, "_rebuild_tensor_v2", "ctorch\nFloatStorage\n", 6, BYTES("}"));  /* says nothing */
    reel_text_puts(&t, "s.");
    one_tensor(&t, REEL_F32, REEL_F32);
    reel_text_free(&t);
}

static void protocol_3_is_read(void **state)
{
    (void)state;
    reel_text t = {0};
    begin(&t, 3);
    put_call(&t, "_rebuild_tensor_v2", "ctorch\nFloatStorage\n", 6, "", 0);
    reel_text_puts(&t, "s.");
    one_tensor(&t, REEL_F32, REEL_F32);
    reel_text_free(&t);
    refused(BYTES("\x80\x03" "C\1a."), "SHORT_BINBYTES");  /* what it has beyond protocol 2 is in no state dict */
    refused(BYTES("\x80\x03" "B\1\0\0\0a."), "BINBYTES");
}

/* --- damage --- */

static void damaged_pickles(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t n; const char *word; } bad[] = {
        {BYTES(""), "protocol"}, {BYTES("\x80"), "protocol"}, {BYTES("N."), "protocol"}, {BYTES("\x80\x02"), "no end"},
        {BYTES("\x80\x04N."), "protocol 4"}, {BYTES("\x80\x05N."), "protocol 5"}, {BYTES("\x80\x01N."), "protocol 1"},
        {BYTES("\x80\x02."), "state dict alone"},
        {BYTES("\x80\x02NN."), "state dict alone"}, {BYTES("\x80\x02(N."), "state dict alone"}, {BYTES("\x80\x02}.."), "behind its end"},
        {BYTES("\x80\x02R"), "stack is empty"}, {BYTES("\x80\x02NR"), "stack is empty"}, {BYTES("\x80\x02t"), "mark"},
        {BYTES("\x80\x02u"), "mark"}, {BYTES("\x80\x02" "e"), "mark"}, {BYTES("\x80\x02N(\x85"), "stack is empty"},
        {BYTES("\x80\x02N\x86"), "stack is empty"}, {BYTES("\x80\x02NN\x87"), "stack is empty"}, {BYTES("\x80\x02}(Nu"), "key without"},
        {BYTES("\x80\x02N(NNu"), "a dict, not None"}, {BYTES("\x80\x02(NNu"), "stack is empty"}, {BYTES("\x80\x02}Ns"), "stack is empty"},
        {BYTES("\x80\x02]NNs"), "a dict, not a list"}, {BYTES("\x80\x02}Na"), "a list, not a dict"}, {BYTES("\x80\x02Na"), "stack is empty"},
        {BYTES("\x80\x02}(NNe"), "a list, not a dict"}, {BYTES("\x80\x02(Ne"), "stack is empty"},
        {BYTES("\x80\x02h\0"), "memo"}, {BYTES("\x80\x02j\0\0\0\0"), "memo"}, {BYTES("\x80\x02Nq\x01"), "out of order"},
        {BYTES("\x80\x02q\0"), "stack is empty"}, {BYTES("\x80\x02Nr\xff\xff\xff\xff"), "out of order"},
        {BYTES("\x80\x02\x8a\x09\1\2\3\4\5\6\7\x08\x09"), "9 bytes"}, {BYTES("\x80\x02X\xff\xff\xff\xff" "aaaa"), "inside an opcode"},
        {BYTES("\x80\x02X\x02\0\0\0\xc3\x28."), "UTF-8"}, {BYTES("\x80\x02" "cposix"), "does not end"}, {BYTES("\x80\x02" "ca\nb"), "does not end"},
        {BYTES("\x80\x02N."), "None, not a state dict"}, {BYTES("\x80\x02]."), "a list, not a state dict"},
        {BYTES("\x80\x02)."), "a tuple, not a state dict"}, {BYTES("\x80\x02K\5."), "a whole number, not"},
        {BYTES("\x80\x02}}b."), "BUILD on a plain dict"}, {BYTES("\x80\x02N}b."), "must be a dict"},
        {BYTES("\x80\x02" "ccollections\nOrderedDict\n)RNb."), "state of BUILD"}, {BYTES("\x80\x02}b"), "stack is empty"},
        {BYTES("\x80\x02" "ccollections\nOrderedDict\nN\x85R."), "OrderedDict with arguments"}, {BYTES("\x80\x02N)R."), "REDUCE would call"},
        {BYTES("\x80\x02" "ctorch\nFloatStorage\n)R."), "REDUCE would call"}, {BYTES("\x80\x02" "ccollections\nOrderedDict\n]R."), "a tuple, not a list"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_parameter\n)R."), "three arguments"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_parameter\nNNN\x87R."), "must be a tensor"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_tensor_v2\n)R."), "six or seven arguments"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNNNtR."), "six or seven arguments"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_tensor_v3\n(NNNNNNtR."), "seven or eight arguments"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_tensor_v3\n(NNNNNNNNNtR."), "seven or eight arguments"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_parameter_with_state\nNNN\x87R."), "four arguments"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_parameter_with_state\n(NNNNtR."), "must be a tensor"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_parameter\n(NNNNtR."), "three arguments"},
        {BYTES("\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\nNNN\x87R."), "four arguments"},
        {BYTES("\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\n(NNNNtR."), "must be a global"},
        {BYTES("\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\nctorch\nTensor\n)NtR."),
         "something else than a tensor"},
        {BYTES("\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nctorch\nTensor\n)NtR."),
         "something else"},
        {BYTES("\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nccollections\nOrderedDict\n)NtR."),
         "something else"},
        {BYTES("\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\nNNtR."),
         "must be a tuple"},
        {BYTES("\x80\x02" "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n)NtR."),
         "six or seven arguments"},
        {BYTES("\x80\x02" "ctorch\nTensor\n)R."), "REDUCE would call"}, {BYTES("\x80\x02" "ctorch\nuint16\n)R."), "REDUCE would call"},
        {BYTES("\x80\x02" "ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR."), "must be a storage"},
        {BYTES("\x80\x02NQ."), "persistent id"}, {BYTES("\x80\x02)Q."), "persistent id"},
        {BYTES("\x80\x02(X\6\0\0\0moduleNNNNtQ."), "storage"}, {BYTES("\x80\x02(X\7\0\0\0storageNNNNtQ."), "must be a global"},
        {BYTES("\x80\x02(X\7\0\0\0storageccollections\nOrderedDict\nNNNtQ."), "type of a storage is none"},
        {BYTES("\x80\x02(X\7\0\0\0storagectorch\nuint16\nNNNtQ."), "type of a storage is none"},
        {BYTES("\x80\x02(X\7\0\0\0storagectorch\nFloatStorage\nK\1NNtQ."), "must be a text"},
        {BYTES("\x80\x02(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuNtQ."), "must be a whole number"},
        {BYTES("\x80\x02(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuJ\xff\xff\xff\xfftQ."), "negative"},
        {BYTES("\x80\x02(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "0X\3\0\0\0cpuK\1NtQ."), "persistent id"},  /* of the legacy form */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i].bytes, bad[i].n, bad[i].word);
}

static void tensors_that_are_none(void **state)
{
    (void)state;
    static const struct { pk_tensor t; const char *word; } bad[] = {
        {{"w", "FloatStorage", "0", -1, 0, 1, {1}, {1}}, "negative"}, {{"w", "FloatStorage", "0", 1, -1, 1, {1}, {1}}, "negative offset"},
        {{"w", "FloatStorage", "0", 1, 0, 1, {-1}, {1}}, "negative number, -1"}, {{"w", "FloatStorage", "0", 1, 0, 1, {1}, {-3}}, "stride of a tensor holds a negative"},
        {{"w", "FloatStorage", "0", 1, 0, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1}}, "9 dimensions"},
        {{"w", "QInt8Storage", "0", 1, 0, 1, {1}, {1}}, "torch.QInt8Storage"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reel_text text = {0};
        pk_state(&text, &bad[i].t, 1);
        refused(text.s, text.len, bad[i].word);
        reel_text_free(&text);
    }
}

/* The parts of a tensor and its name, each of another kind than it must be. */
static void tensors_of_wrong_parts(void **state)
{
    (void)state;
    static const char *const words[] = {"number of strides", "the hooks of a tensor must be a dict", "must be a text", "too long", "NUL"};
    static const int64_t two[] = {1, 1};
    char name[1025];
    memset(name, 'a', sizeof name);
    for (int k = 0; k < 5; k++) {
        reel_text t = {0};
        reel_text_puts(&t, "\x80\x02}");
        if (k == 2)
            pk_int(&t, 3);
        else
            pk_text(&t, k == 4 ? "" : name, k == 3 ? sizeof name : 1);
        pk_global(&t, "torch._utils", "_rebuild_tensor_v2");
        reel_text_puts(&t, "(");
        pk_storage(&t, "FloatStorage", "0", 1);
        pk_int(&t, 0);
        pk_ints(&t, two, 2);
        pk_ints(&t, two, k == 0 ? 1 : 2);
        reel_text_puts(&t, k == 1 ? "\x89NtRs." : "\x89}tRs.");
        refused(t.s, t.len, words[k]);
        reel_text_free(&t);
    }
}

/* A whole pickle cut at each byte, and with each byte changed in turn: an error or a state dict, never a crash. */
static void cut_and_changed(void **state)
{
    (void)state;
    const pk_tensor t[] = {one, {"layer.bias", "HalfStorage", "17", 100, 5, 1, {7}, {2}}};
    reel_text text = {0};
    reel_pickle p;
    reel_error err;
    pk_state(&text, t, 2);
    for (size_t n = 0; n < text.len; n++)
        assert_int_not_equal(read_pickle(text.s, n, &p, &err), REEL_OK);
    for (size_t i = 0; i < text.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            text.s[i] = (char)(text.s[i] ^ 1 << bit);
            if (read_pickle(text.s, text.len, &p, &err) == REEL_OK)
                reel_pickle_free(&p);
            text.s[i] = (char)(text.s[i] ^ 1 << bit);
        }
    assert_int_equal(read_pickle(text.s, text.len, &p, &err), REEL_OK);
    reel_pickle_free(&p);
    reel_text_free(&text);
}

/* --- limits --- */

static void repeated(const char *before, size_t before_n, const char *unit, size_t n, const char *word)
{
    reel_text t = {0};
    reel_text_add(&t, before, before_n);
    for (size_t i = 0; i < n; i++)
        reel_text_puts(&t, unit);
    reel_text_puts(&t, ".");
    refused(t.s, t.len, word);
    reel_text_free(&t);
}

static void limits(void **state)
{
    (void)state;
    repeated(BYTES("\x80\x02"), "(", 65, "nesting");
    repeated(BYTES("\x80\x02"), "N", (4 << 20) + 1, "more values");
    reel_text t = {0};
    reel_text_add(&t, "\x80\x02}(", 4);
    for (size_t i = 0; i <= 100000; i++) {
        char name[16];
        pk_text(&t, name, (size_t)snprintf(name, sizeof name, "%zu", i));
        if (i == 0) {
            pk_tensor_value(&t, &one);
            reel_text_add(&t, "q\0", 2);
        } else
            reel_text_add(&t, "h\0", 2);
    }
    reel_text_puts(&t, "u.");
    refused(t.s, t.len, "more tensors than 100000");
    reel_text_free(&t);
    char *large = calloc((64 << 20) + 1, 1);
    large[0] = (char)0x80;
    large[1] = 2;
    refused(large, (64 << 20) + 1, "limit is 67108864");
    free(large);
}

/* --- training files --- */

static void state_dicts_inside_others(void **state)
{
    (void)state;
    static const char *const names[] = {"state_dict", "model", "module", "model_state_dict", "optimizer"};
    for (size_t i = 0; i < 5; i++) {
        reel_text t = {0};
        reel_pickle p;
        reel_error err = {0};
        reel_text_puts(&t, "\x80\x02}(");
        pk_text(&t, "epoch", 5);
        pk_int(&t, 3);
        pk_int(&t, 4);  /* a key that is a number */
        reel_text_puts(&t, "N");
        pk_text(&t, names[i], strlen(names[i]));
        reel_text_puts(&t, "}");
        pk_text(&t, "w", 1);
        pk_tensor_value(&t, &one);
        reel_text_puts(&t, "su.");
        if (reel_pickle_read((const uint8_t *)t.s, t.len, "x.bin", &p, &err) != REEL_OK)
            fail_msg("%s: %s", names[i], err.message);
        assert_int_equal(p.n, i < 4);
        reel_pickle_free(&p);
        reel_text_free(&t);
    }
}

static void no_memory(void **state)
{
    (void)state;
    const pk_tensor t[] = {one, {"layer.bias", "HalfStorage", "17", 100, 5, 1, {7}, {2}}};
    reel_text text = {0};
    pk_state(&text, t, 2);
    for (long k = 1;; k++) {
        reel_pickle p;
        reel_error err = {0};
        reel_mem_fail_at(k, false);
        reel_status status = reel_pickle_read((const uint8_t *)text.s, text.len, "x.bin", &p, &err);
        reel_mem_fail_at(0, false);
        if (status == REEL_OK) {
            reel_pickle_free(&p);
            break;
        }
        assert_int_equal(status, REEL_ERR_NOMEM);
        assert_null(p.tensor);
        assert_true(k < 1000);
    }
    reel_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_come_out), cmocka_unit_test(other_opcodes_are_refused),
        cmocka_unit_test(dangerous_opcodes_have_their_names), cmocka_unit_test(other_globals_are_refused),
        cmocka_unit_test(tensors_with_types_of_their_own), cmocka_unit_test(tensors_with_attributes),
        cmocka_unit_test(views_by_conjugation), cmocka_unit_test(protocol_3_is_read),
        cmocka_unit_test(damaged_pickles), cmocka_unit_test(tensors_that_are_none),
        cmocka_unit_test(tensors_of_wrong_parts), cmocka_unit_test(cut_and_changed),
        cmocka_unit_test(limits), cmocka_unit_test(state_dicts_inside_others), cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
