/* What is here of a whole repository, or of a part of it: what can serve where the Hub does not answer. */
#ifndef REEL_HUB_COPY_H
#define REEL_HUB_COPY_H

#include "hub/listing.h"
#include "hub/local_dir.h"

typedef struct reel_copy {
    enum reel_copy_kind {
        REEL_COPY_NONE,      /* nothing */
        REEL_COPY_PART,      /* `missing` of the `n` files that it has are not here */
        REEL_COPY_UNKNOWN,   /* `n` files of a folder, or a snapshot (0); no list says whether it is all */
        REEL_COPY_WHOLE
    } kind;
    char commit[41];
    bool guessed;            /* that of the last download into the folder: which one the revision was is noted nowhere */
    size_t n, missing;
    reel_listing files;      /* of a folder: some may be in the cache alone */
} reel_copy;

/* Of the files that include and exclude let through, at the commit that the revision was when last seen: in the cache, or, with local not
 * NULL, in that folder, where the cache can fill its gaps. Free it. */
void reel_copy_look(const reel_hub *hub, const reel_repo *repo, const reel_local *local, reel_patterns include, reel_patterns exclude,
                    reel_copy *copy);
void reel_copy_free(reel_copy *copy);

#endif
