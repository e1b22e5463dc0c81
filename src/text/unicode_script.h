/* Scripts of characters, over generated tables (tools/gen_scripts.py). */
#ifndef QN_TEXT_UNICODE_SCRIPT_H
#define QN_TEXT_UNICODE_SCRIPT_H

#include "base/str.h"

#define QN_N_SCRIPT_NAMES 31

struct qn_script_name {
    char name[11];
    uint8_t script;
};

extern const uint16_t qn_unicode_script_size;
extern const uint8_t qn_unicode_scripts[];
extern const struct qn_script_name qn_unicode_script_names[QN_N_SCRIPT_NAMES];

/* The number of a character's script; 0: none. */
uint32_t qn_unicode_script(uint32_t code_point);
/* Of the scripts that have a name here; false for others. */
bool qn_unicode_script_by_name(uint32_t *out, struct qn_str name);

#endif
