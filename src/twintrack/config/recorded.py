"""What a policy version stands for, as the ledger's audit keeps it: for whoever asks later what held at the time."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from twintrack.config.compile import deciding, routing
from twintrack.config.settings import DataClass, Zone
from twintrack.config.snapshot import Narrowing, PrivacyRule, Snapshot, Terms


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    model: str = ""
    provider: str
    zone: Zone
    region: str = ""
    licence: str = ""
    terms: Terms | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    privacy: Narrowing = Narrowing()


class Key(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    tenant: int = -1
    privacy: Narrowing = Narrowing()


class Recorded(msgspec.Struct, frozen=True):
    """What is checked again; there is more in it, for people."""

    privacy: dict[DataClass, PrivacyRule]
    categories: dict[str, PrivacyRule] = {}
    deployments: tuple[Deployment, ...] = ()
    routes: tuple[Route, ...] = ()
    tenants: tuple[Route, ...] = ()
    keys: tuple[Key, ...] = ()


def recorded(snapshot: Snapshot) -> bytes:
    """Compressed JSON of all that decides."""
    content = {
        "privacy": snapshot.privacy,
        "categories": snapshot.categories,
        "deployments": [_said(deciding(deployment)) for deployment in snapshot.deployments],
        "routes": [_said(routing(route)) for route in snapshot.routes],
        "tenants": [_said(msgspec.structs.asdict(tenant)) for tenant in snapshot.tenants],
        "keys": [
            _said({name: value for name, value in msgspec.structs.asdict(key).items() if name != "sha256"})
            for key in snapshot.keys
        ],
    }
    return zlib.compress(msgspec.json.encode(content, order="deterministic"))


def _said(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value not in (None, "", (), {}, Narrowing())}


def read(content: bytes) -> Recorded:
    """
    Raises:
        ValueError: it is nothing that `recorded` made.
    """
    return msgspec.convert(plain(content), Recorded)


def plain(content: bytes) -> Any:
    """All that was recorded, as JSON values. Raises ValueError, as `read`."""
    try:
        return msgspec.json.decode(zlib.decompress(content))
    except zlib.error as error:
        raise ValueError(str(error)) from None
