#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

static void *default_alloc(void *ud, size_t size) {
    (void)ud;
    return malloc(size);
}

static void default_free(void *ud, void *p, size_t size) {
    (void)ud;
    (void)size;
    free(p);
}

const struct qn_allocator *qn_allocator_default(void) {
    static const struct qn_allocator allocator = {NULL, default_alloc, default_free};
    return &allocator;
}

void *qn_mem_alloc(const struct qn_allocator *allocator, size_t size) {
    return allocator->alloc(allocator->ud, size == 0 ? 1 : size);
}

void qn_mem_free(const struct qn_allocator *allocator, void *p, size_t size) {
    if (p != NULL)
        allocator->free(allocator->ud, p, size == 0 ? 1 : size);
}

void *qn_mem_grow(const struct qn_allocator *allocator, void *p, size_t old_size, size_t new_size) {
    void *q = qn_mem_alloc(allocator, new_size);
    if (q == NULL)
        return NULL;
    if (p != NULL && old_size != 0 && new_size != 0)
        memcpy(q, p, qn_min_size(old_size, new_size));
    qn_mem_free(allocator, p, old_size);
    return q;
}

struct qn_arena_block {
    struct qn_arena_block *next;
    size_t size; // with this head
    size_t at;   // first free byte, counted from this head
};

#define ALIGNMENT 16
#define HEAD ((sizeof(struct qn_arena_block) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1))
#define BLOCK_MIN ((size_t)4096)
#define BLOCK_MAX ((size_t)262144)

void qn_arena_init(struct qn_arena *arena, const struct qn_allocator *allocator) {
    *arena = (struct qn_arena){.allocator = allocator};
}

static struct qn_arena_block *block_new(struct qn_arena *arena, size_t size) {
    struct qn_arena_block *block = qn_mem_alloc(arena->allocator, size);
    if (block == NULL)
        return NULL;
    *block = (struct qn_arena_block){.size = size, .at = HEAD};
    arena->held += size;
    return block;
}

void *qn_arena_alloc(struct qn_arena *arena, size_t count, size_t size) {
    size_t n;
    if (!qn_mul_size(&n, count, size) || n > SIZE_MAX - HEAD - ALIGNMENT)
        return NULL;
    n = n == 0 ? ALIGNMENT : (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);

    struct qn_arena_block *block = arena->head;
    if (block == NULL || n > block->size - block->at) {
        // Blocks grow with the arena, so that neither their number nor their slack does.
        size_t want = arena->held / 4;
        want = want < BLOCK_MIN ? BLOCK_MIN : want > BLOCK_MAX ? BLOCK_MAX : want;
        want &= ~(size_t)(ALIGNMENT - 1);
        bool own = n > want / 4; // a block of its own, behind the head, whose rest stays usable
        block = block_new(arena, own ? HEAD + n : want);
        if (block == NULL)
            return NULL;
        if (own && arena->head != NULL) {
            block->next = arena->head->next;
            arena->head->next = block;
        } else {
            block->next = arena->head;
            arena->head = block;
        }
    }
    void *p = (char *)block + block->at;
    block->at += n;
    arena->used += n;
    memset(p, 0, n);
    return p;
}

void qn_arena_free(struct qn_arena *arena) {
    struct qn_arena_block *block = arena->head;
    while (block != NULL) {
        struct qn_arena_block *next = block->next;
        qn_mem_free(arena->allocator, block, block->size);
        block = next;
    }
    arena->head = NULL;
    arena->used = arena->held = 0;
}
