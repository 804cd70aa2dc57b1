"""Weights files: the shipped prior and a router fitted to your own verdicts. Each is one JSON file with its card."""

from __future__ import annotations

import base64
import functools
from array import array
from importlib import resources
from pathlib import Path

import msgspec

from twintrack.errors import ConfigError
from twintrack.signals import features

FORMAT = 1
ROUTER = "router.json"
"""The name of a fitted router in the data folder."""
VERIFIER = "verifier.json"
"""Of what judges drafts; see `gateway/verifier.py`."""


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where weights come from and what they were worth on data they had not seen."""

    what: str
    made: str
    """YYYY-MM-DD."""
    data: str
    verdicts: int = 0
    scores: dict[str, tuple[float, float, float]] = {}
    """Value and 95 % interval by name."""
    notes: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one public set of outcomes says about difficulty. To leave a set out is to leave its row out."""

    name: str
    licence: str
    where: str
    rows: int
    models: int
    centre: float
    spread: float
    """Mean and standard deviation of the difficulty."""
    level_slope: float
    """Change of the mean score of all models per standard deviation of difficulty."""
    sum_slope: float
    """Change of the sum of two models' scores, the noise of that sum being 1: mean over pairs of a better and a worse
    model."""
    contrast_slope: float
    """Change of what is independent of the sum: how much more the worse model suffers than its level says."""
    texts: str
    """Hashes of the normalised prompts: base64 of sorted unsigned 32-bit numbers, big-endian."""


class Prior(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    features_version: int
    card: Card
    sources: tuple[Source, ...]

    def without(self, names: frozenset[str]) -> Prior:
        """Refitted without some sets."""
        return msgspec.structs.replace(self, sources=tuple(each for each in self.sources if each.name not in names))

    def mean(self, of: str) -> float:
        """Each set counts alike, however many rows it has."""
        values = [getattr(each, of) for each in self.sources]
        return sum(values) / len(values) if values else 0.0


class Component(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One learned curve: mean + slope * difficulty + a table per feature + a weight per n-gram."""

    mean: float
    slope: float
    tables: tuple[tuple[float, ...], ...]
    grams: str
    """Weights of `Router.grams`, base64 of 32-bit floats, little-endian."""
    most: float
    """What n-grams may add or take away at most: the most they did in the verdicts' own requests."""


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the components add up for one deployment or model, and what a sum is worth as a probability."""

    name: str
    verdicts: int
    mix: tuple[float, ...]
    """One factor a component."""
    knots: tuple[tuple[float, float], ...]
    """Sum and probability, rising; straight lines between, flat beyond."""
    sd: float
    """Of the probability where all n-grams are known."""
    sd_unknown: float
    """Where none is."""


class Router(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    features_version: int
    card: Card
    centre: float
    spread: float
    """Of the difficulty in the verdicts' requests."""
    feature_centres: tuple[float, ...]
    feature_spreads: tuple[float, ...]
    grams: str
    """Hashes, base64 of unsigned 32-bit numbers, little-endian. Empty: fitted from features alone."""
    components: tuple[Component, ...]
    deployments: tuple[Deployment, ...]
    texts: str = ""
    """Hashes of the requests it was fitted to, as in `Source`: a later router is compared with it on others."""
    until_us: int = 0
    """It was fitted to verdicts of the ledger on requests up to then, UTC microseconds; 0: to none of the ledger's."""


@functools.cache
def shipped_prior() -> Prior:
    data = resources.files("twintrack.signals").joinpath("prior.json").read_bytes()
    return msgspec.json.decode(data, type=Prior)


def read_router(path: Path) -> Router:
    """Raises ConfigError: not there, not a router, or of another version."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The router's weights {path} cannot be read", why=error.strerror or "") from None
    return decode_router(data, str(path))


def decode_router(data: bytes, name: str) -> Router:
    """The router in a weights file that is called `name`. Raises ConfigError: no router, or of another version."""
    try:
        router = msgspec.json.decode(data, type=Router)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{name} is no router", why=str(error), fix="Fit one: twintrack learn router") from None
    if (router.format, router.features_version) != (FORMAT, features.VERSION):
        raise ConfigError(
            f"{name} is of version {router.format}.{router.features_version}",
            why=f"this Twintrack reads {FORMAT}.{features.VERSION}",
            fix="Fit it again: twintrack learn router",
        )
    return router


def floats(text: str) -> array[float]:
    return _unpacked("f", text)


def integers(text: str) -> array[int]:
    return _unpacked("I", text)


def packed(values: array[float] | array[int]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def _unpacked(code: str, text: str) -> array:  # type: ignore[type-arg]
    values = array(code)
    values.frombytes(base64.b64decode(text))
    return values


def fitted_in(folder: Path, name: str, what: str) -> bytes:
    """Fitted weights in a data folder as they stand in their file; empty if there are none.

    Raises:
        ConfigError: there are, and they cannot be read.
    """
    path = folder / name
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise ConfigError(f"The {what}'s weights {path} cannot be read", why=error.strerror or "") from None
