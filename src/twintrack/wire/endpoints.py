"""Every endpoint the gateway understands, by its path."""

from __future__ import annotations

from twintrack.wire import chat, embeddings, messages
from twintrack.wire.dialect import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (chat.ENDPOINT, messages.ENDPOINT, embeddings.ENDPOINT)
BY_NAME: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in ENDPOINTS}
