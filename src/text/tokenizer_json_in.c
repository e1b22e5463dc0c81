/* tokenizer.json: its normalizers and pre-tokenizers. */
#include "text/tokenizer_json.h"

/* Normalizers. */

/* Steps without parameters: the name is enough. */
static enum qn_status normalizer_plain(struct qn_json_reader *r, struct qn_json_value step) {
    static const struct {
        const char *type;
        enum qn_normalizer_kind kind;
    } kinds[] = {
        {"NFC", QN_NORMALIZE_NFC},
        {"NFD", QN_NORMALIZE_NFD},
        {"NFKC", QN_NORMALIZE_NFKC},
        {"NFKD", QN_NORMALIZE_NFKD},
        {"Lowercase", QN_NORMALIZE_LOWERCASE},
        {"StripAccents", QN_NORMALIZE_STRIP_MARKS},
        {"Nmt", QN_NORMALIZE_NMT},
        {"ByteLevel", QN_NORMALIZE_BYTES},
    };
    struct qn_normalizer n = {.kind = QN_NORMALIZE_NFC};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (qn_json_string_is(qn_json_get(step, "type"), kinds[i].type))
            n.kind = kinds[i].kind;
    }
    return qn_tokenizer_add_normalizer(r->t, n, r->err);
}

static enum qn_status normalizer_prepend(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_normalizer n = {.kind = QN_NORMALIZE_PREPEND};
    QN_TRY(qn_json_read_string(r, &n.content, qn_json_get(step, "prepend"), "Prepend"));
    return qn_tokenizer_add_normalizer(r->t, n, r->err);
}

static enum qn_status normalizer_replace(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_normalizer n = {.kind = QN_NORMALIZE_REPLACE};
    QN_TRY(qn_json_read_replace(r, &n.pattern, &n.regex, &n.content, step));
    if (n.regex)
        n.kind = QN_NORMALIZE_REPLACE_REGEX;
    return qn_tokenizer_add_normalizer(r->t, n, r->err);
}

static enum qn_status normalizer_strip(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_normalizer n = {.kind = QN_NORMALIZE_STRIP,
                              .left = qn_json_flag(step, "strip_left", true),
                              .right = qn_json_flag(step, "strip_right", true)};
    return qn_tokenizer_add_normalizer(r->t, n, r->err);
}

static enum qn_status normalizer_bert(struct qn_json_reader *r, struct qn_json_value step) {
    bool lower = qn_json_flag(step, "lowercase", true);
    return qn_tokenizer_add_bert(r->t, qn_json_flag(step, "clean_text", true),
                                 qn_json_flag(step, "handle_chinese_chars", true),
                                 qn_json_flag(step, "strip_accents", lower), lower, r->err);
}

/* Base64 in place, in the scratch arena; false when it is malformed. */
static bool decode_base64(struct qn_str *out, char *p, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    signed char values[256];
    size_t written = 0;
    uint32_t bits = 0, n_bits = 0;
    memset(values, -1, sizeof values);
    for (int i = 0; i < 64; i++)
        values[(unsigned char)digits[i]] = (signed char)i;
    while (n > 0 && p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        signed char value = values[(unsigned char)p[i]];
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            p[written++] = (char)(bits >> n_bits & 255);
        }
    }
    *out = (struct qn_str){p, written};
    return true;
}

static enum qn_status normalizer_precompiled(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_normalizer n = {.kind = QN_NORMALIZE_CHARSMAP};
    struct qn_json_value value = qn_json_get(step, "precompiled_charsmap");
    struct qn_str s = {NULL, 0}, bytes;
    if (qn_json_type(value) == QN_JSON_NULL)
        return QN_OK;
    if (!qn_json_string(&s, r->scratch, value) || s.n == 0)
        return qn_json_type(value) == QN_JSON_STRING && s.p ? QN_OK : qn_json_no_memory(r);
    char *copy = QN_ARENA_NEW(r->scratch, char, s.n);
    if (!copy)
        return qn_json_no_memory(r);
    memcpy(copy, s.p, s.n);
    if (!decode_base64(&bytes, copy, s.n))
        return qn_fail(r->err, QN_E_TOKENIZER, "precompiled_charsmap is no base64");
    QN_TRY(qn_charsmap_init(&n.charsmap, r->arena, bytes, false, r->err));
    return qn_tokenizer_add_normalizer(r->t, n, r->err);
}

static const struct qn_json_row normalizers[] = {
    {"NFC", normalizer_plain},
    {"NFD", normalizer_plain},
    {"NFKC", normalizer_plain},
    {"NFKD", normalizer_plain},
    {"Lowercase", normalizer_plain},
    {"StripAccents", normalizer_plain},
    {"Nmt", normalizer_plain},
    {"ByteLevel", normalizer_plain},
    {"Prepend", normalizer_prepend},
    {"Replace", normalizer_replace},
    {"Strip", normalizer_strip},
    {"BertNormalizer", normalizer_bert},
    {"Precompiled", normalizer_precompiled},
};

const struct qn_json_part qn_json_normalizer_part =
    QN_JSON_PART("normalizer", "normalizers", normalizers);

/* Pre-tokenizers. */

static enum qn_status read_behavior(struct qn_json_reader *r, struct qn_pretok *p,
                                    struct qn_json_value step) {
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    struct qn_json_value value = qn_json_get(step, "behavior");
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (qn_json_string_is(value, names[i])) {
            p->behavior = (enum qn_split_behavior)i;
            return QN_OK;
        }
    }
    struct qn_str name = qn_json_raw(value);
    return qn_fail(r->err, QN_E_UNSUPPORTED, "split behavior \"%.*s\" in tokenizer.json",
                   QN_STR_ARG(name));
}

static enum qn_status pretok_byte_level(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.to_bytes = true};
    if (qn_json_flag(step, "add_prefix_space", true))
        p.rewrite = QN_REWRITE_ADD_SPACE;
    if (qn_json_flag(step, "use_regex", true))
        p.kind = QN_SPLIT_GPT2;
    r->t->bpe.byte_level = true;
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_split(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.kind = QN_SPLIT_STRING};
    struct qn_json_value pattern = qn_json_get(step, "pattern");
    struct qn_json_value regex = qn_json_get(pattern, "Regex");
    if (qn_json_exists(regex)) {
        struct qn_str s = {NULL, 0};
        if (qn_json_type(regex) == QN_JSON_STRING && !qn_json_string(&s, r->scratch, regex))
            return qn_json_no_memory(r);
        QN_TRY(qn_pretok_by_regex(&p, r->arena, s, r->err));
    } else {
        QN_TRY(qn_json_read_literal(r, &p.string, pattern, "Split"));
    }
    QN_TRY(read_behavior(r, &p, step));
    p.invert = qn_json_flag(step, "invert", false);
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_digits(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.kind = QN_SPLIT_NUMBER};
    if (!qn_json_flag(step, "individual_digits", false))
        p.behavior = QN_BEHAVIOR_CONTIGUOUS;
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_punctuation(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.kind = QN_SPLIT_PUNCTUATION};
    if (qn_json_exists(qn_json_get(step, "behavior")))
        QN_TRY(read_behavior(r, &p, step));
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_whitespace_split(struct qn_json_reader *r, struct qn_json_value step) {
    (void)step;
    return qn_tokenizer_add_pretok(
        r->t, (struct qn_pretok){.kind = QN_SPLIT_WHITESPACE, .behavior = QN_BEHAVIOR_REMOVED},
        r->err);
}

/* \w+|[^\w\s]+ */
static enum qn_status pretok_words(struct qn_json_reader *r, struct qn_json_value step) {
    (void)step;
    return qn_tokenizer_add_pretok(
        r->t,
        (struct qn_pretok){.kind = QN_SPLIT_WORDS, .behavior = QN_BEHAVIOR_REMOVED, .invert = true},
        r->err);
}

static enum qn_status pretok_scripts(struct qn_json_reader *r, struct qn_json_value step) {
    (void)step;
    return qn_tokenizer_add_pretok(r->t,
                                   (struct qn_pretok){.kind = QN_SPLIT_SCRIPTS,
                                                      .behavior = QN_BEHAVIOR_REMOVED,
                                                      .invert = true},
                                   r->err);
}

static enum qn_status pretok_bert(struct qn_json_reader *r, struct qn_json_value step) {
    (void)step;
    return qn_tokenizer_add_bert_pretok(r->t, r->err);
}

static enum qn_status pretok_delimiter(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.kind = QN_SPLIT_STRING, .behavior = QN_BEHAVIOR_REMOVED};
    QN_TRY(qn_json_read_string(r, &p.string, qn_json_get(step, "delimiter"), "CharDelimiterSplit"));
    if (p.string.n == 0)
        return qn_fail(r->err, QN_E_TOKENIZER, "CharDelimiterSplit without a delimiter");
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

/* Pieces of so many characters, and what is left. */
static enum qn_status pretok_fixed_length(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.kind = QN_SPLIT_REGEX};
    char pattern[] = "[\\s\\S]{1,0000}";
    uint32_t length = 5;
    qn_json_u32(&length, qn_json_get(step, "length"));
    if (length == 0)
        return QN_OK;
    if (length > 1000)
        return qn_fail(r->err, QN_E_UNSUPPORTED, "FixedLength of %u in tokenizer.json", length);
    for (size_t i = sizeof pattern - 3; length > 0; i--, length /= 10)
        pattern[i] = (char)('0' + length % 10);
    QN_TRY(qn_regex_compile(&p.regex, r->arena, qn_str_from(pattern), r->err));
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static enum qn_status pretok_metaspace(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_pretok p = {.rewrite = QN_REWRITE_METASPACE};
    QN_TRY(qn_json_read_string(r, &p.string, qn_json_get(step, "replacement"), "Metaspace"));
    QN_TRY(qn_json_read_prepend(r, &p.prepend, step));
    if (p.string.n == 0)
        return qn_fail(r->err, QN_E_TOKENIZER, "Metaspace with an empty replacement");
    if (qn_json_flag(step, "split", true)) {
        p.kind = QN_SPLIT_STRING;
        p.behavior = QN_BEHAVIOR_MERGED_WITH_NEXT;
    }
    return qn_tokenizer_add_pretok(r->t, p, r->err);
}

static const struct qn_json_row pretoks[] = {
    {"ByteLevel", pretok_byte_level},
    {"Split", pretok_split},
    {"Digits", pretok_digits},
    {"Punctuation", pretok_punctuation},
    {"WhitespaceSplit", pretok_whitespace_split},
    {"Whitespace", pretok_words},
    {"UnicodeScripts", pretok_scripts},
    {"BertPreTokenizer", pretok_bert},
    {"CharDelimiterSplit", pretok_delimiter},
    {"FixedLength", pretok_fixed_length},
    {"Metaspace", pretok_metaspace},
};

const struct qn_json_part qn_json_pretok_part =
    QN_JSON_PART("pre_tokenizer", "pretokenizers", pretoks);
