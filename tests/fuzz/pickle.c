/* The pickle of a state dict alone, and the same inside a zip with two storages, so that views are made of them. */
#include "target.h"

#include "base/mem.h"
#include "format/pickle.h"
#include "format/torch.h"

#include "../format/torch_made.h"

static void inside_zip(const uint8_t *data, size_t size)
{
    static const float storage[64] = {1, 2, 3};
    const zip_part part[] = {{"a/data.pkl", data, size}, {"a/data/0", storage, sizeof storage}, {"a/data/1", storage, 24}};
    reel_text z = {0};
    reel_tensors t;
    zip_make(&z, part, 3, ZIP_DESCRIPTORS);
    if (reel_torch_read((const uint8_t *)z.s, z.len, "fuzz.bin", &t, NULL) == REEL_OK) {
        read_all(&t);
        reel_tensors_close(&t);
    }
    reel_text_free(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reel_pickle p;
    reel_error err = {0};
    if (reel_pickle_read(data, size, "fuzz.bin", &p, &err) != REEL_OK) {
        HOLDS(p.tensor == NULL && err.message[0] != '\0');
        return 0;
    }
    const char *begin = (const char *)data, *end = begin + size;
    for (size_t i = 0; i < p.n; i++) {
        const reel_pickle_tensor *t = &p.tensor[i];
        HOLDS(t->name >= begin && t->name + t->name_n <= end && t->key >= begin && t->key + t->key_n <= end);
        HOLDS(t->shape.rank >= 0 && t->shape.rank <= REEL_MAX_RANK);
    }
    reel_pickle_free(&p);
    inside_zip(data, size);
    return 0;
}
