#include "base/hash.h"

#include <stdio.h>

#include <openssl/evp.h>

#include "base/file.h"

reel_status reel_sha256_begin(reel_sha256 *h, reel_error *err)
{
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    h->state = NULL;
    if (state == NULL || EVP_DigestInit_ex(state, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(state);
        return reel_fail(err, REEL_ERR_NOMEM, "SHA-256 could not be started: out of memory");
    }
    h->state = state;
    return REEL_OK;
}

void reel_sha256_add(reel_sha256 *h, const void *data, size_t n)
{
    EVP_DigestUpdate(h->state, data, n);
}

void reel_sha256_end(reel_sha256 *h, char hex[65])
{
    unsigned char digest[32];
    unsigned n = sizeof digest;
    EVP_DigestFinal_ex(h->state, digest, &n);
    EVP_MD_CTX_free(h->state);
    h->state = NULL;
    for (unsigned i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

reel_status reel_sha256_file(const char *path, char hex[65], reel_error *err)
{
    reel_map map;
    reel_sha256 h;
    reel_status status = reel_file_map(path, &map, err);
    if (status != REEL_OK)
        return status;
    status = reel_sha256_begin(&h, err);
    if (status == REEL_OK) {
        reel_sha256_add(&h, map.data, map.n);
        reel_sha256_end(&h, hex);
    }
    reel_file_unmap(&map);
    return status;
}
