/* Chat templates: hostile input, depth, limits that are set, messages of errors, and every
 * allocation failing in turn. */
#include "tests/c/template_case.h"

struct hostile {
    const char *source;
    int expect; // a status, or -1: harmless text without an address or a type in it
};

static void test_hostile(void) {
    static const struct hostile cases[] = {
        // reaching for Python's insides
        {"{{ ''.__class__ }}", -1},
        {"{{ ''.__class__.__mro__ }}", QN_E_TEMPLATE},
        {"{{ ''['__class__'] }}", -1},
        {"{{ ''['__class__']['__base__'] }}", QN_E_TEMPLATE},
        {"{{ ''|attr('__class__') }}", -1},
        {"{{ ()|attr('__class__')|attr('__base__') }}", QN_E_TEMPLATE},
        {"{{ [].__class__.__base__.__subclasses__() }}", QN_E_TEMPLATE},
        {"{{ messages.__init__.__globals__ }}", QN_E_TEMPLATE},
        {"{{ range.__globals__['os'].popen('id').read() }}", QN_E_TEMPLATE},
        {"{{ namespace.__init__.__globals__.os }}", QN_E_TEMPLATE},
        {"{{ cycler.__init__.__globals__.os.popen('id') }}", QN_E_TEMPLATE},
        {"{{ joiner.__init__ }}", -1},
        {"{{ raise_exception.__code__.co_consts }}", QN_E_TEMPLATE},
        {"{{ self.__init__ }}", QN_E_TEMPLATE},
        {"{{ lipsum.__globals__ }}", QN_E_TEMPLATE},
        {"{{ config }}", -1},
        {"{{ request.application.__globals__ }}", QN_E_TEMPLATE},
        {"{{ '{0.__class__}'.format('') }}", QN_E_TEMPLATE},
        {"{{ '{0[a]}'.format({}) }}", QN_E_TEMPLATE},
        {"{{ ''.format.__self__ }}", -1},
        {"{{ messages|map(attribute='__class__')|list }}", -1},
        {"{{ messages|map('attr', '__class__')|list }}", -1},
        {"{% macro m() %}{% endmacro %}{{ m.__call__ }}{{ m._func }}", -1},
        {"{% for x in [1] %}{{ loop.__class__ }}{{ loop._iterable }}{% endfor %}", -1},
        {"{% include '/etc/passwd' %}", QN_E_TEMPLATE},
        {"{% import 'os' as os %}", QN_E_TEMPLATE},
        {"{% from 'os' import system %}", QN_E_TEMPLATE},
        {"{% extends 'x' %}", QN_E_TEMPLATE},
        {"{% block b %}{% endblock %}", QN_E_TEMPLATE},
        // time
        {"{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
         QN_E_LIMIT},
        {"{{ range(10**9) }}", QN_E_LIMIT},
        {"{{ range(-9223372036854775807, 9223372036854775807) }}", QN_E_LIMIT},
        {"{{ range(9223372036854775807, -9223372036854775807, -1) }}", QN_E_LIMIT},
        {"{% set l = [1] %}{% for x in l %}{% set _ = l.append(x) %}{% endfor %}{{ l }}", -1},
        {"{% set l = range(90000)|list %}{% for i in range(90000) %}{{ 'x' in l }}{% endfor %}",
         QN_E_LIMIT},
        {"{% set l = range(90000)|list %}{% for i in l %}{% set _ = l.pop(0) %}{% endfor %}",
         QN_E_LIMIT},
        {"{% set l = range(90000)|list %}{{ l|sort|sort|sort|sort }}", QN_E_LIMIT},
        {"{% set s = 'a' * 2000000 %}{% for i in range(90000) %}{{ 'ab' in s }}{% endfor %}",
         QN_E_LIMIT},
        {"{% set s = 'a' * 2000000 %}{{ (s[:1000000] ~ 'b') in s }}", QN_E_LIMIT},
        {"{% set s = 'a' * 2000000 %}{{ s.rfind('b' ~ s[:1000000]) }}", QN_E_LIMIT},
        {"{% set s = 'a' * 1000000 %}{{ s.strip('b' ~ s)|length }}", QN_E_LIMIT},
        {"{% set s = 'a' * 4000000 %}{% for i in range(90000) %}{{ s|length }}{% endfor %}",
         QN_E_LIMIT},
        // space
        {"{{ 'a' * 10**9 }}", QN_E_LIMIT},
        {"{{ [0] * 10**9 }}", QN_E_LIMIT},
        {"{{ 'a' * 9223372036854775807 }}", QN_E_LIMIT},
        {"{{ 'a'.ljust(10**9) }}", QN_E_LIMIT},
        {"{{ 'a'.zfill(9223372036854775807) }}", QN_E_LIMIT},
        {"{{ 'a'|center(10**12) }}", QN_E_LIMIT},
        {"{{ 'a\nb'|indent(10**9) }}", QN_E_LIMIT},
        {"{{ '%999999999d' % 1 }}", QN_E_TEMPLATE},
        {"{{ '%.999999f' % 1 }}", QN_E_TEMPLATE},
        {"{{ '{:999999999}'.format(1) }}", QN_E_TEMPLATE},
        {"{{ [1]|batch(10**9, 0)|list }}", QN_E_LIMIT},
        {"{{ 1e308|round(60) }}", -1},
        {"{{ [1]|tojson(indent=10**9) }}", QN_E_TEMPLATE},
        {"{% set ns = namespace(s='ab') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}"
         "{% endfor %}",
         QN_E_LIMIT},
        {"{% set ns = namespace(s='ab') %}{% for i in range(100) %}"
         "{% set ns.s = ns.s.replace('a', 'ab').replace('b', 'aabb') %}{% endfor %}",
         QN_E_LIMIT},
        {"{% set ns = namespace(l=[1]) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}"
         "{% endfor %}{{ ns.l }}",
         QN_E_LIMIT},
        {"{% set ns = namespace(l=[1]) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}"
         "{% endfor %}{{ ns.l|tojson }}",
         QN_E_LIMIT},
        {"{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(40) %}"
         "{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}"
         "{{ ns.l == ns.m }}",
         QN_E_LIMIT},
        {"{% for i in range(90000) %}{{ 'x' * 100 }}{% endfor %}", QN_E_LIMIT},
        {"{% for i in range(90000) %}{% set x = range(1000)|list %}{% endfor %}", QN_E_LIMIT},
        // depth
        {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", QN_E_LIMIT},
        {"{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
         QN_E_LIMIT},
        {"{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
         QN_E_LIMIT},
        {"{% macro m() %}{% set c = caller %}{% call m() %}{{ c() }}{% endcall %}{% endmacro %}"
         "{% call m() %}{% endcall %}",
         QN_E_LIMIT},
        {"{% set l = [] %}{% set _ = l.append(l) %}{{ l }}", QN_E_LIMIT},
        {"{% set l = [] %}{% set _ = l.append(l) %}{{ l|tojson }}", QN_E_LIMIT},
        {"{% set d = {} %}{% set _ = d.update({'a': d}) %}{{ d }}", QN_E_LIMIT},
        {"{% set l = [] %}{% set _ = l.append(l) %}{% set m = [] %}{% set _ = m.append(m) %}"
         "{{ l == m }}{{ l < m }}",
         QN_E_LIMIT},
        {"{% set n = namespace() %}{% set n.n = n %}{{ n }}", QN_E_LIMIT},
        {"{% set l = [] %}{% set _ = l.extend(l) %}{% set _ = l.append(l) %}{{ l|length }}", -1},
        // syntax
        {"{{", QN_E_TEMPLATE},
        {"{%", QN_E_TEMPLATE},
        {"{#", QN_E_TEMPLATE},
        {"{% raw %}", QN_E_TEMPLATE},
        {"{% if x %}", QN_E_TEMPLATE},
        {"{% for x in y %}{% endif %}", QN_E_TEMPLATE},
        {"{% endfor %}", QN_E_TEMPLATE},
        {"{{ 'a }}", QN_E_TEMPLATE},
        {"{{ 'a\\", QN_E_TEMPLATE},
        {"{{ (1 }}", QN_E_TEMPLATE},
        {"{{ 1) }}", QN_E_TEMPLATE},
        {"{{ a..b }}", QN_E_TEMPLATE},
        {"{{ 1 2 }}", QN_E_TEMPLATE},
        {"{{ a b }}", QN_E_TEMPLATE},
        {"{{ }}", QN_E_TEMPLATE},
        {"{% %}", QN_E_TEMPLATE},
        {"{{ f(a=1, 2) }}", QN_E_TEMPLATE},
        {"{{ f(**a, *b) }}", QN_E_TEMPLATE},
        {"{% break %}", QN_E_TEMPLATE},
        {"{% for x in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", QN_E_TEMPLATE},
        {"{% set %}", QN_E_TEMPLATE},
        {"{% set a.b.c = 1 %}", QN_E_TEMPLATE},
        {"{% set true = 1 %}", QN_E_TEMPLATE},
        {"{% macro %}{% endmacro %}", QN_E_TEMPLATE},
        {"{% macro m(a=1, b) %}{% endmacro %}", QN_E_TEMPLATE},
        {"{% call 1 %}{% endcall %}", QN_E_TEMPLATE},
        {"{{ 99999999999999999999 }}", QN_E_TEMPLATE},
        {"{{ \x01 }}", QN_E_TEMPLATE},
        {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", QN_E_TEMPLATE},
        // messages that look like templates stay text
        {"{{ messages[1].content }}", -1},
        {"{{ messages[1].content|safe ~ messages[1].content }}", -1},
    };
    struct qn_json_value context = parse_json(
        QN_STR("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"user\","
               "\"content\":\"{{ 7*7 }}{% raise %}{{ messages }}\"}]}"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rendering r = render(qn_str_from(cases[i].source), context);
        if (cases[i].expect >= 0)
            CHECK_MSG((int)r.status == cases[i].expect && r.text.n > 0, "%s gives %d %.*s",
                      cases[i].source, r.status, QN_STR_ARG(r.text));
        else
            CHECK_MSG(r.status == QN_OK && qn_str_find(r.text, QN_STR("class"), 0) == SIZE_MAX &&
                          qn_str_find(r.text, QN_STR("0x"), 0) == SIZE_MAX &&
                          qn_str_find(r.text, QN_STR("49"), 0) == SIZE_MAX,
                      "%s gives %d %.*s", cases[i].source, r.status, QN_STR_ARG(r.text));
    }
}

/* `open` n times, `middle`, `close` n times. */
static struct qn_str nested(const char *open, const char *middle, const char *close, int n) {
    struct qn_buf text;
    qn_buf_init(&text, qn_allocator_default());
    for (int i = 0; i < n; i++)
        qn_buf_cstr(&text, open);
    qn_buf_cstr(&text, middle);
    for (int i = 0; i < n; i++)
        qn_buf_cstr(&text, close);
    struct qn_str copy = qn_str_copy(&arena, qn_buf_view(&text));
    qn_buf_free(&text);
    return copy;
}

static struct qn_str wrapped(struct qn_str inner) {
    struct qn_buf text;
    qn_buf_init(&text, qn_allocator_default());
    qn_buf_cstr(&text, "{{ ");
    qn_buf_str(&text, inner);
    qn_buf_cstr(&text, " }}");
    struct qn_str copy = qn_str_copy(&arena, qn_buf_view(&text));
    qn_buf_free(&text);
    return copy;
}

static void test_depth(void) {
    struct qn_json_value none = {NULL, 0};
    static const char *const expressions[][3] = {
        {"(", "1", ")"},           {"[", "1", "]"},        {"-", "1", ""},
        {"not ", "1", ""},         {"{1:", "1", "}"},      {"f(", "1", ")"},
        {"1 if 1 else ", "1", ""}, {"a[", "1", "]"},       {"1+(", "1", ")"},
        {"x|default(", "1", ")"},  {"1 is eq(", "1", ")"}, {"[1][", "0", "]"},
    };
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        for (int n = 1; n <= 100000; n *= 10) {
            struct rendering r = render(
                wrapped(nested(expressions[i][0], expressions[i][1], expressions[i][2], n)), none);
            CHECK_MSG(n < 1000 || r.status == QN_E_LIMIT, "%s x %d: %d", expressions[i][0], n,
                      r.status);
            CHECK_MSG(n > 10 || r.status == QN_OK || r.status == QN_E_TEMPLATE, "%s x %d: %.*s",
                      expressions[i][0], n, QN_STR_ARG(r.text));
        }
    static const char *const blocks[][2] = {
        {"{% if 1 %}", "{% endif %}"},         {"{% for x in [1] %}", "{% endfor %}"},
        {"{% set x %}", "{% endset %}"},       {"{% filter upper %}", "{% endfilter %}"},
        {"{% with a = 1 %}", "{% endwith %}"}, {"{% generation %}", "{% endgeneration %}"},
        {"{% macro m() %}", "{% endmacro %}"}, {"{% if 0 %}{% else %}", "{% endif %}"},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        for (int n = 1; n <= 10000; n *= 10) {
            struct rendering r = render(nested(blocks[i][0], "x", blocks[i][1], n), none);
            CHECK_MSG(n < 1000 ? r.status == QN_OK || n > 20 : r.status == QN_E_LIMIT,
                      "%s x %d: %d", blocks[i][0], n, r.status);
        }
    // chains need no depth where they are lists, and meet the limit where they nest
    CHECK(render(wrapped(nested("1 + ", "1", "", 5000)), none).status == QN_OK);
    CHECK(render(wrapped(nested("'a' ~ ", "1", "", 5000)), none).status == QN_OK);
    CHECK(render(wrapped(nested("0 or ", "1", "", 5000)), none).status == QN_OK);
    CHECK(render(wrapped(nested("", "1", " == 1", 5000)), none).status == QN_OK);
    CHECK(render(wrapped(nested("", "''", "|trim", 20)), none).status == QN_OK);
    CHECK(render(wrapped(nested("", "''", "|trim", 50000)), none).status == QN_E_LIMIT);
    CHECK(render(wrapped(nested("", "''", ".x", 50000)), none).status == QN_E_LIMIT);
    struct qn_buf chain;
    qn_buf_init(&chain, qn_allocator_default());
    qn_buf_cstr(&chain, "{% if 0 %}");
    for (int i = 0; i < 5000; i++)
        qn_buf_cstr(&chain, "{% elif 0 %}");
    qn_buf_cstr(&chain, "{% else %}x{% endif %}");
    CHECK(is_text(render(qn_buf_view(&chain), none), QN_STR("x")));
    qn_buf_free(&chain);
}

static void test_limits(void) {
    struct qn_json_value none = {NULL, 0};
    struct qn_str loop = QN_STR("{% for i in range(50) %}{{ i }},{% endfor %}");
    struct qn_template_limits limits = {.steps = 100};
    CHECK(render_limited(loop, none, &limits).status == QN_E_LIMIT);
    limits = (struct qn_template_limits){.steps = 1000};
    CHECK(render_limited(loop, none, &limits).status == QN_OK);
    limits = (struct qn_template_limits){.output = 139};
    CHECK(render_limited(loop, none, &limits).status == QN_E_LIMIT);
    limits = (struct qn_template_limits){.output = 140};
    CHECK(render_limited(loop, none, &limits).status == QN_OK);
    limits = (struct qn_template_limits){.memory = 500};
    CHECK(render_limited(loop, none, &limits).status == QN_E_LIMIT);
    limits = (struct qn_template_limits){.memory = 10000};
    CHECK(render_limited(loop, none, &limits).status == QN_OK);
    struct qn_str recursion = QN_STR("{% macro m(n) %}{{ n }}{% if n %}{{ m(n - 1) }}{% endif %}"
                                     "{% endmacro %}{{ m(9) }}");
    limits = (struct qn_template_limits){.depth = 9};
    CHECK(render_limited(recursion, none, &limits).status == QN_E_LIMIT);
    limits = (struct qn_template_limits){.depth = 20};
    CHECK(is_text(render_limited(recursion, none, &limits), QN_STR("9876543210")));
    // a context larger than the memory
    struct qn_json_value big = parse_json(QN_STR("{\"messages\":[[[[[[[[\"a\\nb\"]]]]]]]]}"));
    limits = (struct qn_template_limits){.memory = 256};
    CHECK(render_limited(QN_STR("x"), big, &limits).status == QN_E_LIMIT);
}

static void test_errors(void) {
    struct qn_error err;
    struct qn_template *t;
    CHECK(qn_template_parse(&t, &arena, QN_STR("ab\ncd {% nope %}"), &err) == QN_E_TEMPLATE);
    CHECK(err.offset == 9);
    CHECK_MSG(strstr(err.text, "line 2, column 7") && strstr(err.text, "nope"), "%s", err.text);
    CHECK(qn_template_parse(&t, &arena, QN_STR("{% nope %}"), NULL) == QN_E_TEMPLATE);
    struct rendering r = render(QN_STR("x\n{{ raise_exception('Only user roles, got ' ~ 5) }}"),
                                (struct qn_json_value){NULL, 0});
    CHECK_MSG(r.status == QN_E_TEMPLATE &&
                  qn_str_find(r.text, QN_STR("line 2, column"), 0) != SIZE_MAX &&
                  qn_str_find(r.text, QN_STR("Only user roles, got 5"), 0) != SIZE_MAX,
              "%.*s", QN_STR_ARG(r.text));
    // what is in the buffer stays, and marks count from its start
    struct qn_buf out;
    struct qn_span *plain = NULL;
    size_t n_plain = 0;
    qn_buf_init(&out, qn_allocator_default());
    qn_buf_cstr(&out, "before ");
    struct qn_json_value context = parse_json(QN_STR("{\"messages\":\"u\"}"));
    CHECK(qn_template_parse(&t, &arena, QN_STR("[{{ messages }}]"), &err) == QN_OK);
    CHECK(qn_template_render(t, &out, &arena, &plain, &n_plain, context, untrusted, NULL, NOON,
                             &err) == QN_OK);
    CHECK(qn_str_is(qn_buf_view(&out), "before [u]"));
    CHECK(n_plain == 1 && plain[0].begin == 8 && plain[0].end == 9);
    CHECK(qn_template_render(t, &out, &arena, &plain, &n_plain, context, NULL, NULL, NOON, &err) ==
          QN_OK);
    CHECK(n_plain == 0 && qn_str_is(qn_buf_view(&out), "before [u][u]"));
    CHECK(qn_template_parse(&t, &arena, QN_STR("x{{ y.z }}"), &err) == QN_OK);
    CHECK(qn_template_render(t, &out, &arena, NULL, NULL, context, untrusted, NULL, NOON, NULL) ==
          QN_E_TEMPLATE);
    CHECK(qn_str_is(qn_buf_view(&out), "before [u][u]"));
    qn_buf_free(&out);
}

/* ---- memory ---- */

struct failing {
    long left;   // allocations until one fails
    size_t held; // bytes not given back
};

static void *failing_alloc(void *ud, size_t size) {
    struct failing *f = ud;
    if (f->left-- <= 0)
        return NULL;
    f->held += size;
    return malloc(size);
}

static void failing_free(void *ud, void *p, size_t size) {
    ((struct failing *)ud)->held -= size;
    free(p);
}

/* Renders with the nth allocation failing, for every n until none fails. */
static void test_no_memory(void) {
    static const char source[] =
        "{% macro m(a, b=[1, 2]) %}({{ a|upper }}{{ b|join(', ') }}{{ caller() if caller }}){% "
        "endmacro %}{% set ns = namespace(t='') %}{% for x in messages if x.role != 'none' %}{{ "
        "loop.index }}{{ x.content|trim|replace('a', 'bb') }}{% set ns.t = ns.t + x.role %}{% set "
        "y "
        "%}[{{ m(x.role) }}]{% endset %}{{ y * 20 }}{{ x|tojson(indent=2) }}{{ x }}{{ "
        "x.content[::-1] "
        "}}{{ '%s %d'|format('q', 3) }}{{ '{:>400}'.format(x.role) }}{% endfor %}{% call m(ns.t) "
        "%}{{ messages|map(attribute='role')|unique|sort|list }}{% endcall %}{{ "
        "'[1, \"\\\\n\"]'|from_json }}{{ {'a': 1, 'b': 2}|dictsort }}{{ 'a b c'.split() }}{% "
        "filter "
        "indent(2) %}a\nb{% endfilter %}{{ range(30)|list|string|length }}";
    struct qn_json_value context =
        parse_json(QN_STR("{\"messages\":[{\"role\":\"user\",\"content\":\" a \\n b \"},"
                          "{\"role\":\"assistant\",\"content\":\"c\"}]}"));
    long n = 0;
    for (enum qn_status status = QN_E_NO_MEMORY; status != QN_OK && n < 100000; n++) {
        struct failing failing = {.left = n};
        struct qn_allocator allocator = {&failing, failing_alloc, failing_free};
        struct qn_arena own;
        struct qn_buf out;
        struct qn_error err;
        struct qn_template *t;
        struct qn_span *plain;
        size_t n_plain;
        qn_arena_init(&own, &allocator);
        qn_buf_init(&out, &allocator);
        status = qn_template_parse(&t, &own, qn_str_from(source), &err);
        if (status == QN_OK)
            status = qn_template_render(t, &out, &own, &plain, &n_plain, context, untrusted, NULL,
                                        NOON, &err);
        CHECK_MSG(status == QN_OK || (status == QN_E_NO_MEMORY && out.n == 0), "%ld: %d %s", n,
                  status, err.text);
        CHECK(status != QN_OK || (out.n > 1000 && n_plain > 4));
        qn_buf_free(&out);
        qn_arena_free(&own);
        CHECK(failing.held == 0);
        if (status != QN_OK && status != QN_E_NO_MEMORY)
            break;
    }
    CHECK_MSG(n > 30 && n < 100000, "%ld", n);
}

int main(void) {
    run(test_hostile);
    run(test_depth);
    run(test_limits);
    run(test_errors);
    run(test_no_memory);
    return test_done("text_template_limits");
}
