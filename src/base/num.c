#include "base/num.h"

uint16_t qn_f32_to_f16(float value) {
    uint32_t bits = qn_f32_bits(value);
    uint32_t sign = bits >> 16 & 0x8000u;
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) // NaN stays NaN even when its payload's upper bits are zero
        return (uint16_t)(sign | 0x7e00u | (bits >> 13 & 0x3ffu));
    if (bits >= 0x477ff000u) // rounds to 65536 or more
        return (uint16_t)(sign | 0x7c00u);
    if (bits >= 0x38800000u) { // normal
        uint32_t odd = bits >> 13 & 1u;
        return (uint16_t)(sign | ((bits + 0xfffu + odd - 0x38000000u) >> 13));
    }
    if (bits < 0x33000000u) // below half of the smallest subnormal
        return (uint16_t)sign;
    uint32_t mantissa = (bits & 0x7fffffu) | 0x800000u;
    uint32_t shift = 126u - (bits >> 23); // 14..24
    uint32_t result = mantissa >> shift;
    uint32_t rest = mantissa & ((1u << shift) - 1u), half = 1u << (shift - 1);
    if (rest > half || (rest == half && (result & 1u)))
        result++;
    return (uint16_t)(sign | result);
}

/* In halves of 32 bits: the compiler's own check multiplies 128 bits, by a library function whose
 * calling convention is not that of the wasm modules. */
bool qn_mul_u64(uint64_t *out, uint64_t a, uint64_t b) {
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t middle = a_high * b_low + a_low * b_high, low = a_low * b_low;
    *out = low + (middle << 32);
    return (a_high == 0 || b_high == 0) && middle >> 32 == 0 && *out >= low;
}

bool qn_mul_i64(int64_t *out, int64_t a, int64_t b) {
    bool negative = (a < 0) != (b < 0);
    uint64_t size;
    bool ok =
        qn_mul_u64(&size, a < 0 ? -(uint64_t)a : (uint64_t)a, b < 0 ? -(uint64_t)b : (uint64_t)b);
    *out = (int64_t)(negative ? -size : size);
    return ok && size <= (uint64_t)INT64_MAX + negative;
}
