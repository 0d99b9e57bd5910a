/* Names of options: spelling, old names, the nearest of a misspelt one. */
#include <string.h>

#include "args/args.h"
#include "base/text.h"

/* Old and short names. A row of the job's own under the old name comes first. */
static const struct { const char *old, *name; } spellings[] = {
    { "evaluation_strategy", "eval_strategy" },
    { "per_gpu_train_batch_size", "per_device_train_batch_size" },
    { "per_gpu_eval_batch_size", "per_device_eval_batch_size" },
    { "train_batch_size", "per_device_train_batch_size" },
    { "eval_batch_size", "per_device_eval_batch_size" },
    { "output", "output_dir" },
    { "output_dir", "output" },
    { "num_workers", "dataloader_num_workers" },
};

bool reel_option_spelling(const char *name, char out[REEL_NAME_SIZE])
{
    name += strspn(name, "-");
    const size_t n = strlen(name);
    if (n == 0 || n >= REEL_NAME_SIZE)
        return false;
    for (size_t i = 0; i <= n; i++)
        out[i] = name[i] == '-' ? '_' : name[i];
    return true;
}

static const reel_option *row_named(const reel_job_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}

const reel_option *reel_job_option(reel_job job, const char *name)
{
    const reel_job_table *table = reel_job_table_of(job);
    char spelt[REEL_NAME_SIZE];
    if (table == NULL || !reel_option_spelling(name, spelt))
        return NULL;
    const reel_option *row = row_named(table, spelt);
    for (size_t i = 0; row == NULL && i < sizeof spellings / sizeof spellings[0]; i++)
        if (strcmp(spellings[i].old, spelt) == 0)
            row = row_named(table, spellings[i].name);
    return row;
}

const reel_option *reel_job_option_near(reel_job job, const char *name)
{
    const reel_job_table *table = reel_job_table_of(job);
    char spelt[REEL_NAME_SIZE];
    if (table == NULL || !reel_option_spelling(name, spelt))
        return NULL;
    /* Two slips, or one letter of four in a long name; beyond that a name that holds what was written, such as epochs. */
    const size_t n = strlen(spelt), allowed = n < 4 ? 1 : n / 4 > 2 ? n / 4 : 2;
    const reel_option *near = NULL;
    size_t least = allowed + 1;
    for (size_t i = 0; i < table->count; i++) {
        const size_t d = reel_edit_distance(spelt, table->rows[i].name);
        if (d < least) {
            least = d;
            near = &table->rows[i];
        }
    }
    for (size_t i = 0; near == NULL && n >= 4 && i < table->count; i++)
        if (strstr(table->rows[i].name, spelt) != NULL)
            near = &table->rows[i];
    return near;
}
