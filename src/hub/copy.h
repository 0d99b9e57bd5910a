/* What is here of a whole repository, or of a part of it: what can serve where the Hub does not answer. */
#ifndef REEL_HUB_COPY_H
#define REEL_HUB_COPY_H

#include "hub/listing.h"
#include "hub/local_dir.h"

typedef struct reel_copy {
    enum reel_copy_kind {
        REEL_COPY_NONE,      /* nothing */
        REEL_COPY_PART,      /* `missing` of the `n` files that it has are not here */
        REEL_COPY_UNKNOWN,   /* something; no list says whether it is all */
        REEL_COPY_WHOLE
    } kind;
    char commit[41];
    size_t n, missing;
} reel_copy;

/* Of the files that include and exclude let through, at the commit that the revision was when last seen. */
reel_copy reel_copy_look(const reel_hub *hub, const reel_repo *repo, const char *include, const char *exclude);

#endif
