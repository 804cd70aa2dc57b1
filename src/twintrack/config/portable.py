"""What a configuration leads to outside of its file: a copy of the file alone is not enough to start from it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from twintrack.config import secrets
from twintrack.config.effective import endpoint, ignore
from twintrack.config.settings import Settings
from twintrack.config.source import Source

_SHORTEST = 8
"""Characters of a secret that would not stand in a text by chance."""


def references(settings: Settings, source: Source) -> tuple[str, ...]:
    """Of all secrets, as written, with absolute paths: env:NAME, file:PATH."""
    found = [key.key for key in settings.keys]
    for provider in settings.providers:
        at = endpoint(provider, ignore)
        found.append(provider.key or (at.key if at is not None else ""))
    if source.says(("server", "proxy")) and secrets.is_reference(settings.server.proxy):
        found.append(settings.server.proxy)
    return tuple(dict.fromkeys(source.reference(each) for each in found if each))


def files(settings: Settings, source: Source) -> tuple[str, ...]:
    """Absolute paths of certificates, their key, and further authorities."""
    server = settings.server
    named = [*((server.tls.cert, server.tls.key) if server.tls else ()), server.ca]
    named += [each.engine for each in settings.providers if each.engine.endswith(".gguf")]
    return tuple(source.absolute(each) for each in named if each)


def leaks(text: str, found: Iterable[str], environ: Mapping[str, str] = os.environ) -> list[str]:
    """The references among `found` whose secret stands in `text` itself, in a comment perhaps."""
    values = {each: secrets.resolve(each, environ) or "" for each in found}
    return [each for each, value in values.items() if len(value) >= _SHORTEST and value in text]
