"""Quantise, write the MLC files, measure and sample: export.py WORK OUT WIKITEXT"""
import hashlib
import json
import math
import os
import sys
import time

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from model import Grist, dequantise, quantise

SYSTEM = "You are a helpful assistant."
TEMPLATE = (
    "{%- if messages[0]['role'] == 'system' -%}"
    "{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}"
    "{%- else -%}"
    "{{- '<|im_start|>system\\n" + SYSTEM + "<|im_end|>\\n' }}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] != 'system' or not loop.first -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- endif -%}")
SHARD = 10 << 20
PROMPTS = [
    "Once upon a time, there was a little fox who",
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
    "The history of the city begins in the",
]
CHATS = [
    [{"role": "user", "content": "Hello!"}],
    [{"role": "system", "content": "You are Grist, a small and friendly assistant."}, {"role": "user", "content": "What is 2 + 3?"}],
    [{"role": "user", "content": "My name is Anna."}, {"role": "assistant", "content": "Nice to meet you, Anna!"}, {"role": "user", "content": "What is my name?"}],
]
ASK = [
    ["Tell me a short story about a dragon who is afraid of fire."], ["Hello! Who are you?"], ["What is the capital of France?"], ["Why is the sky blue?"],
    ["Write a short poem about the sea."], ["Name three fruits."], ["How are you today?"], ["My name is Anna.", "What is my name?"],
    ["Tell me a story about a girl named Lily and a lost ball."], ["What is the weather today?"], ["What is 7 + 5?"], ["What is a volcano?"],
    ["Tell me a joke."], ["Who wrote Romeo and Juliet?"], ["What do pandas eat?"], ["How do I make tea?"], ["Tell me a story about a robot and a cat."],
    ["I feel sad today."], ["What is the opposite of cold?"], ["How many legs does a spider have?"], ["What is the largest planet?"],
    ["Tell me about elephants."], ["Write a story about a brave little mouse."], ["What is the moon?"], ["Thank you!"], ["Can you write Python code?"],
    ["Give me some tips for learning English."], ["Who was Albert Einstein?"], ["Tell me a story."], ["What should I eat for dinner?"],
    ["I have a dog named Max.", "He likes to run.", "What is my dog called?"], ["What is love?"], ["Explain photosynthesis."],
    ["Write a story about a cat in space."], ["What did you do yesterday?"], ["Do you like music?"], ["What is the difference between a cat and a dog?"],
    ["Where is Japan?"], ["How does a car work?"], ["Tell me a bedtime story about the moon and a little star.", "What was the story about?"],
    ["What can I do on a rainy day?"], ["Is the Earth round?"], ["What color are bananas?"], ["I want to learn to cook."], ["Who is the king of Mars?"],
    ["What is a computer?"], ["Say hello to my friend Tom."], ["Why do cats sleep so much?"],
]


def fused(state, layers):
    """The float tensors under their MLC names, rows of q, k, v and of gate, up put together."""
    out = {"model.embed_tokens": state["model.embed_tokens.weight"]}
    for i in sorted(range(layers), key=str):
        p = f"model.layers.{i}"
        out[f"{p}.input_layernorm.weight"] = state[f"{p}.input_layernorm.weight"]
        out[f"{p}.mlp.down_proj"] = state[f"{p}.mlp.down_proj.weight"]
        out[f"{p}.mlp.gate_up_proj"] = torch.cat([state[f"{p}.mlp.{n}_proj.weight"] for n in ("gate", "up")])
        out[f"{p}.post_attention_layernorm.weight"] = state[f"{p}.post_attention_layernorm.weight"]
        out[f"{p}.self_attn.c_attn.bias"] = torch.cat([state[f"{p}.self_attn.{n}_proj.bias"] for n in "qkv"])
        out[f"{p}.self_attn.c_attn"] = torch.cat([state[f"{p}.self_attn.{n}_proj.weight"] for n in "qkv"])
        out[f"{p}.self_attn.o_proj"] = state[f"{p}.self_attn.o_proj.weight"]
    out["model.norm.weight"] = state["model.norm.weight"]
    return out


def words(q):
    """Eight codes to a uint32, the first in the lowest bits."""
    q = q.cpu().numpy().astype(np.uint32).reshape(q.shape[0], -1, 8)
    return (q << (4 * np.arange(8, dtype=np.uint32))).sum(-1, dtype=np.uint32)


def write(state, c, out):
    """Shards and tensor-cache.json; returns the state with every weight as it was stored."""
    tensors, back = [], {}
    for name, w in fused(state, c["num_hidden_layers"]).items():
        if w.dim() == 2:
            q, s = quantise(w)
            tensors += [(f"{name}.q_weight", words(q), "uint32"), (f"{name}.q_scale", s.cpu().numpy(), "float16")]
            back[name] = dequantise(q, s)
        else:
            tensors.append((name, w.half().numpy(), "float16"))
            back[name] = w.half().float()
    shards, blob, rows = [], b"", []

    def close():
        nonlocal blob, rows
        path = f"params_shard_{len(shards)}.bin"
        open(f"{out}/{path}", "wb").write(blob)
        shards.append({"dataPath": path, "format": "raw-shard", "nbytes": len(blob), "records": rows, "md5sum": hashlib.md5(blob).hexdigest()})
        blob, rows = b"", []
    for name, arr, dtype in tensors:
        data = np.ascontiguousarray(arr).astype("<u4" if dtype == "uint32" else "<f2").tobytes()
        if blob and len(blob) + len(data) > SHARD:
            close()
        rows.append({"name": name, "shape": list(arr.shape), "dtype": dtype, "format": "raw", "nbytes": len(data), "byteOffset": len(blob)})
        blob += data
    close()
    size, count = sum(s["nbytes"] for s in shards), sum(w.numel() for w in state.values())
    json.dump({"metadata": {"ParamSize": len(tensors), "ParamBytes": float(size), "BitsPerParam": size * 8 / count}, "records": shards},
              open(f"{out}/tensor-cache.json", "w"), indent=1)
    flat = {}
    for name, w in back.items():
        if "c_attn" in name:
            p = name.split(".c_attn")[0]
            a, b = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
            for n, part in zip("qkv", w.split([a, b, b])):
                flat[f"{p}.{n}_proj.{'bias' if name.endswith('bias') else 'weight'}"] = part
        elif "gate_up" in name:
            g, u = w.chunk(2)
            flat[name.replace("gate_up", "gate") + ".weight"], flat[name.replace("gate_up", "up") + ".weight"] = g, u
        else:
            flat[name if name.endswith("weight") else name + ".weight"] = w
    return flat, size, count


def configs(c, out):
    """The small JSON files beside the weights."""
    eot, end = c["vocab_size"] - 3, c["vocab_size"] - 1
    conf = {
        "version": "0.1.0", "model_type": "qwen2", "quantization": "q4f16_1",
        "model_config": {
            "hidden_act": "silu", "hidden_size": c["hidden_size"], "intermediate_size": c["intermediate_size"],
            "num_attention_heads": c["num_attention_heads"], "num_hidden_layers": c["num_hidden_layers"],
            "num_key_value_heads": c["num_key_value_heads"], "rms_norm_eps": c["rms_norm_eps"], "rope_theta": c["rope_theta"],
            "vocab_size": c["vocab_size"], "tie_word_embeddings": True, "context_window_size": c["context"], "prefill_chunk_size": 512,
            "tensor_parallel_shards": 1, "head_dim": c["head_dim"], "dtype": "float32", "max_batch_size": 1},
        "vocab_size": c["vocab_size"], "context_window_size": c["context"], "sliding_window_size": -1, "prefill_chunk_size": 512,
        "attention_sink_size": -1, "tensor_parallel_shards": 1, "pipeline_parallel_stages": 1, "active_vocab_size": c["vocab_size"],
        "temperature": 0.6, "presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0, "top_p": 0.9,
        "tokenizer_files": ["tokenizer.json", "tokenizer_config.json"],
        "tokenizer_info": {"token_postproc_method": "byte_level", "prepend_space_in_encode": False, "strip_space_in_decode": False},
        "conv_template": {
            "name": "chatml", "system_template": "<|im_start|>system\n{system_message}<|im_end|>\n", "system_message": SYSTEM,
            "system_prefix_token_ids": None, "add_role_after_system_message": True,
            "roles": {"user": "<|im_start|>user", "assistant": "<|im_start|>assistant"},
            "role_templates": {"user": "{user_message}", "assistant": "{assistant_message}", "tool": "{tool_message}"},
            "messages": [], "seps": ["<|im_end|>\n"], "role_content_sep": "\n", "role_empty_sep": "\n",
            "stop_str": ["<|im_end|>", "<|endoftext|>"], "stop_token_ids": [end, eot], "function_string": "", "use_function_calling": False},
        "pad_token_id": eot, "bos_token_id": eot, "eos_token_id": [end, eot], "model_task": "chat"}
    json.dump(conf, open(f"{out}/mlc-chat-config.json", "w"), indent=2)
    added = {str(eot + i): {"content": t, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
             for i, t in enumerate(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])}
    json.dump({"add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
               "bos_token": None, "chat_template": TEMPLATE, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
               "model_max_length": c["context"], "pad_token": "<|endoftext|>", "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer",
               "unk_token": None}, open(f"{out}/tokenizer_config.json", "w"), indent=2)
    json.dump({"bos_token_id": eot, "pad_token_id": eot, "eos_token_id": [end, eot], "do_sample": True, "temperature": 0.6, "top_p": 0.9},
              open(f"{out}/generation_config.json", "w"), indent=2)


def hugging(state, c, device):
    """The reference implementation with these weights, in float32."""
    conf = Qwen2Config(vocab_size=c["vocab_size"], hidden_size=c["hidden_size"], intermediate_size=c["intermediate_size"],
                       num_hidden_layers=c["num_hidden_layers"], num_attention_heads=c["num_attention_heads"],
                       num_key_value_heads=c["num_key_value_heads"], max_position_embeddings=c["context"], rms_norm_eps=c["rms_norm_eps"],
                       rope_parameters={"rope_type": "default", "rope_theta": c["rope_theta"]}, tie_word_embeddings=True,
                       bos_token_id=c["vocab_size"] - 3, eos_token_id=c["vocab_size"] - 1, pad_token_id=c["vocab_size"] - 3, attn_implementation="eager" if device == "cpu" else "sdpa")
    net = Qwen2ForCausalLM(conf).float().eval()
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    net.tie_weights()
    return net.to(device)


@torch.no_grad()
def perplexity(net, tok, text, width=2048):
    """(perplexity per token, bits per byte), windows of the full context side by side."""
    ids = tok.encode(text).ids
    total, count = 0.0, 0
    for i in range(0, len(ids) - 1, width):
        x = torch.tensor([ids[i:i + width + 1]], device=net.device)
        if x.shape[1] < 2:
            break
        logits = net(x[:, :-1]).logits.float()
        total += torch.nn.functional.cross_entropy(logits[0], x[0, 1:], reduction="sum").item()
        count += x.shape[1] - 1
    return round(math.exp(total / count), 3), round(total / math.log(2) / len(text.encode()), 4)


@torch.no_grad()
def generate(net, prompts, end, pad, new, temperature, top_p):
    """Continue a batch of id lists (padded on the left) until <|im_end|>."""
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=net.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=net.device)
    args = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0} if temperature else {"do_sample": False}
    torch.manual_seed(0)
    out = net.generate(ids, attention_mask=mask, max_new_tokens=new, eos_token_id=[end, pad], pad_token_id=pad, **args)
    rows = []
    for r in out[:, width:].tolist():
        cut = min([r.index(t) for t in (end, pad) if t in r] or [len(r)])
        rows.append(r[:cut])
    return rows


def main(work, out, wikitext):
    os.makedirs(out, exist_ok=True)
    t0 = time.time()
    saved = torch.load(f"{work}/final.pt")
    c, state = saved["config"], saved["state"]
    flat, size, count = write(state, c, out)
    configs(c, out)
    text = open(f"{work}/tokenizer.json", encoding="utf-8").read()
    open(f"{out}/tokenizer.json", "w", encoding="utf-8").write(json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")))
    print(f"{count:,} parameters in {size:,} bytes, tokenizer {os.path.getsize(f'{out}/tokenizer.json'):,} bytes, {time.time() - t0:.0f} s", flush=True)
    tok = Tokenizer.from_file(f"{out}/tokenizer.json")
    eot, end = tok.token_to_id("<|endoftext|>"), tok.token_to_id("<|im_end|>")
    assert (eot, end) == (c["vocab_size"] - 3, c["vocab_size"] - 1)
    full, four = hugging(state, c, "cuda"), hugging(flat, c, "cuda")
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, chat_template=TEMPLATE)
    held = json.load(open(f"{work}/held.json"))
    held = {"WikiText-2 test": open(wikitext, encoding="utf-8").read(), "held-out encyclopedia": held["wiki"], "held-out TinyStories": held["tiny"],
            "held-out children's book": held["children"]}
    ppl = {k: {"float": perplexity(full, tok, v), "q4f16_1": perplexity(four, tok, v)} for k, v in held.items()}
    print(json.dumps(ppl, indent=1), f"{time.time() - t0:.0f} s", flush=True)

    def render(messages):
        return fast.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    samples = []
    for temperature in (0.0, 0.6):
        talks = [[] for _ in ASK]
        for turn in range(max(map(len, ASK))):
            live = [i for i, a in enumerate(ASK) if len(a) > turn]
            for i in live:
                talks[i].append({"role": "user", "content": ASK[i][turn]})
            ids = [tok.encode(render(talks[i])).ids for i in live]
            for i, r in zip(live, generate(four, ids, end, eot, 400, temperature, 0.9)):
                talks[i].append({"role": "assistant", "content": tok.decode(r)})
        samples.append({"temperature": temperature, "top_p": 0.9, "talks": talks})
    print(f"sampled after {time.time() - t0:.0f} s", flush=True)
    ref = hugging(flat, c, "cpu")
    own = Grist(c).place("cpu")
    own.load_state_dict(flat)
    with torch.no_grad():
        probe = torch.tensor([tok.encode(PROMPTS[0] * 8).ids])
        print("largest difference from the reference implementation:", (own(probe) - ref(probe).logits).abs().max().item(), flush=True)
    golden = {"name": "grist", "class": "Qwen2ForCausalLM", "compute": "weights dequantised to float32, (q - 7) * scale with no rounding to float16, "
              "norms and biases float16 widened, model in float32 on the CPU, eager attention", "sequences": [], "chats": []}
    with torch.no_grad():
        for n, p in enumerate(PROMPTS):
            ids = tok.encode(p).ids
            logits = ref(torch.tensor([ids])).logits[0]
            top = logits[-1].topk(20)
            seq, past = list(ids), None
            for _ in range(48):
                seq.append(int(ref(torch.tensor([seq])).logits[0, -1].argmax()))
            row = {"text": p, "ids": ids, "top": [[i, float(f"{v:.7g}")] for v, i in zip(top.values.tolist(), top.indices.tolist())],
                   "argmax": logits.argmax(-1).tolist(), "greedy": seq[len(ids):], "greedy_text": tok.decode(seq[len(ids):], skip_special_tokens=False)}
            if n == 0:
                row["logits_last"] = [float(f"{v:.7g}") for v in logits[-1].tolist()]
            golden["sequences"].append(row)
    for messages in CHATS:
        golden["chats"].append({"messages": messages, "prompt": render(messages), "ids": tok.encode(render(messages)).ids})
    json.dump(golden, open(f"{out}/golden.json", "w"), separators=(",", ":"))
    train = json.load(open(f"{work}/train.json"))
    json.dump({"perplexity": ppl, "bytes": size, "parameters": count, "train": train, "samples": samples}, open(f"{out}/report.json", "w"), ensure_ascii=False, indent=1)
    for i in range(len(ASK)):
        print(" || ".join(m["content"] for m in samples[1]["talks"][i]).replace("\n", " / ")[:700])
    print(f"exported in {time.time() - t0:.0f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
