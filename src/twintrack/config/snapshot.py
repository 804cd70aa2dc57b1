"""What serves: an immutable value compiled from settings and catalogue, swapped whole on reload.

Everything the request path needs stands here as integers, tuples and bytes. Indexes (`deployment`, `route`, `key`)
are positions in the snapshot's tuples; -1 means none.
"""

from __future__ import annotations

import msgspec

from twintrack.catalog.cost import TokenPrice as TokenPrice
from twintrack.catalog.providers import Auth, KeyHeader, Prefill
from twintrack.catalog.providers import DialectName as DialectName
from twintrack.config.settings import (
    Audit,
    Check,
    DataClass,
    Deadlines,
    Detect,
    Failover,
    Limits,
    Screen,
    Telemetry,
    Zone,
)
from twintrack.wire.deviations import Deviations


class PrivacyRule(msgspec.Struct, frozen=True):
    zones: tuple[Zone, ...]
    regions: tuple[str, ...]
    providers: tuple[str, ...] = ("*",)
    max_retention_days: int = -1
    """-1: any."""
    no_training: bool = False
    baa: bool = False
    dpa: bool = False
    persons: tuple[str, ...] = ()
    """Empty: anybody."""


class Narrowing(msgspec.Struct, frozen=True):
    """Rules that hold beside the general ones; what is not in it is not narrowed."""

    classes: dict[DataClass, PrivacyRule] = {}
    categories: dict[str, PrivacyRule] = {}


class Terms(msgspec.Struct, frozen=True):
    """What is agreed with a provider, as far as rules ask for it."""

    storage_region: str
    """Empty: where it processes."""
    retention_days: int
    """-1: unknown."""
    trains_on_data: bool | None
    baa: bool
    dpa: bool
    persons: tuple[str, ...]
    """Empty: unknown."""
    until_day: int
    """The last it holds, in days since 1970, UTC; -1: no end was said."""


class Deployment(msgspec.Struct, frozen=True):
    index: int
    name: str
    model: str
    upstream_model: str
    provider: str
    api: str
    dialects: tuple[DialectName, ...]
    """APIs the provider speaks; a request stays in its client's."""
    tls: bool
    host: str
    port: int
    base_path: str
    """Without a trailing slash; request paths like /chat/completions are appended."""
    key: str
    """Reference to the provider's key (env:, file:) or empty."""
    zone: Zone
    region: str
    simulated: bool
    context_tokens: int
    """0: unknown, and never a reason to refuse."""
    max_output_tokens: int
    modalities: tuple[str, ...]
    tools: bool
    embeddings: bool
    licence: str
    quality: float
    price: TokenPrice | None
    """None: no list price; with `per_hour_nusd` 0 the cost is unknown."""
    per_hour_nusd: int
    energy_j_per_output_token: float | None
    max_in_flight: int
    base_paths: dict[DialectName, str] = {}
    """By dialect, without a trailing slash; one that is not here is below `base_path`."""
    key_headers: dict[DialectName, KeyHeader] = {}
    """By dialect: the header its key travels in; one that is not here takes a bearer token in `authorization`."""
    auth: Auth = "key"
    count_tokens: bool = False
    """Answers POST /messages/count_tokens."""
    prefill: Prefill = ""
    """How it is asked to go on with an answer that was begun; empty: it cannot."""
    deviations: Deviations | None = None
    """Of this model there; None: none is known."""
    terms: Terms | None = None
    """Of its provider; None: there is no record."""


class Tier(msgspec.Struct, frozen=True):
    name: str
    deployments: tuple[int, ...]


class Cascade(msgspec.Struct, frozen=True):
    check: tuple[Check, ...]
    drafts: tuple[int, ...]
    """Deployments; empty: the cheapest."""
    repeat_temperature: float | None
    """Of all but the last draft by one deployment; None: as the client said."""
    believe: tuple[tuple[int, int], ...]
    """Deployments; empty: any two."""
    min_mean_logprob: float
    min_logprob: float | None
    must_match: tuple[str, ...]
    must_not_match: tuple[str, ...]
    min_chars: int
    max_chars: int
    """-1: no limit."""
    min_p_good: float
    max_draft_ms: int


class Classifier(msgspec.Struct, frozen=True):
    deployment: int
    max_ms: int


class Route(msgspec.Struct, frozen=True):
    index: int
    name: str
    tiers: tuple[Tier, ...]
    keep_quality: float
    max_nusd_per_request: int
    """-1: no limit."""
    max_ttft_ms: int
    """-1: no limit."""
    default_class: DataClass
    drop_unsupported: bool
    take_up: bool
    trace_content: bool
    """Only where a collector is configured."""
    observe: int
    """Deployment that answers in observe mode, -1 in route mode."""
    baseline: int
    """First deployment of the last tier: what everything would have cost without routing."""
    pseudonyms: tuple[str, ...] = ()
    """Categories that are replaced."""
    privacy: Narrowing = Narrowing()
    learn: bool = False
    """Numbers that describe its requests are kept."""
    learn_all: bool = False
    """Of each of them, whether or not anybody judges answers."""
    explore: float = 0.0
    """Share of choices made at random."""
    nusd_per_day: int = -1
    """Soft budget; -1: none."""
    cascade: Cascade | None = None
    """None: no drafts."""
    classifier: Classifier | None = None
    detect: Screen = "enforce"


class Tenant(msgspec.Struct, frozen=True):
    index: int
    name: str
    privacy: Narrowing = Narrowing()


class Key(msgspec.Struct, frozen=True):
    index: int
    name: str
    sha256: bytes
    data_class: DataClass
    """The least of what it sends: its own or its tenant's, whichever is higher."""
    models: tuple[str, ...]
    tenant: int = -1
    operator: bool = False
    privacy: Narrowing = Narrowing()
    judge: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    generation: int
    """Counts reloads, from 1."""
    policy_version: str
    """First 12 hex digits of the SHA-256 of all that decides, and behind a + the first 8 of a fitted router's; stands
    in every ledger row."""
    source: str
    """The file it was compiled from."""
    listen_host: str
    listen_port: int
    workers: int
    data: str
    """Absolute path of the data folder."""
    tls_cert: str
    tls_key: str
    proxy: str
    ca: str
    deadlines: Deadlines
    failover: Failover
    limits: Limits
    keys: tuple[Key, ...]
    deployments: tuple[Deployment, ...]
    routes: tuple[Route, ...]
    privacy: dict[DataClass, PrivacyRule]
    """Complete: one rule for each class."""
    categories: dict[str, PrivacyRule] = {}
    """Rules for what was found, whatever its class."""
    tenants: tuple[Tenant, ...] = ()
    telemetry: Telemetry = Telemetry()
    """With absolute references."""
    audit: Audit = Audit()
    """With absolute references."""
    router: bytes = b""
    """Weights fitted to verdicts, as they stand in their file; empty: there are none."""
    verifier: bytes = b""
    """Likewise, of what judges drafts."""
    secret: str = ""
    """Reference, or empty: it lies in the data folder."""
    detect: Detect = Detect()

    def tenants_by_key(self) -> dict[str, str]:
        """Names; keys without a tenant are not in it."""
        return {key.name: self.tenants[key.tenant].name for key in self.keys if key.tenant >= 0}
