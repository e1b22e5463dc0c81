/* Dictionaries in order of insertion, with a hash index once they are large. */
#include "text/template_internal.h"

enum { INDEX_FROM = 12 }; // entries; below, a scan over the hashes is as fast

enum qn_status qn_tdict_new(struct qn_tctx *ctx, struct qn_tdict **out) {
    void *dict;
    QN_TRY(qn_tctx_alloc(ctx, &dict, 1, sizeof(struct qn_tdict)));
    *out = dict;
    return QN_OK;
}

static uint64_t mix(uint64_t h) {
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 33;
}

/* Values that are equal have the same hash: 1, 1.0 and true are one key. */
static enum qn_status hash_of(struct qn_tctx *ctx, uint64_t *out, const struct qn_tval *key) {
    int64_t i;
    switch (key->kind) {
    case QN_TVAL_STR:
        QN_TRY(qn_tctx_spend(ctx, key->n / 256));
        *out = qn_str_hash(qn_tval_text(*key));
        return QN_OK;
    case QN_TVAL_BOOL:
    case QN_TVAL_INT:
        (void)qn_tval_as_int(&i, key);
        *out = mix((uint64_t)i);
        return QN_OK;
    case QN_TVAL_FLOAT:
        if (key->as.f > -9e18 && key->as.f < 9e18 && (double)(int64_t)key->as.f == key->as.f)
            *out = mix((uint64_t)(int64_t)key->as.f);
        else
            *out = 7; // rare; compared by value
        return QN_OK;
    case QN_TVAL_TUPLE:
        QN_TRY(qn_tctx_enter(ctx));
        *out = 1;
        for (uint32_t n = 0; n < key->as.list->n; n++) {
            uint64_t item;
            QN_TRY(qn_tctx_spend(ctx, 1));
            QN_TRY(hash_of(ctx, &item, &key->as.list->items[n]));
            *out = mix(*out * 31 + item);
        }
        ctx->nest--;
        return QN_OK;
    case QN_TVAL_LIST:
    case QN_TVAL_DICT:
        return qn_tfail(&ctx->site, "%s cannot be a key", qn_tval_type(key));
    default:
        *out = key->kind == QN_TVAL_BIGINT ? 7 : key->kind;
        return QN_OK;
    }
}

/* Entry of `key`, or UINT32_MAX. */
static enum qn_status find(struct qn_tctx *ctx, uint32_t *out, struct qn_tdict *dict,
                           const struct qn_tval *key, uint64_t hash) {
    bool same;
    *out = UINT32_MAX;
    if (!dict->index) {
        for (uint32_t i = 0; i < dict->n; i++) {
            if (dict->entries[i].hash != hash)
                continue;
            QN_TRY(qn_tval_equal(ctx, &same, &dict->entries[i].key, key));
            if (same) {
                *out = i;
                return QN_OK;
            }
        }
        return QN_OK;
    }
    for (uint32_t slot = (uint32_t)hash;; slot++) {
        uint32_t entry = dict->index[slot & (dict->n_index - 1)];
        if (!entry)
            return QN_OK;
        QN_TRY(qn_tctx_spend(ctx, (slot - (uint32_t)hash) & 1)); // crowded by design: not for free
        if (dict->entries[entry - 1].hash != hash)
            continue;
        QN_TRY(qn_tval_equal(ctx, &same, &dict->entries[entry - 1].key, key));
        if (same) {
            *out = entry - 1;
            return QN_OK;
        }
    }
}

static void index_add(struct qn_tdict *dict, uint32_t entry) {
    uint32_t slot = (uint32_t)dict->entries[entry].hash;
    while (dict->index[slot & (dict->n_index - 1)])
        slot++;
    dict->index[slot & (dict->n_index - 1)] = entry + 1;
}

static enum qn_status rebuild(struct qn_tctx *ctx, struct qn_tdict *dict, uint32_t n_index) {
    void *index;
    if (n_index > dict->n_index) {
        QN_TRY(qn_tctx_alloc(ctx, &index, n_index, sizeof(uint32_t)));
        dict->index = index;
        dict->n_index = n_index;
    } else {
        memset(dict->index, 0, dict->n_index * sizeof(uint32_t));
    }
    for (uint32_t i = 0; i < dict->n; i++)
        index_add(dict, i);
    return QN_OK;
}

enum qn_status qn_tdict_get(struct qn_tctx *ctx, struct qn_tval **out, struct qn_tdict *dict,
                            const struct qn_tval *key) {
    uint64_t hash;
    uint32_t at;
    QN_TRY(hash_of(ctx, &hash, key));
    QN_TRY(find(ctx, &at, dict, key, hash));
    *out = at == UINT32_MAX ? NULL : &dict->entries[at].value;
    return QN_OK;
}

enum qn_status qn_tdict_set(struct qn_tctx *ctx, struct qn_tdict *dict, const struct qn_tval *key,
                            const struct qn_tval *value) {
    uint64_t hash;
    uint32_t at;
    QN_TRY(hash_of(ctx, &hash, key));
    QN_TRY(find(ctx, &at, dict, key, hash));
    if (at != UINT32_MAX) {
        dict->entries[at].value = *value;
        return QN_OK;
    }
    if (dict->n == dict->capacity) {
        void *entries;
        uint32_t capacity = dict->capacity ? dict->capacity * 2 : 4;
        QN_TRY(qn_tctx_alloc(ctx, &entries, capacity, sizeof(struct qn_tentry)));
        if (dict->n)
            memcpy(entries, dict->entries, dict->n * sizeof(struct qn_tentry));
        dict->entries = entries;
        dict->capacity = capacity;
    }
    dict->entries[dict->n++] = (struct qn_tentry){*key, *value, hash};
    if (dict->index && dict->n * 2 <= dict->n_index)
        index_add(dict, dict->n - 1);
    else if (dict->index || dict->n > INDEX_FROM)
        QN_TRY(rebuild(ctx, dict, dict->n_index ? dict->n_index * 2 : 64));
    return QN_OK;
}

enum qn_status qn_tdict_remove(struct qn_tctx *ctx, struct qn_tdict *dict, uint32_t entry) {
    QN_TRY(qn_tctx_spend(ctx, dict->n / 16));
    dict->n--;
    for (uint32_t i = entry; i < dict->n; i++)
        dict->entries[i] = dict->entries[i + 1];
    return dict->index ? rebuild(ctx, dict, dict->n_index) : QN_OK;
}

/* dict.update(): from a dict, or from a sequence of pairs. */
enum qn_status qn_tdict_merge(struct qn_tctx *ctx, struct qn_tdict *dict,
                              const struct qn_tval *from) {
    struct qn_tlist *list;
    if (from->kind == QN_TVAL_DICT || from->kind == QN_TVAL_NAMESPACE) {
        struct qn_tdict *other = from->as.dict;
        uint32_t n = other->n;
        QN_TRY(qn_tctx_spend(ctx, n));
        for (uint32_t i = 0; i < n; i++)
            QN_TRY(qn_tdict_set(ctx, dict, &other->entries[i].key, &other->entries[i].value));
        return QN_OK;
    }
    QN_TRY(qn_tval_iterate(ctx, &list, from));
    QN_TRY(qn_tctx_spend(ctx, list->n));
    for (uint32_t i = 0; i < list->n; i++) {
        struct qn_tval pair = list->items[i];
        if (!qn_tval_is_list(pair) || pair.as.list->n != 2)
            return qn_tfail(&ctx->site, "a dict is made of pairs");
        QN_TRY(qn_tdict_set(ctx, dict, &pair.as.list->items[0], &pair.as.list->items[1]));
    }
    return QN_OK;
}

enum qn_status qn_tdict_merge_args(struct qn_tctx *ctx, struct qn_tdict *dict,
                                   const struct qn_targs *args) {
    for (uint32_t i = 0; i < args->n_pos; i++)
        QN_TRY(qn_tdict_merge(ctx, dict, &args->pos[i]));
    for (uint32_t i = 0; i < args->n_named; i++)
        QN_TRY(qn_tdict_set(ctx, dict, &args->names[i], &args->named[i]));
    return QN_OK;
}
