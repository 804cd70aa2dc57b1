"""twintrack catalog show: all that is known of one model, GPU, provider, licence or place."""

from __future__ import annotations

import datetime
from typing import Any

import click
import msgspec

from twintrack.catalog import architectures, carbon, gpus, knowledge, licences, models, providers, regimes
from twintrack.catalog.cost import TokenPrice
from twintrack.catalog.tables import value
from twintrack.errors import nearest


@click.command("show")
@click.argument("name")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="Prices are those of this day.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def command(ctx: click.Context, name: str, on: datetime.datetime | None, as_json: bool) -> None:
    """Show all that is known of NAME: a model, GPU, provider, licence, regime, country or cloud region.

    Any usual spelling will do, as "Llama 3.3 70B", H100 or aws/eu-central-1. Each fact has its source and date.
    """
    day = on.date() if on is not None else datetime.datetime.now(datetime.UTC).date()
    found = _found(name, day)
    if not found:
        known = [*models.models(), *gpus.gpus(), *providers.providers(), *licences.licences(), *regimes.regimes()]
        close = nearest(name.lower(), known, 1)
        wrong = licences.mistake(name)
        hint = wrong or (f"Did you mean {close[0]}?" if close else "See twintrack catalog list.")
        click.echo(f"Nothing is known of {name!r}. {hint}", err=True)
        ctx.exit(1)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    for title, facts in found.items():
        click.echo(f"{title}")
        for row in facts if isinstance(facts, list) else [facts]:
            _tell(row)
        click.echo()


def _found(name: str, day: datetime.date) -> dict[str, Any]:
    found: dict[str, Any] = {}
    model = models.resolve(name)
    if model is not None:
        found["model"] = value(model)
        found["offers"] = [_offer(each) for each in knowledge.offers(model.name, on=day)]
        found["languages"] = _plain(knowledge.languages_of(model.name))
        found["benchmarks"] = [value(score) for score in knowledge.scores_of(model.name)]
    found["architecture"] = _plain(architectures.find(name))
    subject = licences.find(name)
    if subject.licence is not None:
        found["licence"] = value(subject.licence)
    gpu = gpus.find_gpu(name)
    if gpu is not None:
        found["gpu"] = value(gpu)
        found["rentals"] = [value(row) for row in gpus.rentals(gpu.name)]
    provider = providers.find(name)
    if provider is not None:
        found["provider"] = {word: each for word, each in value(provider).items() if word != "deviations"}
        found["terms"] = _plain(regimes.terms().get(name))
    found["regime"] = _plain(regimes.regimes().get(name))
    found["grid"] = _plain(carbon.grid(name))
    return {word: each for word, each in found.items() if each}


def _plain(row: msgspec.Struct | None) -> dict[str, Any] | None:
    return None if row is None else value(row)


def _offer(offer: knowledge.Offer) -> dict[str, Any]:
    return {
        "provider": offer.provider,
        "upstream_model": offer.upstream_model,
        "zone": offer.zone,
        **(_prices(offer.price) if offer.price else {"price": "unknown"}),
    }


def _prices(price: TokenPrice) -> dict[str, Any]:
    found: dict[str, Any] = {
        "input_usd_per_mtok": price.input_nusd_per_mtok / 1e9,
        "output_usd_per_mtok": price.output_nusd_per_mtok / 1e9,
        "cache_read_usd_per_mtok": price.cache_read_nusd_per_mtok / 1e9,
    }
    if price.long is not None:
        found[f"over {price.long_input_tokens:,} input tokens"] = _prices(price.long)
    return {**found, "source": price.source} if price.source else found


def _tell(row: dict[str, Any]) -> None:
    parts = []
    for name, word in row.items():
        if word in ("", None, [], (), {}, 0, False) or name in ("source", "as_of"):
            continue
        text = msgspec.json.encode(word).decode() if isinstance(word, list | tuple | dict) else str(word)
        parts.append(f"{name}: {text}")
    click.echo("  " + "\n    ".join(parts))
    if row.get("source"):
        click.echo(f"    from: {row['source']}" + (f", {row['as_of']}" if row.get("as_of") else ""))
