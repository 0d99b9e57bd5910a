/* How a row is written. ROW_STRUCT names the struct whose fields the rows of a file fill; a row has its field's name. */
#ifndef REEL_ARGS_ROWS_H
#define REEL_ARGS_ROWS_H

#include <stddef.h>

#include "args/args.h"
#include "args/jobs.h"

#define ROW_BOOL(field, group, def, help) \
    { #field, REEL_OPTION_BOOL, group, 0, 1, def, NULL, "", help, offsetof(ROW_STRUCT, field) }
#define ROW_INT(field, group, lo, hi, def, unit, help) \
    { #field, REEL_OPTION_INT, group, lo, hi, def, NULL, unit, help, offsetof(ROW_STRUCT, field) }
#define ROW_FLOAT(field, group, lo, hi, def, unit, help) \
    { #field, REEL_OPTION_FLOAT, group, lo, hi, def, NULL, unit, help, offsetof(ROW_STRUCT, field) }
#define ROW_STRING(field, group, def, help) \
    { #field, REEL_OPTION_STRING, group, 0, 0, def, NULL, "", help, offsetof(ROW_STRUCT, field) }
#define ROW_LIST(field, group, help) \
    { #field, REEL_OPTION_LIST, group, 0, 0, "", NULL, "", help, offsetof(ROW_STRUCT, field) }
#define ROW_CHOICE(field, group, choices, def, help) \
    { #field, REEL_OPTION_CHOICE, group, 0, 0, def, choices, "", help, offsetof(ROW_STRUCT, field) }

/* Headings. Rows of a group stand together. */
#define GROUP_INPUT   "model and data"
#define GROUP_RESULT  "result"
#define GROUP_TRAIN   "training"
#define GROUP_CLIPS   "clips"
#define GROUP_OPTIM   "optimizer and schedule"
#define GROUP_EVAL    "log and evaluation"
#define GROUP_SAVE    "checkpoints"
#define GROUP_SET     "data set"
#define GROUP_MACHINE "machine"
#define GROUP_HUB     "the Hub"

enum { ROW_WORKERS_MAX = 256, ROW_BATCH_MAX = 4096, ROW_FRAMES_MAX = 1024, ROW_SIZE_MAX = 4096 };
#define ROW_SEED_MAX 9007199254740991.0 /* 2^53 - 1: every seed survives a JSON file */

/* The guide's clip: num_frames * sample_rate / fps seconds. The same rows for every job that cuts clips. */
#define ROWS_WINDOW \
    ROW_FLOAT(sample_rate, GROUP_CLIPS, 0.01, 1000, "4", "", "frames of fps from one taken to the next"), \
    ROW_FLOAT(fps, GROUP_CLIPS, 0.01, 1000, "30", "", "rate that sample_rate counts in"), \
    ROW_FLOAT(clip_duration, GROUP_CLIPS, 0, 86400, "0", "seconds", "0: num_frames * sample_rate / fps")
#define ROWS_AUGMENT \
    ROW_INT(min_size, GROUP_CLIPS, 0, ROW_SIZE_MAX, "0", "pixels", "least short side; 0: 256 for 224"), \
    ROW_INT(max_size, GROUP_CLIPS, 0, ROW_SIZE_MAX, "0", "pixels", "greatest short side; 0: 320 for 224"), \
    ROW_FLOAT(flip, GROUP_CLIPS, 0, 1, "0.5", "", "probability of a horizontal flip")
#define ROW_AUTOROTATE ROW_BOOL(autorotate, GROUP_CLIPS, "true", "turn as the file's metadata says")
#define ROW_LOADERS \
    ROW_INT(dataloader_num_workers, GROUP_MACHINE, 0, ROW_WORKERS_MAX, "0", "threads", "threads that read clips; 0: chosen")
#define ROW_CACHE \
    ROW_INT(dataloader_cache_mb, GROUP_MACHINE, 0, 1e6, "0", "MB", "decoded frames kept in memory; 0: none")
#define ROW_DTYPE ROW_CHOICE(dtype, GROUP_MACHINE, "float32|fp32|bf16|bfloat16|int8", "float32", "numbers of the products")

/* Closes a file's rows: the table of a job. */
#define JOB_TABLE(job, verb, needs, derive, check) \
    const reel_job_table reel_table_##job = { verb, rows_##job, sizeof rows_##job / sizeof rows_##job[0], \
        sizeof(reel_##job##_args), needs, derive, check }

extern const reel_job_table reel_table_train, reel_table_evaluate, reel_table_predict, reel_table_preview, reel_table_forward,
    reel_table_data_info, reel_table_data_synth, reel_table_data_pack, reel_table_model_info, reel_table_model_new,
    reel_table_model_convert, reel_table_bench, reel_table_hub_login, reel_table_hub_logout, reel_table_hub_whoami, reel_table_hub_download,
    reel_table_hub_upload;

/* train: values that follow from others where they were not set, and what must hold between options. */
void reel_train_derive(reel_args *args);
reel_status reel_train_check(const reel_args *args, reel_error *err);
reel_status reel_preview_check(const reel_args *args, reel_error *err);
reel_status reel_synth_check(const reel_args *args, reel_error *err);
reel_status reel_pack_check(const reel_args *args, reel_error *err);
reel_status reel_bench_check(const reel_args *args, reel_error *err);

#endif
