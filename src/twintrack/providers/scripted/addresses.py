"""Faults that lie in a deployment's address or certificate: addresses that make them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twintrack.errors import EnvironmentProblem

NAMELESS = "http://nobody.invalid/v1"
"""A name that never resolves (RFC 6761 §6.4)."""


@contextmanager
def refusing() -> Iterator[str]:
    """An address where connections are refused, since its port is taken and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a `ScriptedProvider` needs to speak TLS with a certificate as it is: expired, another host's, anybody's.

    Raises EnvironmentProblem: the files cannot be loaded, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise EnvironmentProblem(
            f"The certificate {certificate} cannot be used with the key {key}",
            why=str(error),
            fix="Both are PEM files.",
        ) from None
    return context
