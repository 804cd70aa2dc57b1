"""From a configuration file to what a gateway starts with; shared by the server and the library."""

from __future__ import annotations

import datetime
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from twintrack.catalog import prices
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import load
from twintrack.config.secrets import resolve
from twintrack.config.settings import Settings
from twintrack.config.snapshot import Snapshot
from twintrack.config.source import Source
from twintrack.errors import ConfigError
from twintrack.gateway import detecting
from twintrack.gateway.ner import recogniser
from twintrack.gateway.verifier import verifier_in
from twintrack.ledger.audit.seal import signing
from twintrack.providers.auth.select import authoriser
from twintrack.providers.pool import Dialing
from twintrack.signals.predictor import weights_in


def compiled(
    settings: Settings,
    source: Source,
    *,
    generation: int = 1,
    engines: Mapping[str, tuple[str, int]] | None = None,
    router: bytes | None = None,
    verifier: bytes | None = None,
) -> Snapshot:
    """The snapshot of settings at today's list prices, with the router and the verifier fitted to verdicts.

    Args:
        router, verifier: their weights, known to be good; None: those in the data folder.
    Raises:
        ConfigError: something is wrong with the settings or the weights.
    """
    folder = Path(source.absolute(settings.server.data))
    if router is None:
        router = weights_in(folder)
    if verifier is None:
        verifier = verifier_in(folder)
    cache = folder / "prices.json"
    today = datetime.datetime.now(datetime.UTC).date()
    listed = prices.load(str(cache), on=today)
    snapshot = compile_snapshot(
        settings,
        source,
        generation=generation,
        prices=listed,
        secrets=resolve,
        engines=engines or {},
        router=router,
        verifier=verifier,
    )
    dialing(snapshot)  # what is wrong here a worker would find too late
    signing(bytes(32), snapshot.audit.key)
    detecting.check(settings.detect, source)
    recogniser(snapshot)
    return snapshot


def read_snapshot(config: str | os.PathLike[str] | Snapshot) -> Snapshot:
    """Raises ConfigError."""
    return config if isinstance(config, Snapshot) else compiled(*load(config))


def dialing(snapshot: Snapshot, secret: Callable[[str], str | None] = resolve) -> Dialing:
    """How this snapshot's providers are reached.

    Raises:
        ConfigError: a CA file cannot be read, the proxy is no address, or a region to sign for is not known.
        MissingExtra: a provider's way of signing needs a package that is not installed.
    """
    deadlines = snapshot.deadlines
    tls = None
    beside = snapshot.detect.ner
    if any(each.tls for each in snapshot.deployments) or (beside is not None and beside.url.startswith("https")):
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
    if tls is not None and proxy and not _is_proxy(proxy):
        raise ConfigError(
            "The proxy's address is not http://HOST:PORT",
            why=f"it comes from {snapshot.proxy.removeprefix('env:')}",
            fix='Correct it, or write proxy = "" under [server] to use none.',
        )
    for each in snapshot.deployments:
        if each.auth != "key":
            authoriser(each)  # made and thrown away: what it lacks is said now
    direct = tuple(part.strip() for part in os.environ.get("NO_PROXY", "").split(",") if part.strip())
    return Dialing(deadlines.connect_s, deadlines.idle_s, proxy, direct, tls)


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
