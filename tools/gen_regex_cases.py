#!/usr/bin/env python3
"""Writes tests/data/text/regex.json: where Python's `regex` package finds patterns in random texts.

    pip install regex; python3 tools/gen_regex_cases.py > tests/data/text/regex.json

The patterns are those of published tokenizers and random ones of the common part of both syntaxes. A case is
[pattern, text, [begin, end, …]] in bytes.
"""
import json
import random

import regex

PATTERNS = [
    r"(?=(\d{3})+(?!\d))", r"\d{1,3}(?=(?:\d{3})*\b)", r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", r"(?<=\d)(?=[a-z])", r"(?<!\d)\d\d", r"\s+$", r"^\s*",
    r"[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+",
    r"[\p{Han}]+|[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}",
    r"\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s", r"(a|ab)(c|bcd)?(d*)", r"(?>a+)b", r"a++b|a", r"(?:ab?)+?c", r"x*?y", r"(?:a|b)*+c|b", r"\bfoo\b", r"\Bo\B",
    r"[^\n]+|[\n]+", r"[\p{P}!-/:-@\[-`{-~]", r"(?i)straSSe|[k-m]+", r"(?i:[a-c]+)x", r"\A.|.\Z", r"(?:a{2}){2}|a{1,2}?b", r"[\w--\d]+" .replace("--", ""), r"\p{Lu}\P{Lu}*",
    r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", r"(?:(?:ab){1,2}c?){2,}", r"\u4e2d|\x41|\x{10ffff}".replace(r"|\x{10ffff}", ""), r"[^\W\d_]+", r"(?:\r?\n)+", r"[a-cx-z-]+|[]\-]+".replace("[]", r"[\]"),
]
PARTS = ["a", "b", "c", "ab", "abc", "bcd", "d", "x", "y", "foo", " ", "  ", "    ", "\n", "\r\n", "\t", "1", "12", "123", "1234", "\u0663", "A", "B", "Foo", "XMLHttp",
         "\u4e2d\u6587", "\u3042", "\u30ab", "\u0e01\u0e34", "e\u0301", "\u00e9", "'s", "'S", "'\u017f", "'ll", "\u212a", "K", "strasse", "STRASSE", "_", "-", "]", "[", "!", "/", "\U0001f600", "\u00a0", "\u0000"]
rng = random.Random(8)


def node(depth):
    kind = rng.randrange(10 if depth else 4)
    if kind < 3:
        return rng.choice(["a", "b", "c", "[ab]", "[^a]", ".", r"\d", r"\w", r"\s", r"\p{L}", r"\p{Lu}", "x"])
    if kind == 3:
        return rng.choice(["^", "$", r"\b", "(?!a)", "(?=b)", "(?<=a)", "(?<!b)"])
    if kind < 6:
        return "".join(node(depth - 1) for _ in range(rng.randrange(1, 4)))
    if kind < 8:
        return "(?:" + "|".join(node(depth - 1) for _ in range(rng.randrange(1, 4))) + ")"
    body = rng.choice(["a", "[ab]", r"\w", r"\s", "(?:ab)", "(?:a|bc)", "(?:a" + node(depth - 1) + ")"])
    return body + rng.choice(["*", "+", "?", "{2}", "{1,2}", "*?", "+?", "??", "*+", "++", "?+", "{2,}", "{1,3}?"])


def spans(compiled, text):
    at, out, last = 0, [], None
    starts = [0]
    for c in text:
        starts.append(starts[-1] + len(c.encode()))
    while at <= len(text):
        m = compiled.search(text, at)
        if not m:
            break
        if m.end() == m.start() and m.start() == last:
            at += 1
            continue
        out += [starts[m.start()], starts[m.end()]]
        at = last = m.end()
    return out


cases = []
for pattern in PATTERNS + [node(3) for _ in range(400)]:
    try:
        compiled = regex.compile(pattern, regex.MULTILINE | regex.V1)
    except regex.error:
        continue
    for _ in range(6 if len(cases) > 400 else 12):
        text = "".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 14)))
        cases.append([pattern, text, spans(compiled, text)])
print("[" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "]")
