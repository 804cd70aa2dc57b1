"""twintrack init: a configuration file, from questions or from another gateway's file."""

from __future__ import annotations

import asyncio
import datetime
import os
import shlex
import socket
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from twintrack.catalog import prices, providers
from twintrack.cli import complete
from twintrack.cli.file import USUAL
from twintrack.cli.found import (
    Candidate,
    configuration,
    guessed_quality,
    keys_found,
    tiers_of,
)
from twintrack.config.effective import is_loopback, listen_address
from twintrack.config.load import parse
from twintrack.config.moving import fresh
from twintrack.config.settings import DATA_CLASSES, Settings
from twintrack.config.source import InvalidConfig, alternatives, spell
from twintrack.engines.detect import find
from twintrack.errors import ConfigError, EnvironmentProblem, TwintrackError

if TYPE_CHECKING:
    from twintrack.config.moving.moved import Moved

_FIRST_PORT = 8080
_PORTS_TRIED = 20
_ALL, _NONE = "all", "none"


@dataclass(frozen=True)
class _Variable:
    name: str
    purpose: str


@dataclass(frozen=True)
class _Made:
    """What will be written, and what to say of it."""

    text: str
    settings: Settings
    variables: Sequence[_Variable]
    """The environment must have them before it can serve."""
    to_check: Sequence[str] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    """For --json, beside what is said of every configuration."""


@click.command("init")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Translate LiteLLM's configuration (YAML), or a request or preset of OpenRouter (JSON); asks nothing.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=USUAL,
    show_default=True,
    metavar="FILE",
    help="Write here.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there already.")
@click.option("--yes", is_flag=True, help="Ask nothing: take the answer in brackets of each question.")
@click.option(
    "--use",
    metavar="PROVIDER[:MODEL]",
    multiple=True,
    shell_complete=complete.keyed,
    help="Use this paid provider without asking, with three of its models or this one. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; print what would be written.")
@click.option("--json", "as_json", is_flag=True, help="For programs: what is written, and what was not carried over.")
@click.pass_context
def command(
    ctx: click.Context,
    source: Path | None,
    output: Path,
    force: bool,
    yes: bool,
    use: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write a configuration file with comments that explain it.

    Looks for model servers on this machine and for keys of providers in the environment, asks at most five questions,
    and says what to do next. A provider that costs money is used only if the answer names it. With --from nothing is
    asked: another gateway's file is translated, and each of its lines that has no counterpart is listed with the reason
    and with what to do instead. Secrets are never copied, only references to them.
    """
    if source is not None and use:
        raise click.UsageError("--use chooses providers for a new configuration; --from takes them from the file.", ctx)
    if not dry_run:
        _expect_free(output, source, force)
    if source is not None:
        made = _translated(source, output)
    else:
        if not yes and not sys.stdin.isatty():
            raise click.UsageError(
                "init asks questions, and there is no terminal to answer them. Add --yes to take the answers it "
                "suggests, and --use PROVIDER for a provider that costs money.",
                ctx,
            )
        made = _asked(use, output, ask=not yes)
    if not dry_run:
        _write(output, made.text, force)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_report(made, output, written=not dry_run))))
    elif dry_run:
        click.echo(made.text, nl=False)
    _say_next(made, output, written=not dry_run)


# ---- from questions


def _asked(use: Sequence[str], output: Path, *, ask: bool) -> _Made:
    say = _to_stderr
    if ask:
        say("At most five questions. Enter takes the answer in brackets; Ctrl-C stops, and nothing is written.\n")
    servers = [server for server in asyncio.run(find()) if server.models]
    for server in servers:
        say(f"Found {server.api} at {server.url}: {', '.join(model.name for model in server.models)}")
    paid = [name for name in keys_found(os.environ) if fresh.spread(name)]
    for name in paid:
        variable = providers.providers()[name].key_env
        say(f"Found the key of {name} in {variable}; nothing that costs money is used unasked.")
    question = _Questions(ask)
    demo = False
    if servers and not question.yes("Use the model servers found?"):
        servers = []
    wishes = list(use)
    if paid and not use:
        wishes = question.paid(paid)
    if not servers and not wishes:
        demo = question.yes("No model yet. Use the two bundled demo models, real but tiny?")
        if not demo:
            raise ConfigError(
                "There is no model to serve",
                fix="Start a model server, set a provider's key and name it with --use, or take the demo models.",
            )
        if not ask:
            say("No model server was found and --use names no provider, so the two bundled demo models are used.")
    # among the demo models quality alone would leave the smaller one nothing to do
    matters = "price" if demo else "quality"
    keep = question.word("What matters more where they conflict?", fresh.KEEP_QUALITY, matters)
    unlabelled = question.word("What does a request without a label count as?", DATA_CLASSES, "internal")
    listen = question.address("Where to listen?", f"127.0.0.1:{_free_port()}")
    where = listen_address(listen)
    keys = where is None or not is_loopback(where[0])
    text, candidates = configuration(
        servers,
        [each for wish in dict.fromkeys(wishes) for each in _spread(wish)],
        listen,
        demo=demo,
        prices=_list_prices(),
    )
    choices = fresh.Choices(
        listen=listen,
        keys=keys,
        data_class=next(each for each in DATA_CLASSES if each == unlabelled),
        keep_quality=fresh.KEEP_QUALITY[keep],
        providers=tomllib.loads(text)["providers"],
        deployments=[
            (f"# list price {candidate.price}\n" if candidate.price else "") + candidate.text
            for candidate in candidates
        ],
        tiers=tiers_of(candidates),
    )
    return _checked(_new(choices, candidates), output)


def _list_prices() -> prices.Prices:
    return prices.load(None, on=datetime.datetime.now(datetime.UTC).date())


def _spread(wish: str) -> list[str]:
    """Three models of a provider that is named alone."""
    if ":" in wish or not (names := fresh.spread(wish)):
        return [wish]
    return [f"{wish}:{name}" for name in names]


def _new(choices: fresh.Choices, candidates: Sequence[Candidate]) -> _Made:
    text = fresh.text(choices)
    used = [providers.find(each.get("api", each["name"])) for each in choices.providers if "engine" not in each]
    variables = [_Variable(row.key_env, f"the key of {row.name}") for row in used if row is not None and row.key_env]
    if choices.keys:
        variables.append(_Variable("TWINTRACK_KEY", "the key clients send; openssl rand -hex 24 makes one"))
    own = any(each.get("zone") == "own" for each in choices.providers)
    to_check = []
    if choices.data_class in ("confidential", "restricted") and not own:
        to_check.append(
            f"Requests without a label count as {choices.data_class}, and nobody in this file may see that: each will "
            "be refused until there is a deployment in zone own."
        )
    if any("a guess" in candidate.how for candidate in candidates):
        to_check.append("How good the local models are is a guess from their names: see `quality` in the file.")
    return _Made(text, Settings(), variables, to_check)


def _free_port() -> int:
    """The first one nobody listens on, so that the file can be served as it is."""
    for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS_TRIED):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    return _FIRST_PORT


class _Questions:
    """Each is asked until the answer can be used; where nobody is asked, the suggestion is the answer."""

    def __init__(self, ask: bool) -> None:
        self._ask = ask

    def yes(self, text: str) -> bool:
        return click.confirm(text, default=True, err=True) if self._ask else True

    def word(self, text: str, words: Sequence[str] | Mapping[str, object], suggestion: str) -> str:
        for answer in self._answers(f"{text} {alternatives(words)}", suggestion):
            chosen = _chosen(answer, list(words))
            if chosen:
                return chosen
            _to_stderr(f"Say {alternatives(words)}.")
        raise AssertionError

    def paid(self, names: Sequence[str]) -> list[str]:
        text = f"Which providers that cost money? {', '.join(names)}, {_ALL} or {_NONE}"
        for answer in self._answers(text, _NONE):
            if answer.strip().lower() in (_ALL, _NONE):
                return list(names) if answer.strip().lower() == _ALL else []
            chosen = [_chosen(each, names) for each in answer.replace(",", " ").split()]
            if chosen and all(chosen):
                return list(dict.fromkeys(each for each in chosen if each))
            _to_stderr(f"Say {', '.join(names)}, several with commas, {_ALL} or {_NONE}.")
        raise AssertionError

    def address(self, text: str, suggestion: str) -> str:
        for answer in self._answers(text, suggestion):
            where = listen_address(answer.strip())
            if where is not None and where[1] > 0:
                return answer.strip()
            _to_stderr(
                "Say HOST:PORT, like 127.0.0.1:8080 for this machine alone or 0.0.0.0:8080 for all that reach it."
            )
        raise AssertionError

    def _answers(self, text: str, suggestion: str) -> Iterator[str]:
        if not self._ask:
            yield suggestion
        while self._ask:
            yield str(click.prompt(text, default=suggestion, err=True))


def _chosen(answer: str, words: Sequence[str]) -> str | None:
    """The word meant: itself, its beginning, or a near one."""
    answer = answer.strip().lower()
    if answer in words:
        return answer
    begun = [word for word in words if answer and word.startswith(answer)]
    return begun[0] if len(begun) == 1 else None


# ---- from another gateway's file


def _translated(source: Path, output: Path) -> _Made:
    """Raises ConfigError: it cannot be read, or no model of it can be carried; what was found is said before."""
    from twintrack.config.moving.document import MOST_BYTES
    from twintrack.config.moving.move import move
    from twintrack.config.moving.moved import World
    from twintrack.config.settings import Failover

    try:
        with source.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{source} cannot be read", why=error.strerror or str(error)) from None
    moved = move(data, str(source), World(os.environ, guessed_quality, Failover().max_attempts, _list_prices()))
    _say_remarks(moved)
    if not moved.draft.routes:
        raise ConfigError(f"No model of {source} could be carried, so nothing is written")
    variables = [
        _Variable(each.name, each.purpose + (f", line {each.line} of {source}" if each.line else ""))
        for each in moved.variables
    ]
    return _checked(_Made(moved.text, Settings(), variables, moved.to_check, _moved_report(moved)), output)


def _say_remarks(moved: Moved) -> None:
    from twintrack.config.moving.account import grouped
    from twintrack.config.moving.moved import lines_text

    for each in grouped(moved.summary):
        _to_stderr(f"{each.kind}: {each.why}")
        for place in each.places:
            _to_stderr(f"  {moved.source}, {lines_text(place.lines)}: {place.path}")


def _moved_report(moved: Moved) -> dict[str, Any]:
    return {
        "from": moved.source,
        "carried": [
            {"line": line, "path": spell(path), "to": to}
            for path, (line, to) in sorted(moved.carried.items(), key=lambda each: each[1][0])
        ],
        "not_carried": [
            {"line": each.line, "path": spell(each.path), "kind": each.kind, "why": each.why} for each in moved.remarks
        ],
    }


# ---- the file


def _checked(made: _Made, output: Path) -> _Made:
    """What we wrote ourselves is read again before anybody relies on it."""
    try:
        settings, _ = parse(made.text, str(output), environ=None)
    except InvalidConfig as error:
        raise TwintrackError(
            "What was made of this is not right, so nothing is written",
            why=str(error),
            fix="This is a defect: please report it with a file that shows it.",
        ) from None
    return replace(made, settings=settings)


def _expect_free(output: Path, source: Path | None, force: bool) -> None:
    """Before anything is asked."""
    if source is not None and output.exists() and source.exists() and output.samefile(source):
        raise TwintrackError(f"{output} is the file to translate", fix="Write to another one with --output FILE.")
    if output.exists() and not force:
        raise TwintrackError(
            f"{output} exists already", fix="Replace it with --force, or write another with --output FILE."
        )


def _write(output: Path, text: str, force: bool) -> None:
    """All of it or nothing, whatever happens meanwhile; without `force` an existing file is never touched."""
    new = output.with_name(f".{output.name}.{os.getpid()}.new") if force else output
    try:
        with new.open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
                if force:
                    new.replace(output)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise TwintrackError(f"{new} exists already", fix="Replace it with --force.") from None
    except OSError as error:
        raise EnvironmentProblem(f"{output} cannot be written", why=error.strerror or str(error)) from None


def _report(made: _Made, output: Path, *, written: bool) -> dict[str, Any]:
    settings = made.settings
    return {
        "file": str(output),
        "written": written,
        "routes": list(settings.routes),
        "providers": [each.name for each in settings.providers],
        "deployments": len(settings.deployments),
        "variables": [
            {"name": each.name, "set": each.name in os.environ, "purpose": each.purpose} for each in made.variables
        ],
        "to_check": list(made.to_check),
        **made.report,
        "next": _commands(output),
        "config": made.text,
    }


def _commands(output: Path) -> list[str]:
    file = shlex.quote(str(output))
    if output == USUAL:
        return ["twintrack config check", "twintrack serve"]
    return [f"twintrack config check {file}", f"twintrack serve --config {file}"]


def _say_next(made: _Made, output: Path, *, written: bool) -> None:
    say = _to_stderr
    settings = made.settings
    if written:
        count = _counted(len(settings.deployments), "deployment")
        say(f"\nWrote {output}: {count}; clients can ask for {_listed(list(settings.routes))}.")
    if kinds := Counter(each["kind"] for each in made.report.get("not_carried", ())):
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        say(f"Of {made.report['from']}, values by what became of them: {told}. See above, or the end of the file.")
    for sentence in made.to_check:
        say(f"Check: {sentence}")
    missing = [each for each in made.variables if each.name not in os.environ]
    if missing:
        say("Set before it serves:")
        for each in missing:
            say(f"  {each.name}  ({each.purpose})")
    check, serve = _commands(output)
    say(f"Then: {check}")
    say(f"      {serve}")


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    most = 8
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _to_stderr(text: str) -> None:
    click.echo(text, err=True)
