#include "quant/packed.h"

#include "base/num.h"

#pragma STDC FP_CONTRACT OFF

/* Where AWQ puts output `c` of eight. */
static uint32_t awq_shift(uint32_t c) {
    return 4 * (c / 2 + c % 2 * 4);
}

void qn_packed_values(void *out, size_t stride, const void *words, uint32_t n_cols,
                      uint32_t n_rows) {
    const unsigned char *from = words;
    size_t row = (size_t)n_rows / 8;
    for (uint32_t k = 0; k < n_cols; k += 8, from += 8 * 4 * row) {
        for (size_t j = 0; j < row; j++) { // eight columns of eight rows
            uint32_t in[8];
            for (size_t i = 0; i < 8; i++)
                in[i] = qn_load_u32(from + 4 * (i * row + j));
            for (uint32_t c = 0; c < 8; c++) {
                uint32_t word = 0;
                for (uint32_t i = 0; i < 8; i++)
                    word |= (in[i] >> awq_shift(c) & 15) << (4 * i);
                memcpy((unsigned char *)out + (8 * j + c) * stride + k / 2, &word, sizeof word);
            }
        }
    }
}

void qn_packed_ordered(void *out, size_t stride, const void *words, const float *order,
                       uint32_t n_cols, uint32_t n_rows) {
    for (size_t k = 0; k < n_cols; k += 8) {
        const unsigned char *from[8];
        uint32_t shift[8];
        for (size_t i = 0; i < 8; i++) {
            uint32_t column = (uint32_t)order[k + i];
            from[i] = (const unsigned char *)words + (size_t)(column / 8) * n_rows * 4;
            shift[i] = 4 * (column % 8);
        }
        for (size_t n = 0; n < n_rows; n++) {
            uint32_t word = 0;
            for (uint32_t i = 0; i < 8; i++)
                word |= (qn_load_u32(from[i] + 4 * n) >> shift[i] & 15) << (4 * i);
            memcpy((unsigned char *)out + n * stride + k / 2, &word, sizeof word);
        }
    }
}

struct qn_wformat qn_packed_format(enum qn_dtype scales, uint32_t group) {
    return (struct qn_wformat){.type = QN_W_Q4,
                               .scale = scales == QN_DTYPE_F16 ? QN_DTYPE_F16 : QN_DTYPE_F32,
                               .group = group % 128 == 0  ? 128
                                        : group % 64 == 0 ? 64
                                                          : QN_GROUP,
                               .minimum = true,
                               .zeros = true};
}

void qn_packed_scales(void *out, size_t stride, const struct qn_wformat *format,
                      enum qn_packing packing, const float *scales, const void *zeros,
                      uint32_t n_groups, uint32_t n_rows, uint32_t group) {
    size_t copies = group / format->group, size = 2 * qn_dtype_bytes(format->scale);
    for (size_t g = 0; g < n_groups; g++) {
        const unsigned char *packed = (const unsigned char *)zeros + g * (n_rows / 2);
        for (uint32_t n = 0; n < n_rows; n++) {
            uint32_t shift = packing == QN_PACKING_AWQ ? awq_shift(n % 8) : 4 * (n % 8);
            uint32_t zero = qn_load_u32(packed + n / 8 * 4) >> shift & 15;
            if (packing == QN_PACKING_GPTQ)
                zero++;
            float wide[2] = {scales[g * n_rows + n], (float)zero};
            uint16_t narrow[2] = {qn_f32_to_f16(wide[0]), qn_f32_to_f16(wide[1])};
            unsigned char *to = (unsigned char *)out + n * stride + g * copies * size;
            for (size_t i = 0; i < copies; i++)
                memcpy(to + i * size,
                       format->scale == QN_DTYPE_F16 ? (const void *)narrow : (const void *)wide,
                       size);
        }
    }
}

void qn_threes_values(void *out, size_t stride, const void *words, uint32_t n_groups,
                      uint32_t n_rows) {
    const unsigned char *from = words;
    for (size_t n = 0; n < n_rows; n++) {
        unsigned char *to = (unsigned char *)out + n * stride;
        memset(to, 0x33, stride);
        for (uint32_t g = 0; g < n_groups; g++, to += QN_THREES_COLS / 2)
            for (uint32_t i = 0; i < 4; i++, from += 4)
                for (uint32_t j = 0; j < 5; j++) { // two values of 3 bits
                    uint32_t two = qn_load_u32(from) >> (6 * j);
                    to[5 * i + j] = (unsigned char)((two & 7) | (two >> 3 & 7) << 4);
                }
    }
}

void qn_threes_scales(void *out, size_t stride, const void *scales, uint32_t n_groups,
                      uint32_t n_rows) {
    const unsigned char *from = scales;
    for (size_t n = 0; n < n_rows; n++) {
        unsigned char *to = (unsigned char *)out + n * stride;
        memset(to, 0, stride);
        for (uint32_t g = 0; g < n_groups; g++, from += 2)
            for (int i = 0; i < 3; i++, to += 2)
                memcpy(to, from, 2);
    }
}
