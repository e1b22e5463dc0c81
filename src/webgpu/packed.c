#include "webgpu/packed.h"

#include <math.h>
#include <string.h>

#define LARGEST 32639.0f // 127 × 256 + 127

/* Where byte `hi` (or the low one) of column k lies in the group's words: the fourth word of eight
 * columns has the odd ones' low bytes, and so on. */
static size_t byte_at(uint32_t groups, uint32_t g, uint32_t k, bool hi) {
    uint32_t eight = k / 8, word = (hi ? 0 : 2) + k % 2;
    return ((size_t)eight * groups + g) * 16 + word * 4 + k % 8 / 2;
}

void qn_packed_put(void *row, uint32_t groups, uint32_t g, const float *x, float square) {
    unsigned char *bytes = row;
    float most = 0;
    int32_t sum = 0;
    for (uint32_t k = 0; k < QN_GROUP; k++)
        most = fmaxf(most, fabsf(x[k]));
    float unit = most / LARGEST, scale = unit > 1e-37f ? 1 / unit : 0;
    for (uint32_t k = 0; k < QN_GROUP; k++) {
        int32_t q = (int32_t)rintf(x[k] * scale);
        int32_t hi = (q + 32768 + 128) / 256 - 128; // rounded down
        bytes[byte_at(groups, g, k, true)] = (unsigned char)hi;
        bytes[byte_at(groups, g, k, false)] = (unsigned char)q;
        sum += q;
    }
    unsigned char *tag = bytes + ((size_t)4 * groups + g) * 16;
    memcpy(tag, &unit, 4);
    memcpy(tag + 4, &sum, 4);
    memcpy(tag + 8, &square, 4);
}

float qn_packed_get(float x[QN_GROUP], const void *row, uint32_t groups, uint32_t g) {
    const unsigned char *bytes = row, *tag = bytes + ((size_t)4 * groups + g) * 16;
    float unit, square;
    memcpy(&unit, tag, 4);
    memcpy(&square, tag + 8, 4);
    for (uint32_t k = 0; k < QN_GROUP; k++) {
        int hi = (signed char)bytes[byte_at(groups, g, k, true)],
            lo = (signed char)bytes[byte_at(groups, g, k, false)];
        x[k] = unit * (float)(hi * 256 + lo);
    }
    return square;
}
