#include "models/params.h"

#include <string.h>

#include "base/mem.h"

enum { ALIGN_FLOATS = 16 };

/* The table doubles whenever its length is a power of two, so that it needs no capacity beside it. */
static bool make_room(reel_params *p)
{
    if ((p->n & (p->n - 1)) != 0)
        return true;
    reel_param *grown = reel_realloc(p->param, p->n > 0 ? 2 * p->n : 1, sizeof *grown);
    if (grown == NULL)
        return false;
    p->param = grown;
    return true;
}

int reel_params_add(reel_params *p, const char *name, const reel_shape *shape, reel_init init, bool decay, bool joined)
{
    uint64_t count;
    size_t offset = p->floats, end;
    if (!joined && (!reel_add(&offset, offset, ALIGN_FLOATS - 1)))
        return -1;
    if (!joined)
        offset &= ~(size_t)(ALIGN_FLOATS - 1);
    if (p->n >= INT32_MAX || !reel_shape_count(shape, &count) || count > SIZE_MAX / sizeof(float) ||
        !reel_add(&end, offset, (size_t)count) || end > SIZE_MAX / sizeof(float) || !make_room(p))
        return -1;
    char *copy = reel_strdup(name);
    if (name != NULL && copy == NULL)
        return -1;
    p->param[p->n] = (reel_param){.name = copy, .shape = *shape, .init = init, .decay = decay, .trainable = name != NULL,
                                  .offset = offset, .count = (size_t)count};
    p->floats = end;
    if (name != NULL)
        p->named += (int64_t)count;
    return (int)p->n++;
}

const reel_param *reel_params_find(const reel_params *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->param[i].name != NULL && strcmp(p->param[i].name, name) == 0)
            return &p->param[i];
    return NULL;
}

void reel_params_free(reel_params *p)
{
    for (size_t i = 0; i < p->n; i++)
        reel_free(p->param[i].name);
    reel_free(p->param);
    *p = (reel_params){0};
}
