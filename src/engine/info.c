/* What `quern inspect` shows, as one JSON object. */

#include "engine/engine.h"
#include "webgpu/gpu.h"

static const char *format_name(enum qn_format format) {
    switch (format) {
    case QN_FORMAT_GGUF:
        return "gguf";
    case QN_FORMAT_SAFETENSORS:
        return "safetensors";
    default:
        return "mlc";
    }
}

static void field(struct qn_buf *b, const char *name, uint64_t value) {
    qn_buf_format(b, ",\"%s\":", name);
    qn_buf_u64(b, value);
}

static void write_tensors(struct qn_buf *b, const struct qn_directory *d) {
    qn_buf_cstr(b, ",\"tensors\":[");
    for (uint32_t i = 0; i < d->n_tensors; i++) {
        const struct qn_tensor *t = &d->tensors[i];
        qn_buf_cstr(b, i ? ",{\"name\":" : "{\"name\":");
        qn_buf_json_str(b, t->name);
        qn_buf_format(b, ",\"dtype\":\"%s\",\"shape\":[", qn_dtype_name(t->dtype));
        for (uint32_t k = 0; k < t->n_dims; k++) {
            if (k)
                qn_buf_char(b, ',');
            qn_buf_u64(b, t->dims[k]);
        }
        qn_buf_cstr(b, "],\"file\":");
        qn_buf_json_str(b, d->files[t->file]);
        field(b, "offset", t->offset);
        field(b, "bytes", t->nbytes);
        qn_buf_char(b, '}');
    }
    qn_buf_char(b, ']');
}

static void write_config(struct qn_buf *b, const struct qn_model_config *c) {
    qn_buf_cstr(b, ",\"config\":{\"hidden\":");
    qn_buf_u64(b, c->hidden);
    field(b, "layers", c->n_layers);
    field(b, "heads", c->n_heads);
    field(b, "kv_heads", c->n_kv_heads);
    field(b, "head_dim", c->head_dim);
    field(b, "intermediate", c->intermediate);
    field(b, "vocab", c->vocab);
    field(b, "context", c->context);
    qn_buf_char(b, '}');
}

/* What requests that do not say are sampled with. */
static void write_sampling(struct qn_buf *b, const qn_engine *e) {
    const struct qn_sampling s = qn_engine_sampling(e);
    qn_buf_format(b,
                  ",\"sampling\":{\"temperature\":%g,\"top_p\":%g,\"top_k\":%u,\"min_p\":%g,"
                  "\"repetition_penalty\":%g,\"frequency_penalty\":%g,\"presence_penalty\":%g}",
                  (double)s.temperature, (double)s.top_p, s.top_k, (double)s.min_p,
                  (double)s.repetition_penalty, (double)s.frequency_penalty,
                  (double)s.presence_penalty);
}

static void write_memory(struct qn_buf *b, const qn_engine *e) {
    const struct qn_program *p = &e->model.program;
    uint64_t stored = 0;
    for (uint32_t i = 0; i < e->directory.n_tensors; i++)
        stored += e->directory.tensors[i].nbytes;
    qn_buf_cstr(b, ",\"memory\":{\"backend\":");
    qn_buf_json_str(b, qn_str_from(e->backend->ops->name));
    field(b, "context", p->context);
    field(b, "file_bytes", stored);
    field(b, "weight_bytes", e->model.weight_bytes);
    field(b, "kv_bytes", p->state_bytes);
    field(b, "activation_bytes", p->arena_bytes);
    field(b, "total_bytes", e->model.weight_bytes + p->state_bytes + p->arena_bytes);
    field(b, "held_bytes", e->backend->ops->memory(e->backend));
    qn_buf_char(b, '}');
}

enum qn_status qn_engine_info(qn_engine *e, struct qn_str *out, struct qn_error *err) {
    if (!e->backend)
        return qn_fail(err, QN_E_STATE, "an engine that is not open");
    struct qn_buf *b = &e->text;
    qn_buf_clear(b);
    qn_buf_format(b, "{\"format\":\"%s\",\"architecture\":", format_name(e->directory.format));
    qn_buf_json_str(b, qn_str_from(e->model.config.traits->name));
    qn_buf_cstr(b, ",\"quantization\":");
    qn_buf_json_str(b, e->model.config.quantization);
    uint64_t parameters = 0;
    for (uint32_t i = 0; i < e->model.program.n_weights; i++)
        if (!e->model.program.weights[i].computed)
            parameters +=
                (uint64_t)e->model.program.weights[i].rows * e->model.program.weights[i].cols;
    field(b, "parameters", parameters);
    write_config(b, &e->model.config);
    write_memory(b, e);
    write_sampling(b, e);
    field(b, "tokenizer_size", e->tokenizer ? qn_tokenizer_size(e->tokenizer) : 0);
    qn_buf_format(b, ",\"chat_template\":%s,\"embeddings\":%s",
                  e->template_source[0].n ? "true" : "false",
                  qn_engine_embeds(e) ? "true" : "false");
#ifndef QN_NO_WEBGPU
    if (e->desc.gpu)
        qn_gpu_backend_describe(e->backend, b);
#endif
    field(b, "operations", e->model.program.n_ops);
    write_tensors(b, &e->directory);
    qn_buf_char(b, '}');
    if (b->failed)
        return qn_fail(err, QN_E_NO_MEMORY, "a description of %u tensors", e->directory.n_tensors);
    *out = qn_buf_view(b);
    return QN_OK;
}
