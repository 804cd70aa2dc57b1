"""twintrack up: a working gateway from nothing."""

from __future__ import annotations

import asyncio
import datetime
import os
import socket
from collections.abc import Callable
from pathlib import Path

import click

from twintrack.catalog import prices
from twintrack.cli import complete
from twintrack.cli.data import folder as data_folder
from twintrack.cli.found import DEMO_MODELS, Candidate, configuration, keys_found, tiers_of
from twintrack.cli.run import Configuration, base_url, listen_option, run
from twintrack.config.load import parse
from twintrack.config.snapshot import Snapshot
from twintrack.engines.detect import find
from twintrack.engines.identify import Found
from twintrack.errors import EnvironmentProblem, TwintrackError

_FIRST_PORT = 8080
_PORTS_TRIED = 20


@click.command("up")
@listen_option(f"Listen here [default: 127.0.0.1:{_FIRST_PORT}, or the next free port].")
@click.option(
    "--use",
    metavar="PROVIDER[:MODEL]",
    multiple=True,
    shell_complete=complete.keyed,
    help="Also use this paid provider, with its best model or this one; needs its key. May be repeated.",
)
@click.option("--demo-models", is_flag=True, help="Use the two bundled models even if a model server is running.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the configuration to a new file instead of starting.",
)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of ledger and journal.")
def command(listen: str | None, use: tuple[str, ...], demo_models: bool, write: Path | None, data: Path | None) -> int:
    """Start a gateway with whatever models are found on this machine.

    Running model servers are used (Ollama, LM Studio, vLLM, llama.cpp, TGI, SGLang); without any, two tiny bundled
    models on a real engine. Paid providers are never called unasked: their keys are listed, and --use turns one on.
    """
    if write is not None and write.exists():
        raise TwintrackError(f"{write} exists already", fix="Name a new file, or remove that one first.")
    servers = [] if demo_models else asyncio.run(find())
    folder = data if data is not None else data_folder(None)
    address = listen or f"127.0.0.1:{_FIRST_PORT if write is not None else _free_port()}"
    text, candidates = configuration(
        [server for server in servers if server.models],
        use,
        address,
        data="" if write is None else _data_word(folder, write),
        demo=demo_models,
        prices=prices.load(None, on=datetime.datetime.now(datetime.UTC).date()),
    )
    _tell(servers, candidates, use, demo_models)
    if write is not None:
        _write(write, text)
        return 0
    return run(Configuration(None, text, data=folder), _announce(None if data is None else folder))


def _write(file: Path, text: str) -> None:
    parse(text, str(file), environ=None)  # what we wrote ourselves is read again before anybody relies on it
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as error:
        raise EnvironmentProblem(f"{file} cannot be written", why=error.strerror or str(error)) from None
    click.echo(f"\nWrote {file}. Start it with: twintrack serve --config {file}")


def _data_word(folder: Path, file: Path) -> str:
    """What the file says of the data folder, so that `serve` goes on with the ledger `up` began; empty: the default."""
    folder = folder.absolute()
    if folder == file.absolute().parent / ".twintrack":
        return ""
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def _free_port() -> int:
    for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port != _FIRST_PORT:
            click.echo(f"Port {_FIRST_PORT} is taken; using {port}.", err=True)
        return port
    raise EnvironmentProblem(
        f"Ports {_FIRST_PORT} to {_FIRST_PORT + _PORTS_TRIED - 1} are all taken",
        fix="Choose one with --listen 127.0.0.1:PORT",
    )


def _tell(servers: list[Found], candidates: list[Candidate], use: tuple[str, ...], asked_for_demo: bool) -> None:
    say = click.echo
    if servers:
        say("Found on this machine:")
        for server in servers:
            version = f" {server.version}" if server.version else ""
            listed = ", ".join(model.name for model in server.models) or "no model yet"
            say(f"  {server.api}{version} at {server.url}: {listed}")
    if any(candidate.name in DEMO_MODELS for candidate in candidates):
        why = "No model server is running, so two" if not servers else "None of them answers chat, so two"
        say(f"{'Two' if asked_for_demo else why} bundled demo models start: {' and '.join(DEMO_MODELS)}.")
        say("  They are real but tiny and know nothing of the world; they show the plumbing, not quality.")
    by_name = {candidate.name: candidate for candidate in candidates}
    tiers = tiers_of(candidates)
    if tiers:
        say("Tiers of the route auto, cheap to premium:")
    for name, deployments in tiers:
        for deployment in deployments:
            say(f"  {name:9} {_told(by_name[deployment])}")
    for candidate in candidates:
        if candidate.embeddings:
            say(f"  embeddings, by name: {_told(candidate)}")
    chosen = {wish.partition(":")[0] for wish in use}
    off = [name for name in keys_found(os.environ) if name not in chosen]
    if off:
        say(f"Keys found but not used: {', '.join(off)}. Turn one on with: twintrack up --use {off[0]}")


def _told(candidate: Candidate) -> str:
    price = f"; list price {candidate.price}" if candidate.price else ""
    return f"{candidate.name}  (quality {candidate.quality:.2f}, {candidate.how}{price})"


def _announce(data: Path | None) -> Callable[[Snapshot], None]:
    """What to say when it serves; `data` is what the other commands must be told of the ledger's folder."""

    def announce(snapshot: Snapshot) -> None:
        base = base_url(snapshot)
        say = click.echo
        say(f"\nServing on {base}; the console is at {base}/")
        say(f"Ledger and journal are in {snapshot.data}")
        say("Try it:\n")
        say(f"  {_example(snapshot, base)}\n")
        where = f" --data {data}" if data is not None else ""
        say(f"Then, with the answer's x-twintrack-id: twintrack explain ID{where}")
        say(f"All together: twintrack ledger{where}. Ctrl-C stops.")

    return announce


def _example(snapshot: Snapshot, base: str) -> str:
    if not snapshot.routes:
        return f"curl {base}/v1/models"
    demo = any(each.model in DEMO_MODELS for each in snapshot.deployments)
    question = "What is the capital of Norland?" if demo else "Say hello in five words."
    body = f'{{"model": "auto", "messages": [{{"role": "user", "content": "{question}"}}]}}'
    return f"curl -i {base}/v1/chat/completions -H 'content-type: application/json' -d '{body}'"
