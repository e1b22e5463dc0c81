/* Tokens of a template: data, tags, and the whitespace rules of trim_blocks and lstrip_blocks. */
#include "text/template_parse.h"

static bool starts(const struct qn_tlexer *lx, size_t at, const char *word) {
    for (; *word; word++, at++)
        if (at >= lx->source.n || lx->source.p[at] != *word)
            return false;
    return true;
}

static char char_at(const struct qn_tlexer *lx, size_t at) {
    return at < lx->source.n ? lx->source.p[at] : '\0';
}

static size_t skip_space(const struct qn_tlexer *lx, size_t at) {
    while (at < lx->source.n) {
        uint32_t cp;
        size_t n = qn_tstr_char(lx->source, at, &cp);
        if (!qn_tstr_is_space(cp))
            break;
        at += n;
    }
    return at;
}

/* The rules for the text before a tag: "-" strips it; "+" keeps it; else blanks between the start
 * of a line and a block tag go (lstrip_blocks). */
static struct qn_str strip_before(const struct qn_tlexer *lx, size_t begin, size_t end, char sign,
                                  bool variable) {
    struct qn_str text = qn_str_slice(lx->source, begin, end);
    if (sign == '-')
        return qn_tval_text(qn_tstr_strip((struct qn_tval[]){qn_tval_str(text)}, QN_TSTR_RIGHT,
                                          &(struct qn_tval){.kind = 0}));
    if (sign == '+' || variable)
        return text;
    size_t line = text.n;
    while (line > 0 && text.p[line - 1] != '\n')
        line--;
    if (line == 0 && !lx->line_starting)
        return text;
    size_t blank = skip_space(lx, begin + line);
    if (blank >= end)
        text.n = line;
    return text;
}

/* The end of a tag at `at`: [+-]? then two characters; "-" eats following whitespace, and a plain
 * end of a block or comment one newline. Returns the position after it, or 0. */
static size_t tag_end(const struct qn_tlexer *lx, size_t at, const char *close, bool variable) {
    char sign = char_at(lx, at);
    if (sign == '-' && starts(lx, at + 1, close))
        return skip_space(lx, at + 3);
    if (sign == '+' && !variable && starts(lx, at + 1, close))
        return at + 3;
    if (!starts(lx, at, close))
        return 0;
    at += 2;
    return !variable && char_at(lx, at) == '\n' ? at + 1 : at;
}

static void set_after(struct qn_tlexer *lx, size_t at) {
    lx->line_starting = at > 0 && lx->source.p[at - 1] == '\n';
    lx->at = at;
}

/* `{% raw %}` at `at`: the position after it, or 0. */
static size_t raw_begin(const struct qn_tlexer *lx, size_t at) {
    at += 2;
    if (char_at(lx, at) == '-' || char_at(lx, at) == '+')
        at++;
    at = skip_space(lx, at);
    if (!starts(lx, at, "raw"))
        return 0;
    at = skip_space(lx, at + 3);
    if (starts(lx, at, "-%}"))
        return skip_space(lx, at + 3);
    return starts(lx, at, "%}") ? at + 2 : 0;
}

static enum qn_status lex_raw(struct qn_tlexer *lx, struct qn_ttoken *out, size_t tag) {
    size_t begin = lx->at;
    for (size_t at = begin; at < lx->source.n; at++) {
        if (!starts(lx, at, "{%"))
            continue;
        char sign = char_at(lx, at + 2);
        size_t word = skip_space(lx, at + (sign == '-' || sign == '+' ? 3 : 2));
        if (!starts(lx, word, "endraw"))
            continue;
        size_t end = tag_end(lx, skip_space(lx, word + 6), "%}", false);
        if (!end)
            continue;
        out->kind = QN_TTOK_DATA;
        out->at = (uint32_t)begin;
        out->text = strip_before(lx, begin, at, sign, false);
        set_after(lx, end);
        return QN_OK;
    }
    lx->site->at = tag;
    return qn_tfail(lx->site, "missing end of raw block");
}

static enum qn_status skip_comment(struct qn_tlexer *lx, size_t tag) {
    for (size_t at = lx->at; at < lx->source.n; at++) {
        char c = lx->source.p[at];
        if (c != '#' && c != '-' && c != '+')
            continue;
        size_t end = tag_end(lx, at, "#}", false);
        if (end) {
            set_after(lx, end);
            return QN_OK;
        }
    }
    lx->site->at = tag;
    return qn_tfail(lx->site, "missing end of comment");
}

static enum qn_status lex_data(struct qn_tlexer *lx, struct qn_ttoken *out) {
    for (;;) {
        size_t begin = lx->at, at = begin;
        while (at < lx->source.n && !(lx->source.p[at] == '{' && at + 1 < lx->source.n &&
                                      (lx->source.p[at + 1] == '%' || lx->source.p[at + 1] == '{' ||
                                       lx->source.p[at + 1] == '#')))
            at++;
        out->at = (uint32_t)begin;
        if (at == lx->source.n) {
            out->kind = begin < at ? QN_TTOK_DATA : QN_TTOK_END;
            out->text = qn_str_slice(lx->source, begin, at);
            lx->at = at;
            return QN_OK;
        }
        char kind = lx->source.p[at + 1], sign = char_at(lx, at + 2);
        if (sign != '-' && sign != '+')
            sign = '\0';
        struct qn_str text = strip_before(lx, begin, at, sign, kind == '{');
        size_t raw = kind == '%' ? raw_begin(lx, at) : 0;
        set_after(lx, raw ? raw : at + (sign ? 3 : 2));
        lx->has_pending = false;
        if (raw) {
            QN_TRY(lex_raw(lx, &lx->pending, at));
            lx->has_pending = true;
        } else if (kind == '#') {
            QN_TRY(skip_comment(lx, at));
        } else {
            lx->pending.kind = kind == '%' ? QN_TTOK_BLOCK_BEGIN : QN_TTOK_VAR_BEGIN;
            lx->pending.at = (uint32_t)at;
            lx->pending.text = (struct qn_str){"", 0};
            lx->has_pending = true;
            lx->mode = kind == '%' ? QN_TTOK_BLOCK_END : QN_TTOK_VAR_END;
            lx->open = 0;
        }
        if (text.n) {
            out->kind = QN_TTOK_DATA;
            out->text = text;
            return QN_OK;
        }
        if (lx->has_pending) {
            *out = lx->pending;
            lx->has_pending = false;
            return QN_OK;
        }
    }
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Digits with single underscores between them; returns the end, or `at` when there are none. */
static size_t skip_digits(const struct qn_tlexer *lx, size_t at) {
    size_t begin = at;
    while (is_digit(char_at(lx, at)) ||
           (at > begin && char_at(lx, at) == '_' && is_digit(char_at(lx, at + 1))))
        at++;
    return at;
}

static bool is_base_digit(char c, char base) {
    if (base == 'b')
        return c == '0' || c == '1';
    if (base == 'o')
        return c >= '0' && c <= '7';
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void lex_number(struct qn_tlexer *lx, struct qn_ttoken *out) {
    size_t begin = lx->at, at = begin;
    out->kind = QN_TTOK_INT;
    char base = (char)(char_at(lx, at + 1) | 0x20);
    if (char_at(lx, at) == '0' && (base == 'b' || base == 'o' || base == 'x') &&
        is_base_digit(char_at(lx, at + 2), base)) {
        at += 2;
        while (is_base_digit(char_at(lx, at), base) ||
               (char_at(lx, at) == '_' && is_base_digit(char_at(lx, at + 1), base)))
            at++;
    } else {
        at = skip_digits(lx, at);
        bool after_dot = begin > 0 && lx->source.p[begin - 1] == '.';
        if (!after_dot && char_at(lx, at) == '.' && is_digit(char_at(lx, at + 1))) {
            at = skip_digits(lx, at + 1);
            out->kind = QN_TTOK_FLOAT;
        }
        if (!after_dot && (char_at(lx, at) | 0x20) == 'e') {
            size_t digits = at + 1;
            if (char_at(lx, digits) == '+' || char_at(lx, digits) == '-')
                digits++;
            if (is_digit(char_at(lx, digits))) {
                at = skip_digits(lx, digits);
                out->kind = QN_TTOK_FLOAT;
            }
        }
    }
    out->text = qn_str_slice(lx->source, begin, at);
    lx->at = at;
}

static enum qn_status lex_string(struct qn_tlexer *lx, struct qn_ttoken *out) {
    char quote = lx->source.p[lx->at];
    for (size_t at = lx->at + 1; at < lx->source.n; at++) {
        if (lx->source.p[at] == '\\') {
            at++;
        } else if (lx->source.p[at] == quote) {
            out->kind = QN_TTOK_STR;
            out->text = qn_str_slice(lx->source, lx->at + 1, at);
            lx->at = at + 1;
            return QN_OK;
        }
    }
    return qn_tfail(lx->site, "a string is not closed");
}

static const struct {
    char text[3];
    uint8_t kind;
} operators[] = {
    // two characters first
    {"//", QN_TTOK_FLOORDIV}, {"**", QN_TTOK_POW},      {"==", QN_TTOK_EQ},
    {"!=", QN_TTOK_NE},       {">=", QN_TTOK_GE},       {"<=", QN_TTOK_LE},
    {"+", QN_TTOK_ADD},       {"-", QN_TTOK_SUB},       {"/", QN_TTOK_DIV},
    {"*", QN_TTOK_MUL},       {"%", QN_TTOK_MOD},       {"~", QN_TTOK_TILDE},
    {"[", QN_TTOK_LBRACKET},  {"]", QN_TTOK_RBRACKET},  {"(", QN_TTOK_LPAREN},
    {")", QN_TTOK_RPAREN},    {"{", QN_TTOK_LBRACE},    {"}", QN_TTOK_RBRACE},
    {">", QN_TTOK_GT},        {"<", QN_TTOK_LT},        {"=", QN_TTOK_ASSIGN},
    {".", QN_TTOK_DOT},       {":", QN_TTOK_COLON},     {"|", QN_TTOK_PIPE},
    {",", QN_TTOK_COMMA},     {";", QN_TTOK_SEMICOLON},
};

static enum qn_status lex_operator(struct qn_tlexer *lx, struct qn_ttoken *out) {
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (!starts(lx, lx->at, operators[i].text))
            continue;
        size_t n = operators[i].text[1] ? 2 : 1;
        out->kind = operators[i].kind;
        out->text = qn_str_slice(lx->source, lx->at, lx->at + n);
        lx->at += n;
        if (out->kind == QN_TTOK_LBRACKET || out->kind == QN_TTOK_LPAREN ||
            out->kind == QN_TTOK_LBRACE)
            lx->open++;
        if (out->kind == QN_TTOK_RBRACKET || out->kind == QN_TTOK_RPAREN ||
            out->kind == QN_TTOK_RBRACE) {
            if (lx->open == 0)
                return qn_tfail(lx->site, "unexpected '%.*s'", QN_STR_ARG(out->text));
            lx->open--;
        }
        return QN_OK;
    }
    return qn_tfail(lx->site, "unexpected character '%c'", lx->source.p[lx->at]);
}

enum qn_status qn_tlexer_next(struct qn_tlexer *lx, struct qn_ttoken *out) {
    if (lx->has_pending) {
        *out = lx->pending;
        lx->has_pending = false;
        return QN_OK;
    }
    if (!lx->mode)
        return lex_data(lx, out);
    lx->at = skip_space(lx, lx->at);
    lx->site->at = lx->at;
    out->at = (uint32_t)lx->at;
    out->text = (struct qn_str){"", 0};
    if (lx->at == lx->source.n) {
        out->kind = QN_TTOK_END;
        return QN_OK;
    }
    if (!lx->open) {
        bool variable = lx->mode == QN_TTOK_VAR_END;
        size_t end = tag_end(lx, lx->at, variable ? "}}" : "%}", variable);
        if (end) {
            out->kind = (enum qn_ttoken_kind)lx->mode;
            lx->mode = 0;
            set_after(lx, end);
            return QN_OK;
        }
    }
    char c = lx->source.p[lx->at];
    if (is_digit(c)) {
        lex_number(lx, out);
        return QN_OK;
    }
    if (c == '"' || c == '\'')
        return lex_string(lx, out);
    if (!is_word(c))
        return lex_operator(lx, out);
    size_t begin = lx->at;
    while (lx->at < lx->source.n && is_word(lx->source.p[lx->at]))
        lx->at++;
    out->kind = QN_TTOK_NAME;
    out->text = qn_str_slice(lx->source, begin, lx->at);
    return QN_OK;
}
