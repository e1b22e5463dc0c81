#include "webgpu/tape.h"

#include <string.h>

#include "base/num.h"

void qn_tape_init(struct qn_tape *tape, const struct qn_allocator *allocator) {
    *tape = (struct qn_tape){.allocator = allocator};
}

void qn_tape_free(struct qn_tape *tape) {
    qn_mem_free(tape->allocator, tape->words, tape->capacity * sizeof *tape->words);
    *tape = (struct qn_tape){.allocator = tape->allocator};
}

void qn_tape_clear(struct qn_tape *tape) {
    tape->n = 0;
    tape->failed = false;
}

void qn_tape_reserve(struct qn_tape *tape, size_t words) {
    size_t wanted, bytes;
    if (tape->failed)
        return;
    if (tape->capacity - tape->n >= words)
        return;
    if (!qn_add_size(&wanted, tape->n, words) || wanted > SIZE_MAX / 8) {
        tape->failed = true;
        return;
    }
    if (wanted < tape->capacity * 2)
        wanted = tape->capacity * 2;
    if (wanted < 64)
        wanted = 64;
    if (!qn_mul_size(&bytes, wanted, sizeof *tape->words)) {
        tape->failed = true;
        return;
    }
    uint32_t *grown =
        qn_mem_grow(tape->allocator, tape->words, tape->capacity * sizeof *tape->words, bytes);
    if (grown == NULL) {
        tape->failed = true;
        return;
    }
    tape->words = grown;
    tape->capacity = wanted;
}

void qn_tape_word(struct qn_tape *tape, uint32_t word) {
    if (tape->n == tape->capacity)
        qn_tape_reserve(tape, 1);
    if (tape->failed)
        return;
    tape->words[tape->n++] = word;
}

void qn_tape_append(struct qn_tape *tape, const uint32_t *words, size_t n) {
    qn_tape_reserve(tape, n);
    if (tape->failed || n == 0)
        return;
    memcpy(tape->words + tape->n, words, n * sizeof *words);
    tape->n += n;
}

void qn_tape_ptr(struct qn_tape *tape, const void *p) {
    uint64_t address = (uint64_t)(uintptr_t)p;
    qn_tape_word(tape, (uint32_t)(address & 0xffffffffu));
    qn_tape_word(tape, (uint32_t)(address >> 32));
}

const void *qn_tape_pointer(uint32_t low, uint32_t high) {
    size_t address;
    if (!qn_u64_to_size(&address, (uint64_t)high << 32 | low))
        return NULL;
    return (const void *)(uintptr_t)address;
}

/* The table of tape.h with its operands counted: `fixed` words before the repeated ones, and
 * `repeated` words per count. The count is the last fixed word. */
struct shape {
    uint32_t code;
    const char *name;
    const char *operands;
};

static const struct shape shapes[] = {
#define SHAPE(name, code, operands) {(code), #name, (operands)},
    QN_TAPE_LIST(SHAPE)
#undef SHAPE
};

static const struct shape *shape_of(uint32_t code) {
    // The list is in the order of its codes, which begin at 1; checked so that a gap cannot
    // mislead.
    size_t count = sizeof shapes / sizeof shapes[0];
    if (code == 0 || code > count || shapes[code - 1].code != code)
        return NULL;
    return &shapes[code - 1];
}

const char *qn_tape_name(uint32_t code) {
    const struct shape *shape = shape_of(code);
    return shape ? shape->name : NULL;
}

static void shape_count(const struct shape *shape, size_t *fixed, size_t *repeated) {
    size_t words = 0, after_n = 0;
    bool counted = false;
    for (const char *p = shape->operands; *p;) {
        while (*p == ' ')
            p++;
        const char *begin = p;
        while (*p && *p != ' ')
            p++;
        if (p == begin)
            break;
        if (counted)
            after_n++;
        else
            words++;
        if (p - begin == 1 && *begin == 'n')
            counted = true;
    }
    *fixed = words;
    *repeated = after_n;
}

size_t qn_tape_length(const uint32_t *words, size_t n, size_t at) {
    if (at >= n)
        return 0;
    const struct shape *shape = shape_of(words[at]);
    if (shape == NULL)
        return 0;
    size_t fixed, repeated, total;
    shape_count(shape, &fixed, &repeated);
    if (n - at < 1 + fixed)
        return 0;
    total = 1 + fixed;
    if (repeated != 0) {
        size_t more;
        if (!qn_mul_size(&more, words[at + fixed], repeated) || !qn_add_size(&total, total, more))
            return 0;
    }
    return total <= n - at ? total : 0;
}
