/* A whole safetensors file. What is accepted lies inside it. */
#include "target.h"

#include "base/mem.h"
#include "format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reel_tensors st;
    reel_error err = {0};
    if (reel_st_read(data, size, "fuzz.safetensors", &st, &err) != REEL_OK) {
        HOLDS(st.tensor == NULL && err.message[0] != '\0');
        return 0;
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < st.n; i++) {
        const reel_tensor *t = &st.tensor[i];
        HOLDS(t->data >= data && t->bytes <= size && t->data + t->bytes <= data + size);
        HOLDS(reel_tensors_find(&st, t->name) == t);
        bytes += t->bytes;
    }
    HOLDS(bytes <= size);
    read_all(&st);
    reel_tensors_close(&st);
    return 0;
}
