/* SHA-256 (FIPS 180-4), streaming. */
#ifndef QN_BASE_SHA256_H
#define QN_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct qn_sha256 {
    uint32_t state[8];
    uint64_t n; // bytes so far
    unsigned char block[64];
};

void qn_sha256_init(struct qn_sha256 *sha);
void qn_sha256_update(struct qn_sha256 *sha, const void *bytes, size_t n);
void qn_sha256_final(struct qn_sha256 *sha, unsigned char out[32]);

#endif
