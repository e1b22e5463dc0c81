"""Clean the corpora into plain documents, one text file per source.

usage: prepare.py CORPORA OUT

Writes OUT/{wiki,books,children,pratham,tiny}.txt, documents separated by a
line that holds only <|endoftext|>, and OUT/sgd.jsonl (chat messages).
Only the standard library is needed.
"""
import html
import json
import lzma
import os
import re
import sys
import tarfile
from collections import Counter

EOT = "\n<|endoftext|>\n"
QUOTES = str.maketrans({
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'",
    "\u2026": "...", "\u00a0": " ", "\u2009": " ", "\u200b": "", "\ufeff": "", "\u2013": "-", "\u2012": "-",
    "\u2212": "-", "\u00ad": "", "\t": " ", "\r": ""})


def read(path):
    """The text of a plain or xz file."""
    opener = lzma.open if path.endswith(".xz") else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as f:
        return f.read()


def tidy(text):
    """Straight quotes, plain spaces, no runs of blank lines."""
    text = html.unescape(text).translate(QUOTES)
    text = text.replace("--", "\u2014") if "----" not in text else re.sub(r"-{2,}", "\u2014", text)
    text = re.sub(r" +", " ", text)
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def wikitext_titles(text):
    """Article titles of the held-out WikiText-2 test set."""
    return {t.strip().lower() for t in re.findall(r"^ = ([^=].*?) = $", text, re.M)}


def wiki(text, held_out):
    """Encyclopedia articles: title line, then text; short pages and held-out titles left out."""
    for raw in text.split("</doc>"):
        m = re.search(r'<doc [^>]*title="(.*?)">\n', raw)
        if not m:
            continue
        title = html.unescape(m.group(1))
        if title.lower() in held_out or "disambiguation" in title or title.startswith(("List of", "Index of")):
            continue
        body = tidy(raw[m.end():])
        body = re.sub(r"<[^>]{1,80}>", "", body)
        body = re.sub(r"\( *[;,:]* *\)|\[ *\]", "", body)
        body = re.sub(r"\((?:[;,] *)+", "(", body)
        body = re.sub(r" +([,.;:)])", r"\1", re.sub(r" {2,}", " ", body))
        if len(body) < 400 or "may refer to:" in body[:300]:
            continue
        # bare headings and one-word list rows add little
        keep, rows = [], body.split("\n")
        for i, row in enumerate(rows):
            if i and len(row) < 25 and not row.endswith((".", "?", "!", '"')):
                continue
            keep.append(row)
        body = "\n".join(keep)
        letters = sum(c.isascii() for c in body) / len(body)
        if letters < 0.95:
            continue
        yield re.sub(r"\n+", "\n\n", body)


def book(raw):
    """One book: markdown marks and front matter removed."""
    body = raw.split(">", 1)[1] if ">" in raw[:300] else raw
    body = body.replace("</doc>", "")
    body = re.sub(r"^# Title:.*$|^## (Author|Year|Illustrat\w*|Translat\w*).*$|^-{3,}$", "", body, flags=re.M)
    body = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", body)
    body = re.sub(r"[*_]{1,3}(\S[^*_\n]*?)[*_]{1,3}", r"\1", body)
    body = re.sub(r"^#+ *", "", body, flags=re.M)
    return tidy(body)


def difficulty(text):
    """A crude reading score: long sentences and long words are hard."""
    sample = text[len(text) // 4:len(text) // 4 + 60000]
    words = re.findall(r"[A-Za-z']+", sample)
    if len(words) < 500:
        return 99.0
    odd = len(re.findall(r"\b(?:thou|thee|thy|hath|doth|'tis|ye)\b", sample)) / len(words)
    sentences = max(1, len(re.findall(r"[.!?]", sample)))
    return len(words) / sentences / 8 + sum(map(len, words)) / len(words) + 300 * odd


def books(text, limit):
    """The easiest books first, up to limit characters."""
    all_books = [book(d) for d in text.split("<doc title=")[1:]]
    total = 0
    for body in sorted(all_books, key=difficulty):
        if difficulty(body) > 90 or total > limit:
            continue
        total += len(body)
        yield body


def truecase(stories_lower, stories_cased):
    """Restore capitals in the lower-cased sample: sentence starts, I, and names learnt from the cased one."""
    cap, low = Counter(), Counter()
    for s in stories_cased:
        for m in re.finditer(r"(?<=[a-z,] )([A-Za-z][a-z]+)", s):
            (cap if m.group(1)[0].isupper() else low)[m.group(1).lower()] += 1
    names = {w for w, n in cap.items() if n >= 2 and n > 2 * low[w]}
    for s in stories_lower:
        local = set(re.findall(r"\b(?:named|called) ([a-z]+)", s)) | set(re.findall(r"\bname is ([a-z]+)", s))
        local -= {w for w, n in low.items() if n > 3}

        def fix(m):
            word = m.group(0)
            return word.capitalize() if word in names or word in local else word
        s = re.sub(r"[a-z]+", fix, s)
        s = re.sub(r"\bi\b(?=[ ',.!?])", "I", s)
        s = re.sub(r'(^|[.!?]"? +"?|\n+"?|[.!?,] "|: ")([a-z])', lambda m: m.group(1) + m.group(2).upper(), s)
        # a comma and a closing quote go on in lower case, unless a name follows
        yield s


def tiny(cased, lower):
    """TinyStories: the cased sample, then what only the lower-cased one has."""
    a = [tidy(s) for s in cased.split("<|endoftext|>")][:-1]
    seen = {re.sub(r"\W+", " ", s.lower())[:50] for s in a}
    b = [tidy(s) for s in re.split(r"(?<!\n)\n(?!\n)", lower)][:-1]
    joined = []
    for s in b:  # a row that opens with speech or a small word belongs to the story before
        opener = re.match(r"once|one (day|morning|night)|there (was|were|lived)", s)
        runs_on = re.match(r"[\"']|(so|but|then|when|after|suddenly|as|that|and|he|she|they|it|from|his|her)\b", s)
        if joined and not opener and (runs_on or len(joined[-1]) < 450):
            joined[-1] += "\n\n" + s
        else:
            joined.append(s)
    fresh = [s for s in joined if re.sub(r"\W+", " ", s)[:50] not in seen and len(s) > 300]
    return [s for s in a if len(s) > 200] + list(truecase(fresh, a))


def pratham(path):
    """Picture-book stories; every file used says CC-BY."""
    with tarfile.open(path) as tar:
        for member in tar:
            if not member.name.endswith(".md") or "/" not in member.name:
                continue
            raw = tar.extractfile(member).read().decode("utf-8", "replace")
            if "License: [CC-BY]" not in raw:
                continue
            raw = re.sub(r"^\* (License|Text|Illustration|Language|Translation|Photograph).*$", "", raw, flags=re.M)
            body = tidy(re.sub(r"^#+ *", "", raw, flags=re.M))
            if len(body) > 300:
                yield body


def save(path, docs):
    """Write documents with separators and say how much there is."""
    docs = [d.replace("<|", "< |") for d in docs]
    with open(path, "w", encoding="utf-8") as f:
        f.write(EOT.join(docs))
    print(f"{os.path.basename(path):14} {len(docs):6} documents {os.path.getsize(path) / 1e6:7.1f} MB")


def main(src, out):
    os.makedirs(out, exist_ok=True)
    held_out = wikitext_titles(read(f"{src}/wikitext-2-raw/wiki.test.raw"))
    save(f"{out}/tiny.txt", tiny(read(f"{src}/tinystories/tinystories-2MB.txt"),
                                 read(f"{src}/tinystories/tinystories-4MB.txt")))
    save(f"{out}/pratham.txt", pratham(f"{src}/pratham/pb-source-en.tar.gz"))
    save(f"{out}/children.txt", [book(d) for d in read(f"{src}/books/books-children.txt.xz").split("<doc title=")[1:]])
    save(f"{out}/wiki.txt", wiki(read(f"{src}/enwiki/enwiki-AA.txt.xz"), held_out))
    save(f"{out}/books.txt", books(read(f"{src}/books/books-general-part.txt.xz"), 80e6))
    with open(f"{out}/sgd.jsonl", "w", encoding="utf-8") as f:
        for i, row in enumerate(read(f"{src}/dialogue/dstc8-sgd.jsonl.xz").splitlines()):
            if i % 2 == 0:
                f.write(json.dumps(json.loads(row)["messages"], ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
