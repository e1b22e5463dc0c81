#include "text/bytes.h"

#include <string.h>

uint32_t qn_byte_to_char(unsigned char byte) {
    if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173))
        return byte;
    if (byte <= 32)
        return 256u + byte;
    return byte == 173 ? 323 : 256u + 33 + byte - 127;
}

uint32_t qn_char_to_byte(uint32_t code_point) {
    if (code_point >= 33 && code_point <= 255) {
        return code_point <= 126 || (code_point >= 161 && code_point != 173) ? code_point
                                                                             : UINT32_MAX;
    }
    if (code_point >= 256 && code_point <= 288)
        return code_point - 256;
    if (code_point >= 289 && code_point <= 322)
        return code_point - 289 + 127;
    return code_point == 323 ? 173 : UINT32_MAX;
}

uint32_t qn_byte_token(struct qn_str s) {
    uint32_t value;
    bool is =
        s.n == 6 && memcmp(s.p, "<0x", 3) == 0 && s.p[5] == '>' && qn_str_hex(&value, s, 3, 2);
    return is ? value : UINT32_MAX;
}
