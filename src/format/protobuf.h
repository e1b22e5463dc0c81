/* Protocol Buffers on the wire: a walk over the fields of one message. Nothing is copied; a nested
 * message is walked by another reader over its bytes. */
#ifndef QN_FORMAT_PROTOBUF_H
#define QN_FORMAT_PROTOBUF_H

#include "base/str.h"

enum qn_protobuf_type {
    QN_PROTOBUF_VARINT = 0,
    QN_PROTOBUF_FIXED64 = 1,
    QN_PROTOBUF_BYTES = 2, // strings, messages, packed lists
    QN_PROTOBUF_FIXED32 = 5,
};

struct qn_protobuf_field {
    uint32_t number;
    enum qn_protobuf_type type;
    uint64_t value;      // of the number types; negative integers are sign-extended
    struct qn_str bytes; // of BYTES
};

struct qn_protobuf {
    struct qn_str bytes;
    size_t at;
};

/* The next field: false at the end and on an error, which *status then tells (QN_E_FORMAT with the
 * offset: cut off, a varint too long, a field number of 0, or a group). */
bool qn_protobuf_next(struct qn_protobuf *p, struct qn_protobuf_field *out, enum qn_status *status,
                      struct qn_error *err);

static inline struct qn_protobuf qn_protobuf_open(struct qn_str bytes) {
    return (struct qn_protobuf){.bytes = bytes};
}

#endif
