"""Find model servers that run on this machine, by how they answer and not by their port.

Everything asked is a GET without credentials that changes nothing. `identify.py` says what the answers mean.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from twintrack.engines.identify import MODELS_PATH, Answer, Found, FoundModel, identify, next_paths

__all__ = ["Found", "FoundModel", "candidates_from", "find"]

PORTS = (11434, 1234, 8000, 8080, 3000, 30000, 1337)
"""Where servers listen unless told otherwise: Ollama, LM Studio, vLLM, llama.cpp, TGI, SGLang, Jan."""
VARIABLES = {"OLLAMA_HOST": 11434, "OPENAI_BASE_URL": 80}
"""Variables that may name one more address, each with the port it means if it names none."""

_MOST_BYTES = 65_536


async def find(candidates: Iterable[str] | None = None, timeout_s: float = 0.3) -> list[Found]:
    """Ask all candidates at once.

    Args:
        candidates: base addresses, as http://127.0.0.1:8000; those beyond this machine are left out. Default:
            `candidates_from` the environment.
        timeout_s: seconds each candidate has for all its answers together.
    """
    if candidates is None:
        bases = candidates_from(os.environ)
    else:
        parsed = (_base(candidate, 80) for candidate in candidates)
        bases = tuple(dict.fromkeys(base for base in parsed if base))
    found = await asyncio.gather(*(_probe(base, timeout_s) for base in bases))
    return [server for server in found if server]


def candidates_from(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Base addresses worth asking: what the environment names, if it is on this machine, then the usual ports."""
    named = (_base(environ.get(name, ""), port) for name, port in VARIABLES.items())
    usual = (f"http://127.0.0.1:{port}" for port in PORTS)
    return tuple(dict.fromkeys([*(base for base in named if base), *usual]))


def _base(text: str, default_port: int) -> str | None:
    """`text` as http://HOST:PORT with a prefix if it has one, /v1 removed; None if it is not plain HTTP on loopback."""
    text = text.strip()
    if not text:
        return None
    if "://" in text:
        default_port = 80
    else:
        text = "http://" + text
    try:
        parts = urlsplit(text)
        port = parts.port or default_port
        # a server told to listen on 0.0.0.0 or on no host at all is reached through loopback
        named = parts.hostname or "0.0.0.0"  # noqa: S104 - nothing listens here
        host = ipaddress.ip_address("127.0.0.1" if named == "localhost" else named)
    except ValueError:
        return None
    if host.is_unspecified:
        host = ipaddress.ip_address("127.0.0.1" if host.version == 4 else "::1")
    if parts.scheme != "http" or not host.is_loopback:
        return None
    shown = str(host) if host.version == 4 else f"[{host}]"
    return f"http://{shown}:{port}{parts.path.rstrip('/').removesuffix('/v1')}"


async def _probe(base: str, timeout_s: float) -> Found | None:
    deadline = asyncio.get_running_loop().time() + timeout_s
    answers = await _ask(base, (MODELS_PATH,), deadline)
    answers |= await _ask(base, next_paths(answers), deadline)
    return identify(base, answers)


async def _ask(base: str, paths: Iterable[str], deadline: float) -> dict[str, Answer]:
    """Answers that came in time, were whole, and were small enough."""

    async def ask(path: str) -> tuple[str, Answer] | None:
        try:
            async with asyncio.timeout_at(deadline):
                return path, await _get(base, path)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return None  # nobody there, too slow (TimeoutError is an OSError), cut off, too long, or not HTTP

    return dict(answer for answer in await asyncio.gather(*map(ask, paths)) if answer)


async def _get(base: str, path: str) -> Answer:
    """One GET on a connection of its own, in HTTP/1.0: such an answer is never chunked and ends with the connection.

    Raises:
        OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError: no whole HTTP answer within
            _MOST_BYTES.
    """
    parts = urlsplit(base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=_MOST_BYTES)
    try:
        request = f"GET {parts.path}{path} HTTP/1.0\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n\r\n"
        writer.write(request.encode("ascii"))
        status, headers = _head(await reader.readuntil(b"\r\n\r\n"))
        return Answer(status, headers, await _body(reader, headers))
    finally:
        writer.transport.abort()


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    if not protocol.startswith("HTTP/1."):
        raise ValueError("not HTTP")
    fields = (line.partition(":") for line in lines)
    return int(rest[:3]), {name.strip().lower(): value.strip() for name, colon, value in fields if colon}


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "content-length" in headers:
        length = int(headers["content-length"])
        if length > _MOST_BYTES:
            raise ValueError("too long")
        return await reader.readexactly(length)
    body = b""
    while part := await reader.read(_MOST_BYTES):
        body += part
        if len(body) > _MOST_BYTES:
            raise ValueError("too long")
    return body
