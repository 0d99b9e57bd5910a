/* A safetensors file, mapped. */
#include "format/safetensors.h"

reel_status reel_st_read(const uint8_t *file, size_t size, const char *what, reel_tensors *out, reel_error *err)
{
    uint64_t n = 0;
    *out = (reel_tensors){0};
    reel_status status = reel_file_check_pointer(file, size, what, err);
    if (status != REEL_OK)
        return status;
    if (size < 8)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: %s (a safetensors file begins with an 8 byte header length)", what,
                         size == 0 ? "the file is empty" : "the file is too short to have a header; is it truncated?");
    for (int i = 7; i >= 0; i--)
        n = n << 8 | file[i];
    if (n > 100000000)
        return reel_fail(err, REEL_ERR_LIMIT, "%s: the header would have %llu bytes, too large (limit 100 000 000); is this a "
                         "safetensors file?", what, (unsigned long long)n);
    if (n > size - 8)
        return reel_fail(err, REEL_ERR_FORMAT, "%s: the header of %llu bytes goes beyond the end of the file; is it truncated?",
                         what, (unsigned long long)n);
    const uint8_t *data = file + 8 + n;
    status = reel_st_parse((const char *)file + 8, (size_t)n, size - 8 - n, what, out, err);
    if (status == REEL_OK)
        for (size_t i = 0; i < out->n; i++)
            out->tensor[i].data = data + out->tensor[i].offset;
    return status;
}

reel_status reel_st_open(const char *path, reel_tensors *out, reel_error *err)
{
    return reel_tensors_open(path, reel_st_read, out, err);
}
