"""A deployment made ready to be called: where its bytes go and what every request to it begins with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from twintrack.config.snapshot import Deployment
from twintrack.wire.dialect import Endpoint
from twintrack.wire.http1 import Headers


class Address(NamedTuple):
    """What a connection belongs to; connections are shared between deployments of one address."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """One request, ready to be written."""

    address: Address
    data: bytes
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """Codec for a provider that speaks the client's own dialect: the body passes, the head is ours."""

    deployment: Deployment
    address: Address
    heads: dict[str, bytes] = field(default_factory=dict)
    """By endpoint name: request line and headers that never change, the provider's key among them."""

    def prepare(self, endpoint: Endpoint, headers: Headers, body: bytes) -> UpstreamCall:
        """`headers` are the client's; of those only the endpoint's allow-list travels on."""
        head = self.heads[endpoint.name]
        for name in endpoint.forwarded:
            if name in headers:
                head += b"%b: %b\r\n" % (name, headers[name])
        if endpoint.dialect == "anthropic" and b"anthropic-version" not in headers:
            head += b"anthropic-version: 2023-06-01\r\n"
        return UpstreamCall(self.address, b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body), len(body))


def bracketed(host: str) -> str:
    """As it stands before a port: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def upstream(deployment: Deployment, key: str | None, endpoints: tuple[Endpoint, ...], version: str) -> Upstream:
    """Precompute everything of a deployment's requests that does not depend on the request."""
    host = bracketed(deployment.host)
    if deployment.port != (443 if deployment.tls else 80):
        host += f":{deployment.port}"
    heads = {}
    for endpoint in endpoints:
        if endpoint.dialect not in deployment.dialects:
            continue
        lines = [
            f"POST {deployment.base_path}{endpoint.upstream_path} HTTP/1.1",
            f"host: {host}",
            "content-type: application/json",
            "accept-encoding: identity",
            f"user-agent: twintrack/{version}",
        ]
        if key is not None:
            # Servers that took the Anthropic dialect on beside OpenAI's keep their own way of asking for a key.
            bearer = "openai" in deployment.dialects
            lines.append(f"authorization: Bearer {key}" if bearer else f"x-api-key: {key}")
        heads[endpoint.name] = "".join(line + "\r\n" for line in lines).encode("latin-1")
    return Upstream(deployment, Address(deployment.host, deployment.port, deployment.tls), heads)
