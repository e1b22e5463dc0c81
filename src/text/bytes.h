/* How vocabularies spell single bytes. */
#ifndef QN_TEXT_BYTES_H
#define QN_TEXT_BYTES_H

#include "base/str.h"

/* GPT-2's byte ⇄ character mapping; UINT32_MAX for a character outside of it. */
uint32_t qn_byte_to_char(unsigned char byte);
uint32_t qn_char_to_byte(uint32_t code_point);
/* 0…255 for "<0x00>"…"<0xFF>" with exactly two digits, else UINT32_MAX. */
uint32_t qn_byte_token(struct qn_str s);

#endif
