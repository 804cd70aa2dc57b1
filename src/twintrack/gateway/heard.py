"""A request as its client sent it, with the gateway it came to: what is known of it before and behind the decision."""

from __future__ import annotations

import msgspec

from twintrack.gateway.serving import Serving
from twintrack.gateway.state import GatewayState
from twintrack.wire.dialect import Asked, Endpoint
from twintrack.wire.http1 import Headers
from twintrack.wire.prompt import Labels


class Heard(msgspec.Struct):
    request_id: str
    gateway: GatewayState
    serving: Serving
    """As it was when the request began; a reload does not touch what runs."""
    endpoint: Endpoint
    """The client's."""
    headers: Headers
    """The client's."""
    key: int
    """Index of the caller's key, -1 where none is configured."""
    labels: Labels
    asked: Asked
