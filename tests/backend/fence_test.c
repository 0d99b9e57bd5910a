/* The fence itself: who reads or writes device memory outside of an operation dies, also during planning; writing past a block's
 * end dies inside an operation. Each in a child process. */
#include "bed.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int died_of(void (*deed)(mat *), mat *m)
{
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        deed(m);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void peek(mat *m) { volatile float x = *mat_dev(m); (void)x; }
static void poke(mat *m) { *(volatile float *)mat_dev(m) = 1; }
static void peek_after_operation(mat *m)
{
    bed->ops->add(bed, m->v, m->v, m->v);
    peek(m);
}
static void touch_while_planning(mat *m)
{
    bed->planning = true;
    bed->ops->add(bed, m->v, m->v, m->v);
    peek(m);
}
static void write_past_the_end(mat *m)
{
    bed->ops->zero(bed, m->v.dev, m->bytes + 64);
}
static void behave(mat *m)
{
    bed->ops->add(bed, m->v, m->v, m->v);
    bed->planning = true;
    bed->ops->add(bed, m->v, m->v, m->v);
}

static void test_fence(void **state)
{
    (void)state;
    mat m = mat_row(100);
    assert_int_equal(died_of(behave, &m), 0);
    assert_int_equal(died_of(peek, &m), SIGSEGV);
    assert_int_equal(died_of(poke, &m), SIGSEGV);
    assert_int_equal(died_of(peek_after_operation, &m), SIGSEGV);
    assert_int_equal(died_of(touch_while_planning, &m), SIGSEGV);
    assert_int_equal(died_of(write_past_the_end, &m), SIGSEGV);
    mat_free(&m);
}

BED_MAIN(cmocka_unit_test(test_fence))
