/* The router of a mixture of experts. */
#include "base/maths.h"
#include "cpu/exec.h"

/* Selection by repeated maximum: n_used is small. Ties go to the lower index. */
void qn_cpu_route(const struct qn_cpu_step *step, const struct qn_program_op *op) {
    struct qn_cpu_rows x = qn_cpu_input(step, op, 0), out = qn_cpu_output(step, op);
    uint32_t n = op->u.moe.n_experts, used = op->u.moe.n_used;
    for (uint32_t t = 0; t < out.rows; t++) {
        const float *row = x.p + t * x.stride;
        float *ids = out.p + t * out.stride, *probabilities = ids + used;
        float peak = row[0];
        double total = 0, chosen = 0;
        for (uint32_t e = 1; e < n; e++)
            peak = row[e] > peak ? row[e] : peak;
        for (uint32_t e = 0; e < n; e++)
            total += qn_exp((double)row[e] - (double)peak);
        for (uint32_t i = 0; i < used; i++) {
            uint32_t best = n;
            for (uint32_t e = 0; e < n; e++) {
                bool taken = false;
                for (uint32_t j = 0; j < i; j++)
                    taken |= ids[j] == (float)e;
                if (!taken && (best == n || row[e] > row[best]))
                    best = e;
            }
            ids[i] = (float)best;
            probabilities[i] = (float)(qn_exp((double)row[best] - (double)peak) / total);
            chosen += (double)probabilities[i];
        }
        for (uint32_t i = 0; op->u.moe.renormalise && i < used; i++)
            probabilities[i] = (float)((double)probabilities[i] / chosen);
    }
}
