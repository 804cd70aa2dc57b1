"""Checkpoints are sent away: to a file, into a folder, or to an address that the configuration names."""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from twintrack.config.secrets import header_reference
from twintrack.errors import EnvironmentProblem
from twintrack.ledger.audit.checkpoint import Checkpoint, line

_PATIENCE_S = 10.0
_THERE_ALREADY = (409, 412)
"""What stores that are written once say to a name they have."""


def send(
    made: Checkpoint, to: str, headers: Mapping[str, str], secret: Callable[[str], str | None], ca: str = ""
) -> None:
    """
    Args:
        to, headers: as in `[audit]`, with absolute paths.
        ca: PEM file with further authorities; empty: none.
    Raises:
        EnvironmentProblem: it did not arrive.
    """
    try:
        if to.startswith("file:"):
            _write(made, to.removeprefix("file:"))
        else:
            _post(made, to, {name: _value(value, secret) for name, value in headers.items()}, ca)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EnvironmentProblem(
            f"A checkpoint of the audit chain did not arrive at {to}",
            why=str(error) or type(error).__name__,
            fix="Correct audit.checkpoint_to; until then only the database has it.",
        ) from None


def _name(made: Checkpoint) -> str:
    # With its time: a chain that was restored comes to the same length once more.
    return f"{made.chain}-{made.entries:012d}-{made.at_us}.json"


def _write(made: Checkpoint, to: str) -> None:
    text = line(made) + b"\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    path = Path(to)
    if to.endswith("/") or path.is_dir():
        path, flags = path / _name(made), flags | os.O_EXCL
    else:
        flags |= os.O_APPEND
    try:
        handle = os.open(path, flags, 0o644)
    except FileExistsError:
        return  # sent before, by a program that died before it could note it
    try:
        os.write(handle, text)
        os.fsync(handle)
    finally:
        os.close(handle)


def _value(said: str, secret: Callable[[str], str | None]) -> str:
    scheme, reference = header_reference(said)
    value = secret(reference)
    if value is None:
        raise ValueError("a secret among its headers cannot be read")
    return f"{scheme} {value}" if scheme else value


def _post(made: Checkpoint, to: str, headers: Mapping[str, str], ca: str) -> None:
    """Nobody is followed to another address, and no proxy is asked."""
    parts = urlsplit(to)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        tls = ssl.create_default_context()
        if ca:
            tls.load_verify_locations(ca)
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_PATIENCE_S, context=tls)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_PATIENCE_S)
    one_each = parts.path.endswith("/")
    try:
        connection.request(
            "PUT" if one_each else "POST",
            parts.path + _name(made) if one_each else parts.path or "/",
            line(made),
            {"content-type": "application/json", "user-agent": "twintrack", **headers},
        )
        status = connection.getresponse().status
    finally:
        connection.close()
    if not 200 <= status < 300 and not (one_each and status in _THERE_ALREADY):
        raise ValueError(f"it was answered with HTTP {status}")
