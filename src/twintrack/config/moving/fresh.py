"""A first configuration, from what was found on the machine and chosen, with comments that explain it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twintrack.catalog import models
from twintrack.config.moving import write
from twintrack.config.settings import DataClass

KEEP_QUALITY = {"quality": 0.98, "balanced": 0.95, "price": 0.9}
"""Share of the best tier's quality that must remain, by the answer to what matters more."""

_HEAD = (
    "Written by `twintrack init`. `twintrack config check` says whether it is right, `twintrack serve` serves it, and "
    "`twintrack config reference` tells what every word means. While it serves, a changed file is taken over at once."
)
_KEYS = """\
Who may ask. Without a key everybody on this machine may; beyond it a key is required.

[[keys]]
name = "me"
key = "env:TWINTRACK_KEY"  # secrets only by reference: env:NAME or file:PATH
"""
_PRIVACY = """\
Who may see what. These rules hold unless you write others:

[privacy]
restricted = { zones = ["own"] }                    # stays on your machines
confidential = { zones = ["own", "contracted"] }    # contracted: a third party whose terms you checked
"""


@dataclass(frozen=True)
class Choices:
    listen: str
    keys: bool
    """A key is asked of clients."""
    data_class: DataClass
    keep_quality: float
    providers: Sequence[Mapping[str, str]]
    """As a configuration says them."""
    deployments: Sequence[str]
    """[[deployments]] tables."""
    tiers: Sequence[tuple[str, Sequence[str]]]
    """Name and deployments, cheap to premium."""


def text(choices: Choices) -> str:
    """TOML."""
    blocks = [
        _lines(write.comment(_HEAD)),
        write.table("[server]", [write.pair("listen", choices.listen, "HOST:PORT; 127.0.0.1 is this machine alone")]),
        _keys(choices.keys),
        _lines(write.comment("Who serves models. zone says who sees the data: own, contracted or third_party.")),
    ]
    blocks += [write.table("[[providers]]", [write.pair(*pair) for pair in each.items()]) for each in choices.providers]
    blocks.append(_lines(write.comment("What requests are sent to: one model at one provider, each.")))
    blocks += choices.deployments
    if choices.tiers:
        blocks.append(_route(choices))
    blocks.append(_lines(write.comment(_PRIVACY.rstrip())))
    return "\n".join(blocks)


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _keys(wanted: bool) -> str:
    if not wanted:
        return _lines(write.comment(_KEYS.rstrip()))
    explained = _KEYS.partition("\n")[0]
    return _lines(
        [
            *write.comment(explained),
            "[[keys]]",
            write.pair("name", "me"),
            write.pair("key", "env:TWINTRACK_KEY", "secrets only by reference: env:NAME or file:PATH"),
        ]
    )


def _route(choices: Choices) -> str:
    rows = [f"  {write.value({'name': name, 'deployments': list(each)})}," for name, each in choices.tiers]
    keep = "share of the last tier's quality that must remain; less saves more"
    unlabelled = "what a request without a label counts as: public, internal, confidential or restricted"
    return write.table(
        "[routes.auto]",
        [
            "tiers = [  # cheap to premium",
            *rows,
            "]",
            write.pair("keep_quality", choices.keep_quality, keep),
            write.pair("default_class", choices.data_class, unlabelled),
        ],
        above=write.comment('Clients send model = "auto", and the cheapest that is allowed and good enough answers.'),
    )


def spread(provider: str) -> list[str]:
    """At most three chat models of a provider, cheap to premium; of equally good ones the catalogue's first."""
    by_quality: dict[float, str] = {}
    for model in models.models().values():
        if provider in model.upstream and not model.embeddings:
            by_quality.setdefault(model.quality, model.name)
    names = [by_quality[quality] for quality in sorted(by_quality)]
    return names if len(names) <= 3 else [names[0], names[len(names) // 2], names[-1]]
