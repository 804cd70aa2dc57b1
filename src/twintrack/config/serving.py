"""Settings of `[server]`: where it listens, how long things may take, and what they may grow to."""

from __future__ import annotations

from typing import Annotated

import msgspec

from twintrack.config.table import Count, Seconds, Table


class Tls(Table, frozen=True, kw_only=True):
    """Serve https; files are relative to the configuration file."""

    cert: str
    """PEM file with the certificate chain."""
    key: str
    """PEM file with the private key."""


class Deadlines(Table, frozen=True, kw_only=True):
    """How long each phase may take, in seconds."""

    head_s: Seconds = 10.0
    """A client's request line and headers."""
    body_s: Seconds = 60.0
    """A client's body, from the end of its headers."""
    idle_s: Seconds = 75.0
    """A kept-alive connection between two requests, on either side."""
    connect_s: Seconds = 5.0
    """Opening a connection to a provider, TLS included."""
    first_byte_s: Seconds = 120.0
    """From the request sent to the provider's first byte."""
    between_chunks_s: Seconds = 60.0
    """The longest silence inside an answer."""
    total_s: Seconds = 600.0
    """A request as a whole."""
    keepalive_after_s: Seconds = 10.0
    """Silence before content after which a stream gets its headers and an SSE comment."""
    keepalive_every_s: Seconds = 15.0
    """Silence after which a stream gets another one, before content and inside it."""
    drain_s: Seconds = 30.0
    """What running requests get to finish after SIGTERM."""


class Limits(Table, frozen=True, kw_only=True):
    """What a request, an answer and a worker may grow to."""

    max_body_bytes: Count = 20_971_520
    """A request body; more is a 413."""
    max_head_bytes: Count = 16_384
    """Request line and headers; more is a 431."""
    max_headers: Count = 64
    """Header lines of a request; more is a 431."""
    max_answer_bytes: Count = 67_108_864
    """An unstreamed answer from a provider."""
    max_connections: Count = 10_000
    """Client connections of one worker."""


class Failover(Table, frozen=True, kw_only=True):
    """What happens when an attempt fails before its answer began."""

    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4
    """All attempts of a request together, the first included. 1: no other deployment is asked."""
    backoff_s: Seconds = 0.25
    """Where nobody else is left, the same deployment is asked again after a random pause up to twice this long, then
    four times and so on. Pauses are kept to a fifth of a second."""
    max_wait_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 8.0
    """The pauses of a request together. A provider that asks for a longer one (retry-after) is not asked again: the
    client gets its refusal. 0: nobody is asked twice."""


class Server(Table, frozen=True, kw_only=True):
    """Where the gateway listens and what it keeps."""

    listen: str = "127.0.0.1:8080"
    """HOST:PORT. Beyond loopback at least one key is required."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    """Data-plane processes; one per core is plenty."""
    data: str = ".twintrack"
    """Folder of ledger and journal, relative to the configuration file. Needs a persistent volume."""
    secret: str = ""
    """env:NAME or file:PATH of what placeholders and fingerprints are made with; replicas that share it make the same
    ones. Default: 32 random bytes, made once, in the file `secret` of the data folder."""
    tls: Tls | None = None
    proxy: str = "env:HTTPS_PROXY"
    """HTTP proxy for https providers: an address, an `env:` reference, or "" for none."""
    ca: str = ""
    """PEM file with further certificate authorities trusted for providers."""
    deadlines: Deadlines = Deadlines()
    failover: Failover = Failover()
    limits: Limits = Limits()
