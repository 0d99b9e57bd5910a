/* The values of every job's options. Text is never NULL ("" for none); numbers are inside the ranges of their rows. */
#ifndef REEL_ARGS_JOBS_H
#define REEL_ARGS_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts that were given one by one. */
typedef struct reel_list { char **item; size_t n, capacity; } reel_list;

typedef struct reel_train_args {
    /* what */
    char *model, *from_config, *data, *output_dir, *resume_from_checkpoint;
    bool plan;                                   /* only tell what the run will need: reel_train_plan */
    bool overwrite_output_dir, ignore_mismatched_sizes;
    int64_t num_frames;                          /* 0: the model's */
    /* clips */
    double fps, sample_rate, clip_duration;      /* clip_duration 0: num_frames * sample_rate / fps */
    char *train_transform, *train_sampler;       /* train|eval|processor, random|uniform */
    int64_t min_size, max_size;                  /* 0: the guide's ratio */
    double flip;
    bool shuffle, autorotate;
    /* training */
    double num_train_epochs; int64_t max_steps;
    int64_t per_device_train_batch_size, per_device_eval_batch_size, gradient_accumulation_steps;
    double learning_rate, weight_decay, adam_beta1, adam_beta2, adam_epsilon, max_grad_norm;
    char *lr_scheduler_type, *lr_scheduler_kwargs;
    double warmup_ratio, warmup_steps;           /* warmup_steps -1: not given */
    double label_smoothing_factor;
    int64_t seed, data_seed;                     /* data_seed -1: seed */
    bool bf16, gradient_checkpointing;
    /* log, evaluation, saving */
    char *logging_strategy; double logging_steps; bool logging_first_step;
    char *eval_strategy; double eval_steps, eval_delay; bool eval_on_start;
    char *save_strategy; double save_steps; int64_t save_total_limit; bool save_only_model;
    bool load_best_model_at_end; char *metric_for_best_model; bool greater_is_better;
    /* the Hub */
    bool push_to_hub, hub_private_repo; char *hub_model_id, *hub_revision, *license;
    /* machine */
    int64_t dataloader_num_workers;              /* 0: chosen */
    int64_t dataloader_cache_mb;                 /* 10^6 bytes; 0: none */
    bool dataloader_drop_last;
} reel_train_args;

typedef struct reel_evaluate_args {
    char *model, *data, *split, *output_dir;     /* output_dir "": MODEL/eval-SPLIT is not written unless asked: nothing */
    bool overwrite_output_dir;
    int64_t num_clips, num_crops;                /* 0: the uniform clips of the guide */
    int64_t per_device_eval_batch_size;
    double fps, sample_rate, clip_duration;
    bool autorotate;
    int64_t dataloader_num_workers, dataloader_cache_mb;
    char *dtype;
} reel_evaluate_args;

typedef struct reel_predict_args {
    char *model, *sampling;                      /* pipeline|guide */
    int64_t top_k, batch_size;
    double fps, sample_rate, clip_duration;
    char *function_to_apply;                     /* auto|softmax|sigmoid|none */
    bool autorotate;
    int64_t dataloader_num_workers;
    char *dtype;
} reel_predict_args;

typedef struct reel_preview_args {
    char *data, *video, *split, *output, *model, *transform, *sampling;   /* transform train|eval|processor; sampling random|uniform|pipeline */
    int64_t index, clip, epoch, num_frames, image_size, seed;
    double fps, sample_rate, clip_duration;
    int64_t min_size, max_size; double flip;
    bool autorotate;
} reel_preview_args;

typedef struct reel_forward_args { char *model, *input, *output; bool hidden; int64_t batch_size; char *dtype; } reel_forward_args;
typedef struct reel_data_info_args { char *data; bool autorotate, quick; int64_t dataloader_num_workers; } reel_data_info_args;

typedef struct reel_data_synth_args {
    char *output;
    int64_t classes, train, val, test;           /* clips a class */
    int64_t width, height, fps, frames, seed, qscale, groups;
} reel_data_synth_args;

typedef struct reel_data_pack_args {
    char *data, *split, *output, *model, *transform, *sampler;
    int64_t num_frames, image_size, seed, epoch;
    double fps, sample_rate, clip_duration;
    int64_t min_size, max_size; double flip;
    bool autorotate;
    int64_t dataloader_num_workers;
} reel_data_pack_args;

typedef struct reel_model_info_args { char *model; bool tensors; } reel_model_info_args;
typedef struct reel_model_new_args { char *from_config, *output; int64_t seed; char *labels; } reel_model_new_args;
typedef struct reel_model_convert_args { char *model, *dtype, *output; } reel_model_convert_args;

typedef struct reel_hub_download_args {
    char *repo_type, *revision, *local_dir;
    reel_list include, exclude;                  /* patterns as fnmatch has them */
    bool force_download;
    int64_t max_workers;
} reel_hub_download_args;

typedef struct reel_hub_upload_args {
    char *repo_type, *revision, *commit_message, *commit_description;
    reel_list include, exclude;
    bool private_repo, create_pr, force;
} reel_hub_upload_args;

typedef struct reel_bench_args { char *model, *from_config; int64_t batch_size; double seconds; } reel_bench_args;

#endif
