"""Every endpoint the gateway understands, by its path."""

from __future__ import annotations

from twintrack.wire import chat, count_tokens, embeddings, messages, responses
from twintrack.wire.dialect import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    chat.ENDPOINT,
    responses.ENDPOINT,
    messages.ENDPOINT,
    count_tokens.ENDPOINT,
    embeddings.ENDPOINT,
)
BY_NAME: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in ENDPOINTS}
