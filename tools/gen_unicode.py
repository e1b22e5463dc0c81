#!/usr/bin/env python3
"""Writes src/text/unicode_tables.c and .h from Python's unicodedata.

    python3 tools/gen_unicode.py src/text/unicode_tables.h > src/text/unicode_tables.c

Properties are a three-stage table of one byte per code point below 0x32000 (what lies above is a
handful of ranges in unicode.c): bits 0-4 general category (index into CATEGORIES), bit 5 White_Space,
bit 6 "NFC may change it" (combining class not 0, or NFC quick check not Yes), bit 7 word character
as \\w of UTS 18.
"""
import sys
import unicodedata as ud

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()
LIMIT = 0x32000
SPACE = {9, 10, 11, 12, 13, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
# Other_Alphabetic outside of the categories L, M and Nl: circled and squared letters.
CIRCLED = {*range(0x24B6, 0x24EA), *range(0x1F130, 0x1F14A), *range(0x1F150, 0x1F16A), *range(0x1F170, 0x1F18A)}


def is_surrogate(c):
    return 0xD800 <= c < 0xE000


def canonical(c):
    d = ud.decomposition(chr(c))
    if not d or d.startswith("<"):
        return None
    return [int(x, 16) for x in d.split()]


decompositions, compositions, seconds = {}, {}, set()
for c in range(LIMIT):
    if is_surrogate(c):
        continue
    d = canonical(c)
    if not d:
        continue
    assert len(d) <= 2 and all(x < 1 << 18 for x in d), hex(c)
    decompositions[c] = d
    # A primary composite: composing its decomposition gives it back.
    if len(d) == 2 and ud.normalize("NFC", "".join(map(chr, d))) == chr(c):
        compositions[tuple(d)] = c
        seconds.add(d[1])
seconds |= {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}  # Hangul vowels and trailing consonants

for c in range(LIMIT, 0x110000):
    assert is_surrogate(c) or (not ud.combining(chr(c)) and not canonical(c))


def prop(c):
    ch = chr(c)
    cat = ud.category(ch)
    p = CATEGORIES.index(cat)
    if c in SPACE:
        p |= 32
    if not is_surrogate(c) and (ud.combining(ch) or c in seconds or ud.normalize("NFC", ch) != ch):
        p |= 64
    if cat[0] in "LM" or cat in ("Nd", "Nl", "Pc") or c in (0x200C, 0x200D) or c in CIRCLED:
        p |= 128
    return p


props = [prop(c) for c in range(LIMIT)]
best = None
for shift in range(5, 9):
    size = 1 << shift
    blocks, index = {}, []
    for i in range(0, LIMIT, size):
        index.append(blocks.setdefault(bytes(props[i : i + size]), len(blocks)))
    wide = 1 if len(blocks) <= 256 else 2
    total = len(blocks) * size + len(index) * wide
    if best is None or total < best[0]:
        best = (total, shift, list(blocks), index, wide)
total, shift, blocks, index, wide = best
# The index has long repeats of its own: a third stage, of pages of PAGE entries.
PAGE = 64
assert wide == 2 and len(index) % PAGE == 0
page_of = {}
pages = [page_of.setdefault(tuple(index[i : i + PAGE]), len(page_of)) for i in range(0, len(index), PAGE)]
total += 2 * PAGE * len(page_of) + len(pages) - 2 * len(index)

classes = []
for c in range(LIMIT):
    k = 0 if is_surrogate(c) else ud.combining(chr(c))
    if not k:
        continue
    if classes and classes[-1][2] == k and classes[-1][0] + classes[-1][1] == c and classes[-1][1] < 63:
        classes[-1][1] += 1
    else:
        classes.append([c, 1, k])

keys = sorted(decompositions)
second_of = sorted({(decompositions[c] + [0])[1] for c in keys})
assert len(second_of) <= 128 and second_of[0] == 0
first_units, second_units = [], []
for c in keys:
    first, second = (decompositions[c] + [0])[:2]
    high = first > 0xFFFF  # then in plane 1 where there is a second, else in plane 2
    assert first >> 16 == ((1 if second else 2) if high else 0), hex(c)
    first_units.append(first & 0xFFFF)
    second_units.append(second_of.index(second) | high << 7)
pairs = [keys.index(compositions[p]) for p in sorted(compositions)]


# Compatibility decompositions, in full (what NFKD makes of a character, where NFD does less): runs
# of single characters that map to a run, and the others. A target above the BMP is kept as a
# surrogate, relative to ASTRAL.
ASTRAL = 0x1DF00
compat = {}
for c in range(LIMIT):
    if not is_surrogate(c) and (k := ud.normalize("NFKD", chr(c))) != ud.normalize("NFD", chr(c)):
        compat[c] = [ord(x) for x in k]
runs, others, lengths, units = [], [], [], []
keys_left = sorted(compat)
while keys_left:
    c, n = keys_left[0], 1
    while len(compat[c]) == 1 and compat[c][0] + n < 0xD800 and compat.get(c + n) == [compat[c][0] + n]:
        n += 1
    if n > 1:
        runs.append(c << 32 | n << 16 | compat[c][0])
    else:
        others.append(c)
        lengths.append(len(compat[c]))
        units += [x if x < 0x10000 else x - ASTRAL + 0xD800 for x in compat[c]]
    keys_left = keys_left[n:]
assert len(units) < 1 << 16 and max(units) < 0xFFFF


def distances(keys, step):
    return [0 if i % step == 0 else k - keys[i - 1] for i, k in enumerate(keys)]


# Sorted code points: one in STEP in full, the others as their distance from the one before. STEP is
# such that all distances fit 16 bits: the one large gap lies before a code point that is kept in full.
STEP = next(s for s in range(24, 64) if max(distances(keys, s) + distances(others, s)) < 1 << 16)
firsts = [sum(lengths[:i]) for i in range(0, len(lengths), STEP)]

# Lower case of single characters in runs: start, count, stride, delta. U+0130, whose lower case is
# two characters, is left to unicode.c.
lower = {c: ord(l) for c in range(0x110000) if not is_surrogate(c) and len(l := chr(c).lower()) == 1 and l != chr(c)}
lowers, keys_left = [], sorted(lower)
while keys_left:
    c = keys_left[0]
    best_run = (0, 1)
    for stride in (1, 2):
        n = 1
        while n < 127 and lower.get(c + n * stride, 0) - n * stride == lower[c] and (stride == 1 or c + n * stride - 1 not in lower):
            n += 1
        best_run = max(best_run, (n, stride))
    n, stride = best_run
    lowers.append(c << 40 | n << 33 | (stride - 1) << 32 | (lower[c] - c) & 0xFFFFFFFF)
    keys_left = keys_left[n:]


def emit(kind, name, values, fmt, per_line):
    print(f"const {kind} {name}[{len(values)}] = {{")
    for i in range(0, len(values), per_line):
        print("    " + ", ".join(fmt % v for v in values[i : i + per_line]) + ",")
    print("};")


def emit_apart(name, width, values):
    """Bytes of a kind together: the lowest of all values, then the next of all, … They compress better so."""
    emit("uint8_t", name, [v >> 8 * i & 255 for i in range(width) for v in values], "%d", 24)


print(f"/* Generated by tools/gen_unicode.py from Unicode {ud.unidata_version}; do not edit. */")
print('#include "text/unicode_tables.h"\n')
print("/* clang-format off */")
emit("uint8_t", "qn_unicode_pages", pages, "%d", 24)
emit("uint16_t", "qn_unicode_index", [b for page in page_of for b in page], "%d", 24)
emit("uint8_t", "qn_unicode_props", [b for block in blocks for b in block], "%d", 24)
print("/* Canonical: code points; first, low 16 bits; index of the second, 128: the first is above. */")
emit("uint32_t", "qn_unicode_canonical_starts", keys[::STEP], "0x%xu", 9)
emit("uint16_t", "qn_unicode_canonical_distances", distances(keys, STEP), "%d", 24)
emit_apart("qn_unicode_canonical_first", 2, first_units)
emit("uint8_t", "qn_unicode_canonical_second", second_units, "%d", 24)
emit("uint32_t", "qn_unicode_seconds", second_of, "0x%xu", 9)
print("/* Primary composites as indices into the table above, sorted by their pair. */")
emit_apart("qn_unicode_compositions", 2, pairs)
print("/* first << 14 | count << 8 | combining class, sorted */")
emit_apart("qn_unicode_classes", 4, [a << 14 | n << 8 | k for a, n, k in classes])
print("/* Compatibility: code point << 32 | count << 16 | first target, sorted. */")
emit_apart("qn_unicode_compat_runs", 8, runs)
print("/* The others: code points, index of each STEP-th's units, their lengths. */")
emit("uint32_t", "qn_unicode_compat_starts", others[::STEP], "0x%xu", 9)
emit("uint16_t", "qn_unicode_compat_distances", distances(others, STEP), "%d", 24)
emit("uint16_t", "qn_unicode_compat_first", firsts, "%d", 18)
emit("uint8_t", "qn_unicode_compat_lengths", lengths, "%d", 24)
emit_apart("qn_unicode_compat_units", 2, units)
print("/* Lower case: code point << 40 | count << 33 | stride - 1 << 32 | delta, sorted. */")
emit_apart("qn_unicode_lower", 8, lowers)
print("/* clang-format on */")

size = total + 5 * len(keys) + 4 * len(keys[::STEP]) + 4 * len(second_of) + 2 * len(pairs) + 4 * len(classes)
size += 8 * len(runs) + 3 * len(others) + 6 * len(firsts) + 2 * len(units) + 8 * len(lowers)
with open(sys.argv[1] if len(sys.argv) > 1 else "/dev/null", "w") as h:
    h.write(f"""/* Generated by tools/gen_unicode.py from Unicode {ud.unidata_version}; do not edit. {size} bytes of tables. */
#ifndef QN_TEXT_UNICODE_TABLES_H
#define QN_TEXT_UNICODE_TABLES_H

#include <stdint.h>

#define QN_UNICODE_LIMIT 0x{LIMIT:x}u
#define QN_UNICODE_SHIFT {shift}
#define QN_UNICODE_PAGE {PAGE}u
#define QN_UNICODE_STEP {STEP}u
#define QN_UNICODE_N_DECOMPOSITIONS {len(keys)}
#define QN_UNICODE_N_COMPOSITIONS {len(pairs)}
#define QN_UNICODE_N_CLASSES {len(classes)}
#define QN_UNICODE_N_COMPAT_RUNS {len(runs)}
#define QN_UNICODE_N_COMPAT {len(others)}
#define QN_UNICODE_N_COMPAT_UNITS {len(units)}
#define QN_UNICODE_N_LOWER {len(lowers)}

/* Values of several bytes in uint8_t: the lowest bytes of all, then the next of all, …. */
extern const uint8_t qn_unicode_pages[{len(pages)}];
extern const uint16_t qn_unicode_index[{PAGE * len(page_of)}];
extern const uint8_t qn_unicode_props[{len(blocks) << shift}];
extern const uint32_t qn_unicode_canonical_starts[{len(keys[::STEP])}];
extern const uint16_t qn_unicode_canonical_distances[QN_UNICODE_N_DECOMPOSITIONS];
extern const uint8_t qn_unicode_canonical_first[2 * QN_UNICODE_N_DECOMPOSITIONS];
extern const uint8_t qn_unicode_canonical_second[QN_UNICODE_N_DECOMPOSITIONS];
extern const uint32_t qn_unicode_seconds[{len(second_of)}];
extern const uint8_t qn_unicode_compositions[2 * QN_UNICODE_N_COMPOSITIONS];
extern const uint8_t qn_unicode_classes[4 * QN_UNICODE_N_CLASSES];
extern const uint8_t qn_unicode_compat_runs[8 * QN_UNICODE_N_COMPAT_RUNS];
extern const uint32_t qn_unicode_compat_starts[{len(firsts)}];
extern const uint16_t qn_unicode_compat_distances[QN_UNICODE_N_COMPAT];
extern const uint16_t qn_unicode_compat_first[{len(firsts)}];
extern const uint8_t qn_unicode_compat_lengths[QN_UNICODE_N_COMPAT];
extern const uint8_t qn_unicode_compat_units[2 * QN_UNICODE_N_COMPAT_UNITS];
extern const uint8_t qn_unicode_lower[8 * QN_UNICODE_N_LOWER];

#endif
""")
print(f"{size} bytes", file=sys.stderr)
