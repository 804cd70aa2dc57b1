"""An entry of the audit chain: what stands in it, and how it is bound to the one before.

    hash(n) = SHA-256( hash(n - 1) ‖ SHA-256(personal(n)) ‖ body(n) )        hash(0) is 32 zero bytes

`body` is the canonical form: one msgpack array that begins with the kind. `personal` is what leads to somebody: 16
random bytes, then who asked and what was asked, as an HMAC. Erasing drops `personal` and keeps its SHA-256, so the
chain still holds; the random bytes went with it, so nobody can find out by trying names.

What repeats from request to request stands in an entry of its own (`About` and its kin), and others name it by its
number. So nothing outside the chain gives an entry its meaning.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

FORM: Final = 1
"""Version of these forms. A later one only adds members with a default behind the others, and further kinds."""
ZERO: Final = bytes(32)
SALT_BYTES: Final = 16
NOBODY: Final = b""
"""`personal` of an entry that leads to nobody."""


class Began(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """The first entry, and no other."""

    form: int
    chain: str
    """Random: two chains are never taken for one another."""
    at_us: int
    first_row: int
    """Rows of the ledger from this id on have entries; those before are older than the chain."""


class Decided(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """One attempt of a request, or its end where that came later; a refusal; or what was read of it, where that came
    alone. All that is told of one request refers to the first of these."""

    first: int
    """Entry that told of this request first; 0: this one."""
    at_us: int
    screen: tuple[int, tuple[tuple[str, int], ...], tuple[int, int, int], int] | None = None
    """(`Screen`, findings by type, by band of score, values replaced by pseudonyms); None: no more was read."""
    attempt: tuple[int, int, int, int] | None = None
    """(number, `About` or 0 if an earlier entry told of its begin, `Ended` or 0 while it runs, ended)"""
    refused: int = 0
    """`Refused`; 0: it was not."""
    ruled_out: int = 0
    """`RuledOut`; 0: nobody was."""


class About(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """A choice: what was asked, under which policy, and to whom it went."""

    policy: str
    route: str | None
    tier: str | None
    endpoint: str
    data_class: str
    reason: str
    role: str
    deployment: str
    model: str
    provider: str
    zone: str
    region: str
    simulated: bool
    chosen: str | None
    """What routing chose; differs from `deployment` in observe mode and after a failed attempt."""


class Ended(msgspec.Struct, array_like=True, frozen=True, tag=3):
    state: str
    outcome: str
    status: int


class RuledOut(msgspec.Struct, array_like=True, frozen=True, tag=4):
    candidates: tuple[tuple[str, str], ...]
    """(deployment, code of its objection)"""


class Screen(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """What was read before the choice, but for the counts."""

    detector: str
    mode: str
    found: str
    labelled: str | None
    data_class: str
    """The one that held."""
    sticky: bool
    override: str
    """Key of the operator who had the class lowered; empty: nobody. An operator answers for that: it stays."""
    unscanned: tuple[str, ...]
    categories: tuple[str, ...] = ()
    """Of the findings, as far as rules ask for them."""


class Refused(msgspec.Struct, array_like=True, frozen=True, tag=6):
    policy: str
    route: str | None
    endpoint: str
    data_class: str
    status: int
    code: str


class Policy(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """What a policy version says, when a worker first brought it."""

    at_us: int
    version: str
    content: bytes
    """As `config/recorded.py` writes it; empty: by a program that did not record it."""


class Serving(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """A worker began to serve a policy version."""

    at_us: int
    worker: str
    version: str


class Erased(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """Somebody's traces were removed."""

    at_us: int
    what: str
    """key, tenant or request."""
    subject: str
    """HMAC of its name under the data folder's key, in hex, for whoever knows it and asks; empty: there is no key."""
    before_us: int
    """0: all of them."""
    entries: int
    attempts: int
    refusals: int


class Restored(msgspec.Struct, array_like=True, frozen=True, tag=10):
    """A backup was put in place: what came after it was made is not in this chain."""

    at_us: int
    made: str


Body = Began | Decided | About | Ended | RuledOut | Screen | Refused | Policy | Serving | Erased | Restored


class Personal(msgspec.Struct, array_like=True, frozen=True):
    request_id: str
    key: str | None = None
    tenant: str | None = None
    body_hmac: bytes | None = None


to_msgpack = msgspec.msgpack.Encoder().encode
to_body = msgspec.msgpack.Decoder(Body).decode
_to_personal = msgspec.msgpack.Decoder(Personal).decode
_sha256 = hashlib.sha256


def commitment(personal: bytes) -> bytes:
    return _sha256(personal).digest()


def link(before: bytes, committed: bytes, body: bytes) -> bytes:
    """The hash of an entry."""
    return _sha256(before + committed + body).digest()


def opened(personal: bytes) -> Personal | None:
    """What `personal` says; None: it leads to nobody."""
    return _to_personal(personal[SALT_BYTES:]) if personal else None
