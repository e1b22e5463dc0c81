#include "webgpu/null_events.h"

#include <string.h>

enum qn_status qn_null_events_push(struct qn_null_events *events, const struct qn_gpu_event *event,
                                   void **bytes, bool submitted, struct qn_error *err) {
    const struct qn_allocator *allocator = events->allocator;
    if (events->n == events->cap) {
        size_t cap = events->cap ? events->cap * 2 : 16;
        struct qn_null_event *grown =
            qn_mem_grow(allocator, events->list, events->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL)
            return qn_fail(err, QN_E_NO_MEMORY, "null host: events");
        events->list = grown;
        events->cap = cap;
    }
    void *copy = NULL;
    if (event->n != 0) {
        copy = qn_mem_alloc(allocator, event->n);
        if (copy == NULL)
            return qn_fail(err, QN_E_NO_MEMORY, "null host: %zu bytes of an event", event->n);
        if (event->bytes)
            memcpy(copy, event->bytes, event->n);
        else
            memset(copy, 0, event->n);
    }
    struct qn_null_event *slot = &events->list[events->n++];
    *slot = (struct qn_null_event){
        .shown = *event, .bytes = copy, .n = event->n, .submitted = submitted};
    slot->shown.bytes = copy;
    if (bytes)
        *bytes = copy;
    return QN_OK;
}

bool qn_null_events_next(struct qn_null_events *events, struct qn_gpu_event *out) {
    qn_mem_free(events->allocator, events->handed, events->handed_n);
    events->handed = NULL;
    events->handed_n = 0;
    if (events->hold || events->first == events->n || !events->list[events->first].submitted)
        return false;
    struct qn_null_event *event = &events->list[events->first++];
    *out = event->shown;
    events->handed = event->bytes;
    events->handed_n = event->n;
    if (events->first == events->n)
        events->first = events->n = 0;
    return true;
}

void qn_null_events_submit(struct qn_null_events *events) {
    for (size_t i = events->first; i < events->n; i++)
        events->list[i].submitted = true;
}

void qn_null_events_abandon(struct qn_null_events *events) {
    while (events->n > events->first && !events->list[events->n - 1].submitted) {
        struct qn_null_event *event = &events->list[--events->n];
        qn_mem_free(events->allocator, event->bytes, event->n);
    }
    if (events->first == events->n)
        events->first = events->n = 0;
}

void qn_null_events_free(struct qn_null_events *events) {
    for (size_t i = events->first; i < events->n; i++)
        qn_mem_free(events->allocator, events->list[i].bytes, events->list[i].n);
    qn_mem_free(events->allocator, events->list, events->cap * sizeof *events->list);
    qn_mem_free(events->allocator, events->handed, events->handed_n);
}
