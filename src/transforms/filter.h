/* The filters that pictures of bytes are resampled with, by Pillow's numbers. */
#ifndef REEL_TRANSFORMS_FILTER_H
#define REEL_TRANSFORMS_FILTER_H

typedef enum reel_filter {
    REEL_FILTER_NEAREST, REEL_FILTER_LANCZOS, REEL_FILTER_BILINEAR, REEL_FILTER_BICUBIC, REEL_FILTER_BOX, REEL_FILTER_HAMMING
} reel_filter;

enum { REEL_FILTERS = 6 };

const char *reel_filter_name(reel_filter f);
/* Half the width of the filter at scale 1; it is 0 outside. NEAREST has neither. */
double reel_filter_support(reel_filter f);
double reel_filter_at(reel_filter f, double x);

#endif
