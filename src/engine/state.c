/* What can be asked of an engine at any time. */
#include "engine/engine.h"

enum qn_engine_state qn_engine_state(const qn_engine *e) {
    return e->state;
}

const struct qn_error *qn_engine_error(const qn_engine *e) {
    return &e->error;
}

enum qn_status qn_engine_check(const qn_engine *e, struct qn_error *err) {
    if (e->state != QN_ENGINE_FAILED && e->state != QN_ENGINE_LOST)
        return QN_OK;
    if (err)
        *err = e->error;
    return e->error.status;
}

uint32_t qn_engine_context(const qn_engine *e) {
    return e->model.program.context;
}

bool qn_engine_embeds(const qn_engine *e) {
    return e->model.program.states;
}

uint32_t qn_engine_vocab(const qn_engine *e) {
    return e->model.program.states ? e->model.config.hidden : e->model.config.vocab;
}

struct qn_sampling qn_engine_sampling(const qn_engine *e) {
    const struct qn_model_sampling *m = &e->model.config.sampling;
    return (struct qn_sampling){
        .temperature = m->has.temperature ? m->temperature : 1,
        .top_p = m->has.top_p ? m->top_p : 1,
        .top_k = m->has.top_k ? m->top_k : 0,
        .min_p = m->has.min_p ? m->min_p : 0,
        .repetition_penalty = m->has.repetition_penalty ? m->repetition_penalty : 1,
        .frequency_penalty = m->has.frequency_penalty ? m->frequency_penalty : 0,
        .presence_penalty = m->has.presence_penalty ? m->presence_penalty : 0,
    };
}
