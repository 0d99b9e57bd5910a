#include "models/init.h"

#include "base/rng.h"

static void draw(reel_model *m, const reel_param *p, reel_mt *mt)
{
    float *w = m->weights + p->offset;
    if (p->init == REEL_INIT_NORMAL)
        reel_mt_normal(mt, w, p->count, (float)m->config.initializer_range);
    else
        for (size_t i = 0; i < p->count; i++)
            w[i] = p->init == REEL_INIT_ONES ? 1.0f : 0.0f;
}

/* torch's constructors of linear and convolution layers draw weight and bias, which initialisation then replaces: the draws
 * are thrown away but move the generator. Norms draw nothing; a norm's bias follows its weight of ones. */
static bool drawn_by_constructor(const reel_params *params, size_t i)
{
    const reel_param *p = &params->param[i];
    if (p->name == NULL)
        return false;
    return p->init == REEL_INIT_NORMAL || (p->init == REEL_INIT_ZEROS && i > 0 && params->param[i - 1].init != REEL_INIT_ONES);
}

/* The inner model is built and initialised before the modules around it. */
static void init_part(reel_model *m, reel_mt *mt, bool head)
{
    for (size_t i = 0; i < m->params.n; i++)
        if (m->params.param[i].head == head && drawn_by_constructor(&m->params, i))
            reel_mt_uniform(mt, NULL, m->params.param[i].count, 0, 1);
    for (size_t i = 0; i < m->params.n; i++)
        if (m->params.param[i].head == head)
            draw(m, &m->params.param[i], mt);
}

void reel_init_all(reel_model *m, uint64_t seed)
{
    reel_mt mt;
    reel_mt_seed(&mt, seed);
    init_part(m, &mt, false);
    init_part(m, &mt, true);
}

void reel_init_fresh(reel_model *m, uint64_t seed, const bool *fresh)
{
    reel_mt mt;
    reel_mt_seed(&mt, seed);
    for (size_t i = 0; i < m->params.n; i++)
        if (fresh[i])
            draw(m, &m->params.param[i], &mt);
}
