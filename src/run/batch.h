/* Timelines that share a backend: says whose step comes next, and joins the decode steps of all
 * into one, so that the weights are read once for all of them (continuous batching: a timeline
 * joins and leaves between any two steps). */
#ifndef QN_RUN_BATCH_H
#define QN_RUN_BATCH_H

#include "run/run.h"

struct qn_batch {
    struct qn_run *first, *last; // prompts are served in this order, whoever was goes to the end
    bool prompt_turn;            // a prompt's step comes before the next decode step
};

void qn_batch_add(struct qn_batch *batch, struct qn_run *run);
void qn_batch_remove(struct qn_batch *batch, struct qn_run *run);
/* The next event of any of the batch's timelines, and whose it is: NULL with WAIT. A failure is
 * that of *run, whose generation is over. QN_E_STATE: none is running. With `batch` NULL only *run
 * goes on. */
enum qn_status qn_batch_next(struct qn_batch *batch, struct qn_run **run, struct qn_event *out,
                             struct qn_error *err);
/* The same for one timeline, whether it is in a batch or not. */
enum qn_status qn_run_next(struct qn_run *run, struct qn_event *out, struct qn_error *err);

#endif
