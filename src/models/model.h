/* A model: config, labels, parameters in host memory, processor, and a pointer to its architecture. */
#ifndef REEL_MODELS_MODEL_H
#define REEL_MODELS_MODEL_H

#include <reel/model.h>

#include "backend/backend.h"
#include "base/json.h"
#include "format/tensors.h"
#include "models/params.h"
#include "transforms/processor.h"

typedef struct reel_arch reel_arch;

/* What all architectures share, read and checked. */
typedef struct reel_config {
    reel_json *json;         /* config.json with unknown keys kept; owned */
    int frames, channels, height, width;      /* of a clip */
    int tubelet, patch_h, patch_w;
    int hidden, layers, heads, intermediate;
    int tokens;              /* N */
    reel_act act;
    float layer_norm_eps;
    double initializer_range, hidden_dropout, attention_dropout;
    bool qv_bias, mean_pooling;
    int labels; char **label;                 /* id2label in order */
} reel_config;

struct reel_model {
    reel_context *ctx;
    char *path;              /* the folder it came from, or NULL */
    const reel_arch *arch;
    reel_config config;
    reel_params params;
    float *weights;          /* params.floats, host memory, 64-byte aligned; NULL: each parameter is at source[i] */
    reel_tensors *file;           /* mapped weights; owned */
    const reel_tensor **source;  /* params.n: where parameter i lies in `file`, in the file's type (NULL for a hole) */
    reel_processor processor;
};

/* How a checkpoint becomes a model. */
typedef struct reel_load_options {
    char *const *labels; size_t n_labels;  /* the data's classes, sorted; NULL: the checkpoint's own */
    uint64_t seed;                         /* for what must be drawn anew */
    bool need_all;                         /* a missing head is an error (inference) */
    int num_frames;                        /* > 0: instead of the config's, where the architecture allows */
    bool mapped;                           /* inference: weights stay in the file, which is mapped; see reel_model.source */
    bool ignore_mismatched;                /* a tensor of another shape is drawn anew (and reported) instead of refused */
} reel_load_options;

/* Names of tensors, for what the user is told. */
typedef struct reel_load_report {
    char **unused; size_t n_unused;        /* in the file, not in the model */
    char **fresh; size_t n_fresh;          /* in the model, drawn anew */
    bool labels_replaced, names_differ;
} reel_load_report;
void reel_load_report_free(reel_load_report *r);

reel_status reel_model_load(reel_context *ctx, const char *dir, const reel_load_options *options, reel_model **out,
                            reel_load_report *report, reel_error *err);
/* From a config.json (file) with random weights, drawn as transformers draws them from that seed. */
reel_status reel_model_create(reel_context *ctx, const char *config_path, const reel_load_options *options, reel_model **out,
                              reel_error *err);
/* Writes config.json, model.safetensors and the processor's files into an existing folder, each atomically.
 * problem_type: set in the config if not NULL. weights: params.floats numbers to save instead of the model's, or NULL. */
reel_status reel_model_save(const reel_model *model, const char *dir, const char *problem_type, const float *weights,
                            reel_error *err);
/* Reads model.safetensors of `dir` over the weights of a model that has that very shape (resume, best): all of it or nothing. */
reel_status reel_model_reload(reel_model *model, const char *dir, float *weights, reel_error *err);

/* Where the numbers of parameter i lie, and their type; NULL for a hole, which is zeros. */
const void *reel_model_numbers(const reel_model *model, size_t i, reel_dtype *type);

/* Gives the memory of the weights back: a training run has them, and they are saved from there. */
void reel_model_drop_weights(reel_model *model);

/* "VideoMAE, 86.2 M parameters, 16 frames of 224x224" */
void reel_model_describe(const reel_model *model, char *out, size_t size);

#endif
