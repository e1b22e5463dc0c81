#include "base/rng.h"

uint32_t qn_rng_u32(uint64_t seed, uint32_t a, uint32_t b) {
    uint32_t key = (uint32_t)seed ^ (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t product = (uint64_t)a * 0xd256d193u;
        a = (uint32_t)(product >> 32) ^ key ^ b;
        b = (uint32_t)product;
        key += 0x9e3779b9u;
    }
    return a;
}

float qn_rng_unit(uint64_t seed, uint32_t a, uint32_t b) {
    return ((float)(qn_rng_u32(seed, a, b) >> 9) + 0.5f) * 0x1p-23f;
}
