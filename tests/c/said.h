/* What models in memory say: logits and tokens, on the CPU or on the reference host. */
#ifndef QN_TEST_SAID_H
#define QN_TEST_SAID_H

#include "tests/c/engine_case.h"

struct said {
    enum qn_status status;
    struct qn_error err;
    struct told told;
};

/* Opens the files, on the CPU or on the reference host, and asks for logits and tokens. */
static inline void said_by(struct said *out, const struct qn_memory_file *list, size_t n,
                           bool gpu) {
    static uint32_t ids[33];
    struct qn_memory_files memory = {list, n};
    struct bench b = {.engine = NULL};
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < 33; i++)
        ids[i] = 11 + (i * i * 7 + i * 31) % 250;
    struct qn_engine_desc desc = {
        .files = qn_files_from_memory(&memory), .main = "", .context = 64, .chunk = 12};
    if (n == 1)
        desc.main = "model.gguf";
    if (gpu && !CHECK(qn_ref_host_create(&b.host, qn_allocator_default(), NULL) == QN_OK))
        return;
    out->status = bench_open(&b, &desc, &out->err);
    qn_session *session = NULL;
    if (out->status == QN_OK &&
        CHECK_MSG(qn_session_create(&session, b.engine, &out->err) == QN_OK, "%s", out->err.text)) {
        const struct qn_request r = {
            .ids = ids, .n_ids = 33, .max_tokens = 16, .want = QN_WANT_LOGITS};
        CHECK_MSG(qn_session_start(session, &r, &out->err) == QN_OK &&
                      tell(&out->told, &b, session, &out->err) == QN_OK,
                  "%s", out->err.text);
    }
    if (b.engine)
        qn_engine_destroy(b.engine);
    if (b.host) {
        const struct qn_error *refusal = qn_null_host_refusal(qn_ref_host_checks(b.host));
        CHECK_MSG(refusal->status == QN_OK, "%s", refusal->text);
        qn_ref_host_destroy(b.host);
    }
}

/* The same tokens, and logits that differ as far as sums in another order do. */
static inline void said_same(const char *what, const struct said *a, const struct said *b) {
    if (!CHECK_MSG(a->status == QN_OK && b->status == QN_OK, "%s: %s %s", what, a->err.text,
                   b->err.text))
        return;
    float most = 0, difference = 0;
    CHECK(a->told.n_logits > 0 && a->told.n_logits == b->told.n_logits);
    for (size_t i = 0; i < a->told.n_logits; i++) {
        float x = a->told.first_logits[i], d = x - b->told.first_logits[i];
        most = x > most ? x : -x > most ? -x : most;
        difference = d > difference ? d : -d > difference ? -d : difference;
    }
    CHECK_MSG(most > 0 && difference <= 1e-4f * most, "%s: logits differ by %g of %g", what,
              (double)difference, (double)most);
    CHECK_MSG(a->told.n == 16 && told_same(&a->told, &b->told), "%s: other tokens", what);
}

#endif
