/* Raw blocks → numbers, for people who look into files. */
#include "base/dtype.h"
#include "quant/codec.h"
#include "quern.h"

enum qn_status qn_dequant(float *out, size_t *n, struct qn_str type, struct qn_str bytes,
                          struct qn_error *err) {
    enum qn_dtype dtype = qn_dtype_by_name(type.p, type.n);
    if (dtype == QN_DTYPE_NONE)
        return qn_fail(err, QN_E_UNSUPPORTED, "a type named \"%.*s\"",
                       (int)(type.n > 40 ? 40 : type.n), type.p);
    size_t block = qn_dtype_bytes(dtype);
    if (bytes.n % block != 0)
        return qn_fail(err, QN_E_ARGUMENT, "%zu bytes of %s, whose blocks have %zu", bytes.n,
                       qn_dtype_name(dtype), block);
    *n = bytes.n / block * qn_dtype_block(dtype);
    return out ? qn_codec_decode(out, dtype, bytes.p, *n, err) : QN_OK;
}
