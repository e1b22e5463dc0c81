/* Chat templates: published vectors, renderings of Jinja2, marks of untrusted text, hostile input,
 * limits, and every allocation failing in turn. */
#include "base/sha256.h"
#include "tests/c/test.h"
#include "text/template.h"

enum { NOON = 1752148800 }; // 2025-07-10 12:00 UTC

static const char *const untrusted[] = {"messages", "tools", "documents", NULL};

static struct qn_arena arena; // of the test that is running

static struct qn_str read_file(const char *folder, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return (struct qn_str){NULL, 0};
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    rewind(f);
    char *p = qn_arena_alloc(&arena, n + 1, 1);
    n = fread(p, 1, n, f);
    fclose(f);
    return (struct qn_str){p, n};
}

static struct qn_json_value parse_json(struct qn_str text) {
    struct qn_error err = {.text = ""};
    struct qn_json *json = QN_ARENA_NEW(&arena, struct qn_json, 1);
    if (!CHECK_MSG(qn_json_parse(json, &arena, text, &err) == QN_OK, "%s", err.text))
        return (struct qn_json_value){NULL, 0};
    return qn_json_root(json);
}

static struct qn_str json_text(struct qn_json_value v) {
    struct qn_str s = {NULL, 0};
    (void)qn_json_string(&s, &arena, v);
    return s;
}

struct rendering {
    enum qn_status status;
    struct qn_str text; // or the message
    struct qn_span *plain;
    size_t n_plain;
};

static struct rendering render_limited(struct qn_str source, struct qn_json_value context,
                                       const struct qn_template_limits *limits) {
    struct rendering r = {.status = QN_OK};
    struct qn_error err = {.text = ""};
    struct qn_template *t;
    struct qn_buf out;
    qn_buf_init(&out, qn_allocator_default());
    r.status = qn_template_parse(&t, &arena, source, &err);
    if (r.status == QN_OK)
        r.status = qn_template_render(t, &out, &arena, &r.plain, &r.n_plain, context, untrusted,
                                      limits, NOON, &err);
    CHECK(r.status == QN_OK || out.n == 0);
    CHECK(r.status == QN_OK || err.status == r.status);
    r.text = r.status == QN_OK ? qn_str_copy(&arena, qn_buf_view(&out))
                               : qn_str_copy(&arena, qn_str_from(err.text));
    qn_buf_free(&out);
    size_t end = 0;
    for (size_t i = 0; i < r.n_plain; i++) { // sorted, not empty, apart from each other
        CHECK(r.plain[i].begin < r.plain[i].end && (i == 0 || r.plain[i].begin > end));
        end = r.plain[i].end;
    }
    CHECK(r.status != QN_OK || end <= r.text.n);
    return r;
}

static struct rendering render(struct qn_str source, struct qn_json_value context) {
    return render_limited(source, context, NULL);
}

static bool is_text(struct rendering r, struct qn_str expected) {
    return r.status == QN_OK && qn_str_eq(r.text, expected);
}

/* ---- vectors ---- */

/* Builds the context of llama.cpp's test; with `merge`, the system message goes in front of the
 * next user's, which is what is done for templates that know no system role. */
static struct qn_json_value llama_context(struct qn_json_value all, struct qn_json_value one,
                                          bool merge, bool tokens) {
    struct qn_buf text;
    struct qn_str system = {NULL, 0};
    bool first = true;
    qn_buf_init(&text, qn_allocator_default());
    qn_buf_cstr(&text, "{\"add_generation_prompt\":true,\"bos_token\":");
    qn_buf_json_str(&text, tokens ? QN_STR("<s>") : json_text(qn_json_get(one, "bos_token")));
    qn_buf_cstr(&text, ",\"eos_token\":");
    qn_buf_json_str(&text, json_text(qn_json_get(one, "eos_token")));
    if (tokens)
        qn_buf_cstr(&text, ",\"additional_special_tokens\":[\"<|role_sep|>\","
                           "\"<|message_sep|>\",\"[\",\"]\"]");
    qn_buf_cstr(&text, ",\"messages\":[");
    for (int part = 0; part < 2; part++) {
        struct qn_json_iter it = qn_json_iterate(
            part == 0 ? qn_json_get(all, "conversation") : qn_json_get(one, "extra_conversation"));
        while (qn_json_each(&it)) {
            struct qn_str role = json_text(qn_json_get(it.value, "role"));
            struct qn_str content = json_text(qn_json_get(it.value, "content"));
            if (merge && qn_str_is(role, "system")) {
                system = content;
                continue;
            }
            qn_buf_cstr(&text, first ? "{\"role\":" : ",{\"role\":");
            first = false;
            qn_buf_json_str(&text, role);
            qn_buf_cstr(&text, ",\"content\":");
            struct qn_buf whole;
            qn_buf_init(&whole, qn_allocator_default());
            if (system.p && qn_str_is(role, "user")) {
                qn_buf_str(&whole, system);
                qn_buf_char(&whole, '\n');
                system.p = NULL;
            }
            qn_buf_str(&whole, content);
            qn_buf_json_str(&text, qn_buf_view(&whole));
            qn_buf_free(&whole);
            qn_buf_char(&text, '}');
        }
    }
    qn_buf_cstr(&text, "]}");
    struct qn_str copy = qn_str_copy(&arena, qn_buf_view(&text));
    qn_buf_free(&text);
    return parse_json(copy);
}

static void test_llama_cpp(const char *folder) {
    struct qn_json_value all = parse_json(read_file(folder, "llama.cpp-expected.json"));
    struct qn_json_iter it = qn_json_iterate(qn_json_get(all, "cases"));
    int n = 0;
    while (qn_json_each(&it)) {
        struct qn_str name = json_text(qn_json_get(it.value, "name"));
        struct qn_str source = json_text(qn_json_get(it.value, "template"));
        struct qn_str expected = json_text(qn_json_get(it.value, "expected_jinja"));
        struct rendering r = render(source, llama_context(all, it.value, false, false));
        bool supported = false;
        n++;
        if (qn_json_bool(&supported, qn_json_get(it.value, "supported_with_jinja")) && !supported) {
            // GigaChat reads additional_special_tokens, which the vectors do not have; with them,
            // as the engine gives them, it renders as expected
            CHECK_MSG(r.status == QN_E_TEMPLATE, "%.*s", QN_STR_ARG(name));
            r = render(source, llama_context(all, it.value, false, true));
            CHECK_MSG(is_text(r, expected), "%.*s: %.*s", QN_STR_ARG(name), QN_STR_ARG(r.text));
            continue;
        }
        if (r.status == QN_E_TEMPLATE ||
            qn_str_find(r.text, QN_STR("You are a helpful assistant"), 0) == SIZE_MAX)
            r = render(source, llama_context(all, it.value, true, false));
        CHECK_MSG(is_text(r, expected), "%.*s: %.*s", QN_STR_ARG(name), QN_STR_ARG(r.text));
    }
    CHECK(n == 36);
}

static void test_hf_group(struct qn_json_value group, int *n) {
    struct qn_json_iter it = qn_json_iterate(group);
    while (qn_json_each(&it)) {
        struct qn_str name = json_text(it.key), from = QN_STR("tools|string");
        struct qn_str source = json_text(qn_json_get(it.value, "chat_template"));
        struct qn_json_value data = qn_json_get(it.value, "data");
        if (!qn_json_exists(data))
            continue; // a test of the source formatter
        ++*n;
        struct qn_buf edited;
        qn_buf_init(&edited, qn_allocator_default());
        if (qn_str_ends(name, QN_STR("Hammer2.1"))) {
            // the vector is JavaScript's: there a list becomes JSON where Python gives its repr
            size_t at = qn_str_find(source, from, 0);
            CHECK(at != SIZE_MAX);
            qn_buf_str(&edited, qn_str_slice(source, 0, at));
            qn_buf_cstr(&edited, "tools|tojson");
            qn_buf_str(&edited, qn_str_slice(source, at + from.n, source.n));
            source = qn_buf_view(&edited);
        }
        struct rendering r = render(source, data);
        CHECK_MSG(is_text(r, json_text(qn_json_get(it.value, "target"))), "%.*s: %.*s",
                  QN_STR_ARG(name), QN_STR_ARG(r.text));
        qn_buf_free(&edited);
    }
}

static void test_hf(const char *folder) {
    struct qn_json_value all = parse_json(read_file(folder, "hf-jinja-e2e.json"));
    int n = 0;
    test_hf_group(qn_json_get(all, "default_templates"), &n);
    test_hf_group(qn_json_get(all, "custom_templates"), &n);
    CHECK_MSG(n == 53, "%d", n);
}

/* Every published template with every conversation and set of options, against a digest of what
 * Jinja2 gives. */
static void test_conversations(const char *folder) {
    struct qn_json_value all = parse_json(read_file("tests/data/template", "conversations.json"));
    struct qn_json_value contexts[256];
    size_t n = 0, n_templates = 0;
    struct qn_json_iter talk = qn_json_iterate(qn_json_get(all, "conversations"));
    while (qn_json_each(&talk)) {
        struct qn_json_iter option = qn_json_iterate(qn_json_get(all, "options"));
        while (qn_json_each(&option) && n < 256) {
            struct qn_buf text;
            qn_buf_init(&text, qn_allocator_default());
            qn_buf_cstr(&text, "{\"messages\":");
            qn_buf_str(&text, json_text(talk.value));
            qn_buf_char(&text, ',');
            qn_buf_str(&text, json_text(option.value));
            qn_buf_char(&text, '}');
            contexts[n++] = parse_json(qn_str_copy(&arena, qn_buf_view(&text)));
            qn_buf_free(&text);
        }
    }
    CHECK(n == 154);
    struct qn_json_iter it = qn_json_iterate(qn_json_get(all, "digests"));
    while (qn_json_each(&it)) {
        char name[256], hex[65] = "";
        unsigned char digest[32];
        struct qn_sha256 sha;
        struct qn_str key = json_text(it.key);
        snprintf(name, sizeof name, "%s%.*s",
                 qn_str_starts(key, QN_STR("hub/")) ? "../tokenizers/" : "llama.cpp/",
                 QN_STR_ARG(key));
        struct qn_str source = read_file(folder, name);
        if (source.p && qn_str_ends(key, QN_STR(".json")))
            source = json_text(qn_json_get(parse_json(source), "chat_template"));
        if (!CHECK_MSG(source.p, "%s", name))
            continue;
        n_templates++;
        qn_sha256_init(&sha);
        for (size_t i = 0; i < n; i++) {
            struct rendering r = render(source, contexts[i]);
            // the limit: macros that never end for such tools; Python's recursion limit stops them
            CHECK_MSG(r.status == QN_OK || r.status == QN_E_TEMPLATE || r.status == QN_E_LIMIT,
                      "%s: %.*s", name, QN_STR_ARG(r.text));
            if (r.status == QN_OK)
                qn_sha256_update(&sha, r.text.p, r.text.n);
            qn_sha256_update(&sha, r.status == QN_OK ? "\0" : "\xff", 1);
        }
        qn_sha256_final(&sha, digest);
        for (int i = 0; i < 32; i++)
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        CHECK_MSG(qn_json_string_is(it.value, hex), "%s", name);
    }
    CHECK(n_templates == 64);
}

/* Small templates for each part of the language, rendered by Jinja2 (null: it reports an error). */
static void test_cases(void) {
    struct qn_json_value all = parse_json(read_file("tests/data/template", "cases.json"));
    struct qn_json_value context = qn_json_get(all, "context");
    struct qn_json_iter it = qn_json_iterate(qn_json_get(all, "cases"));
    int n = 0;
    while (qn_json_each(&it)) {
        struct qn_json_iter pair = qn_json_iterate(it.value);
        CHECK(qn_json_each(&pair));
        struct qn_str source = json_text(pair.value);
        CHECK(qn_json_each(&pair));
        struct rendering r = render(source, context);
        n++;
        if (qn_json_type(pair.value) == QN_JSON_NULL)
            CHECK_MSG(r.status == QN_E_TEMPLATE || r.status == QN_E_LIMIT, "%.*s gives %.*s",
                      QN_STR_ARG(source), QN_STR_ARG(r.text));
        else
            CHECK_MSG(is_text(r, json_text(pair.value)), "%.*s gives %.*s", QN_STR_ARG(source),
                      QN_STR_ARG(r.text));
    }
    CHECK(n > 450);
}

/* What differs from Jinja2 on purpose. */
static void test_own(void) {
    static const struct {
        const char *source, *text;
    } cases[] = {
        {"{% do [] %}x", "x"},
        {"{{ '[1, {\"a\": null}]'|from_json }}", "[1, {'a': None}]"},
        {"{{ [18446744073709551615]|tojson }}", NULL}, // literals are 64 bits
        {"{{ big|tojson }} {{ big }} {{ big is integer }}",
         "18446744073709551615 18446744073709551615 True"},
        {"{{ big + 1 }}", NULL},
        {"{{ 9223372036854775807 + 1 }}", NULL},
        {"{{ -9223372036854775807 - 1 }}", "-9223372036854775808"},
        {"{{ (-9223372036854775807 - 1) // -1 }}", NULL},
        {"{{ (-9223372036854775807 - 1) % -1 }}", "0"},
        {"{{ 3037000500 * 3037000500 }}", NULL},
        {"{{ 2 ** 62 }}", "4611686018427387904"},
        {"{{ 2 ** 63 }}", NULL},
        {"a\r\nb\rc\n", "a\nb\nc"},
        {"{{ strftime_now('%Y-%m-%d %H:%M:%S %a %b %d %j') }}",
         "2025-07-10 12:00:00 Thu Jul 10 191"},
        {"{{ strftime_now('%-d %e %y %I %p %F %T %%') }}", "10 10 25 12 PM 2025-07-10 12:00:00 %"},
        {"{{ strftime_now('%Q') }}", NULL},
        {"{{ dup }}", "{'k': 2}"},
        {"{{ d.b.c.0 }}{{ d['b']['c'][1] }}", "12"},
        {"{{ esc }}", "a\"b\\\xc3\xa9\n"},
    };
    struct qn_json_value context =
        parse_json(QN_STR("{\"big\":18446744073709551615,\"dup\":{\"k\":1,\"k\":2},"
                          "\"d\":{\"b\":{\"c\":[1,2]}},\"esc\":\"a\\\"b\\\\\\u00e9\\n\"}"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rendering r = render(qn_str_from(cases[i].source), context);
        if (cases[i].text)
            CHECK_MSG(is_text(r, qn_str_from(cases[i].text)), "%s gives %.*s", cases[i].source,
                      QN_STR_ARG(r.text));
        else
            CHECK_MSG(r.status == QN_E_TEMPLATE, "%s gives %.*s", cases[i].source,
                      QN_STR_ARG(r.text));
    }
}

/* ---- marks ---- */

/* Whether exactly the bytes under '^' in `mask` are marked; other characters stand for unmarked. */
static bool has_marks(struct rendering r, const char *mask) {
    if (r.status != QN_OK || strlen(mask) != r.text.n)
        return false;
    for (size_t i = 0; i < r.text.n; i++) {
        bool marked = false;
        for (size_t k = 0; k < r.n_plain; k++)
            marked |= r.plain[k].begin <= i && i < r.plain[k].end;
        if (marked != (mask[i] == '^'))
            return false;
    }
    return true;
}

static void test_marks(void) {
    static const char message[] =
        "{\"role\":\"user\",\"content\":\" <|im_end|> a'b\\n\\\"q\\\" <|x|> \","
        "\"list\":[\"<a>\",\"b\"],\"key\":{\"<k>\":1},\"fill\":\"{:<>4}\"}";
    static const struct {
        const char *source, *text, *mask;
    } cases[] = {
        {"<|im_start|>{{ m.role }}\n\n", "<|im_start|>user\n", "............^^^^."},
        {"{{ '<|im_start|>' + m.role + '\n' }}", "<|im_start|>user\n", "............^^^^."},
        {"{{ m.content }}", " <|im_end|> a'b\n\"q\" <|x|> ", "^^^^^^^^^^^^^^^^^^^^^^^^^^"},
        {"{{ m.content|trim }}", "<|im_end|> a'b\n\"q\" <|x|>", "^^^^^^^^^^^^^^^^^^^^^^^^"},
        {"{{ m.content.strip() }}!", "<|im_end|> a'b\n\"q\" <|x|>!", "^^^^^^^^^^^^^^^^^^^^^^^^."},
        {"{{ m.content[1:11] }}.", "<|im_end|>.", "^^^^^^^^^^."},
        {"{{ ('A' ~ m.content ~ 'B')[::-1] }}", "B >|x|< \"q\"\nb'a >|dne_mi|< A",
         ".^^^^^^^^^^^^^^^^^^^^^^^^^^."},
        {"{{ ('A' ~ m.role ~ 'B')[::2] }}", "Asr", ".^^"},
        {"{{ m.content.replace('<|', '[') }}", " [im_end|> a'b\n\"q\" [x|> ",
         "^.^^^^^^^^^^^^^^^^^.^^^^"},
        {"{{ 'a-b'.replace('-', m.role) }}", "auserb", ".^^^^."},
        {"{{ m.list|tojson }}", "[\"<a>\", \"b\"]", "..^^^....^.."},
        {"{{ ('x' ~ m.list[0] ~ '\"')|tojson }}", "\"x<a>\\\"\"", "..^^^..."},
        {"{{ m.content|tojson }}", "\" <|im_end|> a'b\\n\\\"q\\\" <|x|> \"",
         ".^^^^^^^^^^^^^^^^^^^^^^^^^^^^^."},
        {"{{ m.key|tojson }}", "{\"<k>\": 1}", "..^^^....."},
        {"{{ m.list }}", "['<a>', 'b']", "..^^^....^.."},
        {"{{ m.list|join('|') }}", "<a>|b", "^^^.^"},
        {"{{ '+'.join(m.list) }}", "<a>+b", "^^^.^"},
        {"{{ ['x', m.list[1], 'y']|join }}", "xby", ".^."},
        {"{{ m.role|upper ~ 'x'|upper }}", "USERX", "^^^^."},
        {"{{ ('\xc3\xa9' ~ m.role)|capitalize }}", "\xc3\x89user", "..^^^^"},
        {"{{ (m.list[0] ~ '<')|e }}", "&lt;a&gt;&lt;", "^^^^^^^^^...."},
        {"{{ ('<' ~ m.list[0])|safe + '>' }}", "<<a>&gt;", ".^^^...."},
        {"{% set x %}[{{ m.role }}]{% endset %}{{ x }}{{ x[1:3] }}", "[user]us", ".^^^^.^^"},
        {"{% macro f(a) %}({{ a }}){% endmacro %}{{ f(m.role) }}{{ f('y') }}", "(user)(y)",
         ".^^^^...."},
        {"{% macro f() %}({{ caller() }}){% endmacro %}{% call f() %}{{ m.role }}.{% endcall %}",
         "(user.)", ".^^^^.."},
        {"{% filter upper %}a{{ m.role }}{% endfilter %}", "AUSER", ".^^^^"},
        {"{% for c in m.role %}{{ c }}-{% endfor %}", "u-s-e-r-", "^.^.^.^."},
        {"{{ m.role * 2 ~ 'z' * 2 }}", "useruserzz", "^^^^^^^^.."},
        {"{{ '%s:%5s' % (m.role, m.list[1]) }}", "user:    b", "^^^^.....^"},
        {"{{ '{}-{:>6}'.format(m.role, m.role) }}", "user-  user", "^^^^...^^^^"},
        {"{{ m.role.format('x') ~ m.role % () }}", "useruser", "^^^^^^^^"},
        {"{{ ('a\n' ~ m.role ~ '\nb')|indent(2) }}", "a\n  user\n  b", "....^^^^...."},
        {"{{ m.list|map('upper')|list|join(',') }}", "<A>,B", "^^^.^"},
        {"{{ m.list|sort|first ~ m.list|last ~ m.list|max }}", "<a>bb", "^^^^^"},
        {"{{ m.role.split('s')|join('/') }}", "u/er", "^.^^"},
        {"{{ m|items|first|join('=') }}", "role=user", "^^^^.^^^^"},
        {"{% for k, v in m.items() %}{{ k[0] }}{% endfor %}", "rclkf", "^^^^^"},
        {"{{ m|string|length }}{{ m.role|length }}{{ m.role == 'user' }}", NULL, NULL},
        {"{{ '{\"a\":\"' ~ m.role ~ '\"}' }}", "{\"a\":\"user\"}", "......^^^^.."},
        {"{{ ('{\"a\":\"' ~ m.role ~ '\"}')|from_json|tojson }}", "{\"a\": \"user\"}",
         "..^....^^^^.."},
        {"{{ system ~ m.role ~ system }}", "syusersy", "..^^^^.."},
        {"{{ x|default(m.role) ~ x|default('z') }}", "userz", "^^^^."},
        {"{{ m.role.partition('e')|join('') ~ m.role.rjust(6) ~ m.role.zfill(5) }}",
         "user  user0user", "^^^^..^^^^.^^^^"},
        {"{% set ns = namespace(t='') %}{% for i in range(3) %}{% set ns.t = ns.t + m.list[1] + "
         "'.' %}"
         "{% endfor %}{{ ns.t }}",
         "b.b.b.", "^.^.^."},
        // where a format, a name or a separator comes from a message
        {"{% set j = joiner(m.role) %}{{ j() }}{{ j() }}{{ dict(**m.key) }}", "user{'<k>': 1}",
         "^^^^..^^^....."},
        {"{% macro f() %}{{ kwargs|list|join }}{% endmacro %}{{ f(**m.key) }}", "<k>", "^^^"},
        {"{{ namespace(m.key)|string|replace('Namespace ', '') }}", "<{'<k>': 1}>", "...^^^......"},
        {"{{ strftime_now(m.list[0] ~ '-%Y') }}", "<a>-2025", "^^^....."},
        {"{{ m.fill.format('x') }}|{{ '{:<3}'.format(m.list[1]) }}", "<<<x|b  ", "^^^..^.."},
        {"{{ m.role|replace('us', 'U')|truncate(2, true, '') ~ m.role|center(6) }}", "Uer user ",
         ".^^.^^^^."},
        {"{{ (m.role ~ 'x')|list|join ~ (m.role ~ 'x')|reverse }}", "userxxresu", "^^^^..^^^^"},
        {"{{ ([m.role] * 2)|unique|join ~ dict(a=m.role).a ~ [m.role, 'k'].pop(0) }}",
         "useruseruser", "^^^^^^^^^^^^"},
    };
    char text[512];
    snprintf(text, sizeof text, "{\"system\":\"sy\",\"messages\":[%s]}", message);
    struct qn_json_value context = parse_json(qn_str_from(text));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char source[512];
        snprintf(source, sizeof source, "{%% set m = messages[0] %%}%s", cases[i].source);
        struct rendering r = render(qn_str_from(source), context);
        if (!cases[i].text) {
            CHECK_MSG(r.status == QN_OK && r.n_plain == 0, "%s", source);
            continue;
        }
        CHECK_MSG(is_text(r, qn_str_from(cases[i].text)), "%s gives %.*s", source,
                  QN_STR_ARG(r.text));
        CHECK_MSG(has_marks(r, cases[i].mask), "%s", source);
    }
}

/* A text grown piece by piece keeps the right marks when it moves and when it branches. */
static void test_growth(void) {
    struct qn_json_value context = parse_json(QN_STR("{\"messages\":[\"T\"]}"));
    struct rendering r =
        render(QN_STR("{% set ns = namespace(a='', b='') %}{% for i in range(2000) %}"
                      "{% set ns.a = ns.a + ('x' if i % 3 else messages[0]) %}"
                      "{% if i == 1000 %}{% set ns.b = ns.a + 'branch' %}{% endif %}{% endfor %}"
                      "{{ ns.a }}|{{ ns.b }}"),
               context);
    CHECK(r.status == QN_OK && r.text.n == 2000 + 1 + 1001 + 6);
    size_t k = 0;
    for (size_t i = 0; r.status == QN_OK && i < r.text.n; i++) {
        bool tail = i > 2000;
        size_t index = tail ? i - 2001 : i;
        bool marked = i != 2000 && index % 3 == 0 && index < (tail ? 1001u : 2000u);
        CHECK(r.text.p[i] == (i == 2000               ? '|'
                              : tail && index >= 1001 ? "branch"[index - 1001]
                              : marked                ? 'T'
                                                      : 'x'));
        bool found = k < r.n_plain && r.plain[k].begin <= i && i < r.plain[k].end;
        CHECK(found == marked);
        if (k < r.n_plain && i + 1 == r.plain[k].end)
            k++;
    }
}

/* ---- hostile input ---- */

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

static void run(void (*test)(void)) {
    qn_arena_init(&arena, qn_allocator_default());
    test();
    qn_arena_free(&arena);
}

static void run_vectors(void (*test)(const char *folder)) {
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/assets/chat-templates", test_shared());
    qn_arena_init(&arena, qn_allocator_default());
    if (read_file(folder, "hf-jinja-e2e.json").p)
        test(folder);
    else
        printf("skipped: no %s\n", folder);
    qn_arena_free(&arena);
}

int main(void) {
    run_vectors(test_llama_cpp);
    run_vectors(test_hf);
    run_vectors(test_conversations);
    run(test_cases);
    run(test_own);
    run(test_marks);
    run(test_growth);
    run(test_hostile);
    run(test_depth);
    run(test_limits);
    run(test_errors);
    run(test_no_memory);
    return test_done("text_template");
}
