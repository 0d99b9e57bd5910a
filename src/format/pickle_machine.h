/* The machine behind pickle.h: values, stack, and what its opcodes share. */
#ifndef REEL_FORMAT_PICKLE_MACHINE_H
#define REEL_FORMAT_PICKLE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/error.h"

enum {
    PK_MAX_PICKLE = 64 << 20, PK_MAX_VALUES = 4 << 20, PK_MAX_TENSORS = 100000, PK_MAX_MARKS = 64, PK_MAX_GLOBAL = 200
};

#define PK_ADVICE "Nothing of it was executed. If you trust the file, load it with torch.load and save its state dict with " \
    "safetensors' save_file"

typedef enum pk_kind {
    PK_NONE, PK_BOOL, PK_INT, PK_FLOAT, PK_TEXT, PK_GLOBAL, PK_TUPLE, PK_LIST, PK_DICT, PK_STORAGE, PK_TENSOR
} pk_kind;

/* Sixteen bytes; what does not fit is in the machine's tables. A list is only known to be one: no state dict needs what is in it. */
typedef struct pk_value {
    uint8_t kind, tag;  /* tag: which global, a storage's dtype; of a dict: OrderedDict */
    uint32_t ref;       /* bytes of a text, members of a tuple, 1 + first pair of a dict, key of a storage, number of a tensor */
    int64_t number;     /* the number; place of a text or of a tuple's members; 1 + last pair of a dict; elements of a storage */
} pk_value;

typedef struct pk_pair { uint32_t key, value, next; } pk_pair;  /* next: 1 + the next one, 0 at the end */

/* lazy: its numbers are those of the storage with the sign changed, of the whole or of imaginary parts. */
typedef struct pk_view {
    uint32_t storage;
    uint8_t dtype;
    bool lazy;
    uint64_t offset;
    reel_shape shape;
    int64_t stride[REEL_MAX_RANK];
} pk_view;

typedef struct pk_machine {
    const uint8_t *p;
    size_t n, at, op;   /* at: the next byte; op: the running opcode's */
    const char *what;
    pk_value *value; size_t values, value_room;
    uint32_t *stack; size_t depth, stack_room;
    uint32_t *member; size_t members, member_room;
    uint32_t *memo; size_t memos, memo_room;
    pk_pair *pair; size_t pairs, pair_room;
    pk_view *view; size_t views, view_room;
    size_t mark[PK_MAX_MARKS], marks;
    bool stopped;
} pk_machine;

void reel_pk_free(pk_machine *m);

/* --- failures: "FILE: damaged pickle (data.pkl), byte N: FAULT" --- */

const char *reel_pk_kind_name(pk_kind kind);
reel_status reel_pk_fail(const pk_machine *m, const char *fault, reel_error *err);
reel_status reel_pk_fail_limit(const pk_machine *m, const char *of, size_t limit, reel_error *err);  /* of: "more tensors" */
reel_status reel_pk_fail_kind(const pk_machine *m, const char *where, const char *wanted, const pk_value *got, reel_error *err);
reel_status reel_pk_fail_empty(const pk_machine *m, reel_error *err);

/* --- stack --- */

/* Room for one more element in a table of `used`, at most PK_MAX_VALUES. */
reel_status reel_pk_grow(pk_machine *m, void **items, size_t *room, size_t used, size_t size, const char *of, reel_error *err);
#define PK_GROW(m, items, room, used, of, err) \
    do { \
        void *grown = (items); \
        REEL_TRY(reel_pk_grow(m, &grown, &(room), used, sizeof *(items), of, err)); \
        (items) = grown; \
    } while (0)

reel_status reel_pk_push(pk_machine *m, uint32_t v, reel_error *err);
reel_status reel_pk_push_new(pk_machine *m, pk_value v, reel_error *err);
size_t reel_pk_above(const pk_machine *m);  /* values above the last mark */
reel_status reel_pk_pop(pk_machine *m, uint32_t *v, reel_error *err);
/* The value on top, which stays and must be of a kind; `where` begins the message if not. */
reel_status reel_pk_top(pk_machine *m, const char *where, pk_kind wanted, pk_value **v, reel_error *err);
/* Takes the last mark away; the values above it stay from stack place *from to the end. */
reel_status reel_pk_pop_mark(pk_machine *m, size_t *from, reel_error *err);

/* --- arguments of opcodes --- */

reel_status reel_pk_take(pk_machine *m, size_t n, const uint8_t **bytes, reel_error *err);
reel_status reel_pk_take_number(pk_machine *m, size_t n, uint32_t *number, reel_error *err);  /* little-endian, at most 4 bytes */
reel_status reel_pk_take_line(pk_machine *m, const char **text, size_t *n, reel_error *err);  /* up to the line end */
bool reel_pk_same(const char *a, size_t n, const char *b);

/* --- opcodes that know torch --- */

reel_status reel_pk_op_global(pk_machine *m, reel_error *err);
reel_status reel_pk_op_persid(pk_machine *m, reel_error *err);
reel_status reel_pk_op_reduce(pk_machine *m, reel_error *err);

reel_status reel_pk_run(pk_machine *m, reel_error *err);  /* until STOP; one value is left on the stack */

#endif
