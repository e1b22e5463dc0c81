/* The input of a matrix product, made into what the kernel of the weight takes (kernels.h), once
 * per row; rows are spread over threads. */
#include "cpu/kernels.h"
#include "cpu/vec.h"

struct prepare {
    const struct qn_cpu_rows *x;
    const struct qn_cpu_weight *w;
    enum qn_cpu_input_type type;
    float *out;
    size_t stride;
};

/* 32 columns in units of the result, rounded to the nearest, and what is left of them in parts of
 * a unit. Infinities and NaN make the unit what they are. */
static float quantise(int32_t q[QN_GROUP], int32_t rest[QN_GROUP], float fine, const float *x) {
    qn_vi most = {0};
    for (int k = 0; k < QN_GROUP; k += QN_LANES) {
        qn_vi bits = (qn_vi)qn_v_load(x + k) & 0x7fffffff, more = bits > most;
        most = (bits & more) | (most & ~more);
    }
    int32_t top = 0;
    for (int i = 0; i < QN_LANES; i++)
        top = most[i] > top ? most[i] : top;
    float largest = qn_bits_f32((uint32_t)top);
    float scale = largest < 1e-30f ? 0.0f : QN_CPU_LARGEST / largest;
    qn_vf magic = qn_v_splat(12582912.0f); // 1.5 × 2^23: adding it rounds to an integer
    for (int k = 0; k < QN_GROUP; k += QN_LANES) {
        qn_vf v = qn_v_load(x + k) * scale, whole = v + magic;
        qn_vf part = (v - (whole - magic)) * fine + magic; // the difference is exact
        qn_vi n = (qn_vi)whole - 0x4b400000, r = (qn_vi)part - 0x4b400000;
        memcpy(q + k, &n, sizeof n);
        memcpy(rest + k, &r, sizeof r);
    }
    return largest / QN_CPU_LARGEST;
}

/* Sixteen columns meet sixteen bytes of W, in order or each second one (even: nibbles), and the
 * even ones of those bytes come before the odd where they are widened. */
static void put_words(int16_t *out, const int32_t q[QN_GROUP], bool nibbles) {
    for (int i = 0; i < QN_GROUP; i++) {
        int byte = i / 16 * 16 + i % 8 * 2 + i / 8 % 2; // of two vectors of bytes
        int column = nibbles ? byte % 16 * 2 + byte / 16 : byte;
        out[i / 8 * 2 * QN_LANES + i % 8] = (int16_t)q[column];
    }
}

/* Even columns, then the odd. */
static void put_bytes(int8_t *out, const int32_t q[QN_GROUP]) {
    for (int i = 0; i < QN_GROUP; i++)
        out[i / 16 * 4 * QN_LANES + i % 16] = (int8_t)q[i % 16 * 2 + i / 16];
}

static void prepare_integers(const struct prepare *p, float *out, const float *x) {
    const struct qn_wformat *f = &p->w->format;
    uint32_t cols = p->w->cols;
    size_t at = 0;
    uint32_t share = qn_min_u32(f->group, QN_GROUP);
    float *sums = out + qn_cpu_sums(cols);
    const float fine = 1 << QN_CPU_FINE;
    bool bytes = p->type == QN_CPU_BYTES;
    memset(out, 0, p->stride * sizeof *out);
    for (uint32_t g = 0; g * QN_GROUP < cols; g++) {
        int32_t q[QN_GROUP], rest[QN_GROUP], hi[QN_GROUP];
        float last[QN_GROUP] = {0};
        const float *in = x + g * QN_GROUP;
        if (cols - g * QN_GROUP < QN_GROUP) {
            memcpy(last, in, (cols - g * QN_GROUP) * sizeof *in);
            in = last;
        }
        float unit = quantise(q, rest, fine, in);
        // Groups whose bytes share a vector of W share vectors here: a lane of 16 bytes each.
        uint32_t lane = g % (QN_LANES / 4);
        float *to = out + (g - lane) * (bytes ? QN_CPU_BYTES_GROUP : QN_CPU_WORDS_GROUP) + lane * 4;
        if (bytes) {
            for (int i = 0; i < QN_GROUP; i++)
                hi[i] = (q[i] - (int8_t)q[i]) >> 8;
            put_bytes((int8_t *)to, hi);
            put_bytes((int8_t *)(to + 2 * QN_LANES), q);
            put_bytes((int8_t *)(to + 4 * QN_LANES), rest);
            to += 6 * QN_LANES;
        } else {
            put_words((int16_t *)to, q, f->type == QN_W_Q4);
            put_words((int16_t *)(to + 4 * QN_LANES), rest, f->type == QN_W_Q4);
            to += 8 * QN_LANES;
        }
        for (int i = 0; i < 4; i++)
            to[i] = unit / fine;
        for (uint32_t k = 0; k < QN_GROUP; k += share) {
            int32_t sum = 0, more = 0;
            for (uint32_t i = k; i < k + share; i++) {
                sum += q[i];
                more += rest[i];
            }
            int32_t zero = f->minimum ? 1 : (int32_t)f->zero;
            at += f->minimum;
            sums[at++] = -unit * ((float)(sum * zero) + (float)(more * zero) / fine);
        }
    }
}

static void prepare_task(void *arg, uint32_t t) {
    const struct prepare *p = arg;
    const float *x = p->x->p + t * p->x->stride;
    float *out = p->out + t * p->stride;
    if (p->type != QN_CPU_FLOATS) {
        prepare_integers(p, out, x);
        return;
    }
    uint32_t cols = p->w->cols;
    memcpy(out, x, cols * sizeof *out);
    memset(out + cols, 0, (qn_wformat_cols(cols) - cols) * sizeof *out);
}

struct qn_cpu_rows qn_cpu_prepare(const struct qn_cpu_step *step, const struct qn_cpu_rows *x,
                                  const struct qn_cpu_weight *w, bool floats) {
    // Lines of the cache; qn_cpu_scratch has room for it.
    float *out = step->scratch + (0 - (uintptr_t)step->scratch) % 64 / sizeof(float);
    struct prepare p = {x, w, floats ? QN_CPU_FLOATS : qn_cpu_kernel_of(&w->format)->input, out,
                        qn_cpu_prepared(w->cols)};
    if (p.type == QN_CPU_FLOATS && w->cols % QN_GROUP == 0)
        return *x;
    qn_pool_run(step->pool, prepare_task, &p, x->rows);
    return (struct qn_cpu_rows){p.out, p.stride, x->rows, qn_wformat_cols(w->cols)};
}
