"""Configuration files: right ones, and what hands and editors do to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

PASTED = "sk-canary-pasted-into-the-file-mfrggzdfmztwq2lk"
"""A secret where only a reference may stand."""

_FULL = """\
[server]
listen = "127.0.0.1:8080"
workers = 2
data = "data"
proxy = ""

[server.deadlines]
head_s = 5.0
total_s = 600

[server.limits]
max_body_bytes = 20_971_520
max_headers = 64

[[keys]]
name = "dev"
key = "env:FUZZ_CLIENT_KEY"
data_class = "internal"
models = ["auto", "small*"]

[[providers]]
name = "openai"
key = "env:FUZZ_PROVIDER_KEY"

[[providers]]
name = "room"
api = "vllm"
url = "http://10.0.0.5:8000/v1"
zone = "own"
region = "eu-west"

[[providers]]
name = "cloud"
api = "bedrock"
region = "us-east-1"

[[providers]]
name = "sim"
api = "openai"
url = "http://[::1]:9/v1"
zone = "third_party"
dialects = ["openai", "responses"]
simulated = true

[[deployments]]
model = "llama-3.3-70b-instruct"
provider = "room"
price = { per_hour_usd = 9.6 }
max_in_flight = 64

[[deployments]]
model = "gpt-5.4"
provider = "openai"

[[deployments]]
name = "mine"
model = "our-model"
upstream_model = "up"
provider = "room"
facts = { context_tokens = 8192, max_output_tokens = 100, modalities = ["text", "image"], tools = true, quality = 0.7 }
price = { input_usd_per_mtok = 0.2, output_usd_per_mtok = 0.4, cache_read_usd_per_mtok = 0.02 }

[[deployments]]
name = "vectors"
model = "vec"
provider = "sim"
facts = { embeddings = true }
price = { input_usd_per_mtok = 0.1 }

[routes.auto]
tiers = [
  { name = "small", deployments = ["llama-3.3-70b-instruct@room", "mine"] },
  { name = "premium", deployments = ["gpt-5.4@openai"] },
]
keep_quality = 0.98
max_usd_per_request = 0.05
max_ttft_ms = 2000
default_class = "internal"

[routes."quoted.name/v1"]
tiers = [{ name = "only", deployments = ["mine"] }]
mode = "observe"
observe = "mine"
drop_unsupported = true

[privacy]
restricted = { zones = ["own"] }
confidential = { zones = ["own", "contracted"], regions = ["eu-*"] }
"""

VALUES = (
    "true", "false", "0", "-1", "1", "1e400", "-inf", "nan", "0x10", "1_000", "9" * 30, "9" * 5_000, "0.5", '""',
    '"x"', '"\\u0000"', '"\\ud800"', '"é🦊"', "'lit'", '"""multi\nline"""', "'''\n'''", "[]", "[1]", '["own"]',
    "[[]]", "{}", "{ a = 1 }", "2026-11-30", "07:32:00", "1979-05-27T07:32:00Z", '"env:"', '"env:FUZZ_CLIENT_KEY"',
    '"env:NOT SET"', '"file:/nowhere"', '"file:"', '"file:\\u0000"', '"127.0.0.1:0"', '"0.0.0.0:80"',
    '"[::1]:8080"', '"host:99999"', '":8080"', '"http://"', '"http://[::"', '"http://u:p@h/"', '"https://h:0"',
    '"ftp://h"', '"http://h\\r\\nx: y"', '"HTTP://H"', '"http://h/?q#f"', '"own"', '"third_party"', '"restricted"',
    '"openai"', '"anthropic"', '"gpt-5.4"', '"auto"', '"*"', '"eu-*"', '"["', '"../.."', '"/dev/null"',
    "[" * 200, "{a=" * 200, "", "=", "#",
)  # fmt: skip
"""What stands behind a `=`."""
WORDS = (
    "server", "listen", "workers", "data", "tls", "cert", "key", "keys", "providers", "deployments", "routes",
    "privacy", "name", "model", "provider", "price", "facts", "tiers", "zone", "region", "url", "api", "auth",
    "dialects", "engine", "project", "simulated", "proxy", "ca", "max_in_flight", "per_hour_usd",
    "input_usd_per_mtok", "context_tokens", "modalities", "quality", "embeddings", "keep_quality", "mode",
    "observe", "default_class", "restricted", "public", "zones", "regions", "deadlines", "limits", "head_s",
    "max_body_bytes", "lisen", "x", '""', '"a b"', "a.b", "__class__", "'\\'",
)  # fmt: skip
LINES = (
    "[server]", "[[keys]]", "[[providers]]", "[[deployments]]", "[routes.auto]", "[routes]", "[privacy]",
    "[server.tls]", "[nonsense]", "[[server]]", "[keys]", "[routes.'']", '[routes."\\u0000"]', "[a.b.c.d]", "[",
    "[[", "]", "key", "= 1", "# comment", "\ufeff", "\0", "\x7f", "include = 'x'", "<<<<<<< HEAD", "=======",
    "- name: yaml", '{"json": 1}', "name: x", "[routes.auto.tiers]", "tiers = []",
)  # fmt: skip
_SPLICES = (
    "\0", "\r", "\n", '"', "'", "[", "]", "{", "}", "=", ".", "#", "\\", "\t", " ", "\x1b", "\u2028", "é", "🦊",
    "\ufeff",
)  # fmt: skip
_ASSIGNED = re.compile(r"^(\s*)([\w\"' .-]+?)(\s*=\s*)(.*)$")


KNOWN = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK")
"""Variables that hold a provider's key unless its configuration names another."""


def environ(files: list[str]) -> dict[str, str]:
    """What the files need."""
    named = {name for text in files for name in re.findall(r"env:([A-Z_]+)", text)}
    return dict.fromkeys((*KNOWN, *sorted(named)), "a-key")


def documented(root: Path) -> list[str]:
    """The configurations shown in the documents."""
    found = []
    for file in sorted((root / "docs").glob("*.md")):
        found += re.findall(r"^```toml[^\n]*\n(.*?)^```$", file.read_text(), re.MULTILINE | re.DOTALL)
    return found


def some_file(random: Random, right: list[str]) -> bytes:
    """A configuration with up to five changes."""
    text = random.choice(right)
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        text = random.choice(_CHANGES)(random, text)
    data = text.encode("utf-8", "surrogatepass")
    way = random.random()
    if way < 0.03:
        data = data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\n")))
    elif way < 0.05:
        at = random.randrange(len(data) + 1)
        data = data[:at] + random.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xfe\xff")) + data[at:]
    elif way < 0.06:
        data = text.encode("utf-16", "surrogatepass")
    elif way < 0.07:
        data = b"\xef\xbb\xbf" + data
    return data


def _value(random: Random, text: str) -> str:
    def other(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}{match[3]}{random.choice(VALUES)}"

    return _one_line(random, text, lambda line: _ASSIGNED.sub(other, line))


def _inner_value(random: Random, text: str) -> str:
    """Of an inline table, or a string in a list."""
    found = list(re.finditer(r'"[^"\n]*"|\b[\d.]+\b|\btrue\b', text))
    if not found:
        return text
    match = random.choice(found)
    return text[: match.start()] + random.choice(VALUES) + text[match.end() :]


def _word(random: Random, text: str) -> str:
    found = list(re.finditer(r"\b[a-z_]{3,}\b", text))
    if not found:
        return text
    match = random.choice(found)
    word = match[0]
    at = random.randrange(len(word))
    typo = (word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word.upper(), random.choice(WORDS))
    return text[: match.start()] + random.choice(typo) + text[match.end() :]


def _line_added(random: Random, text: str) -> str:
    lines = text.split("\n")
    way = random.random()
    new = random.choice(LINES) if way < 0.5 else f"{random.choice(WORDS)} = {random.choice(VALUES)}"
    lines.insert(random.randrange(len(lines) + 1), new)
    return "\n".join(lines)


def _line_gone_or_twice(random: Random, text: str) -> str:
    lines = text.split("\n")
    at = random.randrange(len(lines))
    return "\n".join(lines[:at] + [lines[at]] * random.choice((0, 2)) + lines[at + 1 :])


def _block_twice(random: Random, text: str) -> str:
    blocks = text.split("\n\n")
    return "\n\n".join([*blocks, random.choice(blocks)])


def _spliced(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(_SPLICES) + text[at + random.randrange(3) :]


def _cut(random: Random, text: str) -> str:
    return text[: random.randrange(len(text) + 1)]


def _pasted(random: Random, text: str) -> str:
    """A key where its reference should stand, or inside an address."""
    if random.random() < 0.5:
        pattern, instead, having = r'"env:[^"]*"', f'"{PASTED}"', "key ="
    else:
        pattern, instead, having = r'"http://[^"]*"', f'"http://u:{PASTED}@h/v1"', "url"
    return _one_line(random, text, lambda line: re.sub(pattern, instead, line), having)


def _one_line(random: Random, text: str, change: Callable[[str], str], having: str = "=") -> str:
    lines = text.split("\n")
    places = [at for at, line in enumerate(lines) if having in line]
    if not places:
        return text
    at = random.choice(places)
    lines[at] = change(lines[at])
    return "\n".join(lines)


_CHANGES = (
    _value, _value, _value, _inner_value, _inner_value, _word, _word, _line_added, _line_added, _line_gone_or_twice,
    _block_twice, _spliced, _cut, _pasted,
)  # fmt: skip


def right_files(root: Path) -> list[str]:
    return [_FULL, _FULL, *documented(root)]
