/* Patterns that have a matcher of their own, and the names that GGUF has for lists of patterns. */
#include "text/pretok.h"

#include <string.h>

#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define FOLDED "(?i:" CONTRACTIONS ")"
#define SPELLED "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
#define WHITE "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SYMBOLS "| ?[^\\s\\p{L}\\p{N}]+"
#define PREFIX "[^\\r\\n\\p{L}\\p{N}]?"
#define GPT2 CONTRACTIONS "| ?\\p{L}+| ?\\p{N}+" SYMBOLS "|\\s+(?!\\S)|\\s+"
#define CL100K(contractions, digits) \
    contractions PREFIX "\\p{L}+|" digits SYMBOLS "[\\r\\n]*|" WHITE
#define LLAMA3 CL100K(FOLDED "|", "\\p{N}{1,3}")
#define QWEN2 CL100K(FOLDED "|", "\\p{N}")
#define QWEN35 \
    FOLDED "|" PREFIX "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" WHITE
#define UP "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOW "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K(contractions, digits)                                                              \
    PREFIX UP "*" LOW "+" contractions "|" PREFIX UP "+" LOW "*" contractions "|" digits SYMBOLS \
              "[\\r\\n/]*|" WHITE
#define GPT4O O200K(FOLDED "?", "\\p{N}{1,3}")
#define DEEPSEEK(tail)                                                                   \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?" \
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+" tail
#define BLOOM " ?[^(\\s|.,!?\\u2026\\u3002\\uff0c\\u3001\\u0964\\u06d4\\u060c)]+"
#define CJK "[\\u4e00-\\u9fa5\\u3040-\\u30ff]+"
#define EAST "[\\u0800-\\u9fa5\\uac00-\\ud7ff]+"
#define NUMBER "\\p{N}"
#define NUMBER3 "\\p{N}{1,3}"
#define NUMBERS "\\p{N}+"
#define DIGITS3 "[0-9][0-9][0-9]"
#define NEWLINE "[\\r\\n]"
#define LINES "[^\\n]+|[\\n]+"
#define KIMI(set) "[" set "&&[^\\p{Han}]]"

static const struct {
    const char *regex;
    struct qn_pretok step;
} regexes[] = {
    {GPT2, {.kind = QN_SPLIT_GPT2}},
    {LLAMA3, {.kind = QN_SPLIT_CL100K, .max_digits = 3}},
    {QWEN2, {.kind = QN_SPLIT_CL100K, .max_digits = 1}},
    {QWEN35, {.kind = QN_SPLIT_CL100K, .max_digits = 1, .marks = true}},
    {GPT4O, {.kind = QN_SPLIT_O200K, .max_digits = 3}},
    {O200K("", "\\p{N}"), {.kind = QN_SPLIT_O200K, .max_digits = 1, .no_contractions = true}},
    /* The same words with other spellings of the contractions and possessive repeats. */
    {CL100K("'(?i:[sdmt]|ll|ve|re)|", "\\p{N}{1,3}"), {.kind = QN_SPLIT_CL100K, .max_digits = 3}},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++"
     "[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
     {.kind = QN_SPLIT_CL100K, .max_digits = 3}},
    {CL100K(SPELLED "|", "\\p{N}{1,3}"), {.kind = QN_SPLIT_CL100K, .max_digits = 3}},
    {CL100K(SPELLED "|", "\\p{N}"), {.kind = QN_SPLIT_CL100K, .max_digits = 1}},
    {"\\w+|[^\\w\\s]+", {.kind = QN_SPLIT_WORDS}},
    {"\\s", {.kind = QN_SPLIT_WHITESPACE}},
    {NUMBER, {.kind = QN_SPLIT_NUMBER}},
};

enum qn_status qn_pretok_by_regex(struct qn_pretok *out, struct qn_arena *arena,
                                  struct qn_str regex, struct qn_error *err) {
    for (size_t i = 0; i < sizeof regexes / sizeof regexes[0]; i++) {
        if (qn_str_is(regex, regexes[i].regex)) {
            *out = regexes[i].step;
            return QN_OK;
        }
    }
    *out = (struct qn_pretok){.kind = QN_SPLIT_REGEX};
    return qn_regex_compile(&out->regex, arena, regex, err);
}

enum { IGNORE_MERGES = 1, ADD_BOS = 2, NFC = 4, RAW = 8 };

/* Names that llama.cpp's converter writes, a space around each. "whitespace" is not among them: it
 * is no byte-level tokenizer. Where llama.cpp has an approximation of the model's own pattern,
 * this is the model's own. */
static const struct {
    const char *names;
    uint8_t flags;
    const char *regexes[QN_PRETOK_GGUF_STEPS];
} gguf_names[] = {
    {" gpt-2 mpt olmo jais trillion granite-docling phi-2 roberta-bpe exaone4 jina-es jina-de "
     "jina-v1-en jina-v2-es jina-v2-de jina-v2-code gigachat a.x-4.0 mellum modern-bert ",
     0,
     {GPT2}},
    {" llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     IGNORE_MERGES | ADD_BOS,
     {LLAMA3}},
    {" dbrx smaug-bpe chatglm-bpe glm4 ", 0, {LLAMA3}},
    {" qwen2 deepseek-r1-qwen f2llmv2 ", NFC, {QWEN2}},
    {" stablelm2 hunyuan megrez bailingmoe bailingmoe2 llada-moe grok-2 solar-open kormo ",
     0,
     {QWEN2}},
    {" qwen35 ", NFC, {QWEN35}},
    {" gpt-4o llama4 kanana2 talkie minimax-m2 ", 0, {GPT4O}},
    {" granite-embed-multi-97m ", IGNORE_MERGES, {GPT4O}},
    {" tekken ", IGNORE_MERGES | ADD_BOS, {O200K("", "\\p{N}")}},
    {" bloom gpt3-finnish poro-chat poro ", 0, {BLOOM}},
    {" viking ", 0, {BLOOM, NUMBER}},
    {" deepseek-v3 hunyuan-dense joyai-llm hy_v4 ",
     0,
     {NUMBER3, CJK, DEEPSEEK("[\\r\\n]*|" WHITE)}},
    {" spark2_5 ", 0, {NUMBER3, CJK, DEEPSEEK("|[\\r\\n]|\\s+(?!\\S)|\\s+"), NUMBER}},
    {" afmoe ",
     0,
     {"\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
      "[\\u4e00-\\u9fff\\u3400-\\u4dbf\\uf900-\\ufaff\\u3040-\\u30ff\\uff65-\\uff9f\\u2e80-\\u2fdf"
      "\\u0e00-\\u0eff\\u1780-\\u17ff\\u1000-\\u109f\\uaa60-\\uaa7f\\ua9e0-\\ua9ff\\uac00-\\ud7af"
      "\\u1100-\\u11ff]+",
      DEEPSEEK("[\\r\\n]*|" WHITE)}},
    {" deepseek-llm ",
     0,
     {NEWLINE, "\\s?[\\p{Lu}\\p{Ll}\\p{Lt}&&[^\\u10d0-\\u10ff]]+",
      "\\s?[!-/:-~\\uff01-\\uff0f\\uff1a-\\uff5e\\u2018-\\u201f\\u3000-\\u3002]+", "\\s+\\z", EAST,
      NUMBERS}},
    {" deepseek-coder ", 0, {NEWLINE, "\\s?\\p{L}+", "\\s?\\p{P}+", EAST, NUMBER}},
    {" starcoder refact command-r smollm codeshell exaone minerva-7b mellum2 ", 0, {NUMBER, GPT2}},
    {" default ", 0, {"[\\p{P}$+<=>^~|]+", GPT2, NUMBERS, DIGITS3}},
    {" falcon ", 0, {"[\\p{P}$+<=>^~|`]+", GPT2, DIGITS3}},
    {" superbpe ", 0, {NUMBERS, "(?=(\\d{3})+(?!\\d))"}},
    {" seed-coder ", 0, {FOLDED "|" PREFIX "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" WHITE}},
    {" ufakzeka ", 0, {CL100K("", "\\p{N}")}},
    {" laguna ", 0, {LINES, QWEN2}},
    {" minicpm5 ", IGNORE_MERGES, {NUMBER3, CL100K(FOLDED "|", "\\p{N}+")}},
    {" exaone-moe ",
     0,
     {FOLDED "|" PREFIX "(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}" SYMBOLS
             "[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {" jais-2 ",
     0,
     {FOLDED "|" PREFIX "\\p{L}+|\\p{N}{1,3}" SYMBOLS
             "[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|"
             "\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|"
             "\\s{1,2}(?!\\S)|\\s{1}"}},
    {" tiny_aya cohere2moe ", 0, {"\\d{1,3}(?=(?:\\d{3})*\\b)", GPT4O}},
    {" youtu ",
     IGNORE_MERGES,
     {"[\\uac00-\\ud7a3\\u3131-\\u318e]+|[\\uff01\\u2026\\u201c\\u201d\\u2018\\u2019\\u2014\\uff1a"
      "\\uff1b\\uff0c\\u3001-\\u303f\\ufe30-\\ufe4f]+|[\\u3105-\\u312f]+|" CJK,
      O200K(FOLDED "?", "\\p{N}")}},
    {" kimi-k2 ",
     0,
     {"[\\p{Han}]+|" PREFIX KIMI("\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}") "*" KIMI(
         "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}") "+" FOLDED "?|" PREFIX
          KIMI("\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}"
               "\\p{M}") "+" KIMI("\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}") "*" FOLDED "?|\\p{N}{1,3}" SYMBOLS
                                                                 "[\\r\\n]*|" WHITE}},
    {" chameleon ",
     ADD_BOS,
     {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", NUMBER,
      "[\\p{P}!-/:-@\\[-`{-~]", GPT2}},
    {" gemma4 granite-embed-multi-311m sarvam-moe ", RAW, {LINES}},
};

enum qn_status qn_pretok_by_gguf(struct qn_pretok_gguf *out, struct qn_arena *arena,
                                 struct qn_str name, struct qn_error *err) {
    char key[40];
    size_t i = 0, n = sizeof gguf_names / sizeof gguf_names[0];
    *out = (struct qn_pretok_gguf){.n_steps = 0};
    if (name.n == 0 || name.n > 32 || memchr(name.p, ' ', name.n))
        i = n;
    for (; i < n; i++) {
        key[0] = ' ';
        memcpy(key + 1, name.p, name.n);
        key[name.n + 1] = ' ';
        if (qn_str_find(qn_str_from(gguf_names[i].names), (struct qn_str){key, name.n + 2}, 0) !=
            SIZE_MAX)
            break;
    }
    if (i == n)
        return qn_fail(err, QN_E_UNSUPPORTED, "tokenizer.ggml.pre \"%.*s\"", QN_STR_ARG(name));
    out->ignore_merges = (gguf_names[i].flags & IGNORE_MERGES) != 0;
    out->add_bos = (gguf_names[i].flags & ADD_BOS) != 0;
    out->nfc = (gguf_names[i].flags & NFC) != 0;
    out->raw = (gguf_names[i].flags & RAW) != 0;
    for (; out->n_steps < QN_PRETOK_GGUF_STEPS && gguf_names[i].regexes[out->n_steps];
         out->n_steps++)
        QN_TRY(qn_pretok_by_regex(&out->steps[out->n_steps], arena,
                                  qn_str_from(gguf_names[i].regexes[out->n_steps]), err));
    return QN_OK;
}
