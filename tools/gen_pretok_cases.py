#!/usr/bin/env python3
"""Writes tests/data/text/pretok.json: random texts cut by the regular expressions themselves.

    pip install regex; python3 tools/gen_pretok_cases.py > tests/data/text/pretok.json

Only characters assigned in the Unicode version of the generated tables are used. The last numbers are
checksums (FNV-1a, 64 bits) of the normalization forms and of lower case over all code points, by Python's unicodedata.
"""
import json
import random
import unicodedata as ud

import regex

C = "'s|'t|'re|'ve|'m|'ll|'d"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
UP, LOW = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PRE = r"[^\r\n\p{L}\p{N}]?"
PATTERNS = {
    "gpt2": C + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": f"(?i:{C})|{PRE}" + r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL,
    "qwen2": f"(?i:{C})|{PRE}" + r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL,
    "qwen35": f"(?i:{C})|{PRE}" + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + TAIL,
    "o200k": f"{PRE}{UP}*{LOW}+(?i:{C})?|{PRE}{UP}+{LOW}*(?i:{C})?" + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL,
}
# Patterns that leave gaps, which are words of their own here. BLOOM's set in a set is written without it for this engine.
GAPS = {
    "tekken": f"{PRE}{UP}*{LOW}+|{PRE}{UP}+{LOW}*" + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL,
    "clip": C + r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "bloom": " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+",
    "deepseek3": "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    "cjk": "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "number3": r"\p{N}{1,3}",
    "words": r"\w+|[^\w\s]+",
    "spaces": r"\s+",
}
SPELLED = {"bloom": " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"}
PARTS = (
    [" ", "  ", "   ", "\n", "\r\n", "\t", "\n\n", " \n", "\u00a0", "\u3000", "\u2028", "\x85", "\x1c", "\u200b"]
    + ["'s", "'S", "'\u017f", "'t", "'re", "'RE", "'rE", "'ve", "'m", "'LL", "'ll", "'d", "'", "''", "'x", "\u2019s"]
    + ["a", "word", "Word", "WORD", "camelCase", "XMLHttp", "\u00e9", "e\u0301", "\u01c5", "\u02b0", "\u4e2d\u6587", "\u0e01\u0e34", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0301", "\u0903"]
    + ["1", "12", "123", "1234", "\u0663", "\u00b2", "\u00bd", "\u2167", "3.14"]
    + ["!", "...", "//", "/", "-", "_", "+=", "$", "\u20ac", "\u2026", "\U0001f600", "\U0001f468\u200d\U0001f469", "\ufe0f", "\x00", "\x7f", "<|x|>"]
)


def text(rng):
    out = []
    for _ in range(rng.randrange(1, 12)):
        if rng.random() < 0.15:
            c = chr(rng.randrange(0x20, 0x3000 if rng.random() < 0.7 else 0x20000))
            if ud.category(c) not in ("Cn", "Cs", "Co"):
                out.append(c)
        else:
            out.append(rng.choice(PARTS))
    return "".join(out)


def fnv(h, data):
    for b in data:
        h = (h ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def checksum(step, before, after):
    h = 0xCBF29CE484222325
    for c in range(0x32000):
        if not 0xD800 <= c < 0xE000:
            s = before + chr(c) + after
            h = fnv(h, (s.lower() if step == "lower" else ud.normalize(step, s)).encode() + b"\n")
    return "%016x" % h


rng = random.Random(20)
cases = []
for name, pattern in PATTERNS.items():
    compiled = regex.compile(pattern)
    seen = set()
    while len(seen) < 250:
        s = text(rng)
        if s and s not in seen:
            seen.add(s)
            cut = [m.group() for m in compiled.finditer(s)]
            assert "".join(cut) == s
            cases.append({"pattern": name, "words": cut})
rng = random.Random(21)
for name, pattern in GAPS.items():
    compiled = regex.compile(SPELLED.get(name, pattern))
    seen = set()
    while len(seen) < 120:
        s = text(rng)
        if s and s not in seen:
            seen.add(s)
            cut, at = [], 0
            for m in compiled.finditer(s):
                cut += [s[at : m.start()], m.group()]
                at = m.end()
            cases.append({"pattern": name, "words": [w for w in cut + [s[at:]] if w]})
print('{"regexes":' + json.dumps(PATTERNS | GAPS) + ',"cases":[')
print(",\n".join(json.dumps(c) for c in cases))
print("],\"forms\":[")
AROUND = [("", ""), ("A", "\u0301"), ("\u0044\u0307", "\u0323\u0301"), ("\u1100", "\u11a8"), ("\u0915\u0301\u0327", "\u093c")]
CHECKS = [("NFC", b, a) for b, a in AROUND] + [(f, b, a) for f in ("NFD", "NFKC", "NFKD") for b, a in AROUND[:2]]
CHECKS += [("lower", "", "x")]
print(",\n".join(json.dumps({"step": f, "before": b, "after": a, "fnv": checksum(f, b, a)}) for f, b, a in CHECKS))
print("]}")
