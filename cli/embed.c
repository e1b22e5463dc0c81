/* embed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Pools states while they come: their sum, or the last. */
struct pool {
    double *sum;
    uint32_t n;
    bool mean;
    uint32_t count;
};

static int run(qn_session *s, const struct qn_request *request, struct pool *pool) {
    struct qn_error err = {0};
    struct qn_event e;
    if (qn_session_start(s, request, &err) != QN_OK)
        return refuse(&err);
    do {
        if (qn_session_next(s, &e, &err) != QN_OK)
            return refuse(&err);
        if (e.kind != QN_EVENT_LOGITS)
            continue;
        pool->count++;
        for (uint32_t i = 0; i < pool->n; i++)
            pool->sum[i] = (pool->mean ? pool->sum[i] : 0) + (double)e.logits[i];
    } while (e.kind != QN_EVENT_DONE);
    return EXIT_DONE;
}

static int print_vector(const struct options *o, const struct pool *pool) {
    float *vector = malloc(pool->n * sizeof *vector);
    if (!vector)
        return refuse_with(QN_E_NO_MEMORY, "an embedding");
    double scale = pool->mean ? 1.0 / pool->count : 1, square = 0;
    for (uint32_t i = 0; i < pool->n; i++)
        square += pool->sum[i] * pool->sum[i];
    if (o->normalize && square > 0)
        scale = 1 / sqrt(square);
    for (uint32_t i = 0; i < pool->n; i++)
        vector[i] = (float)(pool->sum[i] * scale);
    fputs("{\"embedding\":", stdout);
    print_floats(vector, pool->n);
    puts("}");
    free(vector);
    return EXIT_DONE;
}

static const char *const names[] = {
    [QN_POOL_LAST] = "last", [QN_POOL_MEAN] = "mean", [QN_POOL_CLS] = "cls"};

/* The model's own where nothing, or nothing that is known, is said. */
static enum qn_pooling pooling_of(const struct options *o) {
    for (int i = QN_POOL_LAST; o->pooling && i <= QN_POOL_CLS; i++)
        if (strcmp(o->pooling, names[i]) == 0)
            return (enum qn_pooling)i;
    return QN_POOL_MODEL;
}

static int embed(const struct options *o, struct model *m, qn_session *s) {
    struct qn_error err = {0};
    enum qn_pooling pooling = pooling_of(o);
    struct pool pool = {.n = qn_engine_vocab(m->engine), .mean = pooling == QN_POOL_MEAN};
    const uint32_t *ids = NULL;
    uint32_t *own = NULL;
    size_t n = 0;
    if (o->ids) {
        ids = own = parse_ids(o->ids, &n);
        if (!own)
            return EXIT_REFUSED;
    } else if (qn_engine_tokenize(m->engine, &ids, &n, (struct qn_str){o->text, strlen(o->text)},
                                  QN_TEXT_ADD_SPECIAL, &err) != QN_OK) {
        return refuse(&err);
    }
    struct qn_request request = {
        .ids = ids, .n_ids = n, .want = QN_WANT_LOGITS, .pooling = pooling};
    pool.sum = calloc(pool.n, sizeof *pool.sum);
    int code = pool.sum ? run(s, &request, &pool) : refuse_with(QN_E_NO_MEMORY, "an embedding");
    if (code == EXIT_DONE)
        code = print_vector(o, &pool);
    free(pool.sum);
    free(own);
    return code;
}

int command_embed(const struct options *o) {
    if (!o->text == !o->ids)
        return usage("embed needs --text or --ids");
    if (o->pooling && pooling_of(o) == QN_POOL_MODEL)
        return refuse_with(QN_E_UNSUPPORTED, "--pooling but mean, cls or last");
    struct options with = *o;
    with.embeddings = true;
    struct model m;
    struct qn_error err = {0};
    int code = model_open(&m, &with, NEED_WEIGHTS);
    if (code != EXIT_DONE)
        return code;
    qn_session *session = NULL;
    code = qn_session_create(&session, m.engine, &err) == QN_OK ? embed(&with, &m, session)
                                                                : refuse(&err);
    model_close(&m);
    return code;
}
