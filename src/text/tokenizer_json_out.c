/* tokenizer.json: its post-processors and decoders. */
#include "text/tokenizer_json.h"

/* Post-processors: what surrounds the text. A later one surrounds what an earlier one made. */

static enum qn_status set_items(struct qn_json_reader *r, struct qn_template_ids *out,
                                struct qn_template_item *items, uint32_t n) {
    if (out->items)
        return qn_fail(r->err, QN_E_UNSUPPORTED, "two templates in one post_processor");
    for (uint32_t i = 0; i < n; i++) {
        if (items[i].kind == QN_ITEM_TOKEN && qn_vocab_flags(&r->t->vocab, items[i].id) == 0)
            return qn_fail(r->err, QN_E_TOKENIZER, "post_processor adds token %u, which is none",
                           items[i].id);
    }
    out->items = items;
    out->n = n;
    return QN_OK;
}

/* One element of a template; `items` NULL: only counts. */
static enum qn_status read_element(struct qn_json_reader *r, struct qn_json_value element,
                                   struct qn_json_value specials, struct qn_template_item *items,
                                   uint32_t *n) {
    struct qn_json_value special = qn_json_get(element, "SpecialToken");
    bool is_text = !qn_json_exists(special);
    struct qn_json_value body = is_text ? qn_json_get(element, "Sequence") : special;
    struct qn_template_item item = {.kind = QN_ITEM_TEXT};
    struct qn_str name;
    qn_json_u32(&item.type, qn_json_get(body, "type_id"));
    if (is_text) {
        if (qn_json_string_is(qn_json_get(body, "id"), "B"))
            item.kind = QN_ITEM_SECOND;
        if (items)
            items[*n] = item;
        ++*n;
        return QN_OK;
    }
    item.kind = QN_ITEM_TOKEN;
    if (!qn_json_string(&name, r->scratch, qn_json_get(special, "id")))
        return qn_fail(r->err, QN_E_TOKENIZER, "TemplateProcessing: a token without id");
    struct qn_json_iter it = qn_json_iterate(qn_json_get(qn_json_get_str(specials, name), "ids"));
    while (qn_json_each(&it)) {
        if (!qn_json_u32(&item.id, it.value))
            return qn_fail(r->err, QN_E_TOKENIZER, "TemplateProcessing: ids of \"%.*s\"",
                           QN_STR_ARG(name));
        if (items)
            items[*n] = item;
        ++*n;
    }
    return QN_OK;
}

static enum qn_status read_template(struct qn_json_reader *r, struct qn_template_ids *out,
                                    struct qn_json_value list, struct qn_json_value specials) {
    uint32_t n = 0, n_texts = 0;
    struct qn_template_item *items = NULL;
    if (qn_json_type(list) != QN_JSON_ARRAY)
        return QN_OK;
    for (int pass = 0; pass < 2; pass++) { // count, then fill
        struct qn_json_iter it = qn_json_iterate(list);
        n = 0;
        while (qn_json_each(&it))
            QN_TRY(read_element(r, it.value, specials, items, &n));
        if (pass == 0 && !(items = QN_ARENA_NEW(r->arena, struct qn_template_item, n)))
            return qn_json_no_memory(r);
    }
    for (uint32_t i = 0; i < n; i++)
        n_texts += items[i].kind != QN_ITEM_TOKEN;
    if (n_texts > 4)
        return qn_fail(r->err, QN_E_TOKENIZER, "TemplateProcessing: %u sequences", n_texts);
    return set_items(r, out, items, n);
}

static enum qn_status post_template(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_json_value specials = qn_json_get(step, "special_tokens");
    QN_TRY(read_template(r, &r->t->single, qn_json_get(step, "single"), specials));
    return read_template(r, &r->t->pair, qn_json_get(step, "pair"), specials);
}

/* BertProcessing: cls, text, sep, second text, sep. RobertaProcessing has two sep between and one
 * type for all. */
static enum qn_status post_pair(struct qn_json_reader *r, struct qn_json_value step) {
    bool roberta = qn_json_string_is(qn_json_get(step, "type"), "RobertaProcessing");
    struct qn_template_item *items = QN_ARENA_NEW(r->arena, struct qn_template_item, 9);
    const char *const names[] = {"cls", "sep"};
    uint32_t ids[2], n = 0;
    if (!items)
        return qn_json_no_memory(r);
    for (uint32_t i = 0; i < 2; i++) {
        struct qn_json_iter it = qn_json_iterate(qn_json_get(step, names[i]));
        if (!qn_json_each(&it) || !qn_json_each(&it) || !qn_json_u32(&ids[i], it.value))
            return qn_fail(r->err, QN_E_TOKENIZER, "post_processor: \"%s\" is no [token, id]",
                           names[i]);
    }
    for (int pair = 0; pair < 2; pair++) {
        struct qn_template_item *begin = items + n;
        items[n++] = (struct qn_template_item){.id = ids[0]};
        items[n++] = (struct qn_template_item){.kind = QN_ITEM_TEXT};
        items[n++] = (struct qn_template_item){.id = ids[1]};
        if (pair) {
            if (roberta)
                items[n++] = (struct qn_template_item){.id = ids[1]};
            items[n++] = (struct qn_template_item){.kind = QN_ITEM_SECOND, .type = !roberta};
            items[n++] = (struct qn_template_item){.id = ids[1], .type = !roberta};
        }
        QN_TRY(
            set_items(r, pair ? &r->t->pair : &r->t->single, begin, (uint32_t)(items + n - begin)));
    }
    return QN_OK;
}

static const struct qn_json_row posts[] = {
    {"ByteLevel", NULL}, // changes offsets, not ids
    {"TemplateProcessing", post_template},
    {"RobertaProcessing", post_pair},
    {"BertProcessing", post_pair},
};

const struct qn_json_part qn_json_post_part = QN_JSON_PART("post_processor", "processors", posts);

/* Decoders. */

static enum qn_status decoder_byte_level(struct qn_json_reader *r, struct qn_json_value step) {
    (void)step;
    return qn_tokenizer_add_decoder(r->t, (struct qn_decoder){.kind = QN_DECODE_BYTE_LEVEL},
                                    r->err);
}

static enum qn_status decoder_replace(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_decoder d = {.kind = QN_DECODE_REPLACE};
    QN_TRY(qn_json_read_replace(r, &d.pattern, &d.regex, &d.content, step));
    return qn_tokenizer_add_decoder(r->t, d, r->err);
}

static enum qn_status decoder_byte_fallback(struct qn_json_reader *r, struct qn_json_value step) {
    (void)step;
    r->t->byte_runs = true;
    return qn_tokenizer_add_decoder(r->t, (struct qn_decoder){.kind = QN_DECODE_BYTE_FALLBACK},
                                    r->err);
}

static enum qn_status decoder_metaspace(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_decoder d = {.kind = QN_DECODE_METASPACE};
    enum qn_prepend prepend;
    QN_TRY(qn_json_read_string(r, &d.pattern, qn_json_get(step, "replacement"), "Metaspace"));
    QN_TRY(qn_json_read_prepend(r, &prepend, step));
    d.drop_first = prepend != QN_PREPEND_NEVER;
    if (d.pattern.n == 0)
        return qn_fail(r->err, QN_E_TOKENIZER, "Metaspace with an empty replacement");
    return qn_tokenizer_add_decoder(r->t, d, r->err);
}

static enum qn_status decoder_fuse(struct qn_json_reader *r, struct qn_json_value step) {
    (void)step;
    r->fused = true; // pieces are joined anyway
    return QN_OK;
}

/* Of each token, or of the whole text behind Fuse. */
static enum qn_status decoder_strip(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_decoder d = {.kind = QN_DECODE_STRIP};
    qn_json_u32(&d.start, qn_json_get(step, "start"));
    qn_json_u32(&d.stop, qn_json_get(step, "stop"));
    QN_TRY(qn_json_read_string(r, &d.pattern, qn_json_get(step, "content"), "Strip"));
    if (d.pattern.n == 0)
        return qn_fail(r->err, QN_E_TOKENIZER, "decoder Strip of nothing");
    if (!r->fused)
        return qn_tokenizer_add_decoder(r->t, d, r->err);
    if (d.start > 1 || !qn_str_is(d.pattern, " "))
        return qn_fail(r->err, QN_E_UNSUPPORTED, "decoder Strip of %u and %u in tokenizer.json",
                       d.start, d.stop);
    r->t->strip_first = d.start == 1;
    r->t->strip_last = d.stop;
    return QN_OK;
}

static enum qn_status add_cleanup(struct qn_json_reader *r, struct qn_json_value step) {
    if (!qn_json_flag(step, "cleanup", true))
        return QN_OK;
    return qn_tokenizer_add_decoder(r->t, (struct qn_decoder){.kind = QN_DECODE_CLEANUP}, r->err);
}

static enum qn_status decoder_wordpiece(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_decoder d = {.kind = QN_DECODE_WORDPIECE};
    QN_TRY(qn_json_read_string(r, &d.pattern, qn_json_get(step, "prefix"), "WordPiece"));
    QN_TRY(qn_tokenizer_add_decoder(r->t, d, r->err));
    return add_cleanup(r, step);
}

static enum qn_status decoder_bpe(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_decoder d = {.kind = QN_DECODE_WORD_END};
    QN_TRY(qn_json_read_string(r, &d.pattern, qn_json_get(step, "suffix"), "BPEDecoder"));
    return d.pattern.n == 0 ? QN_OK : qn_tokenizer_add_decoder(r->t, d, r->err);
}

static enum qn_status decoder_ctc(struct qn_json_reader *r, struct qn_json_value step) {
    struct qn_decoder pad = {.kind = QN_DECODE_REPLACE, .content = {"", 0}};
    struct qn_decoder space = {.kind = QN_DECODE_REPLACE, .content = {" ", 1}};
    QN_TRY(qn_json_read_string(r, &pad.pattern, qn_json_get(step, "pad_token"), "CTC"));
    QN_TRY(
        qn_json_read_string(r, &space.pattern, qn_json_get(step, "word_delimiter_token"), "CTC"));
    if (pad.pattern.n == 0 || space.pattern.n == 0)
        return qn_fail(r->err, QN_E_TOKENIZER, "decoder CTC with an empty token");
    r->t->drop_repeats = true;
    QN_TRY(qn_tokenizer_add_decoder(r->t, pad, r->err));
    if (!qn_json_flag(step, "cleanup", true))
        return QN_OK;
    QN_TRY(add_cleanup(r, step));
    return qn_tokenizer_add_decoder(r->t, space, r->err);
}

static const struct qn_json_row decoders[] = {
    {"ByteLevel", decoder_byte_level},
    {"Replace", decoder_replace},
    {"ByteFallback", decoder_byte_fallback},
    {"Fuse", decoder_fuse},
    {"Strip", decoder_strip},
    {"Metaspace", decoder_metaspace},
    {"WordPiece", decoder_wordpiece},
    {"BPEDecoder", decoder_bpe},
    {"CTC", decoder_ctc},
};

const struct qn_json_part qn_json_decoder_part = QN_JSON_PART("decoder", "decoders", decoders);
