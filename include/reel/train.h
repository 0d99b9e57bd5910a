/* Fine-tuning, evaluation, prediction. */
#ifndef REEL_TRAIN_H
#define REEL_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <reel/args.h>
#include <reel/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum reel_event_kind {
    REEL_EVENT_START,       /**< before the first step: steps, epochs are known */
    REEL_EVENT_STEP,        /**< a step is done */
    REEL_EVENT_LOG,         /**< a line for the log is due: loss (mean since the last), grad_norm, learning_rate */
    REEL_EVENT_EVAL_STEP,   /**< a batch of an evaluation is done: step of steps */
    REEL_EVENT_EVAL,        /**< an evaluation is done: eval_loss, eval_accuracy, eval_video_accuracy */
    REEL_EVENT_CHECKPOINT,  /**< a checkpoint is complete on the disk: path, best */
    REEL_EVENT_SKIP,        /**< a video could not be read: path, reason */
    REEL_EVENT_END,         /**< the run is over: train_loss, seconds, path (the result folder) */
    REEL_EVENT_PUSH         /**< the result is on its way to the Hub: bytes, bytes_total; at the end path (its address) */
} reel_event_kind;

/** What just happened. Allocated by the library; fields may be added at the end. Numbers that do not belong to the kind are
 * NaN or 0, pointers NULL. */
typedef struct reel_event {
    reel_event_kind kind;
    int64_t step, steps;            /**< optimizer steps done and wanted (EVAL_STEP: batches) */
    double epoch, epochs;
    double loss, grad_norm, learning_rate;
    double eval_loss, eval_accuracy, eval_video_accuracy;
    double seconds;                 /**< of this step, evaluation or run */
    double clips_per_second;
    double wait_share;              /**< part of the time spent waiting for clips, 0 to 1 */
    double checkpoint_share;        /**< part of the time spent saving, 0 to 1 */
    double seconds_left;
    int64_t peak_memory;            /**< bytes, this process */
    bool best;                      /**< EVAL, CHECKPOINT: better than all before */
    const char *path, *reason;
    int64_t bytes, bytes_total;
} reel_event;

/** Called on the thread that runs the loop. Return false to stop: the step in flight ends, a checkpoint is written, and
 * the run returns REEL_ERR_CANCELLED. */
typedef bool (*reel_event_fn)(const reel_event *event, void *user);

/** What a run came to. Allocated by the library; fields may be added at the end. */
typedef struct reel_train_result {
    int64_t steps;
    double train_loss, seconds, wait_share, checkpoint_share;
    double best_accuracy;           /**< NaN where nothing was evaluated */
    const char *output_dir, *best_checkpoint, *last_checkpoint;  /**< NULL where there is none */
    size_t skipped;                 /**< videos that could not be read, listed in skipped.csv */
    int64_t peak_memory;
    const char *hub_url, *hub_commit;  /**< where the result was pushed to, or NULL */
} reel_train_result;

/** `reel train`. On REEL_ERR_CANCELLED *out is filled too: last_checkpoint continues the run. The same where all is done but
 * the push, which then failed: output_dir holds the result. */
REEL_API reel_status reel_train(reel_context *ctx, const reel_args *args, reel_event_fn fn, void *user,
                                reel_train_result **out, reel_error *err);
REEL_API void reel_train_result_close(reel_train_result **result);

/** What a training run will need. Allocated by the library; fields may be added at the end. */
typedef struct reel_train_plan {
    const char *precision;          /**< "float32", "bfloat16": of the products, as this processor computes them */
    bool gradient_checkpointing;
    int64_t batch, step_clips;      /**< clips of one forward and backward, of one step */
    size_t chunk;                   /**< clips that go through the layers together */
    int64_t steps, steps_per_epoch;
    double epochs;
    size_t train_videos, val_clips; /**< val_clips 0: nothing is evaluated */
    /* bytes */
    uint64_t weights;               /**< float32, as the run keeps them */
    uint64_t packed;                /**< their copies in the products' own layout */
    uint64_t gradients, moments, activations;
    uint64_t clips;                 /**< pixels, logits and hidden states of a chunk */
    uint64_t loader;                /**< decoded clips in flight */
    uint64_t cache;                 /**< decoded frames that may be kept */
    uint64_t total, room;           /**< of memory: needed, and what may be used */
    uint64_t checkpoint;            /**< one checkpoint on the disk */
    int64_t checkpoints;            /**< so many at one time, at most */
    uint64_t disk, disk_free;       /**< all of them and the result; UINT64_MAX: unknown */
    bool fits;                      /**< total <= room */
    const char *advice;             /**< where it does not fit: what would; else NULL */
} reel_train_plan;

/** `reel train --plan`: opens options, data and config as reel_train does, and tells what the run would need. Nothing is
 * written and no step is made. */
REEL_API reel_status reel_train_plan_open(reel_context *ctx, const reel_args *args, reel_train_plan **out, reel_error *err);
REEL_API void reel_train_plan_close(reel_train_plan **plan);

typedef struct reel_class_score {
    const char *name;
    size_t videos;                  /**< scored videos that truly have this label */
    double precision, recall, f1;   /**< NaN where undefined */
    const char *confused_with;      /**< the most frequent wrong answer, or NULL */
    size_t confused;
} reel_class_score;

/** What an evaluation came to. Allocated by the library; fields may be added at the end. */
typedef struct reel_eval_report {
    const char *split, *protocol;
    size_t videos, scored, clips, classes;
    double accuracy, top5, mean_class_accuracy, loss;  /**< of videos: softmax averaged over a video's clips */
    double clip_accuracy, clip_loss;
    const reel_class_score *cls;
    const size_t *confusion;        /**< classes x classes, row: true label, column: answer */
    const char *output_dir;         /**< where the report was written, or NULL */
    size_t skipped;
    const char *const *skipped_path, *const *skipped_reason;
    double seconds;
    double clips_per_second;        /**< while clips were computed; NaN where that took no time */
    double wait_share;              /**< part of that time spent waiting for clips, 0 to 1 */
} reel_eval_report;

/** `reel evaluate`. Every video is accounted for: scored, or skipped with its reason. */
REEL_API reel_status reel_evaluate(reel_context *ctx, const reel_args *args, reel_event_fn fn, void *user,
                                   reel_eval_report **out, reel_error *err);
REEL_API void reel_eval_report_close(reel_eval_report **report);

typedef struct reel_score {
    float score;
    int index;
    const char *label;
} reel_score;

/** The answer for one input. */
typedef struct reel_prediction {
    const char *path;
    const char *reason;             /**< why it could not be read; NULL where it was */
    size_t scores;                  /**< top_k, best first */
    const reel_score *score;
    double seconds;                 /**< length of the video */
    size_t sampled;                 /**< entries of `index` and `time` */
    const int64_t *index;           /**< frame numbers in display order */
    const double *time;             /**< seconds */
    const char *sampling;           /**< "pipeline" or "guide" */
    bool repeated;                  /**< shorter than the model's frames, so that frames repeat */
    size_t clips;                   /**< clips behind the scores */
} reel_prediction;

/** The answers. Allocated by the library; fields may be added at the end. */
typedef struct reel_prediction_list {
    size_t count;
    const reel_prediction *item;    /**< in the order asked for; folders sorted by name */
    size_t failed;
    bool several;                   /**< a folder or more than one input was given */
    size_t clips;                   /**< that were computed */
    double seconds;                 /**< from the first file's opening to the last answer */
    double wait_share;              /**< part of it spent waiting for clips to be decoded, 0 to 1 */
} reel_prediction_list;

/** Called as each answer is ready, in order. Return false to stop. */
typedef bool (*reel_prediction_fn)(const reel_prediction *prediction, size_t done, size_t total, void *user);

/** `reel predict`. `input`: n files or folders. `fn` may be NULL. One bad input among several does not stop the rest. */
REEL_API reel_status reel_predict(reel_context *ctx, const reel_args *args, const char *const *input, size_t n,
                                  reel_prediction_fn fn, void *user, reel_prediction_list **out, reel_error *err);
REEL_API void reel_prediction_list_close(reel_prediction_list **list);

#ifdef __cplusplus
}
#endif
#endif
