"""Draw the loss curve and fill the numbers and samples into the model card: card.py MODEL_DIR

Reads report.json, writes loss.svg and the parts of README.md between the
markers <!-- name --> and <!-- /name -->.
"""
import json
import re
import sys

LINES = [("training", "#888888"), ("wiki", "#1f6feb"), ("children", "#8250df"), ("tiny", "#bf8700"), ("chat", "#1a7f37")]
NAMES = {"training": "training loss", "wiki": "held-out encyclopedia", "children": "held-out children's book", "tiny": "held-out TinyStories",
         "chat": "held-out chats (answers)"}


def curves(train):
    """Points (million tokens, loss) for every line."""
    out = {"training": [(r["tokens"] / 1e6, r["loss"]) for r in train["log"]]}
    for r in train["log"]:
        for k, v in r.get("held", {}).items():
            out.setdefault(k, []).append((r["tokens"] / 1e6, v))
    end = train["tokens"] / 1e6
    for k, v in train["final"].items():
        out[k].append((end, v))
    return out


def svg(train):
    """A plain line chart."""
    w, h, left, bottom, top = 720, 360, 46, 40, 12
    data, end, high = curves(train), train["tokens"] / 1e6, 6.0

    def xy(p):
        return f"{left + p[0] / end * (w - left - 12):.1f},{top + (1 - min(p[1], high) / high) * (h - top - bottom):.1f}"
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" font-family="sans-serif" font-size="11">',
           f'<rect width="{w}" height="{h}" fill="#ffffff"/>']
    for y in range(7):
        p = xy((0, y)).split(",")[1]
        out.append(f'<path d="M{left} {p}H{w - 12}" stroke="#e4e4e4"/><text x="{left - 8}" y="{float(p) + 4:.1f}" text-anchor="end">{y}</text>')
    for x in range(0, int(end) + 1, 100):
        out.append(f'<text x="{xy((x, 0)).split(",")[0]}" y="{h - bottom + 16}" text-anchor="middle">{x}</text>')
    parts = [next(r["tokens"] / 1e6 for r in train["log"] if r["part"] == p) for p in ("chat", "chat in 4 bits")]
    for x, name in zip(parts, ("chats", "4 bits")):
        px = xy((x, 0)).split(",")[0]
        out.append(f'<path d="M{px} {top}V{h - bottom}" stroke="#bbbbbb" stroke-dasharray="4 3"/><text x="{float(px) + 4:.1f}" y="{top + 10}" fill="#666666">{name}</text>')
    out.append(f'<text x="{w / 2}" y="{h - 6}" text-anchor="middle">million tokens</text>')
    for i, (name, colour) in enumerate(LINES):
        pts = " ".join(xy(p) for p in data[name])
        out.append(f'<polyline points="{pts}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        out.append(f'<text x="{w - 330}" y="{top + 34 + 14 * i}" fill="{colour}">{NAMES[name]}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def table(train):
    """The curve in numbers."""
    rows = ["| seconds | steps | M tokens | part | rate | training | encyclopedia | children's book | TinyStories | chats |",
            "| ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for r in train["log"]:
        if "held" in r and r["step"] % 400 == 0 or r["step"] == 200:
            e = r["held"]
            rows.append(f"| {r['seconds']} | {r['step']} | {r['tokens'] / 1e6:.0f} | {r['part']} | {r['lr']:.2f} | {r['loss']:.2f} | "
                        f"{e['wiki']:.2f} | {e['children']:.2f} | {e['tiny']:.2f} | {e['chat']:.2f} |")
    for name, e in (("end", train["final"]), ("end, rounded to 4 bits", train["final_4bit"])):
        rows.append(f"| {train['training_seconds']} | {train['steps']} | {train['tokens'] / 1e6:.0f} | {name} | 0.00 | | "
                    f"{e['wiki']:.2f} | {e['children']:.2f} | {e['tiny']:.2f} | {e['chat']:.2f} |")
    return "\n".join(rows)


def perplexity(ppl):
    """Before and after quantisation."""
    rows = ["| text | perplexity, float weights | perplexity, q4f16_1 | bits per byte, float | bits per byte, q4f16_1 |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, v in ppl.items():
        rows.append(f"| {name} | {v['float'][0]:.2f} | {v['q4f16_1'][0]:.2f} | {v['float'][1]:.3f} | {v['q4f16_1'][1]:.3f} |")
    return "\n".join(rows)


def samples(report, count=10):
    """The first conversations of the fixed list, as they came."""
    part = next(s for s in report["samples"] if s["temperature"] == 0.6)
    out = []
    for i, talk in enumerate(part["talks"][:count], 1):
        lines = [f"**{i}.**"]
        for m in talk:
            text = "\n".join("> " + row for row in m["content"].split("\n"))
            lines.append(f"*{'User' if m['role'] == 'user' else 'Grist'}*\n\n{text}")
        out.append("\n\n".join(lines))
    return "\n\n".join(out)


def main(folder):
    report = json.load(open(f"{folder}/report.json", encoding="utf-8"))
    open(f"{folder}/loss.svg", "w", encoding="utf-8").write(svg(report["train"]))
    card = open(f"{folder}/README.md", encoding="utf-8").read()
    fill = {"curve": table(report["train"]), "perplexity": perplexity(report["perplexity"]), "samples": samples(report)}
    for name, text in fill.items():
        card = re.sub(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m: m.group(1) + text + "\n" + m.group(2), card, flags=re.S)
    open(f"{folder}/README.md", "w", encoding="utf-8").write(card)


if __name__ == "__main__":
    main(sys.argv[1])
