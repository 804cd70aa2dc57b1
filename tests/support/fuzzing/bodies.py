"""JSON bodies for every endpoint, and what may be wrong with them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

PIXEL = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(24)).decode()
Place = tuple[str | int, ...]

GOOD: dict[str, list[dict[str, Any]]] = json.loads(Path(__file__).with_name("requests.json").read_bytes())
"""By path: requests that are right."""

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, float("nan"),
    float("inf"), 0.5, -0.0, 1e308, "", "x", "\0", "\r\nx: y", "é", "🦊", "\ud800", "\udfff\ud800", "￿", "a" * 300,
    "NaN", "true", "-1", "1e5", PIXEL, PIXEL[:40], "data:;base64,", "data:image/png;base64,!!!",
    "data:text/html,<script>", "http://169.254.169.254/", "file:///etc/passwd", "' OR 1=1 --", "{{7*7}}",
    "<script>alert(1)</script>", "../../etc/passwd", "%s%n", "$(id)", [], {}, [[]], [{}], [None], {"": None},
    {"type": "text"}, {"type": "text", "text": None}, {"type": "nonsense"}, "m", "auto", "sonnet", "user",
    "assistant", "system", "tool", "text", "restricted", "input_text", "output_text",
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
    {"type": "image_url", "image_url": PIXEL}, {"type": "input_image", "image_url": PIXEL},
    {"type": "image", "source": {"type": "url", "url": "x"}}, {"type": "tool_use"},
    {"type": "tool_result", "tool_use_id": "t", "content": None}, {"type": "function_call"}, {"role": "user"},
    {"role": "user", "content": []}, {"role": "nobody", "content": "x"}, {"role": None}, {"$ref": "#"},
    {"__proto__": {}}, {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
)  # fmt: skip
"""What stands where something else should."""

WORDS = (
    "model", "messages", "role", "content", "type", "text", "stream", "stream_options", "include_usage", "metadata",
    "max_tokens", "max_completion_tokens", "max_output_tokens", "tools", "tool_calls", "tool_choice", "function",
    "name", "arguments", "parameters", "input", "input_schema", "instructions", "system", "reasoning",
    "reasoning_effort", "response_format", "json_schema", "schema", "strict", "n", "logprobs", "top_logprobs",
    "logit_bias", "seed", "stop", "stop_sequences", "temperature", "top_p", "top_k", "user", "store",
    "previous_response_id", "background", "thread", "conversation", "prompt", "include", "truncation",
    "service_tier", "modalities", "audio", "thinking", "cache_control", "id", "call_id", "tool_call_id",
    "tool_use_id", "source", "data", "media_type", "image_url", "url", "detail", "file", "api_base", "base_url",
    "api_key", "twintrack_class", "twintrack_deadline_ms", "twintrack_max_cost_usd", "x", "", "output",
    "annotations", "status", "effort", "summary", "encrypted_content", "dimensions", "encoding_format",
)  # fmt: skip

_SPLICES = (
    b"", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u",
    b"\\ud800", b"\\u0000", b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e-999", b"1" * 400, b"0x1", b"01",
    b"1.", b"+1", b"null", b"true", b"\xef\xbb\xbf", b"\xfe\xff", b"// x\n", b"/* x */", b"'", b"\r\n", b"\t",
    b" " * 40, b"[" * 200, b"{\"a\":" * 200,
)  # fmt: skip


def paths(value: Any, at: Place = ()) -> list[Place]:
    """Of everything inside `value`, itself included."""
    found = [at]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += paths(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += paths(inner, (*at, index))
    return found


def changed(random: Random, body: dict[str, Any]) -> Any:
    """A copy with one thing in it changed, added, taken away, doubled or moved."""
    body = json.loads(json.dumps(body))
    places = paths(body)
    at = random.choice(places[1:] or places)
    if not at:
        return random.choice(ODD)
    inside: Any = body
    for part in at[:-1]:
        inside = inside[part]
    last: Any = at[-1]
    way = random.random()
    if way < 0.45:
        inside[last] = random.choice(ODD)
    elif way < 0.55:
        del inside[last]
    elif way < 0.75 and isinstance(inside, dict):
        inside[random.choice(WORDS)] = random.choice(ODD)
    elif way < 0.85 and isinstance(inside, list):
        inside.insert(random.randrange(len(inside) + 1), random.choice([*ODD, *inside]))
    elif way < 0.9:
        inside[last] = [inside[last]] * random.choice((1, 2, 50))
    elif way < 0.95:
        inside[last] = {random.choice(WORDS): inside[last]}
    elif isinstance(inside, dict):
        inside[random.choice(WORDS)] = inside.pop(last)
    else:
        inside.append(inside[last])
    return body


def written(random: Random, body: Any) -> bytes:
    """As JSON, in one of several hands."""
    text = json.dumps(
        body,
        ensure_ascii=random.random() < 0.5,
        separators=random.choice(((",", ":"), (", ", ": "), (" ,\n", "\t:"))),
        indent=random.choice((None, None, None, 1)),
    )
    data = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.1 and data.startswith(b"{"):
        data = _doubled(random, data)
    for _ in range(random.choice((0, 0, 0, 0, 0, 0, 1, 2))):
        at = random.randrange(len(data) + 1)
        data = data[:at] + random.choice(_SPLICES) + data[at + random.choice((0, 0, 1, 3)) :]
    return data


def _doubled(random: Random, data: bytes) -> bytes:
    """A member twice, the second time with something else."""
    name = random.choice(WORDS).encode()
    odd = json.dumps(random.choice(ODD)).encode()
    return b'{"%b":%b,' % (name, odd) + data[1:]


def some_body(random: Random, good: Sequence[dict[str, Any]]) -> bytes:
    """One of `good`, mostly with up to four changes."""
    body: Any = random.choice(good)
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 4))):
        if isinstance(body, dict):
            body = changed(random, body)
    return written(random, body)


# ---- heavy ones, each for itself


def heavy(path: str, weight: int) -> dict[str, bytes]:
    """By name: bodies that cost much to read, or would in careless hands. `weight` 100: up to ten megabytes."""
    rest = json.dumps(GOOD[path][0]).encode()[1:-1]
    items = b'"%b":[%%b]' % _list(path)

    def with_(more: bytes) -> bytes:
        return b"{%b,%b}" % (rest, more)

    return {
        "deep arrays": b'{%b,"x":' % rest + b"[" * 10_000 * weight,
        "deep closed arrays": with_(b'"x":' + b"[" * 4_000 * weight + b"]" * 4_000 * weight),
        "deep objects": b'{%b,"x":' % rest + b'{"a":' * 3_000 * weight,
        "deep metadata": with_(b'"metadata":{"a":' + b"[" * 900 + b"]" * 900 + b"}"),
        "a million members": with_(b",".join(b'"k%d":0' % at for at in range(10_000 * weight))),
        "a million equal members": with_(b",".join([b'"x":0'] * 10_000 * weight)),
        "ten thousand tools": with_(b'"tools":[' + b",".join(_tool(path, at) for at in range(100 * weight)) + b"]"),
        "a hundred thousand items": with_(items % b",".join([_item(path)] * 1_000 * weight)),
        "a long number": with_(b'"max_tokens":' + b"9" * 10_000 * weight),
        "a long fraction": with_(b'"temperature":0.' + b"9" * 10_000 * weight),
        "a long name": with_(b'"%b":1' % (b"n" * 10_000 * weight)),
        "a long string": with_(b'"user":"%b"' % (b"u" * 10_000 * weight)),
        "escapes": with_(b'"user":"%b"' % (b"\\u0041" * 2_000 * weight)),
        "surrogates": with_(b'"user":"%b"' % (b"\\ud83e\\udd8a" * 1_000 * weight)),
        "spaces": b" " * 10_000 * weight + b"{%b}" % rest + b"\n" * 10_000 * weight,
        "images": with_(items % b",".join([_image(path)] * (2 * weight))),
    }


def _list(path: str) -> bytes:
    return b"messages" if "messages" in path or "chat" in path else b"input"


def _item(path: str) -> bytes:
    return b'"x"' if "embeddings" in path else b'{"role":"user","content":"x"}'


def _tool(path: str, at: int) -> bytes:
    tool: dict[str, Any] = {"name": f"f{at}", "description": "d", "input_schema": {"type": "object"}}
    if "chat" in path:
        tool = {"type": "function", "function": {"name": f"f{at}", "parameters": {"type": "object"}}}
    elif "responses" in path:
        tool = {"type": "function", "name": f"f{at}", "parameters": {"type": "object"}, "strict": False}
    return json.dumps(tool).encode()


def _image(path: str) -> bytes:
    data = base64.b64encode(bytes(20_000)).decode()
    part: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}}
    if path.startswith("/v1/messages"):
        part = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    elif "responses" in path:
        part = {"type": "input_image", "image_url": "data:image/png;base64," + data, "detail": "auto"}
    return json.dumps({"role": "user", "content": [part]}).encode()
