/* Memory: every product that becomes a size is checked; allocation goes through one table so that tests can make it fail. */
#ifndef REEL_BASE_MEM_H
#define REEL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool reel_mul(size_t *out, size_t a, size_t b) { return !__builtin_mul_overflow(a, b, out); }
static inline bool reel_add(size_t *out, size_t a, size_t b) { return !__builtin_add_overflow(a, b, out); }

/* n zeroed elements of `size` bytes, or NULL (also when n * size does not fit). n = 0 gives a pointer that may be freed. */
void *reel_calloc(size_t n, size_t size);

/* n elements, not zeroed, on a 64-byte boundary (free with reel_free). */
void *reel_alloc_aligned(size_t n, size_t size);

/* Grows or shrinks to n elements; on failure NULL and the old block stays. */
void *reel_realloc(void *p, size_t n, size_t size);

void reel_free(void *p);

/* Copies of text; NULL on failure. reel_strdup(NULL) is NULL. */
char *reel_strdup(const char *text);
char *reel_strndup(const char *text, size_t n);
char *reel_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one more element in a growing array: *items (of `size` bytes each), *capacity. false: no memory. */
bool reel_grow(void **items, size_t *capacity, size_t used, size_t size);

/* Test hook: the n-th allocation from now (1 = the next) fails, once or from then on; 0 switches it off. Not thread safe. */
void reel_mem_fail_at(long n, bool lasting);
long reel_mem_calls(void);

#endif
