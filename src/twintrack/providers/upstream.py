"""A deployment made ready to be called: where its bytes go and what every request to it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import quote

import msgspec

from twintrack.catalog.providers import DIALECT_OF
from twintrack.config.snapshot import Deployment
from twintrack.errors import Unavailable
from twintrack.providers.auth import Authoriser
from twintrack.wire.canonical.request import Target
from twintrack.wire.continuation import Continued, Cut
from twintrack.wire.deviations import Adapter, Deviations, Renames, adapter
from twintrack.wire.dialect import Endpoint
from twintrack.wire.endpoints import ENDPOINTS
from twintrack.wire.http1 import Headers
from twintrack.wire.passage import Conversation, Passage, Straight, Translated
from twintrack.wire.translators import PROVIDER_ENDPOINT, SPOKEN, TRANSLATED, client_side, provider_side, upstream_path

_STRAIGHT = {endpoint.name: Straight(endpoint) for endpoint in ENDPOINTS}


class Address(NamedTuple):
    """What a connection belongs to; connections are shared between deployments of one address."""

    host: str
    port: int
    tls: bool


class UpstreamCall(msgspec.Struct, frozen=True, gc=False):
    """One request, ready to be written."""

    address: Address
    data: bytes
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """Turns a client's request into a call of one deployment. No I/O."""

    deployment: Deployment
    address: Address
    target: Target
    heads: dict[str, tuple[bytes, bytes]]
    """By the provider's endpoint, unstreamed and streamed: request line and headers that never change, the provider's
    key among them."""
    straight: dict[str, Straight]
    """By the client's endpoint: those the provider speaks itself."""
    translates_to: str
    """The provider's endpoint for conversations of other dialects."""
    adapters: dict[str, Adapter]
    """By the provider's endpoint, where the server differs from the dialect."""
    authoriser: Authoriser | None
    """Who signs, where no key stands in the heads."""

    def translated(self, conversation: Conversation) -> Translated:
        dialect = self.deployment.dialects[0]
        return Translated(conversation, provider_side(dialect), dialect, self.translates_to)

    def continued(self, conversation: Conversation, cut: Cut) -> Continued:
        """For a deployment that can go on with what was begun."""
        deployment = self.deployment
        assert deployment.prefill
        dialect = deployment.dialects[0]
        side = provider_side(dialect)
        return Continued(conversation, side, dialect, self.translates_to, deployment.prefill, cut)

    def adapted(self, passage: Passage, body: bytes, drop: bool) -> tuple[bytes, tuple[str, ...]]:
        """The body as the server wants it, and the paths of what was left out.

        `drop`: what the server cannot be asked with is left out. Raises BadRequest for such a member otherwise.
        """
        adapt = self.adapters.get(passage.endpoint)
        if adapt is None:
            return body, ()
        dropped: list[str] | None = [] if drop else None
        body = adapt(body, dropped)
        return body, tuple(dict.fromkeys(dropped)) if dropped else ()

    def prepare(
        self, passage: Passage, endpoint: Endpoint, headers: Headers, body: bytes, stream: bool
    ) -> UpstreamCall:
        """`headers` are the client's: of those only the endpoint's allow-list travels on, and only straight."""
        head = self.heads[passage.endpoint][stream]
        if passage.endpoint == endpoint.name:
            for name in endpoint.forwarded:
                if name in headers:
                    head += b"%b: %b\r\n" % (name, headers[name])
            if endpoint.dialect == "anthropic" and b"anthropic-version" not in headers:
                head += _ANTHROPIC_VERSION
        elif passage.endpoint == "messages":
            head += _ANTHROPIC_VERSION
        if self.authoriser is not None:
            head += self._signed(head, body)
        return UpstreamCall(self.address, b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body), len(body))

    def _signed(self, head: bytes, body: bytes) -> bytes:
        """Raises Unavailable: there is nothing to sign with."""
        assert self.authoriser is not None
        line, host, _ = head.split(b"\r\n", 2)
        method, path, _ = line.split(b" ")
        try:
            return self.authoriser.headers(method, path, host.removeprefix(b"host: "), body)
        except Unavailable as error:
            # Why may name files, roles and accounts; that stands on stderr, for whoever runs the gateway.
            waiting = "being fetched" in error.why
            why = "they are being fetched" if waiting else "they could not be fetched"
            raise Unavailable(error.what, why=why, fix=error.fix) from None


_ANTHROPIC_VERSION = b"anthropic-version: 2023-06-01\r\n"


def bracketed(host: str) -> str:
    """As it stands before a port: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def upstream(deployment: Deployment, key: str | None, version: str, authoriser: Authoriser | None = None) -> Upstream:
    """Precompute everything of a deployment's requests that does not depend on the request."""
    spoken = {name for dialect in deployment.dialects for name in SPOKEN[dialect]}
    spoken.discard("count_tokens")
    if deployment.count_tokens:
        spoken.add("count_tokens")
    translates_to = PROVIDER_ENDPOINT[deployment.dialects[0]]
    asked = sorted(spoken | {translates_to})
    for name in TRANSLATED:
        if name not in spoken:
            client_side(name)  # imported now, so that no request waits for it
            provider_side(deployment.dialects[0])
    return Upstream(
        deployment,
        Address(deployment.host, deployment.port, deployment.tls),
        Target(
            deployment.upstream_model,
            deployment.max_output_tokens,
            _thinking(deployment.deviations),
            _max_tokens(deployment.deviations),
            custom_tools=deployment.api in ("openai", "azure"),
        ),
        {name: _heads(deployment, key, name, version) for name in asked},
        {name: _STRAIGHT[name] for name in sorted(spoken)},
        translates_to,
        {name: adapt for name in asked if (adapt := adapter(name, deployment.deviations)) is not None},
        authoriser,
    )


def _max_tokens(deviations: Deviations | None) -> Literal["max_completion_tokens", "max_tokens"]:
    """The server's own name at once, which spares a body written anew."""
    rows = () if deviations is None else deviations.rows
    names = {row.member: row.to for row in rows if isinstance(row, Renames) and row.endpoint == "chat"}
    return "max_tokens" if names.get("max_completion_tokens") == "max_tokens" else "max_completion_tokens"


def _thinking(deviations: Deviations | None) -> Literal["", "reasoning_content", "reasoning"]:
    """Where the server writes thinking it also takes it; if nowhere, it is not sent: some refuse what they do not
    know."""
    place = "" if deviations is None else deviations.reasoning_text
    return "" if place == "content_parts" else place


def _heads(deployment: Deployment, key: str | None, endpoint: str, version: str) -> tuple[bytes, bytes]:
    dialect = DIALECT_OF[endpoint]
    host = bracketed(deployment.host)
    if deployment.port != (443 if deployment.tls else 80):
        host += f":{deployment.port}"
    lines = [
        f"host: {host}",
        "content-type: application/json",
        "accept-encoding: identity",
        f"user-agent: twintrack/{version}",
    ]
    if key is not None and deployment.auth == "key":
        header = deployment.key_headers.get(dialect, "authorization")
        lines.append(f"authorization: Bearer {key}" if header == "authorization" else f"{header}: {key}")
    rest = "".join(line + "\r\n" for line in lines)
    base = deployment.base_paths.get(dialect, deployment.base_path)
    plain, streamed = (
        f"POST {base}{_path(deployment, endpoint, stream)} HTTP/1.1\r\n{rest}".encode("latin-1")
        for stream in (False, True)
    )
    return plain, streamed


def _path(deployment: Deployment, endpoint: str, stream: bool) -> str:
    own = deployment.deviations.asked_at(endpoint) if deployment.deviations is not None else None
    if own is None:
        return upstream_path(endpoint)(deployment.upstream_model, stream)
    path = (own.stream or own.path) if stream else own.path
    return path.replace("{model}", quote(deployment.upstream_model, safe="@"))
