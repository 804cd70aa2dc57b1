"""twintrack route: what a router is worth on a file of outcomes, before it decides anything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from twintrack.cli.numbers import Share
from twintrack.cli.outcomes import read
from twintrack.cli.progress import progress
from twintrack.cli.route_replay import replay_command
from twintrack.errors import TwintrackError, nearest

if TYPE_CHECKING:
    from twintrack.training.files import Outcomes

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_KNOWN = (
    "routellm_mmlu", "routellm_gsm8k", "routellm_mtbench", "zeroeval_gsm8k", "zeroeval_gsm8k_answers", "mmlupro",
    "routerbench_arc_mbpp", "routerdc_7b_pool", "llmrouter_ulab", "alpacaeval", "bfcl",
)  # fmt: skip
"""Public sets that a name may mean, whether or not the prior was fitted to them."""


@click.group("route")
def command() -> None:
    """Measure routing on files of outcomes and on logged requests: docs/routing-measured.md says how."""


command.add_command(replay_command)


@command.command("bench")
@click.argument("file", type=_FILE)
@click.option("--weak", required=True, metavar="MODEL", help="The cheaper model, as the file names it.")
@click.option("--strong", required=True, metavar="MODEL", help="The dearer one.")
@click.option("--labels", default=0, show_default=True, type=click.IntRange(0), help="Rows to fit to; 0 is zero-shot.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the split and the bootstrap.")
@click.option(
    "--leave-out",
    "leave_out",
    multiple=True,
    metavar="SET",
    help="Refit the prior without this set and what shares questions.",
)
@click.option("--prices", type=_FILE, help="JSON {model: [usd per mtok in, out]} where the file has no costs.")
@click.option("--plot", type=_FILE, help="Write the frontier to this SVG.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def bench_command(
    file: Path,
    weak: str,
    strong: str,
    labels: int,
    seed: int,
    leave_out: tuple[str, ...],
    prices: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Rank a file's requests by need of the strong model, next to the rules a router must beat.

    FILE (.parquet, .jsonl, .csv; - for JSON lines on stdin) holds prompts and how each model did on them. Without a
    column task there is no rule that was told the task.
    """
    from twintrack.signals.weights import shipped_prior
    from twintrack.training.bench import bench

    prior = shipped_prior()
    _known_sets(leave_out, [each.name for each in prior.sources], file.stem)
    if plot is not None:
        _drawable(plot)
    with progress() as tell:
        tell(f"reading {file.name}")
        outcomes = read(file)
        found = bench(
            outcomes,
            weak,
            strong,
            prior,
            labels=labels,
            seed=seed,
            leave_out=frozenset(leave_out),
            costs_usd=_costs(outcomes, _prices(prices, outcomes), (weak, strong)) if prices else None,
            tell=tell,
        )
    if plot is not None:
        from twintrack.training.plot import svg

        drawn = svg(f"{outcomes.name}: {weak} to {strong}", found.curves, found.in_dollars)
        try:
            plot.write_text(drawn, encoding="utf-8")
        except OSError as error:
            raise TwintrackError(f"{plot} cannot be written", why=error.strerror or "") from None
    if as_json:
        click.echo(json.dumps(found.result, indent=2))
        return
    _show_bench(found.result)
    if plot is not None:
        click.echo(f"The frontier is drawn in {plot}.")


@command.command("cascade")
@click.argument("answers", type=_FILE)
@click.option("--strong", required=True, metavar="MODEL", help="Whose quality is to be kept.")
@click.option("--prices", required=True, type=_FILE, help="JSON {model: [usd per mtok in, out]}.")
@click.option("--labels", type=click.IntRange(1), help="Requests to choose the strategy by. Default: half.")
@click.option("--keep", default=0.99, show_default=True, type=Share(), help="Share of quality to keep.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the split and the bootstrap.")
@click.option(
    "--extra-chars", default=0, show_default=True, type=click.IntRange(0), help="Instructions each model got."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def cascade_command(
    answers: Path,
    strong: str,
    prices: Path,
    labels: int | None,
    keep: float,
    seed: int,
    extra_chars: int,
    as_json: bool,
) -> None:
    """Choose between one model, a mix, a router and a cascade, and score the choice on the rest of the file.

    ANSWERS holds prompts, each model's final answer (a:MODEL) and the right one (gold). Only models with a price take
    part; tokens are characters / 4; every answer that is asked for is paid.
    """
    from twintrack.signals.weights import shipped_prior
    from twintrack.training.cascade import replay

    with progress() as tell:
        tell(f"reading {answers.name}")
        outcomes = read(answers)
        found = replay(
            outcomes,
            strong,
            _prices(prices, outcomes),
            shipped_prior(),
            labels=labels,
            keep=keep,
            seed=seed,
            extra_chars=extra_chars,
            tell=tell,
        )
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _show_cascade(found)


def _known_sets(names: tuple[str, ...], sources: list[str], own: str) -> None:
    """A slip of the pen is an error; another set, as the file's own, is one that the prior was not fitted to."""
    known = {*sources, *_KNOWN, own}
    for name in names:
        if name in known:
            continue
        close = nearest(name, known, 1)
        if close:
            raise TwintrackError(f"There is no set {name!r} to leave out", fix=f"Did you mean {close[0]}?")
        click.echo(f"The prior was not fitted to {name}, so it is left out anyway.", err=True)


def _drawable(plot: Path) -> None:
    """Raises TwintrackError before anything is reckoned: what is drawn may replace a drawing, and no other file."""
    if plot.suffix.lower() != ".svg":
        raise TwintrackError(f"{plot} is no name for an SVG", fix=f"Name it {plot.stem}.svg.")
    if not os.access(plot if plot.exists() else plot.absolute().parent, os.W_OK):
        raise TwintrackError(f"{plot} cannot be written", fix="Name a file in a folder that is there and yours.")


def _prices(path: Path, outcomes: Outcomes) -> dict[str, tuple[float, float]]:
    """Of each model, whether the file knows it or not; of one that it does not the reader is told."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TwintrackError(f"The prices {path} cannot be read", why=error.strerror or "") from None
    except RecursionError:
        raise TwintrackError(f"{path} is nested too deeply") from None
    except ValueError as error:
        raise TwintrackError(f"{path} is not JSON", why=str(error)) from None
    prices = {}
    for name, value in found.items() if isinstance(found, dict) else ():
        if not isinstance(value, list) or len(value) != 2 or not all(map(_is_price, value)):
            raise TwintrackError(
                f"{path}: the price of {name} is {json.dumps(value)[:60]}",
                fix="Use [usd_in, usd_out], dollars per million tokens.",
            )
        prices[name] = (float(value[0]), float(value[1]))
    if not prices:
        raise TwintrackError(f"{path} holds no prices", fix='Write {"model": [usd_per_mtok_in, usd_per_mtok_out]}.')
    for name in prices:
        if name not in outcomes.scores:
            close = nearest(name, outcomes.scores, 1)
            meant = f"; did you mean {close[0]}?" if close and close[0] not in prices else "."
            click.echo(f"{path.name} has a price of {name}, which {outcomes.name} does not know{meant}", err=True)
    return prices


_MOST_USD = 1e9
"""A million tokens."""


def _is_price(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MOST_USD


def _costs(outcomes: Outcomes, prices: dict[str, tuple[float, float]], pair: tuple[str, str]) -> dict[str, Any]:
    from twintrack.training.cascade import CHARS_PER_TOKEN, add_price

    for name in pair:
        outcomes.score(name)
        if name in outcomes.costs_usd:
            continue
        if name not in prices:
            raise TwintrackError(f"The prices lack {name}", fix=add_price(name, prices))
        if name not in outcomes.answer_chars:
            raise TwintrackError(
                f"{outcomes.name} does not say how long the answers of {name} are",
                why="What they cost is unknown",
                fix=f"Add a column n:{name}, the characters of each answer.",
            )
    chars = outcomes.prompt_chars
    return {
        name: (chars * into + outcomes.answer_chars[name] * out) / CHARS_PER_TOKEN / 1e6
        for name, (into, out) in prices.items()
        if name in outcomes.scores and name in outcomes.answer_chars
    }


def _show_bench(found: dict[str, Any]) -> None:
    from twintrack.cli.table import show
    from twintrack.training.fit import LEAST_VERDICTS

    weak, strong = found["weak"], found["strong"]
    click.echo(
        f"{found['set']}, {found['rows_scored']:,} requests: the mean score of {weak['model']} is "
        f"{weak['quality']:.1%}, of {strong['model']} {strong['quality']:.1%}."
    )
    if found["questions_scored"] < found["rows_scored"]:
        click.echo(
            f"These ask {found['questions_scored']:,} different questions, and intervals are as wide as of so many."
        )
    if strong["quality"] <= weak["quality"]:
        click.echo(f"{strong['model']} is no better here: there is no gap to recover.")
    if 0 < found["labels"] < LEAST_VERDICTS:
        click.echo(
            f"{found['labels']} labels are too few to fit to, so this is the prior; {LEAST_VERDICTS} are enough."
        )
    elif found["labels"]:
        click.echo(f"Fitted to {found['labels']:,} other requests of the file; all figures are of those not fitted to.")
    elif found["zero_shot"]:
        click.echo("Zero-shot: none of these questions stood in what the weights were fitted to.")
    else:
        shared = found["prior"]["rows_shared_with_training"]
        names = ", ".join(f"{name} ({count:,})" for name, count in shared.items())
        click.echo(
            f"Not zero-shot: questions of this file stood in the training, by set: {names}. "
            f"To leave them out: --leave-out {next(iter(shared))}"
        )
    rows = []
    for name, words in (
        ("ours", "this router"),
        ("random", "at random"),
        ("length", "length rule"),
        ("task_mean", "told the task"),
        ("best_single", "one model"),
        ("oracle", "oracle"),
    ):
        each = found["ours"] if name == "ours" else found["baselines"][name]
        if each is not None:
            rows.append([words, *_bench_row(each), _against(found, name)])
    show(
        ("", "APGR", "95 % interval", "CPT50", "CPT80", "C95", "AIQ", "router is better by"),
        rows,
        right=("APGR", "CPT50", "CPT80", "C95", "AIQ"),
    )
    pool = found.get("pool")
    if pool:
        click.echo(
            f"Among all {len(pool['models'])} priced models: AIQ {pool['aiq']:.4f}, hull of single models "
            f"{pool['aiq_hull_of_single_models']:.4f} ({pool['gain']:+.1%}, {pool['gain_low']:+.1%} to "
            f"{pool['gain_high']:+.1%})."
        )


def _bench_row(each: dict[str, Any]) -> list[str]:
    def figure(name: str, form: str) -> str:
        return "-" if each.get(name) is None else format(each[name], form)

    return [
        figure("apgr", ".3f"),
        "-" if each.get("apgr_low") is None else f"{each['apgr_low']:.3f} to {each['apgr_high']:.3f}",
        figure("cpt50", ".1f"),
        figure("cpt80", ".1f"),
        figure("c95", ".1f"),
        figure("aiq", ".4f"),
    ]


def _against(found: dict[str, Any], name: str) -> str:
    each = found["ours_minus"].get(name)
    if each is None or each["apgr"] is None:
        return ""
    return f"{each['apgr']:+.3f} ({each['low']:+.3f} to {each['high']:+.3f})"


def _show_cascade(found: dict[str, Any]) -> None:
    from twintrack.cli.table import show

    click.echo(f"Chosen on {found['labels']:,} requests of {found['set']}: {found['words']}.")
    agreement = found.get("agreement_on_labels")
    if agreement:
        click.echo(
            f"There {' and '.join(agreement['models'])} agreed on {agreement['agreed']:.0%}, and were right on "
            f"{agreement['right_where_agreed']:.1%} of those."
        )
    click.echo(f"On the {found['rows_scored']:,} others, against {found['strong']['model']} for everything:")

    def row(words: str, each: dict[str, Any]) -> list[str]:
        return [words, _share(each, "kept", ".2%"), _share(each, "saved", ".1%")]

    show(
        ("", "quality kept", "dollars saved"),
        [
            row("chosen", found),
            row("best mix", found["best_mix"]),
            row("prompt only", found["prompt_only"]),
            row("oracle", found["oracle"]),
        ],
    )
    if found["kept"] is not None and found["kept"] < found["keep"]:
        click.echo(
            f"That is less than the {found['keep']:.1%} it was chosen for: {found['labels']:,} labels promise no more."
        )
    against = found["minus_best_mix_at_equal_dollars"]
    click.echo(
        f"Against the best mix of two single models at equal dollars: {against['points']:+.1f} points of quality "
        f"({against['low']:+.1f} to {against['high']:+.1f})."
    )
    if "believe" in found:
        click.echo("For the gateway, with your names of the deployments (docs/cascade.md):")
        click.echo('  check = ["agreement"]')
        click.echo(f"  drafts = {json.dumps(found['models'][:-1])}")
        click.echo(f"  believe = {json.dumps(found['believe'])}")


def _share(each: dict[str, Any], name: str, form: str) -> str:
    """With its interval where there is one."""
    value, low, high = (each.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return "-"
    return f"{value:{form}}" + ("" if low is None or high is None else f" ({low:{form}} to {high:{form}})")
