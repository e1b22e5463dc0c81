/* What the readers of a request's parts share. */
#include "engine/chat_parts.h"

enum qn_status qn_chat_expected(struct qn_chat_reader *r, const char *field, const char *what) {
    return qn_fail(r->err, QN_E_ARGUMENT, "request field %s: expected %s", field, what);
}

enum qn_status qn_chat_no_memory(struct qn_chat_reader *r) {
    return qn_fail(r->err, QN_E_NO_MEMORY, "a request");
}

void qn_chat_write_member(struct qn_buf *buf, struct qn_json_value key,
                          struct qn_json_value value) {
    qn_buf_char(buf, ',');
    qn_buf_str(buf, qn_json_source(key));
    qn_buf_char(buf, ':');
    qn_json_write(buf, value);
}
