"""The Qwen2 architecture, written small, with the parameter names of the published models."""
import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {"vocab_size": 8192, "hidden_size": 512, "num_hidden_layers": 10, "num_attention_heads": 8, "num_key_value_heads": 2,
          "head_dim": 64, "intermediate_size": 1408, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "context": 2048}


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rope_table(c, device):
    """cos and sin for every position, both halves alike (half-split rotation)."""
    d = c["head_dim"]
    freq = 1.0 / c["rope_theta"] ** (torch.arange(0, d, 2, device=device).float() / d)
    angle = torch.outer(torch.arange(c["context"], device=device).float(), freq)
    angle = torch.cat([angle, angle], -1)
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    a, b = x.float().chunk(2, -1)
    return (x * cos + torch.cat([-b, a], -1) * sin).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, d = c["hidden_size"], c["head_dim"]
        self.d = d
        self.q_proj = nn.Linear(h, c["num_attention_heads"] * d)
        self.k_proj = nn.Linear(h, c["num_key_value_heads"] * d)
        self.v_proj = nn.Linear(h, c["num_key_value_heads"] * d)
        self.o_proj = nn.Linear(c["num_attention_heads"] * d, h, bias=False)
        self.repeat = c["num_attention_heads"] // c["num_key_value_heads"]

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        q, k, v = (p(x).view(b, t, -1, self.d).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = k.repeat_interleave(self.repeat, 1), v.repeat_interleave(self.repeat, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, i = c["hidden_size"], c["intermediate_size"]
        self.gate_proj = nn.Linear(h, i, bias=False)
        self.up_proj = nn.Linear(h, i, bias=False)
        self.down_proj = nn.Linear(i, h, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn = Attention(c)
        self.mlp = MLP(c)
        self.input_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.post_attention_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])


class Grist(nn.Module):
    """Qwen2ForCausalLM with tied embeddings."""

    def __init__(self, c=CONFIG):
        super().__init__()
        self.c = c
        self.model = Body(c)
        for name, p in self.named_parameters():
            if name.endswith("bias") or "o_proj" in name or "down_proj" in name:
                nn.init.zeros_(p)
            elif p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, targets=None):
        """Logits, or the mean loss over the targets that are not -100."""
        m = self.model
        x = m.embed_tokens(ids)
        if torch.is_autocast_enabled():
            x = x.bfloat16()
        cos, sin = self.cos[:ids.shape[1]], self.sin[:ids.shape[1]]
        for layer in m.layers:
            x = layer(x, cos, sin)
        logits = F.linear(m.norm(x), m.embed_tokens.weight)
        if targets is None:
            return logits
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-100)

    def place(self, device):
        """Move to a device and build the rotation tables there."""
        self.to(device)
        self.cos, self.sin = rope_table(self.c, device)
        return self


def quantise(w, steps=(1.0, 0.95, 0.9, 0.85, 0.8, 0.75)):
    """q4f16_1: (codes 0..14 as uint8, float16 scales) per 32 inputs; the scale is the best of a few."""
    g = w.float().view(w.shape[0], -1, 32)
    top = g.abs().amax(-1, keepdim=True)
    best = None
    for s in steps:
        scale = (top * (s / 7)).half().float().clamp_min(6e-8)
        q = (g / scale).round().clamp(-7, 7)
        err = (q * scale - g).square().sum(-1, keepdim=True)
        if best is None:
            best = [err, q, scale]
        else:
            keep = err < best[0]
            best = [torch.where(keep, a, b) for a, b in zip((err, q, scale), best)]
    _, q, scale = best
    return (q + 7).to(torch.uint8).view(w.shape), scale.squeeze(-1).half()


def dequantise(q, scale):
    """(q - 7) * scale in float32."""
    g = q.float().view(q.shape[0], -1, 32) - 7
    return (g * scale.float().unsqueeze(-1)).view(q.shape)


def fake_quantise(w):
    """The weights as the quantised model will see them."""
    return dequantise(*quantise(w))
