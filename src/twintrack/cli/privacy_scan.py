"""twintrack privacy scan: what a text holds, its class, and what the policy would do with it."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from twintrack.catalog import prices
from twintrack.cli import detectors
from twintrack.cli.privacy_left import Left, left, tell
from twintrack.cli.table import show
from twintrack.config import effective
from twintrack.config.compile import compile_snapshot
from twintrack.config.rules import days
from twintrack.config.settings import DATA_CLASSES, DataClass, Detect, Privacy, Settings
from twintrack.config.source import Source
from twintrack.errors import TwintrackError, nearest
from twintrack.policy.explain import objection_sentence
from twintrack.policy.objections import privacy_objection
from twintrack.policy.refusal import together
from twintrack.policy.rules import rules_of
from twintrack.signals.sensitivity.grade import Grade, grade
from twintrack.signals.sensitivity.scan import scan

_MOST_BYTES = 64 << 20
_SHOWN = 6
"""Characters of a finding that are shown to people, at most half of it."""


class Place(msgspec.Struct, frozen=True):
    """A deployment and whether it may see the text."""

    deployment: str
    allowed: bool
    why: str


class Decision(msgspec.Struct, frozen=True):
    zones: tuple[str, ...]
    """Who may see this class."""
    regions: tuple[str, ...]
    deployments: tuple[Place, ...] | None
    """None: there is no configuration."""


class Asked(NamedTuple):
    """Names; empty: not said."""

    route: str
    key: str


class Report(msgspec.Struct, frozen=True):
    data_class: str = msgspec.field(name="class")
    categories: tuple[str, ...]
    findings: tuple[Found, ...]
    unscanned: tuple[str, ...]
    decision: Decision
    detector: str
    pseudonymised: Left | msgspec.UnsetType = msgspec.UNSET


class Found(msgspec.Struct, frozen=True):
    type: str
    category: str
    start: int
    end: int
    score: float
    evidence: str
    rule: str


@click.command("scan")
@click.argument("file", metavar="FILE|-")
@detectors.option
@click.option("--route", default="", help="The route it would be sent to: its rules hold too.")
@click.option("--key", default="", help="Name of the key that would send it: its rules and its tenant's hold too.")
@click.option("--pseudonyms", is_flag=True, help="Show what would leave of it with placeholders for what was found.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(file: str, config: Path | None, route: str, key: str, pseudonyms: bool, as_json: bool) -> None:
    """Say what a text holds that must not leave, its class, and who may see it.

    FILE is text in UTF-8; - reads standard input. Findings are shown shortened; offsets count characters. What could
    not be read counts as sensitive.
    """
    text = _text(file)
    found = detectors.configured(config)
    settings = Settings() if found is None else found[0]
    detector = detectors.detector(settings.detect)
    by = detectors.steps(settings.detect)
    graded = grade([scan(detector, text)], by)
    decision = decided(graded.data_class, graded.categories, found, Asked(route, key))
    leaves = left(text, settings, route, detector, by) if pseudonyms else None
    if as_json:
        report = Report(
            graded.data_class,
            graded.categories,
            tuple(
                Found(one.type, one.category, one.start, one.end, one.score, one.evidence, one.rule)
                for one in graded.findings
            ),
            graded.unscanned,
            decision,
            detector.version,
            leaves if leaves is not None else msgspec.UNSET,
        )
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
        return
    _tell(text, graded, decision, settings.detect)
    if leaves is not None:
        tell(leaves)


def _text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read(_MOST_BYTES + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise TwintrackError(f"{file} cannot be read", why=error.strerror or str(error)) from None
    if len(data) > _MOST_BYTES:
        raise TwintrackError(f"{file} is longer than {_MOST_BYTES >> 20} MiB", fix="Scan it in parts")
    return data.decode("utf-8", "replace")


def _prices(settings: Settings, source: Source) -> prices.Prices:
    today = datetime.datetime.now(datetime.UTC).date()
    return prices.load(str(Path(source.absolute(settings.server.data)) / "prices.json"), on=today)


def decided(
    data_class: DataClass, categories: tuple[str, ...], found: tuple[Settings, Source] | None, asked: Asked
) -> Decision:
    """What the policy does with a request of this class."""
    if found is None:
        alone = effective.privacy_rules(Privacy())[data_class]
        return Decision(alone.zones or (), alone.regions, None)
    snapshot = compile_snapshot(*found, generation=1, prices=_prices(*found), secrets=lambda reference: reference)
    route = next((each for each in snapshot.routes if each.name == asked.route), None)
    key = next((each.index for each in snapshot.keys if each.name == asked.key), -1)
    if asked.route and route is None:
        raise _unknown("route", asked.route, [each.name for each in snapshot.routes])
    if asked.key and key < 0:
        raise _unknown("key", asked.key, [each.name for each in snapshot.keys])
    rung = DATA_CLASSES.index(data_class)
    rules = rules_of(snapshot, route=route, key=key, categories=categories)
    today = days(datetime.datetime.now(datetime.UTC).date())
    places = []
    for each in snapshot.deployments:
        objection = privacy_objection(each, rung, rules, today)
        places.append(Place(each.name, objection is None, "" if objection is None else objection_sentence(*objection)))
    rule = together(rules, rung)
    return Decision(rule.zones, rule.regions or ("*",), tuple(places))


def _unknown(thing: str, word: str, known: list[str]) -> TwintrackError:
    near = nearest(word, known, 1)
    fix = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known[:10]) or 'none'}."
    return TwintrackError(f"There is no {thing} {word!r} in the configuration", fix=fix)


def _tell(text: str, graded: Grade, decision: Decision, detect: Detect) -> None:
    held = f" ({', '.join(graded.categories)})" if graded.categories else ""
    click.echo(f"Class: {graded.data_class}{held}")
    if graded.unscanned:
        click.echo(f"Not read: {', '.join(graded.unscanned)}. That counts as sensitive.")
    if graded.findings:
        show(
            ("start", "end", "type", "score", "evidence", "text"),
            [
                (
                    str(one.start),
                    str(one.end),
                    one.type,
                    f"{one.score:.2f}",
                    one.evidence,
                    _short(text[one.start : one.end]),
                )
                for one in graded.findings
            ],
            right=("start", "end", "score"),
        )
    elif not graded.unscanned:
        click.echo(
            "Nothing was found. That does not prove that nothing is there: see the error rates in the documents."
        )
    zones = ", ".join(decision.zones) or "nobody"
    click.echo(f"May be seen by: {zones}; regions {', '.join(decision.regions)}")
    for place in decision.deployments or ():
        click.echo(f"  {place.deployment}: {'yes' if place.allowed else f'no, {place.why}'}")


def _short(text: str) -> str:
    """Enough to recognise it by, and not the whole of it."""
    flat = " ".join(text.split())
    return f"{flat[: min(_SHOWN, len(flat) // 2)]}… ({len(text)} characters)"
