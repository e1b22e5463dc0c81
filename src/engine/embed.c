/* Pooling of states: one vector for a text. */
#include <math.h>

#include "engine/engine.h"

/* mean: v = the sum over all positions, whose 1 / T is lost in the length; else v = h of the last
 * position. Then v / |v| over its first values. */
void qn_embedding_add(struct qn_embedding *e, const float *state) {
    for (uint32_t i = 0; i < e->n; i++)
        e->sum[i] = (e->mean ? e->sum[i] : 0) + (double)state[i];
}

void qn_embedding_finish(struct qn_embedding *e) {
    double square = 0;
    for (uint32_t i = 0; i < e->dimensions; i++)
        square += e->sum[i] * e->sum[i];
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (uint32_t i = 0; i < e->dimensions; i++)
        e->vector[i] = (float)(e->sum[i] * scale);
    e->told = true;
}
