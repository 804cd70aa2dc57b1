"""twintrack plan measure: how fast an engine of yours is, for the estimator to learn from."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import click
import msgspec

from twintrack.cli.table import show


def _levels(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        levels = tuple(int(word) for word in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers, as 1,4,16", ctx, param) from None
    if not levels or not all(1 <= level <= 256 for level in levels):
        raise click.BadParameter("use 1 to 256", ctx, param)
    return levels


@click.command("measure")
@click.argument("url")
@click.option("--model", help="What the engine calls the model. Default: the first it lists.")
@click.option("--as", "name", metavar="NAME", help="The catalogue's name of the model. Default: the engine's.")
@click.option("--gpu", default="", metavar="NAME", help="What it runs on, as H100. Without it, nothing is learned.")
@click.option("--gpus", default=1, show_default=True, type=click.IntRange(1, 72), help="How many of them.")
@click.option("--bits", type=click.FloatRange(2, 32), help="Bits per weight. Default: as published.")
@click.option("--concurrency", callback=_levels, default="1,4,16", show_default=True, help="Requests at a time.")
@click.option("--input-tokens", default=200, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--output-tokens", default=128, show_default=True, type=click.IntRange(2, 10_000), help="At most.")
@click.option("--requests", default=16, show_default=True, type=click.IntRange(1, 10_000), help="A level.")
@click.option("--seconds", default=30.0, show_default=True, type=click.FloatRange(1, 600), help="A level, at most.")
@click.option("--key-env", metavar="NAME", help="Variable that holds the engine's key.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Append the results here.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    url: str,
    model: str | None,
    name: str | None,
    gpu: str,
    gpus: int,
    bits: float | None,
    concurrency: tuple[int, ...],
    input_tokens: int,
    output_tokens: int,
    requests: int,
    seconds: float,
    key_env: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Load an OpenAI-compatible engine for a short time, and measure tokens per second and latency.

    URL is its base address, as http://10.0.0.5:8000/v1. Give the file of --out to `twintrack plan --measured`, and
    the estimates for that model and GPU follow what was measured. Requests cost what the engine charges.
    """
    from twintrack.economics import measure
    from twintrack.economics.measure import Measurement

    key = os.environ.get(key_env, "") if key_env else ""
    if key_env and not key:
        raise click.UsageError(f"The variable {key_env} is not set.")
    called = model or measure.served(url, key)[0]

    def told(each: Measurement) -> None:
        click.echo(f"{each.concurrency} at a time: {each.output_tok_s:,.1f} output tokens/s", err=True)

    found = measure.measured(
        url, called, concurrency, name=name or called, gpu=gpu, gpus=gpus, weight_bits=bits,
        input_tokens=input_tokens, output_tokens=output_tokens, requests=requests, most_s=seconds, key=key, told=told,
        at=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    if out is not None:
        measure.write(out, found)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"measurements": found})))
        return
    show(
        ("at a time", "output tokens/s", "first token", "ms a token", "tokens in", "out", "answered", "failed"),
        [
            (
                f"{each.concurrency}",
                f"{each.output_tok_s:,.1f}",
                f"{each.ttft_p50_ms:,.0f} ms",
                f"{each.ms_per_token:,.1f}",
                f"{each.input_tokens:,.0f}",
                f"{each.output_tokens:,.0f}",
                f"{each.requests}",
                f"{each.failed}",
            )
            for each in found
        ],
        right=("at a time", "output tokens/s", "first token", "ms a token", "tokens in", "out", "answered", "failed"),
    )
