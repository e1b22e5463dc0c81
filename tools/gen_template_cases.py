#!/usr/bin/env python3
"""Digests of renderings by Jinja2, for tests/data/template/conversations.json.

The file holds conversations and sets of options; every template of SHARED/assets/chat-templates/llama.cpp, and those in
SHARED/assets/tokenizers/hub, is rendered with each pair, as transformers does it (trim_blocks, lstrip_blocks, loop controls,
its own tojson), except that lists may be changed and from_json is there. Writes the file anew; --check only compares.

    python3 tools/gen_template_cases.py SHARED [--check]
"""
import datetime
import hashlib
import json
import os
import sys

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.sandbox import SandboxedEnvironment

PATH = os.path.join(os.path.dirname(__file__), "..", "tests", "data", "template", "conversations.json")
NOW = datetime.datetime(2025, 7, 10, 12, 0)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("body"), [], [], body).set_lineno(line)

    def body(self, caller):
        return caller()


def fail(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    env.filters["tojson"] = to_json
    env.filters["from_json"] = json.loads
    env.globals["raise_exception"] = fail
    env.globals["strftime_now"] = NOW.strftime
    return env


def templates(shared):
    """(name, source): files by their names, others by their paths in tokenizers/hub."""
    folder = os.path.join(shared, "assets", "chat-templates", "llama.cpp")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".jinja"):
            yield name, open(os.path.join(folder, name), newline="", encoding="utf-8").read()
    folder = os.path.join(shared, "assets", "tokenizers", "hub")
    for root, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            path = os.path.join(root, name)
            key = "hub/" + os.path.relpath(path, folder)
            if name == "chat_template.jinja":
                yield key, open(path, newline="", encoding="utf-8").read()
            elif name == "tokenizer_config.json":
                source = json.load(open(path, encoding="utf-8")).get("chat_template")
                if isinstance(source, str):
                    yield key, source


def digest(env, source, contexts):
    sha = hashlib.sha256()
    template = env.from_string(source)
    for context in contexts:
        try:
            sha.update(template.render(**context).encode() + b"\0")
        except Exception:  # an error of the template, or recursion without end
            sha.update(b"\xff")
    return sha.hexdigest()


def main():
    shared, check = sys.argv[1], "--check" in sys.argv
    data = json.load(open(PATH, encoding="utf-8"))
    contexts = [json.loads('{"messages":%s,%s}' % (talk, option)) for talk in data["conversations"] for option in data["options"]]
    env = environment()
    digests = {name: digest(env, source, contexts) for name, source in templates(shared)}
    if check:
        differs = [name for name in set(digests) | set(data["digests"]) if digests.get(name) != data["digests"].get(name)]
        print(len(digests), "templates,", len(contexts), "contexts, differing:", sorted(differs))
        sys.exit(bool(differs))
    data["digests"] = digests
    with open(PATH, "w", encoding="utf-8") as out:
        parts = []
        for key, value in data.items():
            if isinstance(value, str):
                parts.append(json.dumps(key) + ":" + json.dumps(value))
            elif isinstance(value, dict):
                lines = ",\n".join(json.dumps(k) + ":" + json.dumps(v) for k, v in value.items())
                parts.append(json.dumps(key) + ":{\n" + lines + "}")
            else:
                parts.append(json.dumps(key) + ":[\n" + ",\n".join(map(json.dumps, value)) + "]")
        out.write("{" + ",\n".join(parts) + "}\n")


main()
