"""What has to be served: traffic, needs, candidates, and every number with where it comes from."""

from __future__ import annotations

import msgspec

from twintrack.catalog.licences import Field, Use
from twintrack.catalog.models import Modality
from twintrack.catalog.regimes import Offer as Agreement
from twintrack.economics.finetune import Method
from twintrack.economics.inputs import Input

DAYS_PER_MONTH = 365 / 12


class Cell(msgspec.Struct, frozen=True):
    """Requests of about one length. Prices that step with length need more than a mean."""

    input_tokens: float
    output_tokens: float
    share: float


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A price of your own, for a model of the catalogue or not."""

    model: str
    provider: str = "yours"
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_usd_per_mtok: float | None = None


USUAL_QUALITY = 0.84
"""Class compact of the catalogue: ordinary office requests, not the hard ones."""


class Needs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    use: Use = "product"
    users_now: float | None = None
    revenue_usd_month: float | None = None
    domicile: str | None = None
    fields_of_use: tuple[Field, ...] = ()
    trains_on_outputs: bool = False
    regimes: tuple[str, ...] = ()
    signed: tuple[Agreement, ...] = ()
    """Agreements you have, as dpa or baa."""
    regions: tuple[str, ...] = ()
    """Countries, unions or cloud regions that data have to stay in; your own machines stand in the first."""
    zones: tuple[str, ...] = ()
    """Who may see the data: own, contracted, third_party; empty: anybody."""
    min_quality: float | None = None
    """None: any where models are named, `USUAL_QUALITY` where the plan picks them."""
    context_tokens: int = 0
    modalities: tuple[Modality, ...] = ("text",)
    tools: bool = False
    max_ttft_ms: float | None = None
    max_ms_per_token: float = 50.0
    """50 ms is 20 tokens a second, twice as fast as people read."""


class Candidates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Empty: the catalogue's cheapest that meet the needs."""

    closed: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()
    selfhost: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    gpus_per_engine: int | None = None
    weight_bits: tuple[float, ...] = ()
    own_hardware: bool = False
    """Whether buying is an option too."""
    spot: bool = False
    """Whether engines may be taken away at any time."""


class Energy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    grid: str = "USA"
    market_g_co2e_per_kwh: float | None = None
    """What your contract for electricity says; None: unknown."""


class Tuning(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    examples: int = 10_000
    tokens_per_example: int = 500
    epochs: float = 3
    runs: int = 1
    method: Method = "lora"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    inputs: dict[str, Input]
    lengths: tuple[Cell, ...]
    needs: Needs = Needs()
    candidates: Candidates = Candidates()
    prices: tuple[Price, ...] = ()
    energy: Energy = Energy()
    tuning: Tuning | None = None
    current: tuple[str, ...] = ()
    """Models asked so far: options whatever they cost."""
    notes: tuple[str, ...] = ()
    """What was counted, and what became of lines that could not be used."""

    def __getitem__(self, name: str) -> float:
        return self.inputs[name].value

    @property
    def least_quality(self) -> float:
        named = self.candidates.closed or self.candidates.managed or self.candidates.selfhost
        return self.needs.min_quality if self.needs.min_quality is not None else 0.0 if named else USUAL_QUALITY

    @property
    def tokens_per_day(self) -> float:
        return self["requests_per_day"] * (self["input_tokens"] + self["output_tokens"])


class Counted(msgspec.Struct, frozen=True):
    """What was counted somewhere, in place of assumptions."""

    inputs: dict[str, Input]
    lengths: tuple[Cell, ...]
    """Empty: no single request is known."""
    models: tuple[str, ...]
    """Asked so far, by tokens."""
    notes: tuple[str, ...]
