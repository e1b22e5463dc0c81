/* The operations on values and the evaluation of nodes, file by file. */
#ifndef QN_TEXT_TEMPLATE_OPS_H
#define QN_TEXT_TEMPLATE_OPS_H

#include "text/template_ast.h"

struct qn_tctx;
struct qn_tsink;
struct qn_tscope;

/* Strings (template_str.c). Sizes and indices are bytes unless called code points. */
bool qn_tstr_marked(const struct qn_tval *s, size_t at);
struct qn_tval qn_tstr_slice(const struct qn_tval *s, size_t begin, size_t end);
enum qn_status qn_tstr_concat(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *a,
                              const struct qn_tval *b);
enum qn_status qn_tstr_repeat(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s,
                              int64_t n);
enum qn_status qn_tstr_find(struct qn_tctx *ctx, size_t *out, const struct qn_tval *s,
                            struct qn_str needle,
                            size_t from); // SIZE_MAX: none
enum qn_status qn_tstr_length(struct qn_tctx *ctx, int64_t *out, const struct qn_tval *s);
enum qn_status qn_tstr_chars(struct qn_tctx *ctx, struct qn_tlist **out, const struct qn_tval *s);
size_t qn_tstr_char(struct qn_str s, size_t at, uint32_t *code_point); // bytes of one character
bool qn_tstr_is_space(uint32_t code_point);
bool qn_tstr_is_newline(uint32_t code_point);
enum { QN_TSTR_LEFT = 1, QN_TSTR_RIGHT = 2 };
struct qn_tval qn_tstr_strip(const struct qn_tval *s, int sides, const struct qn_tval *chars);
enum qn_status qn_tstr_trim(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s,
                            int sides, const struct qn_tval *chars);
enum qn_tcase {
    QN_TCASE_UPPER,
    QN_TCASE_LOWER,
    QN_TCASE_TITLE,
    QN_TCASE_CAPITALIZE,
    QN_TCASE_WORDS
};
enum qn_status qn_tstr_case(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s,
                            enum qn_tcase how);
uint32_t qn_tstr_upper(uint32_t code_point);
uint32_t qn_tstr_lower(uint32_t code_point);
enum qn_status qn_tstr_replace(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s,
                               const struct qn_tval *from, const struct qn_tval *to, int64_t count);
enum qn_status qn_tstr_escape(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *s);

/* Values (template_value.c). */
const char *qn_tval_type(const struct qn_tval *v); // Python's name of the type
enum qn_status qn_tval_fail_undefined(struct qn_tctx *ctx, const struct qn_tval *v);
struct qn_tval qn_tval_undefined(const struct qn_tval *object, struct qn_str name);
enum qn_status qn_tval_truth(struct qn_tctx *ctx, bool *out, const struct qn_tval *v);
/* Of an argument that may be missing. */
bool qn_tval_flag(const struct qn_tval *v, bool otherwise);
enum qn_status qn_tval_equal(struct qn_tctx *ctx, bool *out, const struct qn_tval *a,
                             const struct qn_tval *b);
/* *out < 0, 0, > 0. Types that have no order fail. */
enum qn_status qn_tval_compare(struct qn_tctx *ctx, int *out, const struct qn_tval *a,
                               const struct qn_tval *b);
enum qn_status qn_tval_contains(struct qn_tctx *ctx, bool *out, const struct qn_tval *all,
                                const struct qn_tval *v);
enum qn_status qn_tval_length(struct qn_tctx *ctx, int64_t *out, const struct qn_tval *v);
/* What a for loop runs over: a copy, or the list itself when it cannot change meanwhile. */
enum qn_status qn_tval_iterate(struct qn_tctx *ctx, struct qn_tlist **out, const struct qn_tval *v);
bool qn_tval_as_int(int64_t *out, const struct qn_tval *v);  // int, bool
bool qn_tval_as_float(double *out, const struct qn_tval *v); // int, bool, float
enum qn_status qn_tval_from_json(struct qn_tctx *ctx, struct qn_tval *out,
                                 struct qn_json_value json, bool tainted);
enum qn_status qn_tlist_new(struct qn_tctx *ctx, struct qn_tlist **out, uint32_t capacity);
enum qn_status qn_tlist_push(struct qn_tctx *ctx, struct qn_tlist *list, const struct qn_tval *v);
struct qn_tval qn_tlist_value(struct qn_tlist *list, enum qn_tkind kind);
enum qn_status qn_tdict_new(struct qn_tctx *ctx, struct qn_tdict **out);
enum qn_status qn_tdict_get(struct qn_tctx *ctx, struct qn_tval **out, struct qn_tdict *dict,
                            const struct qn_tval *key); // *out NULL: absent
enum qn_status qn_tdict_set(struct qn_tctx *ctx, struct qn_tdict *dict, const struct qn_tval *key,
                            const struct qn_tval *value);
enum qn_status qn_tdict_remove(struct qn_tctx *ctx, struct qn_tdict *dict, uint32_t entry);
enum qn_status qn_tdict_merge(struct qn_tctx *ctx, struct qn_tdict *dict,
                              const struct qn_tval *from);
/* dict(…) and update(…): dictionaries or pairs by position, then what is named. */
enum qn_status qn_tdict_merge_args(struct qn_tctx *ctx, struct qn_tdict *dict,
                                   const struct qn_targs *args);

/* Text of values (template_print.c). */
enum qn_status qn_tval_print(struct qn_tctx *ctx, struct qn_tsink *sink, const struct qn_tval *v,
                             bool repr);
enum qn_status qn_tval_to_str(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *v);
qn_tfunc_fn qn_tfilter_tojson, qn_tfilter_from_json;

/* Numbers (template_number.c). `text` is NUL-terminated. */
enum { QN_TNUM_TEXT = 400 };
size_t qn_tnum_i64(char text[QN_TNUM_TEXT], int64_t value); // these give the length
size_t qn_tnum_repr(char text[QN_TNUM_TEXT], double value);
size_t qn_tnum_fixed(char text[QN_TNUM_TEXT], double value, uint32_t decimals); // at most 60
bool qn_tnum_parse_i64(int64_t *out, struct qn_str s, int base);
bool qn_tnum_parse_f64(double *out, struct qn_str s); // as Python's float(): inf and nan too
enum qn_status qn_tnum_binary(struct qn_tctx *ctx, struct qn_tval *out, enum qn_top op,
                              const struct qn_tval *a, const struct qn_tval *b);

/* Formatting (template_format.c): "%s" % x and "{}".format(x). */
enum qn_status qn_tformat_percent(struct qn_tctx *ctx, struct qn_tval *out,
                                  const struct qn_tval *format, const struct qn_tval *args);
qn_tfunc_fn qn_tformat_braces;
enum qn_status qn_tformat_time(struct qn_tctx *ctx, struct qn_tval *out,
                               const struct qn_tval *format, int64_t now);

/* Evaluation (template_eval.c, template_exec.c). */
enum qn_status qn_teval(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tnode *node);
enum qn_status qn_teval_args(struct qn_tctx *ctx, struct qn_targs *out,
                             const struct qn_tnode *chain);
enum qn_status qn_teval_filter(struct qn_tctx *ctx, struct qn_tval *out,
                               const struct qn_tnode *filter, const struct qn_tval *input);
enum qn_status qn_tcall(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *callee,
                        const struct qn_targs *args);
enum qn_status qn_tcall_func(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tfunc *func,
                             const struct qn_tval *self, const struct qn_targs *args);
enum qn_status qn_tval_attr(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *object,
                            struct qn_str name);
enum qn_status qn_tval_item(struct qn_tctx *ctx, struct qn_tval *out, const struct qn_tval *object,
                            const struct qn_tval *key);
enum qn_status qn_tbinary(struct qn_tctx *ctx, struct qn_tval *out, enum qn_top op,
                          const struct qn_tval *a, const struct qn_tval *b);
enum qn_status qn_tcompare(struct qn_tctx *ctx, bool *out, enum qn_top op, const struct qn_tval *a,
                           const struct qn_tval *b);
enum qn_status qn_texec(struct qn_tctx *ctx, const struct qn_tnode *body);
struct qn_tval *qn_tscope_find(struct qn_tscope *scope, struct qn_str name);
enum qn_status qn_tscope_set(struct qn_tctx *ctx, struct qn_tscope *scope, struct qn_str name,
                             const struct qn_tval *value);

/* What the tables hold: filters, tests, methods and globals have one signature. */
#define QN_TFUNC(name)                                                              \
    static enum qn_status name(struct qn_tctx *ctx, struct qn_tval *out,            \
                               const struct qn_tval *self, const struct qn_tval *a, \
                               const struct qn_targs *args)
#define QN_TUNUSED(...) (void)(0, ##__VA_ARGS__)

/* The tables. NULL: no such name. */
const struct qn_tfunc *qn_tfilter_by_name(struct qn_str name);
const struct qn_tfunc *qn_tfilter_list_by_name(struct qn_str name);
const struct qn_tfunc *qn_ttest_by_name(struct qn_str name);
const struct qn_tfunc *qn_tglobal_by_name(struct qn_str name);
const struct qn_tfunc *qn_tmethod_by_name(const struct qn_tval *self, struct qn_str name);
const struct qn_tfunc *qn_tmethod_str_by_name(struct qn_str name);
const struct qn_tfunc *qn_tfunc_find(const struct qn_tfunc *table, size_t n, struct qn_str name);

#endif
