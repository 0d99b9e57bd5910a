/* libreel: everything at once. */
#ifndef REEL_REEL_H
#define REEL_REEL_H
#include <reel/args.h>
#include <reel/bench.h>
#include <reel/context.h>
#include <reel/data.h>
#include <reel/hub.h>
#include <reel/model.h>
#include <reel/status.h>
#include <reel/train.h>
#include <reel/video.h>
#endif
