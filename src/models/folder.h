/* The folder that a new model goes into. */
#ifndef REEL_MODELS_FOLDER_H
#define REEL_MODELS_FOLDER_H

#include "base/error.h"

/* Nothing that a user made is overwritten: it must not be there, or be empty. Looked at before the work, made after it. */
reel_status reel_folder_check_free(const char *path, reel_error *err);

#endif
