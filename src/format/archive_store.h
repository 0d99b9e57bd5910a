/* Where an archive's members go: names checked, folders and files made below one descriptor, never through a link. */
#ifndef REEL_FORMAT_ARCHIVE_STORE_H
#define REEL_FORMAT_ARCHIVE_STORE_H

#include <stdint.h>

#include "base/error.h"

/* Why a member's name is refused, in words that follow the name ("would land outside: …"), or NULL where it is fine. */
const char *reel_member_fault(const char *name);

/* Makes the folder `name` (checked) below `root`, parents too; *fault says what stands in the way, as above. */
int reel_member_folder(int root, const char *name, const char **fault);

/* Creates the file `name` (checked) below `root`, parents too. The descriptor, or -1 with errno and perhaps *fault. */
int reel_member_file(int root, const char *name, const char **fault);

#endif
