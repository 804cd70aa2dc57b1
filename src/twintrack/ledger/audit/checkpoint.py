"""A checkpoint: how long the chain was and how it ended, signed, to be kept where the chain's writer cannot reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from twintrack.errors import EnvironmentProblem

Algorithm = Literal["ed25519", "hmac-sha256"]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    form: int = 1
    chain: str
    entries: int
    hash: str
    """Of entry number `entries`, in hex."""
    at_us: int
    algorithm: Algorithm
    key: str
    """Which one signed: 16 hex digits of the SHA-256 of the public key, or of an HMAC of "twintrack audit key"."""
    signature: str
    """In hex, over `signed_text`."""
    public_key: str = ""
    """Of ed25519, in hex. It says which key to ask for, and nothing about whose it is."""


def signed_text(chain: str, entries: int, digest: str, at_us: int) -> bytes:
    return f"twintrack checkpoint 1\n{chain}\n{entries}\n{digest}\n{at_us}\n".encode()


def line(checkpoint: Checkpoint) -> bytes:
    """As it is sent away and read again: one JSON object."""
    return msgspec.json.encode(checkpoint)


def read(path: Path) -> list[Checkpoint]:
    """The checkpoints in a file of lines, or in the files of a folder.

    Raises:
        EnvironmentProblem: it cannot be read, or holds something else.
    """
    found = []
    try:
        files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
        for file in files:
            for number, text in _lines(file):
                try:
                    found.append(msgspec.json.decode(text, type=Checkpoint))
                except msgspec.MsgspecError as error:
                    raise EnvironmentProblem(
                        f"{file}, line {number}, is no checkpoint",
                        why=str(error),
                        fix="Name a file with what `twintrack audit checkpoint` prints, one a line",
                    ) from None
    except OSError as error:
        raise EnvironmentProblem(
            f"The checkpoints in {path} cannot be read", why=error.strerror or str(error)
        ) from None
    return found


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as lines:
        for number, text in enumerate(lines, start=1):
            if text.strip():
                yield number, text
