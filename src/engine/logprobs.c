/* Log-probabilities of the model's own distribution, as OpenAI tells of them: before temperature,
 * penalties and bias. */
#include <math.h>

#include "base/maths.h"
#include "base/num.h"
#include "engine/engine.h"

#define MAX_TOP 20
#define IMPOSSIBLE (-9999.0) // what OpenAI says where JSON has no minus infinity

#define NEGLIGIBLE (-60.0f) // 2^18 terms of e^-60 are below half a unit in the last place of 1

struct best {
    float logit;
    uint32_t id;
};

static void write_token(struct qn_buf *out, const struct qn_tokenizer *t, uint32_t id,
                        double logprob) {
    struct qn_buf bytes;
    qn_buf_init(&bytes, out->allocator);
    if (qn_tokenizer_bytes(t, &bytes, id) != QN_OK)
        bytes.failed = true;
    qn_buf_cstr(out, "{\"token\":");
    qn_buf_json_str(out, qn_buf_view(&bytes));
    qn_buf_cstr(out, ",\"logprob\":");
    qn_buf_f64(out, logprob > IMPOSSIBLE ? logprob : IMPOSSIBLE); // NaN, too
    qn_buf_cstr(out, ",\"bytes\":[");
    for (size_t i = 0; i < bytes.n; i++) {
        if (i > 0)
            qn_buf_char(out, ',');
        qn_buf_u64(out, (uint8_t)bytes.p[i]);
    }
    qn_buf_char(out, ']');
    out->failed = out->failed || bytes.failed;
    qn_buf_free(&bytes);
}

/* log p_i = l_i − m − ln Σ exp(l_j − m), m = max l; the sum in float64, compensated (Kahan). */
void qn_logprobs_write(struct qn_buf *out, const struct qn_tokenizer *t, const float *logits,
                       uint32_t n, uint32_t id, uint32_t top) {
    struct best best[MAX_TOP + 1];
    uint32_t n_best = 0, most = qn_min_u32(top, MAX_TOP);
    float peak = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        peak = logits[i] > peak ? logits[i] : peak;
    double sum = 0, lost = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!(logits[i] - peak > NEGLIGIBLE)) // NaN, too
            continue;
        double term = qn_exp((double)logits[i] - (double)peak) - lost, next = sum + term;
        lost = (next - sum) - term;
        sum = next;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!(logits[i] > -INFINITY)) // NaN, too
            continue;
        if (most == 0 || (n_best == most && logits[i] <= best[n_best - 1].logit))
            continue;
        uint32_t at = n_best < most ? n_best++ : n_best - 1; // equal ones: the lower id first
        for (; at > 0 && best[at - 1].logit < logits[i]; at--)
            best[at] = best[at - 1];
        best[at] = (struct best){logits[i], i};
    }
    double base = sum > 0 ? (double)peak + qn_log(sum) : 0;
    write_token(out, t, id, id < n ? (double)logits[id] - base : IMPOSSIBLE);
    qn_buf_cstr(out, ",\"top_logprobs\":[");
    for (uint32_t i = 0; i < n_best; i++) {
        if (i > 0)
            qn_buf_char(out, ',');
        write_token(out, t, best[i].id, (double)best[i].logit - base);
        qn_buf_char(out, '}');
    }
    qn_buf_cstr(out, "]}");
}
