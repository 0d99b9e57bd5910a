/* A device table whose operations do nothing: a walk over it measures the arena and makes nothing. */
#ifndef REEL_NN_MEASURE_H
#define REEL_NN_MEASURE_H

#include "backend/backend.h"

/* A back end for measuring walks, by value: it holds nothing. */
reel_backend reel_measure_backend(void);

#endif
