/* Speculation by n-gram lookup: what followed the last three tokens when they stood together before
 * is a guess at what follows now (Saxena 2023, "Prompt lookup decoding"). One exact step computes
 * the arg-max after the last token and after each guess; as many of them as agree are the answer,
 * and one more token besides.
 *
 * Guesses cost time where they fail. The rate at which they come true is learnt from plain steps,
 * which tell for nothing whether a guess would have been right, so that nothing is spent before it
 * pays, and nothing after it has ceased to. Where steps are computed ahead of their results,
 * guesses have to wait for those: until they pay for that too, steps stay ahead. */
#include <string.h>

#include "base/num.h"
#include "run/run.h"

#define LEARN 0.125f // weight of the latest guess in the rate
#define WORTH 1.05f  // least gain, in tokens for the time of one

void qn_draft_start(struct qn_run *run, const struct qn_request *request) {
    const struct qn_sampling *s = &request->sampling;
    bool plain = s->temperature == 0.0f && s->n_bias == 0 && s->frequency_penalty == 0.0f &&
                 s->presence_penalty == 0.0f &&
                 (s->repetition_penalty == 0.0f || s->repetition_penalty == 1.0f);
    run->speculates = request->speculate && plain &&
                      (run->masker.mask == NULL || run->masker.waits) && request->want == 0 &&
                      run->backend->max_exact > 1;
    run->drafts = run->backend->exact_wait == 0.0f;
    run->jumps = request->speculate && run->masker.forced && request->want == 0 && s->n_bias == 0 &&
                 s->frequency_penalty == 0.0f && s->presence_penalty == 0.0f;
    run->sampling = *s; // its bias is the caller's
    run->rate = 0.0f;
    run->n_draft = run->n_queue = run->queue_at = run->drafted = run->accepted = 0;
}

/* Where the token stands that followed the last three the last time; 0: nowhere. */
static uint32_t find(const uint32_t *tokens, uint32_t n) {
    for (uint32_t i = n - 1; n > 3 && i >= 3; i--)
        if (tokens[i - 1] == tokens[n - 1] &&
            memcmp(tokens + i - 3, tokens + n - 3, 2 * sizeof *tokens) == 0)
            return i;
    return 0;
}

/* How many guesses, at most `most`, give the most tokens for the time. */
static uint32_t best_of(const struct qn_run *run, uint32_t most) {
    float right = 1.0f, tokens = 1.0f, best = WORTH;
    uint32_t n = 0;
    for (uint32_t i = 1; i <= most; i++) {
        right *= run->rate;
        tokens += right;
        float time = 1.0f + run->backend->exact_wait + run->backend->exact_cost * (float)i;
        if (tokens / time > best) {
            best = tokens / time;
            n = i;
        }
    }
    return n;
}

static uint32_t longest(const struct qn_run *run) {
    return qn_min_u32(QN_DRAFT, run->backend->max_exact - 1);
}

/* And of as many as have room. */
static uint32_t length(const struct qn_run *run) {
    const struct qn_program *p = run->backend->program;
    uint32_t most = longest(run), edge = run->backend->exact_edge;
    most = qn_min_u32(most, qn_min_u32(p->max_rows, run->chunk) - 1);
    most = qn_min_u32(most, run->limit - run->sampled - 1);
    most = qn_min_u32(most, run->context - run->fed - 1);
    if (p->rope_switch > run->fed) // the frequencies change there
        most = qn_min_u32(most, p->rope_switch - run->fed - 1);
    if (edge > run->fed)
        most = qn_min_u32(most, edge - run->fed - 1);
    return best_of(run, most);
}

void qn_draft_step(struct qn_run *run, struct qn_step *out, bool alone) {
    if (!run->speculates)
        return;
    bool may = run->drafts && alone && !qn_run_masked(run);
    uint32_t known = run->fed + 1, at = may ? find(run->tokens, known) : 0;
    if (run->drafts) {
        out->ids = run->tokens + run->fed; // the backend may have sampled another token last
        out->n = 1;
    }
    run->n_draft = at != 0 ? length(run) : 0;
    if (run->n_draft == 0) {
        run->drafts = run->backend->exact_wait == 0.0f; // ahead again, until guesses hold
        return;
    }
    for (uint32_t i = 0; i < run->n_draft; i++) // may go on into what is written here
        run->tokens[known + i] = run->tokens[at + i];
    out->n += run->n_draft;
    out->sample = false;
    out->want = QN_WANT_ARGMAX_ALL;
    out->exact = true;
}

static void learn(struct qn_run *run, bool right) {
    run->rate += ((right ? 1.0f : 0.0f) - run->rate) * LEARN;
}

void qn_draft_take(struct qn_run *run, const struct qn_step_result *result) {
    bool waits = run->backend->exact_wait > 0.0f;
    if (run->n_draft == 0) {
        uint32_t at = result->sampled ? find(run->tokens, qn_run_known(run)) : 0;
        if (at != 0)
            learn(run, result->token == run->tokens[at]);
        if (at != 0 && waits)
            run->drafts = result->token == run->tokens[at] && best_of(run, longest(run)) > 0;
        return;
    }
    uint32_t n = 0;
    while (n < run->n_draft && result->argmax[n] == run->tokens[run->fed + 1 + n]) {
        learn(run, true);
        n++;
    }
    if (n < run->n_draft)
        learn(run, false);
    for (uint32_t i = 0; i <= n; i++)
        run->queue[i] = result->argmax[i];
    run->n_queue = n + 1;
    run->queue_at = 0;
    run->drafted += run->n_draft;
    run->accepted += n;
    run->fed += n + 1;
    run->sampled += n + 1;
    run->n_draft = 0;
    run->given = true;
    run->drafts = !waits || best_of(run, longest(run)) > 0;
}
