"""Train Grist within a given time: train.py WORK SECONDS [FIRST]

One run in three parts that share one learning-rate schedule over the elapsed
time: reading (texts, some chats), chatting (mostly chats, loss on what the
assistant says), and the same with 4-bit weights in the forward pass. With
FIRST, the folder that export.py wrote after the first pass, this is the second
pass: it goes on from the weights there, without reading.
"""
import json
import os
import sys
import time

import numpy as np
import torch

import passes
from model import CONFIG, Grist, fake_quantise

WARM, ROWS, MICRO, ACCUM, DECAY = 0.02, 2048, 64, 1, 0.1


class Stream:
    """Endless rows from one long token array, or from packed rows with a mask; each epoch in a new order."""

    def __init__(self, ids, mask=None):
        self.ids, self.mask, self.queue, self.epochs = ids, mask, None, -1

    def take(self, n):
        out = []
        while n:
            if self.queue is None or not len(self.queue):
                self.epochs += 1
                if self.mask is None:
                    phase = int(torch.randint(0, ROWS, ()))
                    starts = torch.arange(phase, len(self.ids) - ROWS - 1, ROWS)
                else:
                    starts = torch.arange(len(self.ids))
                self.queue = starts[torch.randperm(len(starts))]
            part, self.queue = self.queue[:n], self.queue[n:]
            n -= len(part)
            part = part.to(self.ids.device)
            if self.mask is None:
                rows = self.ids[part[:, None] + torch.arange(ROWS + 1, device=part.device)].long()
                out.append((rows[:, :-1], rows[:, 1:]))
            else:
                rows = self.ids[part].long()
                out.append((rows[:, :-1], rows[:, 1:].masked_fill(self.mask[part][:, 1:] == 0, -100)))
        return [torch.cat(x) for x in zip(*out)]


def streams(work, device, plan):
    out = {}
    for s in plan.texts:
        out[s] = Stream(torch.from_numpy(np.load(f"{work}/{s}.npy").astype(np.int32)).to(device))
    for s in plan.dialogues + ["chat", "chat_held"]:
        z = np.load(f"{work}/{s}.npz")
        ids, says, any_ = (torch.from_numpy(z[f"arr_{i}"].astype(t)).to(device) for i, t in ((0, np.int32), (1, np.uint8), (2, np.uint8)))
        out[s] = Stream(ids, any_ if s in plan.dialogues else says)
        if s == "chat":
            out["chat_all"] = Stream(ids, any_)
    return out


def draw(sources, mix, n, carry):
    """n rows in the proportions of mix; what is left over of a share is carried to the next call."""
    for s, share in mix.items():
        carry[s] = carry.get(s, 0) + share * n
    counts = {s: int(carry[s]) for s in mix}
    short = n - sum(counts.values())
    for s in sorted(mix, key=lambda s: counts[s] - carry[s])[:max(0, short)]:
        counts[s] += 1
    while sum(counts.values()) > n:
        counts[max(counts, key=counts.get)] -= 1
    for s in mix:
        carry[s] -= counts[s]
    parts = [sources[s].take(k) for s, k in counts.items() if k]
    x, y = (torch.cat(t) for t in zip(*parts))
    order = torch.randperm(n, device=x.device)
    return x[order], y[order]


def orthogonal(g):
    """Newton-Schulz iteration of Muon for a stack of matrices."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if tall else x


class Muon:
    """Momentum whose steps are made orthogonal, for the matrices inside the layers."""

    def __init__(self, params):
        self.groups = {}
        for p in params:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.buf = {k: torch.zeros(len(v), *k, device=v[0].device) for k, v in self.groups.items()}

    @torch.no_grad()
    def step(self, lr, momentum):
        for shape, params in self.groups.items():
            g = torch.stack([p.grad for p in params])
            buf = self.buf[shape]
            buf.lerp_(g, 1 - momentum)
            u = orthogonal(torch.lerp(g, buf, momentum)).float()
            scale = max(1, shape[0] / shape[1]) ** 0.5
            for p, d in zip(params, u):
                p.mul_(1 - lr * DECAY)
                p.add_(d, alpha=-lr * scale)


def schedule(f, decay_from):
    """Warm up, hold, then a straight line to zero."""
    if f < WARM:
        return (f + 0.001) / WARM
    return 1.0 if f < decay_from else max(0.0, (1 - f) / (1 - decay_from))


def stored(folder):
    """The weights of an MLC folder, dequantised, under their published names."""
    flat = {}
    for shard in json.load(open(f"{folder}/tensor-cache.json"))["records"]:
        blob = open(f"{folder}/{shard['dataPath']}", "rb").read()
        for t in shard["records"]:
            arr = np.frombuffer(blob, "<u4" if t["dtype"] == "uint32" else "<f2", count=int(np.prod(t["shape"])), offset=t["byteOffset"])
            flat[t["name"]] = arr.reshape(t["shape"])
    out, c = {}, CONFIG
    for name, arr in flat.items():
        if name.endswith("q_scale"):
            continue
        if name.endswith("q_weight"):
            q = ((arr[..., None] >> (4 * np.arange(8, dtype=np.uint32))) & 15).reshape(arr.shape[0], -1, 32).astype(np.float32) - 7
            w = (q * flat[name.replace("q_weight", "q_scale")].astype(np.float32)[..., None]).reshape(arr.shape[0], -1)
            name = name.replace("q_weight", "weight")
        else:
            w = arr.astype(np.float32)
        w = torch.from_numpy(np.ascontiguousarray(w))
        if "c_attn" in name:
            a, b = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
            for n, part in zip("qkv", w.split([a, b, b])):
                out[name.replace("c_attn", f"{n}_proj")] = part.clone()
        elif "gate_up_proj" in name:
            for n, part in zip(("gate", "up"), w.chunk(2)):
                out[name.replace("gate_up_proj", f"{n}_proj")] = part.clone()
        else:
            out[name] = w
    return out


def main(work, seconds, first=None):
    plan = passes.SECOND if first else passes.FIRST
    start = time.time()
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    device = "cuda"
    net = Grist().place(device)
    compiled = torch.compile(net, dynamic=False)

    def loss_of(x, y):
        with torch.autocast("cuda", torch.bfloat16):
            return compiled(x, y)

    def warm_up(batch):
        """Compile before the clock of the schedule starts."""
        for _ in range(2):
            loss_of(*batch()).backward()
        net.zero_grad(set_to_none=True)
        torch.cuda.synchronize()
        print(f"compiled after {time.time() - start:.0f} s", flush=True)

    if first:  # compile while the texts are being tokenised
        net.load_state_dict({k: v.to(device) for k, v in stored(first).items()})
        warm_up(lambda: torch.randint(0, CONFIG["vocab_size"], (2, MICRO, ROWS), device=device))
        while not os.path.exists(f"{work}/ready"):
            if time.time() - start > 120:
                raise SystemExit("no texts")
            time.sleep(0.2)
    sources = streams(work, device, plan)
    held = {"chat": sources.pop("chat_held").take(MICRO)}
    tok_held = json.load(open(f"{work}/held.json"))
    from tokenizers import Tokenizer
    tok = Tokenizer.from_file(f"{work}/tokenizer.json")
    for s in ("wiki", "tiny", "children"):
        ids = torch.tensor(tok.encode(tok_held[s]).ids[:ROWS * MICRO + 1], device=device)
        n = (len(ids) - 1) // ROWS
        x, y = ids[:n * ROWS].view(n, ROWS), ids[1:n * ROWS + 1].view(n, ROWS)
        fill = MICRO - n
        held[s] = (torch.cat([x, x.new_zeros(fill, ROWS)]), torch.cat([y, y.new_full((fill, ROWS), -100)]))
    matrices = [p for n, p in net.named_parameters() if p.dim() == 2 and "embed" not in n]
    rest = [p for n, p in net.named_parameters() if p.dim() != 2 or "embed" in n]
    muon, adam = Muon(matrices), torch.optim.AdamW(rest, lr=plan.adam, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0, fused=True)
    quantised = matrices + [net.model.embed_tokens.weight]
    print(f"{sum(p.numel() for p in net.parameters()):,} parameters", flush=True)

    def evaluate():
        return {s: round(loss_of(*b).item(), 4) for s, b in held.items()}

    log, carry, step, tokens = [], {}, 0, 0
    part, snapshot = "read", None
    if not first:
        warm_up(lambda: draw(sources, plan.read, MICRO, carry))
    ready = time.time()
    before = evaluate() if first else None
    if first:
        print("start:", before, f"texts there after {ready - start:.0f} s", flush=True)
        if before["wiki"] > 3.4:
            raise SystemExit("the stored weights were not read well")
    while True:
        f = (time.time() - ready) / (start + seconds - ready)
        if f >= 1:
            break
        part = "read" if f < plan.chat_from else "chat" if f < plan.quant_from else "chat in 4 bits"
        if part != "read" and snapshot is None:
            snapshot = evaluate()
            print("end of reading:", snapshot, flush=True)
        four = part == "chat in 4 bits"
        if four:
            with torch.no_grad():
                master = [p.detach().clone() for p in quantised]
                for p in quantised:
                    p.copy_(fake_quantise(p))
        total = 0.0
        for _ in range(ACCUM):
            x, y = draw(sources, plan.read if part == "read" else plan.talk, MICRO, carry)
            loss = loss_of(x, y) / ACCUM
            loss.backward()
            total += loss.detach()
            tokens += x.numel()
        if four:
            with torch.no_grad():
                for p, m in zip(quantised, master):
                    p.copy_(m)
        lr = min(schedule(f, plan.decay_from), (step + 1) / 120)
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        for g in adam.param_groups:
            g["lr"] = plan.adam * lr
        adam.step()
        muon.step(plan.muon * lr, 0.85 + 0.10 * min(1, step / 300))
        net.zero_grad(set_to_none=True)
        step += 1
        if step in (1, 3, 10, 30) or step % 40 == 0:
            row = {"seconds": round(time.time() - ready), "step": step, "tokens": tokens, "part": part, "lr": round(lr, 3), "loss": round(float(total), 4)}
            if step % 200 == 0:
                row["held"] = evaluate()
            log.append(row)
            if not np.isfinite(row["loss"]):
                raise SystemExit("loss is not finite")
            if step in (1, 3, 10, 30) or step % 200 == 0:
                print(row, f"{tokens / (time.time() - ready) / 1e6:.2f} M tokens/s", flush=True)
    final = evaluate()
    with torch.no_grad():
        master = [p.detach().clone() for p in quantised]
        for p in quantised:
            p.copy_(fake_quantise(p))
    final4 = evaluate()
    with torch.no_grad():
        for p, m in zip(quantised, master):
            p.copy_(m)
    print("final, float:", final, "\nfinal, 4 bits:", final4, flush=True)
    print("epochs begun:", {s: v.epochs + 1 for s, v in sources.items()})
    info = {"steps": step, "tokens": tokens, "seconds": round(time.time() - start), "training_seconds": round(time.time() - ready),
            **({"start": before} if first else {}), "end_of_reading": snapshot, "final": final, "final_4bit": final4,
            "parameters": sum(p.numel() for p in net.parameters()), "epochs": {s: v.epochs + 1 for s, v in sources.items()}, "log": log}
    json.dump(info, open(f"{work}/train.json", "w"))
    torch.save({"config": CONFIG, "state": {k: v.detach().float().cpu() for k, v in net.state_dict().items()}}, f"{work}/final.pt")
    print(f"trained {step} steps, {tokens / 1e6:.0f} M tokens in {time.time() - start:.0f} s, peak {torch.cuda.max_memory_allocated() / 2**30:.0f} GiB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *sys.argv[3:])
