#include "engine/loader.h"

#include <string.h>

#include "base/num.h"
#include "quant/codec.h"

#define PIECE_BYTES (8u << 20)
#define TRANSPOSED_BYTES (32u << 20) // whole matrices, mostly, that go to the backend at once

/* A vector's elements are its rows here: each is one element of the plane. A matrix of one row is
 * none: its sources have rows, not elements. */
static bool is_vector(const struct qn_weight *w) {
    uint64_t n = 0;
    if (w->rows != 1 || w->format.type != QN_W_F32)
        return false;
    for (uint32_t i = 0; i < w->n_sources; i++)
        n += qn_weight_source_at(w, i)->n_rows;
    return n == w->cols;
}

/* Rows of the source as they lie in the file. */
static uint32_t stored_rows(const struct qn_weight *w, const struct qn_weight_source *s) {
    if (!s->transposed)
        return s->n_rows;
    if (s->packing != QN_PACKING_NONE)
        return s->plane == QN_PLANE_SCALES ? w->cols / s->group : w->cols;
    return s->plane == QN_PLANE_SCALES ? qn_ceil_div_u32(w->cols, QN_GROUP)
           : s->dtype == QN_DTYPE_U32  ? qn_ceil_div_u32(w->cols, QN_GROUP) * (QN_GROUP / 8)
                                       : w->cols;
}

static uint64_t stored_row(const struct qn_weight *w, const struct qn_weight_source *s) {
    return s->nbytes / stored_rows(w, s);
}

/* Bytes that one row of the source fills in a plane of the device layout. */
static size_t canonical_row(const struct qn_weight *w, enum qn_plane plane) {
    if (is_vector(w))
        return plane == QN_PLANE_VALUES ? sizeof(float) : 0;
    return qn_wformat_row(&w->format, w->cols, plane);
}

/* Whether one stored block carries both planes (GGUF), or each plane is a tensor (MLC). */
static bool fills_scales(const struct qn_weight *w, const struct qn_weight_source *s) {
    return w->format.scale != QN_DTYPE_NONE && s->plane == QN_PLANE_VALUES &&
           s->dtype != QN_DTYPE_U32;
}

static uint32_t rows_per_piece(const struct qn_weight *w, const struct qn_weight_source *s) {
    if (w->order && s->transposed && s->plane == QN_PLANE_VALUES) // any column may go anywhere
        return stored_rows(w, s);
    uint64_t row = stored_row(w, s), canonical = canonical_row(w, s->plane);
    if (s->packing != QN_PACKING_NONE && s->transposed) {
        // Scales become pairs; values come in whole groups.
        bool scales = s->plane == QN_PLANE_SCALES;
        uint64_t step = scales ? 1 : QN_GROUP;
        uint64_t each = scales ? s->n_rows * (canonical / stored_rows(w, s)) : row;
        uint64_t rows = TRANSPOSED_BYTES / each / step * step;
        rows = rows == 0 ? step : rows;
        return rows < stored_rows(w, s) ? (uint32_t)rows : stored_rows(w, s);
    }
    if (canonical > row && !s->transposed)
        row = canonical;
    uint64_t n = row ? (s->transposed ? TRANSPOSED_BYTES : PIECE_BYTES) / row : 1;
    uint32_t all = stored_rows(w, s);
    return n == 0 ? 1 : n > all ? all : (uint32_t)n; // n is at most PIECE_BYTES
}

static bool is_before(const struct qn_loader_piece *x, const struct qn_loader_piece *y) {
    if (x->file != y->file)
        return x->file < y->file;
    if (x->offset != y->offset)
        return x->offset < y->offset;
    /* The same bytes for two weights: keep an order that does not depend on the sort. */
    return x->weight < y->weight;
}

/* Shell's method: the C library's would be a kilobyte more to download. */
static void sort(struct qn_loader_piece *pieces, size_t n) {
    for (size_t gap = n / 2; gap != 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < n; i++) {
            struct qn_loader_piece piece = pieces[i];
            size_t at = i;
            for (; at >= gap && is_before(&piece, &pieces[at - gap]); at -= gap)
                pieces[at] = pieces[at - gap];
            pieces[at] = piece;
        }
}

enum qn_status qn_loader_init(struct qn_loader *l, struct qn_arena *arena,
                              const struct qn_directory *directory,
                              const struct qn_program *program, struct qn_error *err) {
    memset(l, 0, sizeof *l);
    qn_sha256_init(&l->sample);
    l->allocator = arena->allocator;
    l->directory = directory;
    l->program = program;
    size_t n = 0;
    for (uint32_t w = 0; w < program->n_weights; w++)
        for (uint32_t s = 0; s < program->weights[w].n_sources; s++) {
            const struct qn_weight_source *source = qn_weight_source_at(&program->weights[w], s);
            n += qn_ceil_div_u32(stored_rows(&program->weights[w], source),
                                 rows_per_piece(&program->weights[w], source));
        }
    l->pieces = QN_ARENA_NEW(arena, struct qn_loader_piece, n);
    if (!l->pieces || !qn_size_to_u32(&l->n_pieces, n))
        return qn_fail(err, QN_E_NO_MEMORY, "a plan of %zu pieces", n);
    struct qn_loader_piece *piece = l->pieces;
    for (uint32_t w = 0; w < program->n_weights; w++)
        for (uint32_t s = 0; s < program->weights[w].n_sources; s++) {
            const struct qn_weight_source *source = qn_weight_source_at(&program->weights[w], s);
            uint32_t step = rows_per_piece(&program->weights[w], source);
            uint32_t all = stored_rows(&program->weights[w], source);
            uint64_t bytes = stored_row(&program->weights[w], source);
            for (uint32_t row = 0; row < all; row += step) {
                uint32_t rows = qn_min_u32(step, all - row);
                *piece++ = (struct qn_loader_piece){
                    .weight = w,
                    .source = s,
                    .row = row,
                    .n_rows = rows,
                    .file = source->file,
                    .offset = source->offset + row * bytes,
                    .n = rows * bytes,
                };
            }
        }
    sort(l->pieces, n);
    return QN_OK;
}

/* Makes a staging buffer at least `need` bytes large. */
static enum qn_status stage(struct qn_loader *l, void **p, size_t *n, uint64_t need,
                            struct qn_error *err) {
    size_t size = 0;
    if (*n >= need)
        return QN_OK;
    qn_mem_free(l->allocator, *p, *n);
    *p = NULL;
    *n = 0;
    if (!qn_u64_to_size(&size, need) || !(*p = qn_mem_alloc(l->allocator, size)))
        return qn_fail(err, QN_E_NO_MEMORY, "staging %llu bytes of weights",
                       (unsigned long long)need);
    *n = size;
    return QN_OK;
}

void qn_loader_release(struct qn_loader *l) {
    qn_mem_free(l->allocator, l->stored, l->stored_n);
    qn_mem_free(l->allocator, l->values, l->values_n);
    qn_mem_free(l->allocator, l->scales, l->scales_n);
    qn_mem_free(l->allocator, l->wide, l->wide_n);
    l->stored = l->values = l->scales = l->wide = NULL;
    l->stored_n = l->values_n = l->scales_n = l->wide_n = 0;
}

/* Checks that the file still holds the bytes that the directory promised. */
static enum qn_status check_range(const struct qn_files *files, struct qn_str name,
                                  struct qn_str weight, uint64_t offset, uint64_t n,
                                  struct qn_error *err) {
    uint64_t size = 0;
    enum qn_status status = files->size(files->ud, &size, name);
    if (status == QN_E_NEED_DATA)
        return status;
    if (status != QN_OK)
        return qn_fail(err, status, "tensor \"%.*s\" lies in \"%.*s\"", QN_STR_ARG(weight),
                       QN_STR_ARG(name));
    if (offset > size || n > size - offset)
        return qn_fail_at(err, QN_E_TRUNCATED, offset,
                          "tensor \"%.*s\" reaches to %llu at least, \"%.*s\" ends at %llu",
                          QN_STR_ARG(weight), (unsigned long long)(offset + n), QN_STR_ARG(name),
                          (unsigned long long)size);
    return QN_OK;
}

/* Where the canonical bytes of one plane of a piece go, and off they go. */
static enum qn_status hand_over(struct qn_loader *l, struct qn_backend *backend,
                                const struct qn_loader_piece *piece, enum qn_plane plane,
                                const void *bytes, struct qn_error *err) {
    const struct qn_weight *w = &l->program->weights[piece->weight];
    size_t row = canonical_row(w, plane);
    uint64_t first = (uint64_t)qn_weight_source_at(w, piece->source)->row + piece->row;
    return backend->ops->write(backend, piece->weight, plane, first * row, bytes,
                               row * piece->n_rows, err);
}

/* Sends l->values, `stride` bytes of every row of the source from byte `at` of the row on. Whole
 * rows go at once. */
static enum qn_status hand_over_columns(struct qn_loader *l, struct qn_backend *backend,
                                        const struct qn_loader_piece *piece, size_t stride,
                                        size_t at, struct qn_error *err) {
    const struct qn_weight *w = &l->program->weights[piece->weight];
    const struct qn_weight_source *s = qn_weight_source_at(w, piece->source);
    const unsigned char *from = l->values;
    size_t row = canonical_row(w, s->plane);
    uint64_t to = (uint64_t)s->row * row + at;
    if (stride == row)
        return backend->ops->write(backend, piece->weight, s->plane, to, from, row * s->n_rows,
                                   err);
    for (uint32_t n = 0; n < s->n_rows; n++)
        QN_TRY(backend->ops->write(backend, piece->weight, s->plane, to + (uint64_t)n * row,
                                   from + n * stride, stride, err));
    return QN_OK;
}

/* g_idx of the piece's columns must say what a weight without `order` is made for. */
static enum qn_status check_groups(const void *ids, const struct qn_loader_piece *piece,
                                   const struct qn_weight_source *s, const struct qn_weight *w,
                                   struct qn_error *err) {
    for (uint32_t k = 0; k < 8 * piece->n_rows; k++) {
        uint32_t column = 8 * piece->row + k;
        uint32_t id = qn_load_u32((const unsigned char *)ids + 4 * (size_t)k);
        if (id != column / s->group)
            return qn_fail(err, QN_E_TENSOR,
                           "tensor \"%.*s\": its g_idx has input %u in group %d, expected %u, "
                           "without desc_act",
                           QN_STR_ARG(w->name), column, (int)id, column / s->group);
    }
    return QN_OK;
}

/* A piece of a transposed source: stored rows are columns of the weight. Where they are all of the
 * columns, whole padded rows go to the backend at once, else a stretch of every row. */
static enum qn_status transpose(struct qn_loader *l, struct qn_backend *backend,
                                const struct qn_loader_piece *piece, struct qn_error *err) {
    const struct qn_weight *w = &l->program->weights[piece->weight];
    const struct qn_weight_source *s = qn_weight_source_at(w, piece->source);
    size_t element = (size_t)(stored_row(w, s) / s->n_rows), row = canonical_row(w, s->plane);
    bool whole = piece->n_rows == stored_rows(w, s);
    size_t stride = whole ? row : piece->n_rows * element;
    uint64_t need = (uint64_t)stride * s->n_rows;
    QN_TRY(stage(l, &l->values, &l->values_n, need, err));
    unsigned char *to = l->values;
    const unsigned char *from = l->stored;
    if (s->beside_nbytes)
        QN_TRY(check_groups(l->scales, piece, s, w, err));
    if (whole)
        memset(to, 0, (size_t)need);
    if (w->order)
        qn_packed_ordered(to, stride, from, w->order, w->cols, s->n_rows);
    for (uint32_t k = 0; !w->order && k < piece->n_rows; k++)
        for (uint32_t n = 0; n < s->n_rows; n++, from += element)
            memcpy(to + n * stride + k * element, from, element);
    return hand_over_columns(l, backend, piece, stride, piece->row * element, err);
}

/* A piece of AWQ's or GPTQ's: as above. Zeros lie in the staging buffer of scales. */
static enum qn_status unpack(struct qn_loader *l, struct qn_backend *backend,
                             const struct qn_loader_piece *piece, struct qn_error *err) {
    const struct qn_weight *w = &l->program->weights[piece->weight];
    const struct qn_weight_source *s = qn_weight_source_at(w, piece->source);
    bool scales = s->plane == QN_PLANE_SCALES;
    size_t row = canonical_row(w, s->plane);
    size_t per_row = scales ? row / stored_rows(w, s) : 1; // values: half of it
    size_t stride = scales ? piece->n_rows * per_row : piece->n_rows / 2;
    size_t at = scales ? piece->row * per_row : piece->row / 2;
    QN_TRY(stage(l, &l->values, &l->values_n, (uint64_t)stride * s->n_rows, err));
    if (!scales) {
        qn_packed_values(l->values, stride, l->stored, piece->n_rows, s->n_rows);
    } else {
        size_t n = (size_t)piece->n_rows * s->n_rows;
        QN_TRY(stage(l, &l->wide, &l->wide_n, (uint64_t)n * sizeof(float), err));
        QN_TRY(qn_codec_decode(l->wide, s->dtype, l->stored, n, err));
        qn_packed_scales(l->values, stride, &w->format, s->packing, l->wide, l->scales,
                         piece->n_rows, s->n_rows, s->group);
    }
    return hand_over_columns(l, backend, piece, stride, at, err);
}

static enum qn_status repack(struct qn_loader *l, struct qn_backend *backend,
                             const struct qn_loader_piece *piece, struct qn_error *err) {
    const struct qn_weight *w = &l->program->weights[piece->weight];
    const struct qn_weight_source *s = qn_weight_source_at(w, piece->source);
    if (s->packing == QN_PACKING_THREES) {
        size_t row = canonical_row(w, s->plane);
        QN_TRY(stage(l, &l->values, &l->values_n, (uint64_t)row * piece->n_rows, err));
        (s->plane == QN_PLANE_VALUES ? qn_threes_values : qn_threes_scales)(
            l->values, row, l->stored, w->cols / QN_THREES_COLS, piece->n_rows);
        return hand_over(l, backend, piece, s->plane, l->values, err);
    }
    if (s->packing != QN_PACKING_NONE)
        return unpack(l, backend, piece, err);
    if (s->transposed)
        return transpose(l, backend, piece, err);
    if (s->plane == QN_PLANE_SCALES)
        return hand_over(l, backend, piece, QN_PLANE_SCALES, l->stored, err);
    uint64_t rows = piece->n_rows;
    bool both = fills_scales(w, s);
    QN_TRY(stage(l, &l->values, &l->values_n, rows * canonical_row(w, QN_PLANE_VALUES), err));
    if (both)
        QN_TRY(stage(l, &l->scales, &l->scales_n, rows * canonical_row(w, QN_PLANE_SCALES), err));
    if (is_vector(w)) {
        QN_TRY(qn_codec_decode(l->values, s->dtype, l->stored, piece->n_rows, err));
        float *values = l->values, scale = w->vector_scale != 0.0f ? w->vector_scale : 1.0f;
        if (scale != 1.0f || w->vector_offset != 0.0f)
            for (uint32_t i = 0; i < piece->n_rows; i++)
                values[i] = values[i] * scale + w->vector_offset;
    } else {
        QN_TRY(qn_codec_repack(l->values, both ? l->scales : NULL, &w->format, s->dtype, l->stored,
                               piece->n_rows, w->cols, err));
    }
    QN_TRY(hand_over(l, backend, piece, QN_PLANE_VALUES, l->values, err));
    return both ? hand_over(l, backend, piece, QN_PLANE_SCALES, l->scales, err) : QN_OK;
}

/* Reads a range of a file into a staging buffer. */
static enum qn_status read_range(struct qn_loader *l, void **p, size_t *size,
                                 const struct qn_files *files, uint32_t file, uint64_t offset,
                                 uint64_t nbytes, struct qn_str weight, struct qn_error *err) {
    struct qn_str name = l->directory->files[file];
    size_t n = 0;
    QN_TRY(check_range(files, name, weight, offset, nbytes, err));
    QN_TRY(stage(l, p, size, nbytes, err));
    if (!qn_u64_to_size(&n, nbytes))
        return qn_fail(err, QN_E_LIMIT, "a piece of %llu bytes", (unsigned long long)nbytes);
    enum qn_status status = files->read(files->ud, name, offset, *p, n);
    if (status == QN_OK || status == QN_E_NEED_DATA)
        return status;
    return qn_fail_at(err, status, offset, "reading tensor \"%.*s\" from \"%.*s\"",
                      QN_STR_ARG(weight), QN_STR_ARG(name));
}

enum qn_status qn_loader_next(struct qn_loader *l, struct qn_backend *backend,
                              const struct qn_files *files, struct qn_error *err) {
    const struct qn_loader_piece *piece = &l->pieces[l->done];
    const struct qn_weight *w = &l->program->weights[piece->weight];
    const struct qn_weight_source *s = qn_weight_source_at(w, piece->source);
    if (s->beside_nbytes != 0) {
        uint64_t row = s->beside_nbytes / stored_rows(w, s);
        QN_TRY(read_range(l, &l->scales, &l->scales_n, files, s->beside_file,
                          s->beside_offset + piece->row * row, piece->n_rows * row, w->name, err));
    }
    QN_TRY(read_range(l, &l->stored, &l->stored_n, files, piece->file, piece->offset, piece->n,
                      w->name, err));
    QN_TRY(repack(l, backend, piece, err));
    qn_sha256_update(&l->sample, l->stored, qn_min_size((size_t)piece->n, 256));
    l->done++;
    return QN_OK;
}
