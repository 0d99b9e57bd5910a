/* The options of the verbs on data sets and checkpoints: data info, synth, pack; model info, new. */
#include "args/rows.h"

#define ROW_STRUCT reel_data_info_args
static const reel_option rows_data_info[] = {
    ROW_STRING(data, GROUP_INPUT, "", "folder, archive, csv, packed, or ORG/NAME:FILE"),
    ROW_BOOL(quick, GROUP_INPUT, "false", "trust the headers, decode no frame"),
    ROW_AUTOROTATE,
    ROW_LOADERS,
};
JOB_TABLE(data_info, "data info", "data", NULL, NULL);
#undef ROW_STRUCT

#define ROW_STRUCT reel_data_synth_args
static const reel_option rows_data_synth[] = {
    ROW_STRING(output, GROUP_RESULT, "", "new folder for the set"),
    ROW_INT(classes, GROUP_SET, 2, 8, "8", "classes", "motions to tell apart"),
    ROW_INT(train, GROUP_SET, 1, 100000, "40", "clips", "training clips a class"),
    ROW_INT(val, GROUP_SET, 0, 100000, "5", "clips", "validation clips a class"),
    ROW_INT(test, GROUP_SET, 0, 100000, "10", "clips", "test clips a class"),
    ROW_INT(groups, GROUP_SET, 3, 99, "25", "groups", "scenes a class, none in two splits"),
    ROW_INT(width, GROUP_SET, 32, 3840, "320", "pixels", "even"),
    ROW_INT(height, GROUP_SET, 32, 2160, "240", "pixels", "even"),
    ROW_INT(fps, GROUP_SET, 1, 120, "25", "", "frames a second"),
    ROW_INT(frames, GROUP_SET, 2, 10000, "32", "frames", "length of a clip"),
    ROW_INT(qscale, GROUP_SET, 1, 31, "4", "", "coarseness of MPEG-4; 1 is finest"),
    ROW_INT(seed, GROUP_SET, 0, ROW_SEED_MAX, "42", "", "of all that varies"),
};
JOB_TABLE(data_synth, "data synth", "output", NULL, reel_synth_check);
#undef ROW_STRUCT

#define ROW_STRUCT reel_data_pack_args
static const reel_option rows_data_pack[] = {
    ROW_STRING(data, GROUP_INPUT, "", "folder, archive, csv, or ORG/NAME:FILE"),
    ROW_STRING(split, GROUP_INPUT, "train", "which part of the data"),
    ROW_STRING(model, GROUP_INPUT, "", "folder or ORG/NAME that says size, mean and std"),
    ROW_INT(num_frames, GROUP_INPUT, 0, ROW_FRAMES_MAX, "0", "frames", "0: the model's, or 16"),
    ROW_INT(image_size, GROUP_INPUT, 0, ROW_SIZE_MAX, "0", "pixels", "0: the model's, or 224"),
    ROW_STRING(output, GROUP_RESULT, "", "file .safetensors"),
    ROW_CHOICE(transform, GROUP_CLIPS, "train|eval|processor", "eval", "how frames become a clip"),
    ROW_CHOICE(sampler, GROUP_CLIPS, "random|uniform|pipeline", "uniform", "clips of a video"),
    ROW_INT(epoch, GROUP_CLIPS, 0, 1e6, "0", "", "draws of which epoch"),
    ROW_INT(seed, GROUP_CLIPS, 0, ROW_SEED_MAX, "42", "", "of the draws"),
    ROWS_WINDOW,
    ROWS_AUGMENT,
    ROW_AUTOROTATE,
    ROW_LOADERS,
};
JOB_TABLE(data_pack, "data pack", "data output", NULL, reel_pack_check);
#undef ROW_STRUCT

#define ROW_STRUCT reel_model_info_args
static const reel_option rows_model_info[] = {
    ROW_STRING(model, GROUP_INPUT, "", "folder of a checkpoint, or ORG/NAME[@REVISION]"),
    ROW_BOOL(tensors, GROUP_RESULT, "false", "list every tensor"),
};
JOB_TABLE(model_info, "model info", "model", NULL, NULL);
#undef ROW_STRUCT

#define ROW_STRUCT reel_model_new_args
static const reel_option rows_model_new[] = {
    ROW_STRING(from_config, GROUP_INPUT, "", "config.json of the model to make"),
    ROW_STRING(labels, GROUP_INPUT, "", "names with commas between, or a number"),
    ROW_INT(seed, GROUP_INPUT, 0, ROW_SEED_MAX, "42", "", "of the weights"),
    ROW_STRING(output, GROUP_RESULT, "", "new folder for the model"),
};
JOB_TABLE(model_new, "model new", "from_config output", NULL, NULL);
#undef ROW_STRUCT

#define ROW_STRUCT reel_model_convert_args
static const reel_option rows_model_convert[] = {
    ROW_STRING(model, GROUP_INPUT, "", "folder of a checkpoint, or ORG/NAME[@REVISION]"),
    ROW_STRING(output, GROUP_RESULT, "", "new folder for the model"),
    ROW_CHOICE(dtype, GROUP_RESULT, "float32|fp32|bf16|bfloat16|fp16|float16", "bf16", "numbers of its file"),
};
JOB_TABLE(model_convert, "model convert", "model output", NULL, NULL);
