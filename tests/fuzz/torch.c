/* A whole file of torch.save: zip, pickle and storages. */
#include "target.h"

#include "base/mem.h"
#include "format/torch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reel_tensors t;
    reel_error err = {0};
    if (reel_torch_read(data, size, "fuzz.bin", &t, &err) != REEL_OK) {
        HOLDS(t.tensor == NULL && t.copy == NULL && err.message[0] != '\0');
        return 0;
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < t.n; i++)
        bytes += t.tensor[i].bytes;
    HOLDS(bytes <= 5 * (uint64_t)size);
    read_all(&t);
    reel_tensors_close(&t);
    return 0;
}
