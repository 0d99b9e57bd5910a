/* The clips of a split, and the order in which an epoch takes them: models-and-training, "Order of samples". */
#ifndef REEL_TRAIN_SAMPLES_H
#define REEL_TRAIN_SAMPLES_H

#include "data/plan.h"

/* Plans of one split in the order of its listing: one a video, several where the sampler takes several clips. */
typedef struct reel_samples {
    reel_plan *plan;
    size_t n;
    size_t videos;        /* items, or rows of a packed file */
    size_t first;         /* place of the first item in the data set; 0 for a packed file */
    size_t unreadable;    /* of those that were opened to be measured */
    bool is_packed;
} reel_samples;

typedef enum reel_sampler { REEL_SAMPLER_RANDOM, REEL_SAMPLER_UNIFORM, REEL_SAMPLER_VIEWS } reel_sampler;

typedef struct reel_sampling {
    reel_sampler sampler;
    double seconds;       /* of a clip */
    int clips, crops;     /* VIEWS */
    bool autorotate;
} reel_sampling;

/* The samples of a split (place in ds->splits; a packed file has one, whatever `split` says). UNIFORM opens each
 * video that was not measured yet; one that cannot be opened keeps one plan, so that carrying it out tells why. */
reel_status reel_samples_open(reel_context *ctx, reel_dataset *ds, int split, const reel_sampling *sampling,
                              reel_samples *out, reel_error *err);
void reel_samples_free(reel_samples *s);

/* Which video a plan of these samples (or of an order of them) shows: 0 to videos - 1. */
size_t reel_samples_video(const reel_samples *s, const reel_dataset *ds, const reel_plan *plan);

/* How a video is called in messages and lists; `buf` holds the name of a packed row. */
const char *reel_samples_name(const reel_samples *s, const reel_dataset *ds, size_t video, char buf[64]);

/* The plans of one epoch: the first `wanted` of the order, with their draws. Shuffled: torch's randperm of a generator
 * seeded with seed + epoch. The draws of a sample follow from (seed, epoch, its place in the listing) alone. */
reel_status reel_samples_epoch(const reel_samples *s, uint64_t seed, uint32_t epoch, bool shuffle, size_t wanted,
                               reel_plan **out, reel_error *err);

#endif
