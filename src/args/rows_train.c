/* The options of `reel train`: TrainingArguments' names, the guide's settings as defaults. */
#include "args/rows.h"

#define ROW_STRUCT reel_train_args
#define SCHEDULES "linear|cosine|cosine_with_restarts|polynomial|constant|constant_with_warmup|inverse_sqrt" \
    "|cosine_with_min_lr|cosine_warmup_with_min_lr|warmup_stable_decay"
#define TRAIN_NEEDS "model|from_config|resume_from_checkpoint data|resume_from_checkpoint output_dir|resume_from_checkpoint|plan"
#define METRICS "accuracy|eval_accuracy|video_accuracy|eval_video_accuracy|loss|eval_loss"

static const reel_option rows_train[] = {
    ROW_STRING(model, GROUP_INPUT, "", "folder of a checkpoint, or ORG/NAME[@REVISION]"),
    ROW_STRING(from_config, GROUP_INPUT, "", "config.json: start from random weights"),
    ROW_STRING(data, GROUP_INPUT, "", "folder, archive, csv, packed, or ORG/NAME:FILE"),
    ROW_INT(num_frames, GROUP_INPUT, 0, ROW_FRAMES_MAX, "0", "frames", "frames of a clip; 0: the model's"),
    ROW_BOOL(ignore_mismatched_sizes, GROUP_INPUT, "false", "tensors of another shape start anew"),

    ROW_STRING(output_dir, GROUP_RESULT, "", "folder for the result"),
    ROW_BOOL(overwrite_output_dir, GROUP_RESULT, "false", "replace a run that is there"),
    ROW_STRING(resume_from_checkpoint, GROUP_RESULT, "", "go on from a folder; true: the newest"),
    ROW_BOOL(plan, GROUP_RESULT, "false", "only tell what the run will need"),

    ROW_FLOAT(num_train_epochs, GROUP_TRAIN, 0, 1e6, "4.0", "epochs", "passes over the training videos"),
    ROW_INT(max_steps, GROUP_TRAIN, -1, 1e12, "-1", "steps", "instead of epochs; -1: epochs"),
    ROW_INT(per_device_train_batch_size, GROUP_TRAIN, 1, ROW_BATCH_MAX, "8", "clips", "clips a forward and backward"),
    ROW_INT(gradient_accumulation_steps, GROUP_TRAIN, 1, 65536, "1", "batches", "batches for one step"),
    ROW_FLOAT(learning_rate, GROUP_TRAIN, 0, 1, "5e-05", "", "peak step size of AdamW"),
    ROW_FLOAT(warmup_ratio, GROUP_TRAIN, 0, 1, "0.1", "", "part of the steps that warms up"),
    ROW_FLOAT(warmup_steps, GROUP_TRAIN, -1, 1e12, "-1", "steps", "instead; below 1: a ratio; -1: none"),
    ROW_INT(seed, GROUP_TRAIN, 0, ROW_SEED_MAX, "42", "", "of new weights, order and clips"),

    ROW_CHOICE(train_transform, GROUP_CLIPS, "train|eval|processor", "train", "augment, or not"),
    ROW_CHOICE(train_sampler, GROUP_CLIPS, "random|uniform", "random", "clips of a video"),
    ROWS_WINDOW,
    ROWS_AUGMENT,
    ROW_AUTOROTATE,
    ROW_BOOL(shuffle, GROUP_CLIPS, "true", "another order each epoch"),
    ROW_BOOL(dataloader_drop_last, GROUP_CLIPS, "false", "leave out an epoch's last, smaller batch"),

    ROW_FLOAT(weight_decay, GROUP_OPTIM, 0, 100, "0.0", "", "of all but biases and norms"),
    ROW_FLOAT(adam_beta1, GROUP_OPTIM, 0, 0.999999, "0.9", "", "decay of the first moment"),
    ROW_FLOAT(adam_beta2, GROUP_OPTIM, 0, 0.999999, "0.999", "", "decay of the second moment"),
    ROW_FLOAT(adam_epsilon, GROUP_OPTIM, 0, 1, "1e-08", "", "added to the root of the second moment"),
    ROW_FLOAT(max_grad_norm, GROUP_OPTIM, 0, 1e9, "1.0", "", "gradients are cut to this norm; 0: not"),
    ROW_CHOICE(lr_scheduler_type, GROUP_OPTIM, SCHEDULES, "linear", "how the learning rate runs"),
    ROW_STRING(lr_scheduler_kwargs, GROUP_OPTIM, "", "its settings, a JSON object"),
    ROW_FLOAT(label_smoothing_factor, GROUP_OPTIM, 0, 1, "0.0", "", "part of the target spread over all"),
    ROW_INT(data_seed, GROUP_OPTIM, -1, ROW_SEED_MAX, "-1", "", "of order and clips; -1: seed"),

    ROW_CHOICE(logging_strategy, GROUP_EVAL, "no|steps|epoch", "steps", "when a line is logged"),
    ROW_FLOAT(logging_steps, GROUP_EVAL, 0, 1e12, "10", "steps", "below 1: a part of all steps"),
    ROW_BOOL(logging_first_step, GROUP_EVAL, "false", "log the first step too"),
    ROW_CHOICE(eval_strategy, GROUP_EVAL, "no|steps|epoch", "epoch", "when val is evaluated"),
    ROW_FLOAT(eval_steps, GROUP_EVAL, 0, 1e12, "0", "steps", "0: logging_steps; below 1: a part"),
    ROW_FLOAT(eval_delay, GROUP_EVAL, 0, 1e12, "0", "", "epochs or steps before the first"),
    ROW_BOOL(eval_on_start, GROUP_EVAL, "false", "evaluate before the first step"),
    ROW_INT(per_device_eval_batch_size, GROUP_EVAL, 1, ROW_BATCH_MAX, "8", "clips", "clips a forward"),

    ROW_CHOICE(save_strategy, GROUP_SAVE, "no|steps|epoch|best", "epoch", "when a checkpoint is written"),
    ROW_FLOAT(save_steps, GROUP_SAVE, 0, 1e12, "500", "steps", "below 1: a part of all steps"),
    ROW_INT(save_total_limit, GROUP_SAVE, 0, 1e6, "0", "checkpoints", "so many are kept; 0: all"),
    ROW_BOOL(save_only_model, GROUP_SAVE, "false", "without what resuming needs"),
    ROW_BOOL(load_best_model_at_end, GROUP_SAVE, "true", "the result is the best checkpoint"),
    ROW_CHOICE(metric_for_best_model, GROUP_SAVE, METRICS, "accuracy", "what best means"),
    ROW_BOOL(greater_is_better, GROUP_SAVE, "true", "not for a loss"),

    ROW_BOOL(push_to_hub, GROUP_HUB, "false", "the result goes to the Hub at the end"),
    ROW_STRING(hub_model_id, GROUP_HUB, "", "ORG/NAME; none: as output_dir is called"),
    ROW_BOOL(hub_private_repo, GROUP_HUB, "false", "a repository that is made is private"),
    ROW_STRING(hub_revision, GROUP_HUB, "main", "branch that gets the commit"),
    ROW_STRING(license, GROUP_HUB, "", "of the result, such as mit; none: the model's"),

    ROW_LOADERS,
    ROW_CACHE,
    ROW_BOOL(bf16, GROUP_MACHINE, "false", "bfloat16 products; weights and sums float32"),
    ROW_BOOL(gradient_checkpointing, GROUP_MACHINE, "false", "less memory for a forward more a step"),
};
JOB_TABLE(train, "train", TRAIN_NEEDS, reel_train_derive, reel_train_check);
