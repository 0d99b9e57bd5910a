#include "models/arch.h"

#include <string.h>

#include "models/videomae.h"

static const reel_arch *const archs[] = {&reel_arch_videomae};

const reel_arch *reel_arch_at(size_t i)
{
    return i < sizeof archs / sizeof *archs ? archs[i] : NULL;
}

const reel_arch *reel_arch_find(const char *model_type)
{
    for (size_t i = 0; reel_arch_at(i) != NULL; i++)
        if (strcmp(reel_arch_at(i)->model_type, model_type) == 0)
            return reel_arch_at(i);
    return NULL;
}
