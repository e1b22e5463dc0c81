#include "format/protobuf.h"

#include "base/num.h"

/* False at the end, or when it is too long. */
static bool read_varint(struct qn_protobuf *p, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && p->at < p->bytes.n; shift += 7) {
        uint64_t byte = (unsigned char)p->bytes.p[p->at++];
        if (shift == 63 && byte > 1)
            return false;
        value |= (byte & 127) << shift;
        if (byte < 128) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool read_field(struct qn_protobuf *p, struct qn_protobuf_field *out) {
    uint64_t key, n;
    if (!read_varint(p, &key) || key >> 3 == 0 || key >> 3 >= 1u << 29)
        return false;
    *out = (struct qn_protobuf_field){.number = (uint32_t)(key >> 3),
                                      .type = (enum qn_protobuf_type)(key & 7)};
    size_t left = p->bytes.n - p->at;
    switch (out->type) {
    case QN_PROTOBUF_VARINT:
        return read_varint(p, &out->value);
    case QN_PROTOBUF_FIXED64:
        if (left < 8)
            return false;
        out->value = qn_load_u64(p->bytes.p + p->at);
        p->at += 8;
        return true;
    case QN_PROTOBUF_FIXED32:
        if (left < 4)
            return false;
        out->value = qn_load_u32(p->bytes.p + p->at);
        p->at += 4;
        return true;
    case QN_PROTOBUF_BYTES:
        if (!read_varint(p, &n) || n > p->bytes.n - p->at)
            return false;
        out->bytes = qn_str_slice(p->bytes, p->at, p->at + (size_t)n);
        p->at += (size_t)n;
        return true;
    }
    return false;
}

bool qn_protobuf_next(struct qn_protobuf *p, struct qn_protobuf_field *out, enum qn_status *status,
                      struct qn_error *err) {
    size_t begin = p->at;
    *status = QN_OK;
    if (begin >= p->bytes.n)
        return false;
    if (read_field(p, out))
        return true;
    *status =
        qn_fail_at(err, QN_E_FORMAT, begin, "a protobuf field at byte %zu is malformed", begin);
    return false;
}
