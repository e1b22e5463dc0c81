#include "model/model.h"

#include "base/num.h"
#include "model/decoder.h"
#include "model/pooling.h"
#include "model/rope.h"

#define DEFAULT_CONTEXT 4096u
#define WHOLE_CONTEXT 512u // of encoders, which compute it in one step
#define DEFAULT_CHUNK 256u

static enum qn_status weight_bytes(uint64_t *out, const struct qn_program *p,
                                   struct qn_error *err) {
    *out = 0;
    for (uint32_t i = 0; i < p->n_weights; i++) {
        const struct qn_weight *w = &p->weights[i];
        for (uint32_t plane = 0; plane < QN_PLANE_COUNT; plane++) {
            uint64_t n = qn_wformat_row(&w->format, w->cols, (enum qn_plane)plane);
            if (!qn_mul_u64(&n, n, w->rows) || !qn_add_u64(out, *out, n))
                return qn_fail(err, QN_E_LIMIT, "weight %.*s is too large", QN_STR_ARG(w->name));
        }
    }
    return QN_OK;
}

enum qn_status qn_model_build(struct qn_model *out, struct qn_arena *arena,
                              const struct qn_directory *d, const struct qn_files *files,
                              const struct qn_model_options *options, struct qn_error *err) {
    *out = (struct qn_model){.weight_bytes = 0};
    QN_TRY(qn_model_config_read(&out->config, arena, d, err));
    const struct qn_model_config *c = &out->config;
    bool whole = c->traits->encoder;
    uint32_t usual = whole ? WHOLE_CONTEXT : DEFAULT_CONTEXT;
    uint32_t context = qn_min_u32(options->context ? options->context : usual, c->context);
    uint32_t chunk = qn_min_u32(options->chunk ? options->chunk : DEFAULT_CHUNK, context);
    qn_program_init(&out->program, arena, whole ? context : chunk, context);
    if (options->rows)
        out->program.max_rows = qn_min_u32(options->rows, chunk);
    struct qn_model_options own = *options;
    if (whole) {
        out->program.whole = own.states = true;
        own.kv_type = QN_KV_F32; // of one layer
        QN_TRY(qn_pooling_read(&out->program.pooling, arena, d, files, err));
    }

    struct qn_rope rope;
    struct qn_weights weights;
    QN_TRY(qn_weights_init(&weights, &out->program, d, files, c, err));
    QN_TRY(qn_rope_frequencies(&rope, arena, c, context, d, files, err));
    if (rope.n_sets > 1)
        out->program.rope_switch = c->rope_original_context;
    out->program.n_ids = c->vocab;
    QN_TRY(qn_decoder_build(&weights, &rope, &own, err));
    QN_TRY(qn_program_infer(&out->program, err));
    QN_TRY(qn_program_fuse(&out->program, err));
    QN_TRY(qn_program_plan(&out->program, err));
    QN_TRY(qn_program_verify(&out->program, err));
    return weight_bytes(&out->weight_bytes, &out->program, err);
}
