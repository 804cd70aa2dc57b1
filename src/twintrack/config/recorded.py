"""What a policy version stands for, as the ledger's audit keeps it: for whoever asks later what held at the time."""

from __future__ import annotations

import zlib

import msgspec

from twintrack.config.compile import deciding, routing
from twintrack.config.settings import DataClass
from twintrack.config.snapshot import PrivacyRule, Snapshot


class Recorded(msgspec.Struct, frozen=True):
    """What is read again; there is more in it, for people."""

    privacy: dict[DataClass, PrivacyRule]


def recorded(snapshot: Snapshot) -> bytes:
    """Compressed JSON of all that decides, but for the names of keys, which may lead to people."""
    content = {
        "privacy": snapshot.privacy,
        "deployments": [_said(deciding(deployment)) for deployment in snapshot.deployments],
        "routes": [_said(routing(route)) for route in snapshot.routes],
        "keys": len(snapshot.keys),
    }
    return zlib.compress(msgspec.json.encode(content, order="deterministic"))


def _said(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value not in (None, "", (), {})}


def read(content: bytes) -> Recorded:
    """
    Raises:
        ValueError: it is nothing that `recorded` made.
    """
    try:
        return msgspec.json.decode(zlib.decompress(content), type=Recorded)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from None
