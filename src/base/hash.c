#include "base/hash.h"

#include <stdio.h>

#include <openssl/evp.h>

#include "base/file.h"

static reel_status begin(reel_sha256 *h, const EVP_MD *kind, reel_error *err)
{
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    h->state = NULL;
    if (state == NULL || EVP_DigestInit_ex(state, kind, NULL) != 1) {
        EVP_MD_CTX_free(state);
        return reel_fail(err, REEL_ERR_NOMEM, "%s could not be started: out of memory", EVP_MD_get0_name(kind));
    }
    h->state = state;
    return REEL_OK;
}

reel_status reel_sha256_begin(reel_sha256 *h, reel_error *err) { return begin(h, EVP_sha256(), err); }

reel_status reel_git_id_begin(reel_sha256 *h, uint64_t size, reel_error *err)
{
    char head[32];
    const int n = snprintf(head, sizeof head, "blob %llu", (unsigned long long)size);
    reel_status status = begin(h, EVP_sha1(), err);
    if (status == REEL_OK)
        EVP_DigestUpdate(h->state, head, (size_t)n + 1);
    return status;
}

void reel_sha1_bytes(const void *data, size_t n, unsigned char out[20])
{
    EVP_Digest(data, n, out, NULL, EVP_sha1(), NULL);
}

void reel_sha256_drop(reel_sha256 *h)
{
    EVP_MD_CTX_free(h->state);
    h->state = NULL;
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
    for (unsigned i = 0; i < n; i++)
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
