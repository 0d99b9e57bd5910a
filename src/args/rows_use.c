/* The options of the verbs that use a model: evaluate, predict, preview, forward. */
#include "args/rows.h"

#define ROW_STRUCT reel_evaluate_args
static const reel_option rows_evaluate[] = {
    ROW_STRING(model, GROUP_INPUT, "", "folder of a checkpoint, or ORG/NAME[@REVISION]"),
    ROW_STRING(data, GROUP_INPUT, "", "folder, archive, csv, packed, or ORG/NAME:FILE"),
    ROW_STRING(split, GROUP_INPUT, "test", "which part of the data"),
    ROW_STRING(output_dir, GROUP_RESULT, "", "new folder for report and predictions"),
    ROW_BOOL(overwrite_output_dir, GROUP_RESULT, "false", "replace a report that is there"),
    ROW_INT(num_clips, GROUP_CLIPS, 0, 1000, "0", "clips", "spread over a video; 0: all uniform clips"),
    ROW_INT(num_crops, GROUP_CLIPS, 0, 3, "0", "crops", "of each clip; 0: one, the whole picture"),
    ROWS_WINDOW,
    ROW_AUTOROTATE,
    ROW_INT(per_device_eval_batch_size, GROUP_MACHINE, 1, ROW_BATCH_MAX, "8", "clips", "clips a forward"),
    ROW_LOADERS,
    ROW_CACHE,
    ROW_DTYPE,
};
JOB_TABLE(evaluate, "evaluate", "model data", NULL, NULL);
#undef ROW_STRUCT

#define ROW_STRUCT reel_predict_args
static const reel_option rows_predict[] = {
    ROW_STRING(model, GROUP_INPUT, "", "folder of a checkpoint, or ORG/NAME[@REVISION]"),
    ROW_INT(top_k, GROUP_INPUT, 1, 100000, "5", "labels", "labels told, best first"),
    ROW_CHOICE(sampling, GROUP_CLIPS, "pipeline|guide", "pipeline", "frames of a video"),
    ROW_CHOICE(function_to_apply, GROUP_CLIPS, "auto|softmax|sigmoid|none", "auto", "logits to scores"),
    ROWS_WINDOW,
    ROW_AUTOROTATE,
    ROW_INT(batch_size, GROUP_MACHINE, 0, ROW_BATCH_MAX, "0", "clips", "clips a forward; 0: chosen"),
    ROW_LOADERS,
    ROW_DTYPE,
};
JOB_TABLE(predict, "predict", "model", NULL, NULL);
#undef ROW_STRUCT

#define ROW_STRUCT reel_preview_args
static const reel_option rows_preview[] = {
    ROW_STRING(video, GROUP_INPUT, "", "a video file; or --data"),
    ROW_STRING(data, GROUP_INPUT, "", "folder, archive, csv, packed, or ORG/NAME:FILE"),
    ROW_STRING(split, GROUP_INPUT, "train", "which part of the data"),
    ROW_INT(index, GROUP_INPUT, 0, 1e9, "0", "", "which video of the split"),
    ROW_STRING(model, GROUP_INPUT, "", "folder or ORG/NAME that says size, mean and std"),
    ROW_INT(num_frames, GROUP_INPUT, 0, ROW_FRAMES_MAX, "0", "frames", "0: the model's, or 16"),
    ROW_INT(image_size, GROUP_INPUT, 0, ROW_SIZE_MAX, "0", "pixels", "0: the model's, or 224"),
    ROW_STRING(output, GROUP_RESULT, "", "file .gif, .png or .safetensors"),
    ROW_CHOICE(transform, GROUP_CLIPS, "train|eval|processor", "train", "how frames become a clip"),
    ROW_CHOICE(sampling, GROUP_CLIPS, "random|uniform|pipeline", "random", "frames of the video"),
    ROW_INT(clip, GROUP_CLIPS, 0, 1e6, "0", "", "which uniform clip"),
    ROW_INT(epoch, GROUP_CLIPS, 0, 1e6, "0", "", "draws of which epoch"),
    ROW_INT(seed, GROUP_CLIPS, 0, ROW_SEED_MAX, "42", "", "of the draws"),
    ROWS_WINDOW,
    ROWS_AUGMENT,
    ROW_AUTOROTATE,
};
JOB_TABLE(preview, "preview", "video|data output", NULL, reel_preview_check);
#undef ROW_STRUCT

#define ROW_STRUCT reel_forward_args
static const reel_option rows_forward[] = {
    ROW_STRING(model, GROUP_INPUT, "", "folder of a checkpoint, or ORG/NAME[@REVISION]"),
    ROW_STRING(input, GROUP_INPUT, "", "safetensors with pixel_values (B,T,C,H,W)"),
    ROW_STRING(output, GROUP_RESULT, "", "safetensors for logits (B,labels)"),
    ROW_BOOL(hidden, GROUP_RESULT, "false", "write last_hidden_state too"),
    ROW_INT(batch_size, GROUP_MACHINE, 1, ROW_BATCH_MAX, "8", "clips", "clips a forward, at most"),
    ROW_DTYPE,
};
JOB_TABLE(forward, "forward", "model input output", NULL, NULL);
#undef ROW_STRUCT

#define ROW_STRUCT reel_bench_args
static const reel_option rows_bench[] = {
    ROW_STRING(model, GROUP_INPUT, "", "folder or ORG/NAME; none: a model of its own"),
    ROW_STRING(from_config, GROUP_INPUT, "", "config.json: random weights of that size"),
    ROW_INT(batch_size, GROUP_MACHINE, 1, ROW_BATCH_MAX, "1", "clips", "clips of a training step"),
    ROW_FLOAT(seconds, GROUP_MACHINE, 0.01, 600, "2", "seconds", "time for each figure, about"),
};
JOB_TABLE(bench, "bench", "", NULL, reel_bench_check);
