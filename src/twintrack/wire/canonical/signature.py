"""Whose signature it is.

A client sends a signature back with whatever comes next, and what comes next may be for another provider, or another
model of the same one: each refuses what it did not sign itself. So a signature that is not Anthropic's own carries its
maker and model in front. `#` is no letter of base64, so a bare signature never looks like a marked one.
"""

from __future__ import annotations

from typing import NamedTuple


class Signature(NamedTuple):
    maker: str
    """Dialect of the provider; empty: unsaid."""
    model: str
    """As the provider called it in its answer; may be empty."""
    text: str
    """What the provider itself said."""


def marked(maker: str, model: str, text: str) -> str:
    return f"{maker}#{model}#{text}"


def unmarked(signature: str) -> Signature:
    maker, hash_, rest = signature.partition("#")
    if not hash_:
        return Signature("", "", signature)
    model, _, text = rest.partition("#")
    return Signature(maker, model, text)
