"""What is compared: how each gateway is configured and started. All listen on loopback, with one worker and no log."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

KEY = "sk-bench-of-no-worth"
_PATH = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin"

_NGINX = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_body_buffer_size 1m;
  keepalive_requests 1000000000;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""

_TWINTRACK = """\
[server]
listen = "127.0.0.1:{port}"
data = "{folder}/data"

[[keys]]
name = "bench"
key = "env:BENCH_KEY"

[[providers]]
name = "upstream"
api = "vllm"
url = "http://127.0.0.1:{upstream}/v1"
zone = "own"

[[deployments]]
name = "mock"
model = "mock"
provider = "upstream"
price = {{ input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }}
facts = {{ context_tokens = 131072, modalities = ["text"], tools = true, quality = 0.7 }}

[[deployments]]
name = "mock-premium"
model = "mock"
provider = "upstream"
price = {{ input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0 }}
facts = {{ context_tokens = 131072, modalities = ["text"], tools = true, quality = 0.9 }}

[[providers]]
name = "chat-only"
api = "tgi"
url = "http://127.0.0.1:{upstream}/v1"
zone = "own"

[[deployments]]
name = "mock-translated"
model = "mock"
provider = "chat-only"
price = {{ input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }}
facts = {{ context_tokens = 131072, modalities = ["text"], tools = true, quality = 0.7 }}

[routes.auto]
tiers = [
  {{ name = "small", deployments = ["mock"] }},
  {{ name = "premium", deployments = ["mock-premium"] }},
]
"""


_EVERYTHING = (
    _TWINTRACK.replace(
        'model = "mock"\nprovider = "upstream"\nprice = {{ input_usd_per_mtok = 2.0',
        'model = "mock"\nprovider = "elsewhere"\nprice = {{ input_usd_per_mtok = 2.0',
    )
    + """explore = 0.01
usd_per_day = 1000
pseudonyms = ["pii", "financial"]

[[providers]]
name = "elsewhere"
api = "vllm"
url = "http://127.0.0.1:{upstream}/v1"
zone = "third_party"
"""
)
"""The dear tier is a third party, so that each request is read before it is decided."""


class NotInstalled(Exception):
    """Says what is missing and how to get it."""


@dataclass(frozen=True)
class Launch:
    """A gateway ready to be started."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    routed_model: str = "mock"
    """What to ask for where the gateway is to choose."""
    translated_model: str = ""
    """What to ask for in another dialect than the upstream's; empty: this one cannot."""
    entries: Callable[[], int] | None = None
    """Attempts its ledger holds by now; None: it keeps none."""


@dataclass(frozen=True)
class Target:
    name: str
    prepare: Callable[[Path, int, int], Launch]
    """Takes a fresh folder, the port to listen on and the upstream's port. Raises NotInstalled."""


def nginx() -> Target:
    """The yardstick: it moves the same bytes and decides nothing."""

    def prepare(folder: Path, port: int, upstream: int) -> Launch:
        program = shutil.which("nginx", path=_PATH)
        if program is None:
            raise NotInstalled("nginx is not on this machine; install it with the system's package manager")
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, upstream=upstream, user=user))
        return Launch([program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")])

    return Target("nginx", prepare)


def twintrack(program: Path, name: str = "twintrack") -> Target:
    def prepare(folder: Path, port: int, upstream: int) -> Launch:
        if not program.exists():
            raise NotInstalled(f"there is no {program}; run `make environment` or name another with --twintrack")
        config = folder / "twintrack.toml"
        config.write_text(_TWINTRACK.format(folder=folder, port=port, upstream=upstream))
        return Launch(
            [str(program), "serve", "--config", str(config), "--listen", f"127.0.0.1:{port}"],
            environment={"BENCH_KEY": KEY, "TWINTRACK_HOME": str(folder / "home")},
            routed_model="auto",
            translated_model="mock-translated",
            entries=lambda: _entries(folder / "data" / "ledger.db"),
        )

    return Target(name, prepare)


def everything(program: Path) -> Target:
    """All that may decide about a request does: detectors, a fitted router, exploration, a budget, pseudonyms."""
    plain = twintrack(program, "everything")

    def prepare(folder: Path, port: int, upstream: int) -> Launch:
        launch = plain.prepare(folder, port, upstream)
        (folder / "twintrack.toml").write_text(_EVERYTHING.format(folder=folder, port=port, upstream=upstream))
        verdicts = folder / "verdicts.jsonl"
        verdicts.write_text("".join(_verdicts()))
        learn = [str(program), "learn", "router", "--from", str(verdicts), "--data", str(folder / "data")]
        done = subprocess.run(learn, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled(f"no router could be fitted: {done.stdout}{done.stderr}")
        return launch

    return Target("everything", prepare)


def _verdicts() -> Iterator[str]:
    """Questions of two kinds, of which the cheap model answers one: enough for a router that is taken."""
    for number in range(300):
        hard, guests = number % 2 == 1, "and every guest in the hall " * (number // 2 % 9)
        asked = f"prove the theorem about {number} {guests}" if hard else f"say hello to number {number} {guests}"
        for model, good in (("mock", not hard), ("mock-premium", True)):
            yield json.dumps({"prompt": asked, "model": model, "score": int(good)}) + "\n"


def peer(text: str) -> Target:
    """NAME=COMMAND, with {port} and {upstream} in it; it must serve the model `mock` for `KEY`.

    Raises NotInstalled: there is no command.
    """
    name, _, command = text.partition("=")
    if not name or not command.strip():
        raise NotInstalled(
            f"--peer {text!r} names no program; write NAME=COMMAND, with {{port}} and {{upstream}} in it"
        )

    def prepare(folder: Path, port: int, upstream: int) -> Launch:
        filled = command.replace("{port}", str(port)).replace("{upstream}", f"127.0.0.1:{upstream}")
        program, *arguments = shlex.split(filled)
        if shutil.which(program) is None:
            raise NotInstalled(f"there is no {program}, or it cannot be run; install it or correct --peer {name}=…")
        return Launch([program, *arguments])

    return Target(name, prepare)


def _entries(database: Path) -> int:
    if not database.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as ledger:
            return int(ledger.execute("SELECT count(*) FROM attempts WHERE ending IS NOT NULL").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet, or being made
        return 0
