"""twintrack up: a working gateway from nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import click

from twintrack.cli.data import folder as data_folder
from twintrack.cli.found import DEMO_MODELS, Candidate, configuration, keys_found, tiers_of
from twintrack.cli.run import Configuration, run
from twintrack.config.snapshot import Snapshot
from twintrack.engines.detect import find
from twintrack.engines.identify import Found
from twintrack.errors import EnvironmentProblem

_PORTS_TRIED = 20


@click.command("up")
@click.option("--listen", metavar="HOST:PORT", help="Listen here [default: 127.0.0.1:8080, or the next free port].")
@click.option("--use", metavar="PROVIDER[:MODEL]", multiple=True, help="Also use this paid provider; needs its key.")
@click.option("--demo-models", is_flag=True, help="Use the two bundled models even if a model server is running.")
@click.option("--write", type=click.Path(path_type=Path, dir_okay=False), help="Write the configuration and stop.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of ledger and journal.")
def command(
    listen: str | None, use: tuple[str, ...], demo_models: bool, write: Path | None, data: Path | None
) -> int:
    """Start a gateway with whatever models are found on this machine.

    Running model servers are used (Ollama, LM Studio, vLLM, llama.cpp, TGI, SGLang); without any, two tiny bundled
    models on a real engine. Paid providers are never called unasked: their keys are listed, and --use turns one on.
    """
    servers = [] if demo_models else asyncio.run(find())
    servers = [server for server in servers if server.models]
    address = listen or f"127.0.0.1:{_free_port()}"
    text, candidates = configuration(servers, use, address)
    if write is not None:
        write.write_text(text)
        click.echo(f"Wrote {write}. Start it with: twintrack serve --config {write}")
        return 0
    _tell(servers, candidates, use)
    folder = data if data is not None else data_folder(None)
    return run(Configuration(None, text, data=folder), _announce)


def _free_port() -> int:
    for port in range(8080, 8080 + _PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port != 8080:
            click.echo(f"Port 8080 is taken; using {port}.", err=True)
        return port
    raise EnvironmentProblem(
        f"Ports 8080 to {8080 + _PORTS_TRIED - 1} are all taken", fix="Choose one with --listen 127.0.0.1:PORT"
    )


def _tell(servers: list[Found], candidates: list[Candidate], use: tuple[str, ...]) -> None:
    say = click.echo
    if servers:
        say("Found on this machine:")
        for server in servers:
            version = f" {server.version}" if server.version else ""
            say(f"  {server.api}{version} at {server.url}: {', '.join(model.name for model in server.models)}")
    else:
        say(f"No model server is running, so two bundled demo models start: {' and '.join(DEMO_MODELS)}.")
        say("  They are real but tiny and know nothing of the world; they show the plumbing, not quality.")
    say("Tiers of the route auto, cheap to premium:")
    quality = {candidate.name: candidate for candidate in candidates}
    for name, deployments in tiers_of([candidate for candidate in candidates if not candidate.embeddings]):
        for deployment in deployments:
            about = quality[deployment]
            say(f"  {name:9} {deployment}  (quality {about.quality:.2f}, {about.how})")
    chosen = {wish.partition(":")[0] for wish in use}
    off = [name for name in keys_found(os.environ) if name not in chosen]
    if off:
        say(f"Keys found but not used: {', '.join(off)}. Turn one on with: twintrack up --use {off[0]}")


def _announce(snapshot: Snapshot) -> None:
    base = f"http://{snapshot.listen_host}:{snapshot.listen_port}"
    say = click.echo
    say(f"\nServing on {base}; the console is at {base}/")
    say("Try it:\n")
    if any(each.model in DEMO_MODELS for each in snapshot.deployments):
        question = "What is the capital of Norland?"
    else:
        question = "Say hello in five words."
    body = '{"model": "auto", "messages": [{"role": "user", "content": "%s"}]}' % question
    say(f"  curl -i {base}/v1/chat/completions -H 'content-type: application/json' -d '{body}'\n")
    say("Then: twintrack explain ID (from the x-twintrack-id header), twintrack ledger. Ctrl-C stops.")
