/* A tiny VideoMAE, clips and videos for it, and runs of it, for the tests of training. Numbers come from the formula of
 * make_golden_trainer.py, so that transformers' Trainer starts from the same ones. */
#ifndef TESTS_TRAIN_TINY_H
#define TESTS_TRAIN_TINY_H

#include "../test.h"

#include <reel/reel.h>

#include "models/model.h"

enum { TINY_T = 4, TINY_SIZE = 16, TINY_LABELS = 3 };

/* i-th number of the tensor called `name`, in [-1, 1). */
double tiny_value(const char *name, uint64_t i);

/* test_folder, in memory where that can be: these tests sync thousands of files, and none is about the disk. */
char *tiny_folder(void);

/* A path in `dir`, from a ring of 16. */
const char *tiny_path(const char *dir, const char *format, ...) __attribute__((format(printf, 2, 3)));

reel_context *tiny_context(void);
/* Log lines are kept here, oldest first, each ended by a line end. */
typedef struct tiny_log { char text[16384]; size_t warnings; } tiny_log;
void tiny_listen(reel_context *ctx, tiny_log *log);

/* A checkpoint folder with labels "a", "b", "c" (or the first `labels` of jump, run, walk when `named`). */
void tiny_model(reel_context *ctx, const char *dir, bool named);
/* Packed clips with the formula's pixels: clip i has label 2 i mod 3. */
void tiny_packed(const char *path, int clips);
/* DIR/SPLIT/{jump,run,walk}/vK.avi, `each` videos a class, `frames` frames at 10 per second. */
void tiny_videos(const char *dir, const char *split, int each, int frames);

/* reel_train with pairs of option and value up to NULL. */
reel_status tiny_train(reel_context *ctx, reel_event_fn fn, void *user, reel_train_result **out, reel_error *err, ...);
reel_status tiny_train_list(reel_context *ctx, reel_event_fn fn, void *user, reel_train_result **out, reel_error *err,
                            const char *const *pairs);

/* Fails the test with the message where a status is not REEL_OK. */
void tiny_ok(reel_status status, const reel_error *err);
/* The whole of a file, NUL behind it; to be freed with free. */
char *tiny_read(const char *path, size_t *n);
void tiny_write(const char *path, const char *text);
bool tiny_same_file(const char *a, const char *b);
/* Removes lines that hold time: "train_runtime", "…_per_second", "eval_runtime". In place. */
void tiny_without_times(char *text);
size_t tiny_count(const char *dir, const char *prefix);  /* entries that begin so */

#endif
