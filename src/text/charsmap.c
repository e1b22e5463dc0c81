/* SentencePiece's precompiled_charsmap: u32 size of the trie in bytes, a double-array trie as
 * darts-clone lays it out, and a block of NUL-terminated replacements that its values
 * point into. */
#include <string.h>

#include "base/num.h"
#include "text/normalize.h"
#include "text/unicode.h"

struct qn_charsmap {
    const uint32_t *units;
    uint32_t n_units;
    const char *block;
    size_t n_block;
    bool longest;
    bool ascii_stays[128]; // before ASCII this character has no entry
};

static inline uint32_t offset_of(uint32_t unit) {
    return (unit >> 10) << ((unit & 0x200) >> 6);
}

static inline uint32_t unit_at(const struct qn_charsmap *map, uint32_t at) {
    return at < map->n_units ? map->units[at] : 0x80000000u;
}

/* The replacement of a prefix of `s` – the longest, or the shortest – and its length. */
static bool find(struct qn_str *out, size_t *used, const struct qn_charsmap *map, struct qn_str s) {
    uint32_t at = offset_of(map->units[0]);
    bool found = false;
    for (size_t i = 0; i < s.n && s.p[i] != 0; i++) {
        uint32_t byte = (unsigned char)s.p[i];
        at ^= byte;
        uint32_t unit = unit_at(map, at);
        if ((unit & 0x800000ff) != byte)
            break;
        at ^= offset_of(unit);
        if (!(unit >> 8 & 1))
            continue;
        uint32_t value = unit_at(map, at) & 0x7fffffff;
        if (value >= map->n_block)
            break;
        const char *end = memchr(map->block + value, 0, map->n_block - value);
        *out = (struct qn_str){map->block + value,
                               end ? (size_t)(end - (map->block + value)) : map->n_block - value};
        *used = i + 1;
        found = true;
        if (!map->longest)
            break;
    }
    return found;
}

enum qn_status qn_charsmap_init(const struct qn_charsmap **out, struct qn_arena *arena,
                                struct qn_str bytes, bool longest, struct qn_error *err) {
    uint32_t n = bytes.n >= 4 ? qn_load_u32(bytes.p) : 0;
    if (n < 4 || n % 4 != 0 || n > bytes.n - 4)
        return qn_fail(err, QN_E_TOKENIZER, "precompiled_charsmap of %zu bytes, trie of %u",
                       bytes.n, n);
    struct qn_charsmap *map = QN_ARENA_NEW(arena, struct qn_charsmap, 1);
    uint32_t *units = QN_ARENA_NEW(arena, uint32_t, n / 4);
    struct qn_str block = qn_str_copy(arena, qn_str_slice(bytes, 4 + (size_t)n, bytes.n));
    if (!map || !units || !block.p)
        return qn_fail(err, QN_E_NO_MEMORY, "precompiled_charsmap of %zu bytes", bytes.n);
    memcpy(units, bytes.p + 4, n);
    *map = (struct qn_charsmap){
        .units = units, .n_units = n / 4, .block = block.p, .n_block = block.n, .longest = longest};
    for (uint32_t c = 0; c < 128; c++) { // alone it is a cluster, unless CR
        uint32_t unit = unit_at(map, offset_of(units[0]) ^ c);
        bool begins = c != 0 && (unit & 0x800000ff) == c;
        map->ascii_stays[c] = !begins || (!longest && !(unit >> 8 & 1) && c != '\r');
    }
    *out = map;
    return QN_OK;
}

/* Extended grapheme clusters (UAX 29) as far as they matter here: only clusters of less than six
 * bytes are looked up whole, and these are a base with marks, or CR LF. */

static bool in_ranges(const uint32_t (*ranges)[2], size_t n, uint32_t c) {
    for (size_t i = 0; i < n; i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    }
    return false;
}

static bool extends(uint32_t c) {
    /* Spacing marks that begin a cluster all the same. */
    static const uint32_t not_spacing[][2] = {
        {0x102b, 0x102c}, {0x1038, 0x1038}, {0x1062, 0x1064},   {0x1067, 0x106d}, {0x1083, 0x1083},
        {0x1087, 0x108c}, {0x108f, 0x108f}, {0x109a, 0x109c},   {0x1a61, 0x1a61}, {0x1a63, 0x1a64},
        {0xaa7b, 0xaa7b}, {0xaa7d, 0xaa7d}, {0x11720, 0x11721},
    };
    if (c < 0x300 || c == QN_UTF8_INVALID)
        return false;
    if (qn_prop_is_mark(qn_unicode_prop(c)))
        return !in_ranges(not_spacing, sizeof not_spacing / sizeof not_spacing[0], c);
    return c == 0x200c || c == 0x200d || c == 0xe33 || c == 0xeb3 || c == 0xff9e || c == 0xff9f ||
           (c >= 0x1f3fb && c <= 0x1f3ff) || (c >= 0xe0020 && c <= 0xe007f);
}

static bool prepends(uint32_t c) {
    static const uint32_t ranges[][2] = {
        {0x600, 0x605},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
        {0x8e2, 0x8e2},     {0xd4e, 0xd4e},     {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
        {0x111c2, 0x111c3}, {0x1193f, 0x1193f}, {0x11941, 0x11941}, {0x11a3a, 0x11a3a},
        {0x11a84, 0x11a89}, {0x11d46, 0x11d46},
    };
    return c >= 0x600 && c != QN_UTF8_INVALID &&
           in_ranges(ranges, sizeof ranges / sizeof ranges[0], c);
}

static bool is_control(uint32_t c) {
    if (c == QN_UTF8_INVALID)
        return true;
    uint32_t category = qn_unicode_prop(c) & QN_PROP_CATEGORY;
    return c != 0x200c && c != 0x200d &&
           (category == QN_CAT_CC || category == QN_CAT_CF || category == QN_CAT_ZL ||
            category == QN_CAT_ZP) &&
           !prepends(c) && !(c >= 0xe0020 && c <= 0xe007f);
}

static size_t cluster_end(struct qn_str s, size_t at) {
    uint32_t c = qn_unicode_next(s, &at);
    if (c == '\r')
        return at < s.n && s.p[at] == '\n' ? at + 1 : at;
    while (prepends(c) && at < s.n) {
        size_t next = at;
        uint32_t following = qn_unicode_next(s, &next);
        if (is_control(following))
            return at;
        c = following;
        at = next;
    }
    while (!is_control(c) && at < s.n) {
        size_t next = at;
        if ((unsigned char)s.p[at] < 0x80 || !extends(qn_unicode_next(s, &next)))
            break;
        at = next;
    }
    return at;
}

/* By clusters: a short cluster of which any prefix has an entry becomes that entry and nothing
 * else; other clusters are replaced character by character. */
static void apply_cluster(const struct qn_charsmap *map, struct qn_marked_buf *out,
                          struct qn_marked in, size_t begin, size_t end) {
    struct qn_str to;
    size_t used;
    if (end - begin < 6 && find(&to, &used, map, qn_str_slice(in.text, begin, end))) {
        qn_marked_append(out, to, qn_mark_of(in, begin, end));
        return;
    }
    for (size_t at = begin; at < end;) {
        size_t next = at;
        qn_unicode_next(in.text, &next);
        if (find(&to, &used, map, qn_str_slice(in.text, at, next)))
            qn_marked_append(out, to, qn_mark_of(in, at, next));
        else
            qn_marked_slice(out, in, at, next);
        at = next;
    }
}

void qn_charsmap_apply(const struct qn_charsmap *map, struct qn_marked_buf *out,
                       struct qn_marked in) {
    struct qn_str s = in.text;
    size_t copied = 0;
    for (size_t at = 0; at < s.n;) {
        unsigned char byte = (unsigned char)s.p[at];
        if (byte < 0x80 && map->ascii_stays[byte] &&
            (at + 1 == s.n || (unsigned char)s.p[at + 1] < 0x80)) {
            at++;
            continue;
        }
        qn_marked_slice(out, in, copied, at);
        if (map->longest) {
            struct qn_str to;
            size_t next = at, used;
            uint32_t c = qn_unicode_next(s, &next);
            if (find(&to, &used, map, qn_str_slice(s, at, s.n))) {
                qn_marked_append(out, to, qn_mark_of(in, at, at + used));
                next = at + used;
            } else if (c == QN_UTF8_INVALID) {
                qn_marked_append(out, QN_STR("\xef\xbf\xbd"), qn_mark_of(in, at, next));
            } else {
                qn_marked_slice(out, in, at, next);
            }
            at = next;
        } else {
            size_t end = cluster_end(s, at);
            apply_cluster(map, out, in, at, end);
            at = end;
        }
        copied = at;
    }
    qn_marked_slice(out, in, copied, s.n);
}
