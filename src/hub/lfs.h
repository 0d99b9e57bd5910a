/* Large files, by the batch protocol of Git LFS: the Hub says which of them its store lacks, and where each is to be put. */
#ifndef REEL_HUB_LFS_H
#define REEL_HUB_LFS_H

#include "hub/upload.h"

/* Sends what the store lacks of all files that go there. */
reel_status reel_lfs_send(reel_upload *u, reel_error *err);

/* The parts of a large object, in the order of the file. */
typedef struct reel_lfs_part { int64_t number; const char *url; } reel_lfs_part;
typedef struct reel_lfs_plan { reel_lfs_part *part; size_t n; uint64_t chunk; } reel_lfs_plan;

/* From actions.upload.header, whose keys of digits come in any order. n 0: it is sent in one piece. Addresses are borrowed from the JSON;
 * free `part` with reel_free. */
reel_status reel_lfs_plan_read(const reel_json *header, uint64_t size, reel_lfs_plan *out, reel_error *err);

#endif
