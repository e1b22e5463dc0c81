/* A growable list of token ids. */
#ifndef QN_TEXT_IDS_H
#define QN_TEXT_IDS_H

#include "base/mem.h"

struct qn_ids {
    const struct qn_allocator *allocator;
    uint32_t *p;
    size_t n, capacity;
};

void qn_ids_init(struct qn_ids *ids, const struct qn_allocator *allocator);
void qn_ids_free(struct qn_ids *ids);
enum qn_status qn_ids_push(struct qn_ids *ids, uint32_t id);

#endif
