#include "base/json.h"

#include <string.h>

#include "base/decimal.h"
#include "base/num.h"
#include "base/utf8.h"

#define DEPTH_MAX 64
#define TEXT_MAX ((size_t)1 << 30)

/* Flags in qn_json_node.kind, above the type. */
#define ESCAPED 0x100u // the string holds a backslash

/* Marks the bytes of x that end a plain run inside a string: '"', '\\', controls, non-ASCII. False
 * marks can only appear above a true one, so the lowest mark is right. */
static uint64_t string_stops(uint64_t x) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\';
    return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((x - ones * 0x20) & ~x) | x) &
           tops;
}

/* First byte at or after `at` that is not plain inside a string, or n. */
static size_t skip_plain(const char *p, size_t n, size_t at) {
    while (n - at >= 8) {
        uint64_t stops = string_stops(qn_load_u64(p + at));
        if (stops != 0)
            return at + (size_t)__builtin_ctzll(stops) / 8;
        at += 8;
    }
    while (at < n) {
        unsigned char c = (unsigned char)p[at];
        if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80)
            break;
        at++;
    }
    return at;
}

/* An upper bound on the number of nodes, tight but for empty containers: every value but the root
 * follows one of `[{,:`. Errors are left to the second pass; the bound by size holds because each
 * value of a valid text takes two bytes, if only with its separator or closing bracket. */
static size_t count_nodes(struct qn_str text) {
    const char *p = text.p;
    size_t n = text.n, count = 1;
    for (size_t at = 0; at < n; at++) {
        char c = p[at];
        if (c == '"') {
            at++;
            for (;;) {
                at = skip_plain(p, n, at);
                if (at >= n || p[at] == '"')
                    break;
                at += p[at] == '\\' ? 2 : 1;
                if (at >= n)
                    break;
            }
        } else {
            count += (c == ',') | (c == ':') | (c == '[') | (c == '{');
        }
    }
    return qn_min_size(count, n / 2 + 1);
}

struct parser {
    const char *p;
    size_t n, at;
    struct qn_json_node *nodes;
    size_t n_nodes, capacity;
    struct qn_error *err;
};

static enum qn_status fail(const struct parser *s, const char *what) {
    return qn_fail_at(s->err, QN_E_JSON, s->at, "%s", s->at >= s->n ? "the JSON text ends" : what);
}

static void skip_space(struct parser *s) {
    size_t at = s->at;
    while (at < s->n &&
           (s->p[at] == ' ' || s->p[at] == '\n' || s->p[at] == '\r' || s->p[at] == '\t'))
        at++;
    s->at = at;
}

/* s->at stands after the opening quote, and after the closing one on return. */
static enum qn_status scan_string(struct parser *s, uint32_t *flags) {
    *flags = 0;
    for (;;) {
        s->at = skip_plain(s->p, s->n, s->at);
        if (s->at >= s->n)
            return fail(s, "");
        unsigned char c = (unsigned char)s->p[s->at];
        if (c == '"') {
            s->at++;
            return QN_OK;
        }
        if (c >= 0x80) {
            size_t at = s->at;
            if (qn_utf8_next((struct qn_str){s->p, s->n}, &at) == QN_UTF8_INVALID)
                return fail(s, "a string is not valid UTF-8");
            s->at = at;
            continue;
        }
        if (c != '\\')
            return fail(s, "a control character in a string");
        *flags = ESCAPED;
        s->at++;
        if (s->at >= s->n)
            return fail(s, "");
        uint32_t unit;
        c = (unsigned char)s->p[s->at];
        if (c == 'u') {
            if (!qn_str_hex(&unit, (struct qn_str){s->p, s->n}, s->at + 1, 4))
                return fail(s, "\\u needs four hexadecimal digits");
            s->at += 5;
        } else if (c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' ||
                   c == 'r' || c == 't') {
            s->at++;
        } else {
            return fail(s, "an unknown escape in a string");
        }
    }
}

static bool is_digit(const struct parser *s) {
    return s->at < s->n && s->p[s->at] >= '0' && s->p[s->at] <= '9';
}

static void skip_digits(struct parser *s) {
    while (is_digit(s))
        s->at++;
}

static enum qn_status scan_number(struct parser *s) {
    if (s->p[s->at] == '-')
        s->at++;
    if (!is_digit(s))
        return fail(s, "a number needs a digit here");
    if (s->p[s->at] == '0')
        s->at++;
    else
        skip_digits(s);
    if (s->at < s->n && s->p[s->at] == '.') {
        s->at++;
        if (!is_digit(s))
            return fail(s, "a number needs a digit here");
        skip_digits(s);
    }
    if (s->at < s->n && (s->p[s->at] == 'e' || s->p[s->at] == 'E')) {
        s->at++;
        if (s->at < s->n && (s->p[s->at] == '+' || s->p[s->at] == '-'))
            s->at++;
        if (!is_digit(s))
            return fail(s, "a number needs a digit here");
        skip_digits(s);
    }
    return QN_OK;
}

static enum qn_status scan_word(struct parser *s, const char *word, size_t n) {
    if (s->n - s->at < n || memcmp(s->p + s->at, word, n) != 0)
        return fail(s, "a value is expected");
    s->at += n;
    return QN_OK;
}

/* Texts below 1 GiB: offsets and counts fit. */
static struct qn_json_node *push(struct parser *s, uint32_t kind, size_t begin, size_t count) {
    if (s->n_nodes == s->capacity)
        return NULL;
    struct qn_json_node *node = &s->nodes[s->n_nodes++];
    *node = (struct qn_json_node){kind, (uint32_t)begin, (uint32_t)count, (uint32_t)s->n_nodes};
    return node;
}

static enum qn_status crowded(const struct parser *s) {
    return fail(s, "a value is expected"); // only a malformed text outruns the first pass's bound
}

static enum qn_status parse_string(struct parser *s) {
    uint32_t flags;
    size_t begin = ++s->at;
    QN_TRY(scan_string(s, &flags));
    if (push(s, QN_JSON_STRING | flags, begin, s->at - 1 - begin) == NULL)
        return crowded(s);
    return QN_OK;
}

static enum qn_status parse_scalar(struct parser *s) {
    size_t begin = s->at;
    enum qn_json_type type;
    switch (s->p[s->at]) {
    case '"':
        return parse_string(s);
    case 't':
        type = QN_JSON_TRUE;
        QN_TRY(scan_word(s, "true", 4));
        break;
    case 'f':
        type = QN_JSON_FALSE;
        QN_TRY(scan_word(s, "false", 5));
        break;
    case 'n':
        type = QN_JSON_NULL;
        QN_TRY(scan_word(s, "null", 4));
        break;
    default:
        if (s->p[s->at] != '-' && !is_digit(s))
            return fail(s, "a value is expected");
        type = QN_JSON_NUMBER;
        QN_TRY(scan_number(s));
    }
    if (push(s, type, begin, s->at - begin) == NULL)
        return crowded(s);
    return QN_OK;
}

/* Key and colon of a member; s->at may stand on space. */
static enum qn_status parse_key(struct parser *s) {
    skip_space(s);
    if (s->at >= s->n || s->p[s->at] != '"')
        return fail(s, "a key in quotes is expected");
    QN_TRY(parse_string(s));
    skip_space(s);
    if (s->at >= s->n || s->p[s->at] != ':')
        return fail(s, "':' is expected");
    s->at++;
    return QN_OK;
}

static enum qn_status parse_document(struct parser *s) {
    uint32_t open[DEPTH_MAX]; // nodes of the containers around the current value
    size_t depth = 0;
    for (;;) {
        // A value begins here.
        skip_space(s);
        if (s->at >= s->n)
            return fail(s, "");
        char c = s->p[s->at];
        if (c == '[' || c == '{') {
            if (depth == DEPTH_MAX)
                return qn_fail_at(s->err, QN_E_LIMIT, s->at, "JSON nested deeper than %d",
                                  DEPTH_MAX);
            open[depth++] = (uint32_t)s->n_nodes;
            if (push(s, c == '[' ? QN_JSON_ARRAY : QN_JSON_OBJECT, s->at, 0) == NULL)
                return crowded(s);
            s->at++;
            skip_space(s);
            if (s->at >= s->n || s->p[s->at] != (c == '[' ? ']' : '}')) {
                if (c == '{')
                    QN_TRY(parse_key(s));
                continue;
            }
        } else {
            QN_TRY(parse_scalar(s));
            if (depth != 0)
                s->nodes[open[depth - 1]].count++;
        }
        // A value, or an opening bracket with its closing one right after it, has ended.
        for (;;) {
            if (depth == 0)
                return QN_OK;
            struct qn_json_node *container = &s->nodes[open[depth - 1]];
            bool object = container->kind == QN_JSON_OBJECT;
            skip_space(s);
            if (s->at >= s->n)
                return fail(s, "");
            c = s->p[s->at];
            if (c == (object ? '}' : ']')) {
                s->at++;
                container->next = (uint32_t)s->n_nodes;
                depth--;
                if (depth != 0)
                    s->nodes[open[depth - 1]].count++;
                continue;
            }
            if (c != ',')
                return fail(s, object ? "',' or '}' is expected" : "',' or ']' is expected");
            s->at++;
            if (object)
                QN_TRY(parse_key(s));
            break;
        }
    }
}

enum qn_status qn_json_parse(struct qn_json *out, struct qn_arena *arena, struct qn_str text,
                             struct qn_error *err) {
    if (text.n > TEXT_MAX)
        return qn_fail(err, QN_E_LIMIT, "a JSON text of %zu bytes", text.n);
    struct parser s = {.p = text.p, .n = text.n, .err = err};
    s.capacity = count_nodes(text);
    s.nodes = QN_ARENA_NEW(arena, struct qn_json_node, s.capacity);
    if (s.nodes == NULL)
        return qn_fail(err, QN_E_NO_MEMORY, "no memory for %zu JSON values", s.capacity);
    QN_TRY(parse_document(&s));
    skip_space(&s);
    if (s.at != s.n)
        return fail(&s, "text after the JSON value");
    *out = (struct qn_json){text, s.nodes, (uint32_t)s.n_nodes};
    return QN_OK;
}

static const struct qn_json_node *node_of(struct qn_json_value value) {
    return value.json == NULL ? NULL : &value.json->nodes[value.at];
}

struct qn_json_value qn_json_root(const struct qn_json *json) {
    return (struct qn_json_value){json->n_nodes == 0 ? NULL : json, 0};
}

bool qn_json_exists(struct qn_json_value value) {
    return value.json != NULL;
}

static enum qn_json_type node_type(const struct qn_json_node *node) {
    return (enum qn_json_type)(node->kind & 0xff);
}

enum qn_json_type qn_json_type(struct qn_json_value value) {
    const struct qn_json_node *node = node_of(value);
    return node == NULL ? QN_JSON_NULL : node_type(node);
}

uint32_t qn_json_count(struct qn_json_value container) {
    const struct qn_json_node *node = node_of(container);
    if (node == NULL || (node_type(node) != QN_JSON_ARRAY && node_type(node) != QN_JSON_OBJECT))
        return 0;
    return node->count;
}

struct qn_json_iter qn_json_iterate(struct qn_json_value container) {
    return (struct qn_json_iter){
        .at = container.at + 1,
        .left = qn_json_count(container),
        .json = container.json,
        .object = qn_json_type(container) == QN_JSON_OBJECT,
    };
}

bool qn_json_each(struct qn_json_iter *it) {
    if (it->left == 0)
        return false;
    it->left--;
    if (it->object) {
        it->key = (struct qn_json_value){it->json, it->at};
        it->at++;
    }
    it->value = (struct qn_json_value){it->json, it->at};
    it->at = it->json->nodes[it->at].next;
    return true;
}

struct qn_str qn_json_raw(struct qn_json_value string) {
    const struct qn_json_node *node = node_of(string);
    if (node == NULL || node_type(node) != QN_JSON_STRING)
        return (struct qn_str){NULL, 0};
    return (struct qn_str){string.json->text.p + node->begin, node->count};
}

/* One escape of a validated string: s.p[*at] is the backslash. Returns a scalar value. */
static uint32_t decode_escape(struct qn_str s, size_t *at) {
    char c = s.p[*at + 1];
    *at += 2;
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        break;
    default:
        return (unsigned char)c;
    }
    uint32_t unit = 0, low = 0;
    (void)qn_str_hex(&unit, s, *at, 4);
    *at += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit < 0xdc00 && s.n - *at >= 6 && s.p[*at] == '\\' && s.p[*at + 1] == 'u' &&
        qn_str_hex(&low, s, *at + 2, 4) && low >= 0xdc00 && low <= 0xdfff) {
        *at += 6;
        return 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
    }
    return 0xfffd;
}

static bool string_equals(struct qn_json_value string, struct qn_str expected) {
    struct qn_str raw = qn_json_raw(string);
    if (raw.p == NULL)
        return false;
    if ((node_of(string)->kind & ESCAPED) == 0)
        return qn_str_eq(raw, expected);
    size_t at = 0, done = 0;
    while (at < raw.n) {
        char bytes[4] = {raw.p[at]};
        size_t n = 1;
        if (raw.p[at] == '\\')
            n = qn_utf8_put(bytes, decode_escape(raw, &at));
        else
            at++;
        if (n > expected.n - done || memcmp(bytes, expected.p + done, n) != 0)
            return false;
        done += n;
    }
    return done == expected.n;
}

bool qn_json_string_is(struct qn_json_value value, const char *c_string) {
    return string_equals(value, qn_str_from(c_string));
}

struct qn_json_value qn_json_get_str(struct qn_json_value object, struct qn_str key) {
    struct qn_json_value found = {NULL, 0};
    if (qn_json_type(object) != QN_JSON_OBJECT)
        return found;
    struct qn_json_iter it = qn_json_iterate(object);
    while (qn_json_each(&it))
        if (string_equals(it.key, key))
            found = it.value;
    return found;
}

struct qn_json_value qn_json_get(struct qn_json_value object, const char *key) {
    return qn_json_get_str(object, qn_str_from(key));
}

bool qn_json_string(struct qn_str *out, struct qn_arena *arena, struct qn_json_value value) {
    struct qn_str raw = qn_json_raw(value);
    *out = raw;
    if (raw.p == NULL)
        return false;
    if ((node_of(value)->kind & ESCAPED) == 0)
        return true;
    char *p = QN_ARENA_NEW(arena, char, raw.n); // no escape is shorter than what it stands for
    if (p == NULL) {
        *out = (struct qn_str){NULL, 0};
        return false;
    }
    size_t at = 0, n = 0;
    while (at < raw.n) {
        if (raw.p[at] == '\\')
            n += qn_utf8_put(p + n, decode_escape(raw, &at));
        else
            p[n++] = raw.p[at++];
    }
    *out = (struct qn_str){p, n};
    return true;
}

bool qn_json_bool(bool *out, struct qn_json_value value) {
    enum qn_json_type type = qn_json_type(value);
    if (type != QN_JSON_TRUE && type != QN_JSON_FALSE)
        return false;
    *out = type == QN_JSON_TRUE;
    return true;
}

struct qn_str qn_json_source(struct qn_json_value scalar) {
    const struct qn_json_node *node = node_of(scalar);
    switch (qn_json_type(scalar)) {
    case QN_JSON_STRING: // begin is after the quote
        return (struct qn_str){scalar.json->text.p + node->begin - 1, (size_t)node->count + 2};
    case QN_JSON_NUMBER:
        return (struct qn_str){scalar.json->text.p + node->begin, node->count};
    case QN_JSON_TRUE:
        return QN_STR("true");
    case QN_JSON_FALSE:
        return QN_STR("false");
    default:
        return QN_STR("null");
    }
}

bool qn_json_f64(double *out, struct qn_json_value value) {
    return qn_json_type(value) == QN_JSON_NUMBER && qn_decimal_parse(out, qn_json_source(value));
}

bool qn_json_f32(float *out, struct qn_json_value value) {
    double wide;
    if (!qn_json_f64(&wide, value) || wide > 3.4028235677973364e38 || wide < -3.4028235677973364e38)
        return false;
    *out = (float)wide;
    return true;
}

/* Magnitude of a number that is an integer, however it is written. */
static bool integer(uint64_t *out, bool *negative, struct qn_str s) {
    *negative = s.p[0] == '-';
    uint64_t value = 0, exponent = 0;
    uint64_t zeros = 0; // pending zeros at the end, which an exponent may take away
    uint64_t fraction = 0;
    size_t at = *negative;
    bool dot = false, minus = false;
    for (; at < s.n && s.p[at] != 'e' && s.p[at] != 'E'; at++) {
        if (s.p[at] == '.') {
            dot = true;
            continue;
        }
        fraction += dot;
        if (s.p[at] == '0') {
            zeros += value != 0;
            continue;
        }
        for (zeros++; zeros > 0; zeros--)
            if (!qn_mul_u64(&value, value, 10))
                return false;
        if (!qn_add_u64(&value, value, (uint64_t)(s.p[at] - '0')))
            return false;
    }
    if (at < s.n) {
        at++;
        minus = s.p[at] == '-';
        at += s.p[at] == '-' || s.p[at] == '+';
        for (; at < s.n; at++)
            if (exponent < UINT64_C(1) << 40)
                exponent = exponent * 10 + (uint64_t)(s.p[at] - '0');
    }
    *out = value;
    if (value == 0)
        return true;
    // value × 10^(zeros + exponent − fraction)
    uint64_t up = zeros + (minus ? 0 : exponent), down = fraction + (minus ? exponent : 0);
    if (up < down || up - down > 19)
        return false;
    for (up -= down; up > 0; up--)
        if (!qn_mul_u64(out, *out, 10))
            return false;
    return true;
}

bool qn_json_i64(int64_t *out, struct qn_json_value value) {
    uint64_t magnitude;
    bool negative;
    if (qn_json_type(value) != QN_JSON_NUMBER ||
        !integer(&magnitude, &negative, qn_json_source(value)) ||
        magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool qn_json_u32(uint32_t *out, struct qn_json_value value) {
    int64_t wide;
    return qn_json_i64(&wide, value) && wide >= 0 && qn_u64_to_u32(out, (uint64_t)wide);
}

static void write_value(struct qn_buf *buf, struct qn_json_value value, uint32_t depth) {
    enum qn_json_type type = qn_json_type(value);
    if (depth > DEPTH_MAX || (type != QN_JSON_ARRAY && type != QN_JSON_OBJECT)) {
        qn_buf_str(buf, qn_json_source(value));
        return;
    }
    qn_buf_char(buf, type == QN_JSON_ARRAY ? '[' : '{');
    struct qn_json_iter it = qn_json_iterate(value);
    for (bool first = true; qn_json_each(&it); first = false) {
        if (!first)
            qn_buf_char(buf, ',');
        if (type == QN_JSON_OBJECT) {
            qn_buf_str(buf, qn_json_source(it.key));
            qn_buf_char(buf, ':');
        }
        write_value(buf, it.value, depth + 1);
    }
    qn_buf_char(buf, type == QN_JSON_ARRAY ? ']' : '}');
}

void qn_json_write(struct qn_buf *buf, struct qn_json_value value) {
    write_value(buf, value, 0);
}
