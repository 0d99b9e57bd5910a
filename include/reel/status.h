/* What every function of the library returns, and the sentence that goes with it. */
#ifndef REEL_STATUS_H
#define REEL_STATUS_H

#if defined(__GNUC__)
#define REEL_API __attribute__((visibility("default")))
#else
#define REEL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The kind of a failure: for the program. The sentence in reel_error is for the person. */
typedef enum reel_status {
    REEL_OK = 0,
    REEL_ERR_ARG = 1,          /**< an argument or option is outside what is allowed */
    REEL_ERR_NOMEM = 2,        /**< memory could not be had, or would pass the limit that was set */
    REEL_ERR_IO = 3,           /**< reading or writing failed (disk full, permission, device) */
    REEL_ERR_NOT_FOUND = 4,    /**< a file, folder, tensor or name is not there */
    REEL_ERR_EXISTS = 5,       /**< something that would be overwritten is there */
    REEL_ERR_FORMAT = 6,       /**< a file is damaged or not of the form it should have */
    REEL_ERR_UNSUPPORTED = 7,  /**< well formed, but not something this version does */
    REEL_ERR_LIMIT = 8,        /**< a size or time limit was passed */
    REEL_ERR_MISMATCH = 9,     /**< two things that must agree do not (shapes, labels, sizes) */
    REEL_ERR_BACKEND = 10,     /**< the compute device failed */
    REEL_ERR_NUMERIC = 11,     /**< a value is not a number or not finite */
    REEL_ERR_CANCELLED = 12,   /**< the caller asked to stop, and everything was put in order first */
    REEL_ERR_NETWORK = 13,     /**< a server did not answer, or fails */
    REEL_ERR_DENIED = 14       /**< a server refuses this asker: no token, a wrong one, or one that may not do this */
} reel_status;

enum { REEL_ERROR_SIZE = 1024 };

/** A failure in words: what is wrong, where (file, tensor, option), what to do. Allocated by the caller; this layout does
 * not change. Control bytes and invalid UTF-8 of names are shown as \xNN. */
typedef struct reel_error {
    reel_status status;
    char message[REEL_ERROR_SIZE];
} reel_error;

/** The name of a status, such as "REEL_ERR_IO"; never NULL. Static storage. */
REEL_API const char *reel_status_name(reel_status status);

/** The version of the library, "MAJOR.MINOR.PATCH". Static storage. */
REEL_API const char *reel_version(void);

#ifdef __cplusplus
}
#endif
#endif
