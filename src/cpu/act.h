/* Inside src/cpu: activation functions of a vector. */
#ifndef QN_CPU_ACT_H
#define QN_CPU_ACT_H

#include "cpu/exec.h"
#include "cpu/vec.h"

static inline qn_vf qn_v_act(enum qn_act act, qn_vf x) {
    switch (act) {
    case QN_ACT_SILU:
        return x / (1.0f + qn_v_exp(-x));
    case QN_ACT_GELU_TANH: { // (1 + tanh u) / 2 = 1 / (1 + e^-2u)
        qn_vf u = 0.797884583f * (x + 0.044715f * x * x * x);
        return x / (1.0f + qn_v_exp(-2.0f * u));
    }
    case QN_ACT_GELU_ERF:
        for (int i = 0; i < QN_LANES; i++)
            x[i] = qn_cpu_act(act, x[i]);
        return x;
    case QN_ACT_RELU:
        return qn_v_max(x, (qn_vf){0});
    }
    return x;
}

#endif
