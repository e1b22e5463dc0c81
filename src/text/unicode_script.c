#include "text/unicode_script.h"

uint32_t qn_unicode_script(uint32_t code_point) {
    uint32_t begin = 0, script = 0;
    for (uint32_t i = 0; i < qn_unicode_script_size;) {
        uint32_t distance = 0, shift = 0;
        do {
            distance |= (qn_unicode_scripts[i] & 127u) << shift;
            shift += 7;
        } while (qn_unicode_scripts[i++] & 128);
        begin += distance;
        if (begin > code_point)
            break;
        script = qn_unicode_scripts[i++];
    }
    return script;
}

bool qn_unicode_script_by_name(uint32_t *out, struct qn_str name) {
    for (uint32_t i = 0; i < QN_N_SCRIPT_NAMES; i++) {
        if (qn_str_is(name, qn_unicode_script_names[i].name)) {
            *out = qn_unicode_script_names[i].script;
            return true;
        }
    }
    return false;
}
