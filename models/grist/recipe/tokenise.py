"""Train the tokenizer and turn every source into token arrays: tokenise.py PACK WORK [FIRST]

PACK holds the cleaned texts as .xz, WORK receives tokenizer.json and .npy files.
With FIRST, the folder that export.py wrote after the first pass, this is the
second pass: it takes the tokenizer from there and fewer texts.
"""
import json
import lzma
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import passes

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
HELD = {"wiki": 60, "books": 0, "children": 1, "pratham": 8, "tiny": 80}  # documents kept out of training
EOT = "\n<|endoftext|>\n"
VOCAB = 8192
ROW = 2049


def load(pack, name):
    with lzma.open(f"{pack}/{name}.xz", "rt", encoding="utf-8") as f:
        return f.read()


def train_tokenizer(texts):
    """Byte-level BPE with the split rule of Qwen2; the special tokens come last, as there."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tok.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    trainer = trainers.BpeTrainer(vocab_size=VOCAB - len(SPECIAL), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  show_progress=False)
    tok.train_from_iterator(texts, trainer)
    tok.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    return tok


def chat_ids(tok, rows):
    """Token ids and loss masks of conversations in ChatML; the mask covers what the assistant says and its <|im_end|>."""
    start, end, newline = tok.token_to_id("<|im_start|>"), tok.token_to_id("<|im_end|>"), tok.encode("\n").ids
    flat = [f"{role}\n" for row in rows for role, _ in row] + [text for row in rows for _, text in row]
    enc = [e.ids for e in tok.encode_batch(flat)]
    n = len(enc) // 2
    i, out = 0, []
    for row in rows:
        ids, mask = [], []
        for role, _ in row:
            head, body = [start] + enc[i], enc[n + i]
            says = int(role == "assistant")
            ids += head + body + [end] + newline
            mask += [0] * len(head) + [says] * (len(body) + 1) + [0] * len(newline)
            i += 1
        out.append((ids, mask))
    return out


def pack_rows(convs, pad, copies, seed):
    """Rows of whole conversations, each followed by a separator; several shuffles. Arrays: ids, assistant mask, any mask."""
    rng = random.Random(seed)
    rows_i, rows_m, rows_a = [], [], []
    for _ in range(copies):
        order = list(convs)
        rng.shuffle(order)
        ids, mask, some = [], [], []

        def flush():
            k = ROW - len(ids)
            rows_i.append(np.array(ids + [pad] * k, np.uint16))
            rows_m.append(np.array(mask + [0] * k, np.uint8))
            rows_a.append(np.array(some + [0] * k, np.uint8))
        for a, m in order:
            if len(a) + 1 > ROW:
                continue
            if len(ids) + len(a) + 1 > ROW:
                flush()
                ids, mask, some = [], [], []
            ids += a + [pad]
            mask += m + [0]
            some += [1] * (len(a) + 1)
        flush()
    return np.stack(rows_i), np.stack(rows_m), np.stack(rows_a)


def main(pack, work, first=None):
    t0 = time.time()
    plan = passes.SECOND if first else passes.FIRST
    names = [f"{s}.txt" for s in plan.texts] + [f"{s}.jsonl" for s in plan.dialogues] + ["chat.jsonl"]
    with ThreadPoolExecutor(8) as pool:
        raw = dict(zip(names, pool.map(lambda n: load(pack, n), names)))
    docs = {s: raw[f"{s}.txt"].split(EOT) for s in plan.texts}
    chat = [json.loads(r) for r in raw["chat.jsonl"].strip().split("\n")]
    print(f"loaded in {time.time() - t0:.0f} s", flush=True)
    rng = random.Random(1)
    if first:
        tok = Tokenizer.from_file(f"{first}/tokenizer.json")
        n = HELD["wiki"]
        docs["wiki"] = random.Random(3).sample(docs["wiki"][:-n], 1500) + docs["wiki"][-n:]
        docs["books"] = docs["books"][:30]
    else:
        sample = [d[:20000] for d in rng.sample(docs["wiki"], 1800)] + [d[:300000] for d in docs["books"][:60]]
        sample += [d[:300000] for d in docs["children"]] + docs["tiny"] * 2 + docs["pratham"]
        sample += [t for row in rng.sample(chat, 30000) for _, t in row]
        tok = train_tokenizer(sample)
    tok.save(f"{work}/tokenizer.json", pretty=False)
    eot = tok.token_to_id("<|endoftext|>")
    print(f"tokenizer with {tok.get_vocab_size()} entries after {time.time() - t0:.0f} s", flush=True)
    held = {}
    for s in plan.texts:
        parts, n = docs[s], HELD[s]
        held[s], parts = parts[:n] if s == "tiny" else parts[len(parts) - n:] if n else [], parts[n:] if s == "tiny" else parts[:len(parts) - n]
        rng.shuffle(parts)
        pieces = [p[i:i + 100000] for p in parts for i in range(0, len(p), 100000)]
        last = [i + 100000 >= len(p) for p in parts for i in range(0, len(p), 100000)]
        ids = []
        for enc, end in zip(tok.encode_batch(pieces), last):
            ids.append(np.array(enc.ids + ([eot] if end else []), np.uint16))
        arr = np.concatenate(ids)
        np.save(f"{work}/{s}.npy", arr)
        print(f"{s:10} {len(arr) / 1e6:6.2f} M tokens, {sum(map(len, parts)) / len(arr):.2f} characters each", flush=True)
    for s in plan.dialogues:
        talks = chat_ids(tok, [[(m["role"], m["content"]) for m in json.loads(r)] for r in raw[f"{s}.jsonl"].strip().split("\n")])
        np.savez(f"{work}/{s}.npz", *pack_rows([(i[:ROW - 1], m[:ROW - 1]) for i, m in talks], eot, 1, 3))
    rng.shuffle(chat)
    convs = chat_ids(tok, chat)
    np.savez(f"{work}/chat_held.npz", *pack_rows(convs[:600], eot, 1, 1))
    rows = pack_rows(convs[600:], eot, plan.copies, 2)
    np.savez(f"{work}/chat.npz", *rows)
    print(f"chat rows {rows[0].shape}, share of assistant tokens {rows[1].mean():.2f}, filled {rows[2].mean():.2f}")
    json.dump({s: "\n\n".join(d) if s != "children" else d[0][:400000] for s, d in held.items() if d}, open(f"{work}/held.json", "w"))
    open(f"{work}/ready", "w").close()
    print(f"tokenised in {time.time() - t0:.0f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
