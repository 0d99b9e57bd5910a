/* config.json: fields read with every check, labels, and the text that a save writes. */
#ifndef REEL_MODELS_CONFIG_H
#define REEL_MODELS_CONFIG_H

#include "models/arch.h"

/* Reads a config.json; *arch is the registry's row for its model_type. On failure *config is empty. */
reel_status reel_config_read(const char *path, reel_config *config, const reel_arch **arch, reel_error *err);
reel_status reel_config_parse(reel_json *json_taken, const char *what, reel_config *config, const reel_arch **arch,
                              reel_error *err);
void reel_config_free(reel_config *config);
/* REEL_ERR_UNSUPPORTED where a config says that its weights are quantized. */
reel_status reel_config_check_plain(const reel_json *config, const char *what, reel_error *err);

/* Fields, absent ones at their default. `what` names the file in messages. */
typedef struct reel_int_field { const char *key; int64_t min, max, standard; } reel_int_field;
reel_status reel_config_int(const reel_config *c, const char *what, reel_int_field f, int *out, reel_error *err);
/* One number, or a pair [height, width]. */
reel_status reel_config_size(const reel_config *c, const char *what, reel_int_field f, int *height, int *width, reel_error *err);
reel_status reel_config_double(const reel_config *c, const char *what, const char *key, double min, double max, double standard,
                               double *out, reel_error *err);
reel_status reel_config_bool(const reel_config *c, const char *what, const char *key, bool standard, bool *out, reel_error *err);
reel_status reel_config_act(const reel_config *c, const char *what, const char *key, const char *standard, reel_act *out,
                            reel_error *err);

/* id2label, or num_labels, or the default two. */
reel_status reel_config_read_labels(reel_config *c, const char *what, reel_error *err);

/* Replaces the labels by n copies of `label`. On failure the old ones stay. */
reel_status reel_config_set_labels(reel_config *c, char *const *label, size_t n, reel_error *err);

/* What transformers would write: keys sorted, two spaces, line end. problem_type: set if not NULL. NULL: no memory. */
char *reel_config_text(const reel_config *c, const reel_arch *arch, const char *problem_type);

#endif
