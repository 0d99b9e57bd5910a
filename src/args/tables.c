/* The jobs by number. */
#include "args/rows.h"

static const reel_job_table *const tables[REEL_JOB_COUNT] = {
    [REEL_JOB_TRAIN] = &reel_table_train,
    [REEL_JOB_EVALUATE] = &reel_table_evaluate,
    [REEL_JOB_PREDICT] = &reel_table_predict,
    [REEL_JOB_PREVIEW] = &reel_table_preview,
    [REEL_JOB_FORWARD] = &reel_table_forward,
    [REEL_JOB_DATA_INFO] = &reel_table_data_info,
    [REEL_JOB_DATA_SYNTH] = &reel_table_data_synth,
    [REEL_JOB_DATA_PACK] = &reel_table_data_pack,
    [REEL_JOB_MODEL_INFO] = &reel_table_model_info,
    [REEL_JOB_MODEL_NEW] = &reel_table_model_new,
    [REEL_JOB_MODEL_CONVERT] = &reel_table_model_convert,
    [REEL_JOB_BENCH] = &reel_table_bench,
    [REEL_JOB_HUB_LOGIN] = &reel_table_hub_login,
    [REEL_JOB_HUB_LOGOUT] = &reel_table_hub_logout,
    [REEL_JOB_HUB_WHOAMI] = &reel_table_hub_whoami,
    [REEL_JOB_HUB_DOWNLOAD] = &reel_table_hub_download,
    [REEL_JOB_HUB_UPLOAD] = &reel_table_hub_upload,
};

const reel_job_table *reel_job_table_of(reel_job job)
{
    return (unsigned)job < REEL_JOB_COUNT ? tables[job] : NULL;
}

const reel_option *reel_job_options(reel_job job, size_t *count)
{
    const reel_job_table *table = reel_job_table_of(job);
    *count = table != NULL ? table->count : 0;
    return table != NULL ? table->rows : NULL;
}
