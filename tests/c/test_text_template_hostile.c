/* Hostile templates and messages at the limits that are set by default: each ends in an error that
 * says what and where, or in the small text that it truly gives, and never holds more memory than
 * the limits allow. */
#include "tests/c/faults.h"
#include "text/template.h"

#define MEGABYTE ((uint64_t)1 << 20)
/* 64 MiB of values, texts of 4 MiB that grow by doubling, the template's own program. */
#define MOST (112 * MEGABYTE)

static const char *const untrusted[] = {"messages", "tools", "documents", NULL};

struct result {
    enum qn_status status;
    struct qn_error err;
    char text[64]; // the beginning
    size_t n;
    uint64_t peak; // bytes, those of the messages not counted
};

static struct result render(struct qn_str source, struct qn_str context) {
    struct faults faults;
    struct result r = {.status = QN_OK};
    struct qn_arena messages, arena;
    struct qn_json json;
    struct qn_template *t;
    struct qn_span *plain;
    size_t n_plain;
    struct qn_buf out;
    faults_init(&faults);
    faults.limit = 4 * MOST;
    struct qn_allocator allocator = faults_allocator(&faults);
    qn_arena_init(&messages, qn_allocator_default());
    qn_arena_init(&arena, &allocator);
    qn_buf_init(&out, &allocator);
    r.status = qn_json_parse(&json, &messages, context, &r.err);
    if (r.status == QN_OK)
        r.status = qn_template_parse(&t, &arena, source, &r.err);
    if (r.status == QN_OK)
        r.status = qn_template_render(t, &out, &arena, &plain, &n_plain, qn_json_root(&json),
                                      untrusted, NULL, 0, &r.err);
    r.n = out.n;
    if (out.n > 0)
        memcpy(r.text, out.p, out.n < 63 ? out.n : 63);
    qn_buf_free(&out);
    qn_arena_free(&arena);
    qn_arena_free(&messages);
    CHECK(faults.live == 0 && !faults.over_limit);
    r.peak = faults.peak;
    return r;
}

/* `expect`: the text, or after '!' a part of the message; and of which kind it is. */
static void check(struct qn_str source, struct qn_str context, const char *expect) {
    struct result r = render(source, context);
    int shown = source.n < 120 ? (int)source.n : 120;
    CHECK_MSG(r.peak <= MOST, "%.*s takes %llu bytes", shown, source.p, (unsigned long long)r.peak);
    if (expect[0] != '!') {
        CHECK_MSG(r.status == QN_OK && r.n == strlen(expect) && memcmp(r.text, expect, r.n) == 0,
                  "%.*s gives %d %s %s", shown, source.p, r.status, r.text, r.err.text);
        return;
    }
    CHECK_MSG((r.status == QN_E_TEMPLATE || r.status == QN_E_LIMIT || r.status == QN_E_JSON) &&
                  r.n == 0 && strstr(r.err.text, expect + 1),
              "%.*s gives %d %s %s", shown, source.p, r.status, r.text, r.err.text);
}

/* Grows ns.s by a step, 64 times. */
#define GROW(start, step)                                                              \
    "{% set ns = namespace(s=" start ") %}{% for i in range(64) %}{% set ns.s = " step \
    " %}{% endfor %}"
#define MANY "{% set l = range(99999)|list %}"

static void test_templates(void) {
    static const char *const cases[][2] = {
        // sizes of numbers, and what is divided by nothing
        {"{{ range(2**40)|list }}", "!range has more than 100000 items"},
        {"{% for i in range(99999999999) %}{% endfor %}", "!range has more than"},
        {"{{ range(0, 10, 0) }}", "!the step of range is zero"},
        {"{{ 'ab'[::0] }}", "!the step of a slice is zero"},
        {"{{ [1, 2][::0] }}", "!the step of a slice is zero"},
        {"{{ 'abc'[-9223372036854775807:9223372036854775807] }}", "abc"},
        {"{{ [1, 2, 3][9223372036854775807:] }}", "[]"},
        {"{{ 'abc'[10**18:-10**18:-1] }}", ""},
        {"{{ 'abc'[::9223372036854775807] }}", "a"},
        {"{{ 'abc'[::-9223372036854775807] }}", "c"},
        {"{{ 1 / 0 }}", "!division by zero"},
        {"{{ 1 // 0 }}", "!division by zero"},
        {"{{ 1 % 0 }}", "!division by zero"},
        {"{{ 1.0 / 0 }}", "!division by zero"},
        {"{{ 0 ** -1 }}", "!division by zero"},
        {"{{ 10 ** 10000 }}", "!integer overflow"},
        {"{{ 9223372036854775807 * 9223372036854775807 }}", "!integer overflow"},
        {"{{ 0x7fffffffffffffff + 1 }}", "!integer overflow"},
        {"{{ 1_000_000_000_000_000_000_000 }}", "!too big"},
        {"{{ 1e999 }}", "!cannot be read"},
        {"{{ 1e300|int }}", "!integer overflow"},
        {"{{ 1.5|round(400) }}", "!cannot be rounded"},
        {"{{ ('9' * 5000)|int }}", "0"},
        // widths of formats
        {"{{ 'x'|center(2**62) }}", "!more than 4194304 bytes"},
        {"{{ '%*d' % (999999999, 1) }}", "!not supported"},
        {"{{ '{:>{}}'.format('x', 10**9) }}", "!does not fit"},
        {"{{ '{:.1000000000f}'.format(1.0) }}", "!not supported"},
        {"{{ '{:99999999999999999999}'.format(1) }}", "!not supported"},
        {"{{ '%99999999999999999999d' % 1 }}", "!not supported"},
        {"{{ '%.99999999999999999999f' % 1 }}", "!not supported"},
        {"{{ '{0.a.b.c}'.format(1) }}", "!attributes in fields"},
        {"{{ ('%s' * 100000) % (range(99999)|list) }}", "!not enough arguments"},
        {"{{ ('{}' * 100000).format(*range(99999)) }}", "!not enough arguments"},
        {"{{ range(90000)|list|tojson(indent=1000) }}", "!an indent of more than 64"},
        {"{{ ('a\n' * 1000000)|indent(100) }}", "!more than 4194304 bytes"},
        // texts that double
        {GROW("'a'", "ns.s ~ ns.s"), "!more than 67108864 bytes"},
        {GROW("'a'", "[ns.s, ns.s]|join"), "!more than 4194304 bytes"},
        {GROW("'a'", "ns.s.join([ns.s, ns.s, ns.s])"), "!more than 4194304 bytes"},
        {GROW("'a'", "ns.s|replace('a', 'aa')"), "!more than 4194304 bytes"},
        {GROW("'a'", "ns.s * ns.s|length * 2"), "!more than 4194304 bytes"},
        {GROW("'a'", "'%s%s' % (ns.s, ns.s)"), "!more than 4194304 bytes"},
        {GROW("'a'", "'{0}{0}'.format(ns.s)"), "!more than 4194304 bytes"},
        {GROW("'a'", "ns.s|tojson|tojson"), "!more than 4194304 bytes"},
        {GROW("[0]", "ns.s + ns.s"), "!more than 67108864 bytes"},
        {GROW("[0]", "[ns.s, ns.s]") "{{ ns.s|string }}", "!more than 1000000 steps"},
        {"{% set ns = namespace(s='a') %}{% for i in range(64) %}{% set s %}{{ ns.s }}{{ ns.s }}"
         "{% endset %}{% set ns.s = s %}{% endfor %}",
         "!more than 4194304 bytes"},
        {"{{ ('<' * 2000000)|e }}", "!more than 4194304 bytes"},
        {"{{ ('ab' * 1000000).replace('a', 'x' * 1000) }}", "!more than 4194304 bytes"},
        {"{{ ('ab' * 1000000)|replace('', 'y' * 100) }}", "!more than 4194304 bytes"},
        {"{{ range(90000)|join('x' * 1000) }}", "!more than 4194304 bytes"},
        {"{{ [['a' * 1000] * 1000] * 1000 }}", "!more than 4194304 bytes"},
        // large lists through every kind of filter
        {MANY "{{ (l * 100)|sort }}", "!more than 67108864 bytes"},
        {MANY "{{ l|map('string')|sort|unique|list }}", "!more than 1000000 steps"},
        {MANY "{{ l|groupby('x') }}", "!no attribute 'x'"},
        {MANY "{{ l|batch(0)|list }}", "!positive integer"},
        {MANY "{{ l|batch(1)|list|length }}", "99999"},
        {MANY "{{ l|batch(7, 'x' * 1000)|list|last|last|length }}", "1000"},
        {MANY "{{ l|reverse|list|tojson|length }}", "688883"},
        {MANY "{% for i in l %}{% set _ = l.insert(0, i) %}{% endfor %}", "!1000000 steps"},
        {"{{ ('a' * 1000000)[::-1][::2][1:] }}", "!more than 67108864 bytes"},
        {"{{ ('a' * 1000000).find('a' * 500000 ~ 'b') }}", "!more than 1000000 steps"},
        {"{{ ('a,' * 1000000).split(',')|length }}", "1000001"},
        {"{{ [3, 'a']|sort }}", "!cannot be ordered"},
        // loops and calls without an end
        {"{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}"
         "{% endfor %}{% endfor %}{% endfor %}",
         "!more than 1000000 steps"},
        {"{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
         "{{ f(40) }}",
         "!more than 1000000 steps"},
        {"{% macro f(x=f) %}{{ x() }}{% endmacro %}{{ f() }}", "!more than 64 deep"},
        {"{% macro a(x) %}{{ x(x) }}{% endmacro %}{{ a(a) }}", "!more than 64 deep"},
        {"{% macro f() %}{{ caller(caller) }}{% endmacro %}{% call(c) f() %}{{ c(c) }}"
         "{% endcall %}",
         "!more than 64 deep"},
        {"{% set ns = namespace(f=none) %}{% macro g() %}{{ ns.f() }}{% endmacro %}"
         "{% set ns.f = g %}{{ g() }}",
         "!more than 64 deep"},
        {"{% macro m(a) %}{% endmacro %}{{ m(*range(99999)) }}", "!not more than 1 arguments"},
        {"{% macro m() %}{% endmacro %}{{ m(**{1: 2}) }}", "!names of arguments are strings"},
        // what contains itself
        {"{% set d = {} %}{% set _ = d.update({'d': d}) %}{{ d|tojson }}", "!nested too deep"},
        {"{% set l = [] %}{% set _ = l.append(l) %}{{ l|sort|join }}", "!nested too deep"},
        {"{% set n = namespace() %}{% set n.n = n %}{{ n|tojson }}", "!written as JSON"},
        {"{% set l = [1] %}{% for x in l %}{% set _ = l.append(1) %}{% endfor %}{{ l }}", "[1, 1]"},
        {"{% set d = {'a': 1} %}{% for k in d %}{% set _ = d.update({k ~ 'x': 1}) %}{% endfor %}"
         "{{ d|length }}",
         "2"},
        // Python's insides, and what only looks like a variable
        {"{{ raise_exception.__globals__.os }}", "!no attribute '__globals__'"},
        {"{{ strftime_now.__closure__[0] }}", "!no attribute '__closure__'"},
        {"{{ dict.__subclasses__() }}", "!no attribute '__subclasses__'"},
        {"{{ (1).__add__(2) }}", "!no attribute '__add__'"},
        {"{{ messages|map(attribute='__class__.__name__')|join }}", "!no attribute '__class__'"},
        {"{{ nope() }}", "!'nope' is undefined"},
        {"{{ nope.x.y() }}", "!'nope' is undefined"},
        {"{{ 1|nofilter }}", "!no filter named 'nofilter'"},
        {"{{ 1 is notest }}", "!no test named 'notest'"},
        {"{{ self.x() }}", "!'self' is undefined"},
        {"{{ super() }}", "!'super' is undefined"},
        {"{{ {messages: 1} }}", "!cannot be a key"},
        {"{{ ('[' * 100000)|from_json }}", "!not valid JSON"},
        // dates
        {"{{ strftime_now('%999999999Y') }}", "!not supported"},
        {"{{ strftime_now('%E%O%') }}", "!not supported"},
        {"{{ strftime_now('%Y' * 1000000)|length }}", "4000000"},
        {"{{ strftime_now('%Y' * 1500000)|length }}", "!more than 4194304 bytes"},
        {"{{ strftime_now(5) }}", "!needs a format"},
        // tags that are not there, or never end
        {"{% include 'a' ignore missing %}", "!'include' is not supported"},
        {"{% from 'x' import y as z with context %}", "!'from' is not supported"},
        {"{% extends messages %}", "!'extends' is not supported"},
        {"{% debug %}", "!unknown tag 'debug'"},
        {"{% if 1 %}{% endfor %}", "!unknown tag 'endfor'"},
        {"{% for x %}{% endfor %}", "!expected 'in'"},
        {"{% set x = %}", "!expected an expression"},
        {"{{ [1 }}", "!unexpected '}'"},
        {"{{ \"a' }}", "!a string is not closed"},
        {"{{ a| }}", "!expected a name"},
        {"{{- ", "!end of the template"},
        {"{% raw %}{% endraw", "!missing end of raw block"},
        // bytes that are no text
        {"a\xff\xfe{{ 'b\x80' }}\xc3", "a\xff\xfe"
                                       "b\x80\xc3"},
        {"{{ a\xff }}{% set \xff = 1 %}{{ \xff }}", "1"}, // letters are not looked at
        {"{{ '\\ud800' }}", "\xef\xbf\xbd"},
        {"{{ raise_exception('a\\x07\\x1b[31m') }}", "!: a\\x07\\x1b[31m at byte"},
    };
    struct qn_str context = QN_STR("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(qn_str_from(cases[i][0]), context, cases[i][1]);
    check(QN_STR("{{ a\0b }}"), context, "!unexpected character '?'");
    struct result r = render(QN_STR("a\0{{ 'b\0' }}"), context);
    CHECK(r.status == QN_OK && r.n == 4 && memcmp(r.text, "a\0b\0", 4) == 0);
}

/* `before`, n times `part`, `after`. */
static void check_many(const char *before, const char *part, const char *after, size_t n,
                       const char *expect) {
    struct qn_buf text;
    qn_buf_init(&text, qn_allocator_default());
    qn_buf_cstr(&text, before);
    for (size_t i = 0; i < n; i++)
        qn_buf_cstr(&text, part);
    qn_buf_cstr(&text, after);
    check(qn_buf_view(&text), QN_STR("{}"), expect);
    qn_buf_free(&text);
}

static void test_long_templates(void) {
    check_many("{{ ", "1+", "1 }}", 50000, "50001");
    check_many("{{ [", "1,", "]|length }}", 300000, "300000");
    check_many("{{ {", "'a':1,", "} }}", 100000, "{'a': 1}");
    check_many("{{ '", "aaaaaaaaaa", "'|length }}", 400000, "4000000");
    check_many("", "xxxxxxxxxx", "", 600000, "!the chat template has more than");
    check_many("", "{{ a }}", "x", 200000, "x");
    check_many("{% if a %}", "{% elif b %}", "{% else %}x{% endif %}", 20000, "x");
    check_many("{% set x", ",x", " = 1 %}", 50000, "!cannot be iterated over");
    check_many("{{ f(", "1,", "1) }}", 50000, "!'f' is undefined");
    check_many("{% macro f(a", ",a", ") %}{% endmacro %}{{ f() }}", 50000, "");
    check_many("", "{%", "", 100000, "!expected the name of a tag");
    check_many("", "{{", "", 100000, "!nested more than");
    check_many("", "{#", "", 100000, "!missing end of comment");
    check_many("", "{% raw %}", "", 100000, "!missing end of raw block");
    check_many("{{ 1 ", "if 1 else 1 ", "}}", 5000, "!nested more than");
    check_many("{{ ", "a.b(", "", 100000, "!nested more than");
    check_many("{{ a", "[0]", " }}", 100000, "!nested too deep");
}

#define EACH "{% for m in messages %}{{ '<|' + m.role + '|>' }}{{ m.content|trim }}{% endfor %}"

static void test_messages(void) {
    static const char *const cases[][2] = {
        // roles and messages of the wrong type
        {"[{\"role\":5,\"content\":\"x\"}]", "!str + int is not possible"},
        {"[{\"role\":null,\"content\":\"x\"}]", "!str + None is not possible"},
        {"[{\"role\":[],\"content\":\"x\"}]", "!str + list is not possible"},
        {"[{\"role\":{},\"content\":\"x\"}]", "!str + dict is not possible"},
        {"[{\"role\":true,\"content\":\"x\"}]", "!str + bool is not possible"},
        {"[{\"content\":\"x\"}]", "!no attribute 'role'"},
        {"null", "!None cannot be iterated over"},
        {"5", "!int cannot be iterated over"},
        {"\"x\"", "!'str object' has no attribute 'role'"},
        {"[null]", "!'None object' has no attribute 'role'"},
        {"[[]]", "!'list object' has no attribute 'role'"},
        {"{}", ""},
        {"[]", ""},
        // what JSON allows, and what it does not
        {"[{\"role\":\"a\",\"role\":\"b\",\"content\":\"\"}]", "<|b|>"},
        {"[{\"role\":\"\\ud83d\\ude00\",\"content\":\"\"}]", "<|\xf0\x9f\x98\x80|>"},
        {"[{\"role\":\"\\ud83d\",\"content\":\"\"}]", "<|\xef\xbf\xbd|>"},
        {"[{\"role\":\"\\ude00x\",\"content\":\"\"}]", "<|\xef\xbf\xbdx|>"},
        {"[{\"role\":\"a\",\"content\":\"{{ 7*7 }}{% if %}\"}]", "<|a|>{{ 7*7 }}{% if %}"},
        {"[{\"role\":\"a\\u0000b\",\"content\":\"\"}]", NULL},
        {"[{\"role\":\"a\",\"content\":\"\\ud8\"}]", "!"},
        {"[{\"role\":\"a\",\"content\":\"\xff\"}]", "!"},
        {"[{\"role\":\"a\",\"content\":\"x\"", "!"},
        {"[{\"role\":\"a\",}]", "!"},
        {"[NaN]", "!"},
        {"[1e999999999]", "!"},
    };
    char text[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "{\"messages\":%s}", cases[i][0]);
        if (cases[i][1]) {
            check(QN_STR(EACH), qn_str_from(text), cases[i][1]);
            continue;
        }
        struct result r = render(QN_STR(EACH), qn_str_from(text));
        CHECK(r.status == QN_OK && r.n == 7 && memcmp(r.text, "<|a\0b|>", 7) == 0);
    }
}

/* {"messages":`before`, n times `part`, `after`}. */
static void check_context(const char *source, const char *before, const char *part,
                          const char *after, size_t n, const char *expect) {
    struct qn_buf text;
    qn_buf_init(&text, qn_allocator_default());
    qn_buf_cstr(&text, "{\"messages\":");
    qn_buf_cstr(&text, before);
    for (size_t i = 0; i < n; i++)
        qn_buf_cstr(&text, part);
    qn_buf_cstr(&text, after);
    qn_buf_char(&text, '}');
    check(qn_str_from(source), qn_buf_view(&text), expect);
    qn_buf_free(&text);
}

static void test_long_messages(void) {
    char nested[81] = "";
    check_context("{{ messages[0].content|length }}", "[{\"content\":\"", "0123456789", "\"}]",
                  1000000, "10000000");
    check_context("{{ messages[0].content }}", "[{\"content\":\"", "0123456789", "\"}]", 1000000,
                  "!more than 4194304 bytes");
    check_context("{{ messages[0].content|tojson|length }}", "[{\"content\":\"", "\\u0001", "\"}]",
                  1000000, "!more than 4194304 bytes");
    check_context("{{ messages[0].content|trim|length }}", "[{\"content\":\"", "   ", "\"}]",
                  1000000, "0");
    check_context("{{ messages|length }}", "[0", ",{\"role\":\"u\"}", "]", 50000, "50001");
    check_context("{{ messages|map(attribute='role')|join|length }}", "[{\"role\":\"u\"}",
                  ",{\"role\":\"u\"}", "]", 49999, "50000");
    check_context("{{ messages|length }}", "{\"a\":1", ",\"a\":2", "}", 100000, "1");
    memset(nested, '[', 40);
    memset(nested + 40, ']', 40);
    check_context("{{ messages|tojson|length }}", nested, "", "", 0, "80");
    check_context("{{ messages }}", "", "[", "", 100000, "!JSON nested deeper than");
    check_context("{{ messages }}", "", "{\"a\":", "", 100000, "!JSON nested deeper than");
}

int main(void) {
    test_templates();
    test_long_templates();
    test_messages();
    test_long_messages();
    return test_done("text_template_hostile");
}
