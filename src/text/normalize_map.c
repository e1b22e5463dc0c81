/* Normalisers that look at one character at a time. */
#include "text/bytes.h"
#include "text/normalize.h"
#include "text/unicode.h"

/* Each writes the replacement of `c` and returns its length. An ill-formed byte is never changed,
 * except that BERT drops it as it drops U+FFFD. */
typedef size_t map_fn(uint32_t out[3], uint32_t c);

static size_t lower(uint32_t out[3], uint32_t c) {
    if (c == 0x130) {
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = qn_unicode_lower_simple(c);
    return 1;
}

static size_t clean(uint32_t out[3], uint32_t c) {
    uint32_t category = qn_unicode_prop(c) & QN_PROP_CATEGORY;
    bool space = (qn_unicode_prop(c) & QN_PROP_SPACE) != 0;
    out[0] = space ? ' ' : c;
    if (c == '\t' || c == '\n' || c == '\r')
        return 1;
    return c != 0 && c != 0xfffd && (category < QN_CAT_CC || category == QN_CAT_CN);
}

static size_t chinese(uint32_t out[3], uint32_t c) {
    static const uint32_t ranges[][2] = {
        {0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
        {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0xf900, 0xfaff},   {0x2f800, 0x2fa1f},
    };
    out[0] = c;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1]) {
            out[0] = out[2] = ' ';
            out[1] = c;
            return 3;
        }
    }
    return 1;
}

static size_t strip_marks(uint32_t out[3], uint32_t c) {
    out[0] = c;
    return !qn_prop_is_mark(qn_unicode_prop(c));
}

static size_t strip_nonspacing(uint32_t out[3], uint32_t c) {
    out[0] = c;
    return (qn_unicode_prop(c) & QN_PROP_CATEGORY) != QN_CAT_MN;
}

static size_t nmt(uint32_t out[3], uint32_t c) {
    bool gone = (c >= 1 && c <= 8) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f ||
                c == 0x8f || c == 0x9f;
    bool space = c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
                 (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                 c == 0xfeff || c == 0xfffd;
    out[0] = space ? ' ' : c;
    return !gone;
}

static map_fn *map_of(enum qn_normalizer_kind kind) {
    switch (kind) {
    case QN_NORMALIZE_LOWERCASE:
        return lower;
    case QN_NORMALIZE_CLEAN:
        return clean;
    case QN_NORMALIZE_CHINESE:
        return chinese;
    case QN_NORMALIZE_STRIP_MARKS:
        return strip_marks;
    case QN_NORMALIZE_STRIP_NONSPACING:
        return strip_nonspacing;
    default:
        return nmt;
    }
}

/* Bytes as GPT-2's characters. */
static void map_bytes(struct qn_marked_buf *out, struct qn_marked in) {
    for (size_t i = 0; i < in.text.n; i++) {
        char utf8[4];
        size_t n = qn_utf8_put(utf8, qn_byte_to_char((unsigned char)in.text.p[i]));
        qn_marked_append(out, (struct qn_str){utf8, n}, qn_mark_of(in, i, i + 1));
    }
}

enum qn_status qn_normalize_map(struct qn_marked_buf *out, struct qn_normalize_scratch *scratch,
                                const struct qn_normalizer *step, struct qn_marked in) {
    map_fn *map = map_of(step->kind);
    uint32_t ascii[128]; // what becomes of ASCII; 128: nothing
    size_t copied = 0;   // all before is done; what follows up to `at` stays as it is
    (void)scratch;
    if (step->kind == QN_NORMALIZE_BYTES) {
        map_bytes(out, in);
        return QN_OK;
    }
    for (uint32_t c = 0; c < 128; c++) {
        uint32_t to[3];
        ascii[c] = map(to, c) == 1 ? to[0] : 128;
    }
    for (size_t at = 0; at < in.text.n;) {
        size_t begin = at, n = 1;
        uint32_t c = qn_unicode_next(in.text, &at), to[3];
        if (c < 128) {
            if (ascii[c] == c)
                continue;
            to[0] = ascii[c];
            n = ascii[c] < 128;
        } else if (c == QN_UTF8_INVALID) {
            if (step->kind != QN_NORMALIZE_CLEAN)
                continue;
            n = 0;
        } else {
            n = map(to, c);
            if (n == 1 && to[0] == c)
                continue;
        }
        qn_marked_slice(out, in, copied, begin);
        copied = at;
        for (size_t i = 0; i < n; i++) {
            char utf8[4];
            size_t length = qn_utf8_put(utf8, to[i]);
            qn_marked_append(out, (struct qn_str){utf8, length}, qn_mark_of(in, begin, at));
        }
    }
    qn_marked_slice(out, in, copied, in.text.n);
    return QN_OK;
}
