#include "text/ids.h"

void qn_ids_init(struct qn_ids *ids, const struct qn_allocator *allocator) {
    *ids = (struct qn_ids){.allocator = allocator};
}

void qn_ids_free(struct qn_ids *ids) {
    qn_mem_free(ids->allocator, ids->p, ids->capacity * sizeof *ids->p);
    qn_ids_init(ids, ids->allocator);
}

enum qn_status qn_ids_push(struct qn_ids *ids, uint32_t id) {
    if (ids->n == ids->capacity) {
        size_t capacity = ids->capacity ? ids->capacity * 2 : 64;
        if (capacity > SIZE_MAX / sizeof *ids->p)
            return QN_E_NO_MEMORY;
        uint32_t *p =
            qn_mem_grow(ids->allocator, ids->p, ids->capacity * sizeof *p, capacity * sizeof *p);
        if (!p)
            return QN_E_NO_MEMORY;
        ids->p = p;
        ids->capacity = capacity;
    }
    ids->p[ids->n++] = id;
    return QN_OK;
}
