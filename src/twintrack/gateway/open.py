"""From a configuration file to what a gateway starts with; shared by the server and the library."""

from __future__ import annotations

import datetime
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from twintrack.catalog import prices
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import load
from twintrack.config.secrets import resolve
from twintrack.config.settings import Settings
from twintrack.config.snapshot import Snapshot
from twintrack.config.source import Source
from twintrack.errors import ConfigError
from twintrack.providers.pool import Dialing


def compiled(
    settings: Settings, source: Source, *, generation: int = 1, engines: Mapping[str, tuple[str, int]] | None = None
) -> Snapshot:
    """The snapshot of settings at today's list prices. Raises ConfigError."""
    cache = Path(source.absolute(settings.server.data)) / "prices.json"
    today = datetime.datetime.now(datetime.UTC).date()
    listed = prices.load(str(cache), on=today)
    return compile_snapshot(
        settings, source, generation=generation, prices=listed, secrets=resolve, engines=engines or {}
    )


def read_snapshot(config: str | os.PathLike[str] | Snapshot) -> Snapshot:
    """Raises ConfigError."""
    return config if isinstance(config, Snapshot) else compiled(*load(config))


def dialing(snapshot: Snapshot, secret: Callable[[str], str | None] = resolve) -> Dialing:
    """How this snapshot's providers are reached. Raises ConfigError if a CA file cannot be read."""
    deadlines = snapshot.deadlines
    tls = None
    if any(each.tls for each in snapshot.deployments):
        tls = ssl.create_default_context()
        if snapshot.ca:
            try:
                tls.load_verify_locations(snapshot.ca)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"The certificate authorities in {snapshot.ca} cannot be read", why=str(error)
                ) from None
    proxy = snapshot.proxy
    if proxy.startswith(("env:", "file:")):
        proxy = secret(proxy) or ""
    direct = tuple(part.strip().lstrip("*") for part in os.environ.get("NO_PROXY", "").split(",") if part.strip())
    return Dialing(deadlines.connect_s, deadlines.idle_s, proxy, direct, tls)
