/* The directory of a zip file whose entries lie in it as they are: where each is, every field checked. (libarchive reads zip
 * files too, but as a stream: it tells no place, and a mapped file is used in place.) Bytes in, nothing copied. */
#ifndef REEL_FORMAT_ZIP_H
#define REEL_FORMAT_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct reel_zip_entry {
    const char *name;      /* in the file, not ended by a NUL */
    size_t name_n;
    const uint8_t *data;   /* in the file; NULL where it is compressed */
    uint64_t bytes;
    uint64_t begin, end;   /* of its local header and its data, for the check that entries do not share bytes */
    uint16_t method;       /* of compression; 0: none */
} reel_zip_entry;

typedef struct reel_zip { reel_zip_entry *entry; size_t n; } reel_zip;  /* sorted by name, each name once */

/* Encrypted entries, several disks, bytes shared by two entries are refused. `what` names the file. */
reel_status reel_zip_read(const uint8_t *file, size_t size, const char *what, reel_zip *out, reel_error *err);
reel_status reel_zip_check_stored(const reel_zip *zip, const char *what, reel_error *err);  /* no entry is compressed */
void reel_zip_free(reel_zip *zip);
const reel_zip_entry *reel_zip_find(const reel_zip *zip, const char *name, size_t name_n);  /* NULL: not there */

#endif
