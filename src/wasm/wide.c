/* 128-bit multiplication, which the compiler calls for 64-bit overflow checks. The runtime
 * library's returns through memory; the ABI that this library is built for returns two values. */
#include <stdint.h>

unsigned __int128 __multi3(unsigned __int128 a, unsigned __int128 b);

unsigned __int128 __multi3(unsigned __int128 a, unsigned __int128 b) {
    uint64_t a_low = (uint64_t)a, b_low = (uint64_t)b;
    uint64_t a0 = a_low & UINT32_MAX, a1 = a_low >> 32, b0 = b_low & UINT32_MAX, b1 = b_low >> 32;
    uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32);
    uint64_t other = a0 * b1 + (middle & UINT32_MAX);
    uint64_t high = a1 * b1 + (middle >> 32) + (other >> 32);
    high += a_low * (uint64_t)(b >> 64) + (uint64_t)(a >> 64) * b_low;
    return (unsigned __int128)high << 64 | (other << 32 | (low & UINT32_MAX));
}
