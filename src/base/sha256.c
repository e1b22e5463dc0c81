#include "base/sha256.h"

#include <string.h>

#include "base/num.h"

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static void compress(uint32_t state[8], const unsigned char *p, size_t n_blocks) {
    for (; n_blocks > 0; n_blocks--, p += 64) {
        uint32_t w[16];
        for (int i = 0; i < 16; i++)
            w[i] = __builtin_bswap32(qn_load_u32(p + 4 * i));
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
#pragma clang loop unroll_count(16)
        for (int i = 0; i < 64; i++) {
            if (i >= 16) {
                uint32_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];
                w[i & 15] += (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[(i + 9) & 15] +
                             (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
            }
            uint32_t t = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) +
                         round_constants[i] + w[i & 15];
            uint32_t u = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
            h = g;
            g = f;
            f = e;
            e = d + t;
            d = c;
            c = b;
            b = a;
            a = t + u;
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

void qn_sha256_init(struct qn_sha256 *sha) {
    *sha = (struct qn_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                        0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void qn_sha256_update(struct qn_sha256 *sha, const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    size_t held = (size_t)(sha->n % 64);
    sha->n += n;
    if (held != 0) {
        size_t take = qn_min_size(n, 64 - held);
        memcpy(sha->block + held, p, take);
        p += take;
        n -= take;
        if (held + take < 64)
            return;
        compress(sha->state, sha->block, 1);
    }
    compress(sha->state, p, n / 64);
    if (n % 64 != 0)
        memcpy(sha->block, p + n / 64 * 64, n % 64);
}

void qn_sha256_final(struct qn_sha256 *sha, unsigned char out[32]) {
    uint64_t bits = sha->n * 8;
    unsigned char tail[72] = {0x80};
    size_t held = (size_t)(sha->n % 64);
    size_t n = held < 56 ? 56 - held : 120 - held;
    for (int i = 0; i < 8; i++)
        tail[n + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
    qn_sha256_update(sha, tail, n + 8);
    for (int i = 0; i < 32; i++)
        out[i] = (unsigned char)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
}
