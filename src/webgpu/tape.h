/* The tape: what C wants the GPU to do, as 32-bit words in linear memory. JavaScript
 * (web/player.js) plays it in one call; so do two hosts in C, one that only validates and one that
 * computes.
 *
 * Every command is its opcode and a fixed number of words, or a count word followed by that many
 * groups. Ids are small integers chosen by C, one space per kind, reused after destruction.
 * Pointers are byte addresses in linear memory, valid during play() only (native hosts: see
 * qn_tape_ptr). */
#ifndef QN_WEBGPU_TAPE_H
#define QN_WEBGPU_TAPE_H

#include "base/str.h"

/* X(NAME, code, "operands in order"): a trailing … means: all that follows `n` is repeated n times.
 * Generated for JavaScript by tools/gen_tape.mjs. Pointers take two words (low, high) so that
 * native hosts work. */
/* clang-format off */
#define QN_TAPE_LIST(X) \
    X(CREATE_BUFFER,   1, "id bytes usage") \
    X(DESTROY_BUFFER,  2, "id") \
    X(WRITE_BUFFER,    3, "id offset bytes ptr_lo ptr_hi") \
    X(CREATE_MODULE,   4, "id label_bytes label_lo label_hi n text_bytes text_lo text_hi…") \
    X(CREATE_LAYOUT,   5, "id n kind…") \
    X(CREATE_PIPELINE, 6, "id module layout n name_bytes name_lo name_hi f32_value…") \
    X(CREATE_GROUP,    7, "id layout n buffer offset bytes…") \
    X(DESTROY_GROUP,   8, "id") \
    X(BEGIN_PASS,      9, "") \
    X(SET_PIPELINE,   10, "id") \
    X(SET_GROUP,      11, "id") \
    X(DISPATCH,       12, "x y z") \
    X(END_PASS,       13, "") \
    X(COPY,           14, "source source_offset target target_offset bytes") \
    X(CLEAR,          15, "id offset bytes") \
    X(READ,           16, "tag buffer offset bytes") \
    X(SUBMIT,         17, "") \
    X(FENCE,          18, "tag")
/* clang-format on */

enum qn_tape_op {
#define QN_TAPE_ENUM(name, code, operands) QN_TAPE_##name = (code),
    QN_TAPE_LIST(QN_TAPE_ENUM)
#undef QN_TAPE_ENUM
};

/* Buffer usages, as in GPUBufferUsage. */
enum { QN_USE_COPY_SRC = 0x4, QN_USE_COPY_DST = 0x8, QN_USE_UNIFORM = 0x40, QN_USE_STORAGE = 0x80 };

/* Binding kinds of CREATE_LAYOUT: binding i of group 0 has kind[i]. */
enum { QN_BIND_UNIFORM = 0, QN_BIND_READ = 1, QN_BIND_WRITE = 2 };

/* Rules that the player relies on and the null host checks: offsets of storage bindings are
 * multiples of 256, of uniform bindings too; write, copy and read sizes are multiples of 4; passes
 * do not nest; a pipeline and a group are set before a dispatch, and their layouts are the same;
 * READ is recorded after the pass that produces its bytes and before SUBMIT; the word override
 * constants travel as the bits of a float32 and are exact there (|integers| < 2^24). CREATE_* take
 * effect at once; their failure comes as an ERROR event, and FENCE answers when all before it are
 * known to be good.
 *
 * A queue's write overtakes commands that are recorded but not submitted: WRITE_BUFFER,
 * DESTROY_BUFFER and DESTROY_GROUP stand before the first recorded command of a tape or after its
 * SUBMIT. A tape that records ends its pass and submits. Modules, layouts and pipelines are small
 * and have no destruction: creating one anew under an id that is taken replaces it, and the rest
 * goes with the player. No writable binding of a dispatch shares its buffer with any other binding
 * of it. */

struct qn_tape {
    const struct qn_allocator *allocator;
    uint32_t *words;
    size_t n, capacity;
    bool failed; // out of memory: check once before playing
};

void qn_tape_init(struct qn_tape *tape, const struct qn_allocator *allocator);
void qn_tape_free(struct qn_tape *tape);
void qn_tape_clear(struct qn_tape *tape);
/* Room for `words` more, so that appending them does not allocate. */
void qn_tape_reserve(struct qn_tape *tape, size_t words);
void qn_tape_word(struct qn_tape *tape, uint32_t word);
void qn_tape_append(struct qn_tape *tape, const uint32_t *words, size_t n);
void qn_tape_ptr(struct qn_tape *tape, const void *p);    // two words
const void *qn_tape_pointer(uint32_t low, uint32_t high); // the way back

/* "DISPATCH"; NULL for a code that is not in the list. */
const char *qn_tape_name(uint32_t code);
/* Words of the command that begins at words[at], opcode included; 0 when the opcode is unknown or
 * the command does not end within n words. */
size_t qn_tape_length(const uint32_t *words, size_t n, size_t at);

#endif
