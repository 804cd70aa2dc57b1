"""Which package translates what. Packages are imported when a configuration first needs them, never on a request."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from twintrack.wire import hybrid
from twintrack.wire.canonical.sides import ClientSide, ProviderSide

TRANSLATED = ("chat", "messages", "responses", hybrid.ENDPOINT.name)
"""Client endpoints whose requests can be written in another dialect."""
PROVIDER_ENDPOINT: Mapping[str, str] = {
    "openai": "chat",
    "anthropic": "messages",
    "responses": "responses",
    "gemini": "generate",
}
"""By dialect: the endpoint of a provider that conversations are sent to."""
SPOKEN: Mapping[str, tuple[str, ...]] = {
    "openai": ("chat", "embeddings"),
    "anthropic": ("messages", "count_tokens"),
    "responses": ("responses",),
    "gemini": (),
}
"""By dialect: client endpoints that a provider of it answers as they are."""


@functools.cache
def client_side(endpoint: str) -> ClientSide:
    """Of one of `TRANSLATED`."""
    if endpoint == "chat":
        from twintrack.wire.dialects import chat

        return chat.CLIENT
    if endpoint == "messages":
        from twintrack.wire.dialects import messages

        return messages.CLIENT
    from twintrack.wire.dialects import responses

    if endpoint == hybrid.ENDPOINT.name:
        from twintrack.wire.dialects import chat

        return hybrid.client_side(chat.CLIENT, responses.CLIENT)
    return responses.CLIENT


@functools.cache
def provider_side(dialect: str) -> ProviderSide:
    if dialect == "openai":
        from twintrack.wire.dialects import chat

        return chat.PROVIDER
    if dialect == "anthropic":
        from twintrack.wire.dialects import messages
        from twintrack.wire.dialects.messages.model import model

        model("")  # reads its file
        return messages.PROVIDER
    if dialect == "responses":
        from twintrack.wire.dialects import responses

        return responses.PROVIDER
    from twintrack.wire.dialects import gemini

    return gemini.PROVIDER


def upstream_path(endpoint: str) -> Callable[[str, bool], str]:
    """What is appended to a provider's base address, from its name of the model and whether it shall stream."""
    if endpoint == "generate":
        from twintrack.wire.dialects.gemini import path

        return path
    fixed = _PATHS[endpoint]
    return lambda model, stream: fixed


_PATHS = {
    "chat": "/chat/completions",
    "messages": "/messages",
    "count_tokens": "/messages/count_tokens",
    "responses": "/responses",
    "embeddings": "/embeddings",
}
