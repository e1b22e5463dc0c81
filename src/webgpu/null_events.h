/* The null host's events, oldest first. Those of reads wait for their SUBMIT. */
#ifndef QN_WEBGPU_NULL_EVENTS_H
#define QN_WEBGPU_NULL_EVENTS_H

#include "webgpu/tape.h"

struct qn_null_event {
    struct qn_gpu_event shown;
    void *bytes;
    size_t n;
    bool submitted;
};

/* Zeros but for the allocator: empty. */
struct qn_null_events {
    const struct qn_allocator *allocator;
    struct qn_null_event *list;
    size_t n, first, cap;
    void *handed; // bytes of the event that was taken last
    size_t handed_n;
    bool hold; // nothing is handed over
};

/* Appends a copy of the event and of its bytes, zeros where they are NULL; *bytes, unless NULL: the
 * copy, to be filled. QN_E_NO_MEMORY. */
enum qn_status qn_null_events_push(struct qn_null_events *events, const struct qn_gpu_event *event,
                                   void **bytes, bool submitted, struct qn_error *err);
/* Takes the oldest if it may be handed over. Its bytes live until the next call. */
bool qn_null_events_next(struct qn_null_events *events, struct qn_gpu_event *out);
void qn_null_events_submit(struct qn_null_events *events);
/* Drops those behind the last submitted one. */
void qn_null_events_abandon(struct qn_null_events *events);
void qn_null_events_free(struct qn_null_events *events);

#endif
