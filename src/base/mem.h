/* Memory: an injected allocator and arenas over it. Two lifetimes only – model and session –
 * each an arena that is freed whole. */
#ifndef QN_BASE_MEM_H
#define QN_BASE_MEM_H

#include "base/status.h"

/* malloc/free of the C library. */
const struct qn_allocator *qn_allocator_default(void);

/* Plain blocks: NULL on failure; qn_mem_free accepts NULL. qn_mem_grow copies min(old,new) bytes
 * and frees the old block only on success. */
void *qn_mem_alloc(const struct qn_allocator *allocator, size_t size);
void *qn_mem_grow(const struct qn_allocator *allocator, void *p, size_t old_size, size_t new_size);
void qn_mem_free(const struct qn_allocator *allocator, void *p, size_t size);

/* A list of blocks, bump-allocated. Zero-initialise, set `allocator`, use, qn_arena_free. */
struct qn_arena {
    const struct qn_allocator *allocator;
    struct qn_arena_block *head;
    size_t used; // bytes handed out
    size_t held; // bytes taken from the allocator
};

void qn_arena_init(struct qn_arena *arena, const struct qn_allocator *allocator);
/* Zeroed memory aligned to 16 bytes, valid until qn_arena_free; NULL when out of memory or when
 * count × size overflows. A count of 0 gives a valid unique pointer. */
void *qn_arena_alloc(struct qn_arena *arena, size_t count, size_t size);
void qn_arena_free(struct qn_arena *arena);

#define QN_ARENA_NEW(arena, type, count) ((type *)qn_arena_alloc((arena), (count), sizeof(type)))

#endif
