/* Counter-based random numbers: the same (seed, counter, index) gives the same bits on every
 * backend, in any order. 32-bit arithmetic only, so that WGSL computes the very same words. */
#ifndef QN_BASE_RNG_H
#define QN_BASE_RNG_H

#include <stdint.h>

/* Philox-2x32, 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11):
 * key = seed folded to 32 bits, counter = (a, b). Returns the first output word. */
uint32_t qn_rng_u32(uint64_t seed, uint32_t a, uint32_t b);

/* Uniform in (0, 1), never 0 or 1: ((word >> 9) + 0.5) × 2^-23, exact in float32. (With 24 bits the
 * last value would round to 1, and a Gumbel draw from it be infinite.) */
float qn_rng_unit(uint64_t seed, uint32_t a, uint32_t b);

#endif
