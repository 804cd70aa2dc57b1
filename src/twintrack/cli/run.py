"""Start what a configuration asks for and keep it running; shared by `serve` and `up`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from twintrack.cli.file import present
from twintrack.config.check import problems
from twintrack.config.effective import listen_address
from twintrack.config.load import load, parse
from twintrack.config.secrets import header_reference, resolve, warning
from twintrack.config.settings import Provider, Settings
from twintrack.config.snapshot import Snapshot
from twintrack.config.source import Source, invalid
from twintrack.control.supervise import Plan, Supervisor
from twintrack.errors import ConfigError
from twintrack.gateway.open import compiled
from twintrack.gateway.verifier import verifier_in
from twintrack.signals.predictor import weights_in
from twintrack.signals.weights import ROUTER, VERIFIER
from twintrack.telemetry.extra import require

if TYPE_CHECKING:
    from twintrack.engines.start import Engine, EngineProcess

_GGUF_CONTEXT_TOKENS = 4096
"""Of one request to a GGUF file whose deployment does not say: its own window may need more memory than there is."""


def listen_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option("--listen", metavar="HOST:PORT", callback=_address, help=help_text)


def _address(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    where = listen_address(value) if value is not None else None
    if value is not None and (where is None or where[1] == 0):
        raise click.BadParameter(
            f"{value!r} is no address. Use HOST:PORT, like 127.0.0.1:8080 or [::1]:8080.", ctx, param
        )
    return value


def base_url(snapshot: Snapshot) -> str:
    """Where clients reach the gateway, without a path."""
    scheme = "https" if snapshot.tls_cert else "http"
    host = f"[{snapshot.listen_host}]" if ":" in snapshot.listen_host else snapshot.listen_host
    return f"{scheme}://{host}:{snapshot.listen_port}"


class Configuration:
    """A configuration file, or a text made up for this run, with what the command line changes in it."""

    def __init__(
        self,
        file: Path | None,
        text: str = "",
        *,
        listen: str | None = None,
        workers: int | None = None,
        data: Path | None = None,
    ) -> None:
        """`file` None: `text` is the configuration, and nothing is watched."""
        self._file = file
        self._text = text
        said = {"listen": listen, "workers": workers, "data": str(data.absolute()) if data else None}
        self._changes = {name: value for name, value in said.items() if value is not None}
        self._engines: dict[tuple[str, str], Engine] = {}
        """By provider and what it wants started."""
        self.references: list[str] = []
        """Of secrets, with absolute paths."""
        self.engine_processes: list[EngineProcess] = []
        self._router = b""
        """The weights of the fitted router that serve."""
        self._verifier = b""
        """Likewise, of the fitted verifier."""
        self._fitted_files: list[Path] = []

    def read(self) -> tuple[Settings, Source]:
        """Raises ConfigError."""
        settings, source = (
            load(present(self._file)) if self._file else parse(self._text, "the configuration of this run")
        )
        if self._changes:
            settings = msgspec.structs.replace(
                settings, server=msgspec.structs.replace(settings.server, **self._changes)
            )
            wrong = problems(settings, source, os.environ)
            if wrong:
                raise invalid(source, wrong)
        return settings, source

    def compile(self, generation: int) -> Snapshot:
        """Engines a reload adds are started here; the first ones are the supervisor's to start.

        Raises:
            ConfigError: and nothing has changed.
            MissingExtra: an engine is wanted and llama.cpp is not installed.
        """
        settings, source = self.read()
        fresh = self._new_engines(settings, source)
        known = self._engines | fresh
        addresses = {
            provider.name: (known[provider.name, provider.engine].host, known[provider.name, provider.engine].port)
            for provider in settings.providers
            if provider.engine
        }
        data = Path(source.absolute(settings.server.data))
        self._fitted_files = [data / ROUTER, data / VERIFIER]
        router = _fitted("router", lambda: weights_in(data), self._router, "the prior decides")
        verifier = _fitted("verifier", lambda: verifier_in(data), self._verifier, "nobody drafts for it")
        snapshot = compiled(
            settings, source, generation=generation, engines=addresses, router=router, verifier=verifier
        )
        require(snapshot.telemetry)
        self._start(list(fresh.values()), now=generation > 1)
        self._engines, self._router, self._verifier = known, router, verifier
        references = [*(key.key for key in settings.keys), *(each.key for each in snapshot.deployments)]
        references += [header_reference(value)[1] for value in settings.telemetry.headers.values()]
        self.references = list(dict.fromkeys(source.reference(each) for each in references if each))
        return snapshot

    def watched(self) -> list[Path]:
        """The configuration file, the fitted router and verifier, and the files of secrets."""
        files = [Path(each.removeprefix("file:")) for each in self.references if each.startswith("file:")]
        return [*([self._file] if self._file else []), *self._fitted_files, *files]

    def _new_engines(self, settings: Settings, source: Source) -> dict[tuple[str, str], Engine]:
        """One engine for each provider that wants one; one that leaves the file runs until the end."""
        wanted = [each for each in settings.providers if each.engine and (each.name, each.engine) not in self._engines]
        if not wanted:
            return {}
        from twintrack.engines.start import Engine, bundled, free_port

        engines = {}
        for provider in wanted:
            name = provider.engine
            if name.endswith(".gguf"):
                model = Path(source.absolute(name))
                window = _window(provider, settings) or _GGUF_CONTEXT_TOKENS
                threads = len(os.sched_getaffinity(0))
                engine = Engine(
                    model.stem, model, free_port(), context_tokens=Engine.parallel * window, threads=threads
                )
            else:
                engine = Engine(name, bundled(name), free_port())
            engines[provider.name, name] = engine
        return engines

    def _start(self, engines: list[Engine], *, now: bool) -> None:
        if not engines:
            return
        from twintrack.engines.start import EngineProcess

        processes = [EngineProcess(engine) for engine in engines]
        for process in processes if now else ():
            process.start()
        self.engine_processes += processes


def _fitted(what: str, read: Callable[[], bytes], serving: bytes, else_: str) -> bytes:
    """Fitted weights; if they cannot be used, those that serve already: requests go on either way."""
    try:
        return read()
    except ConfigError as error:
        instead = "the one before decides" if serving else else_
        click.echo(f"twintrack: the fitted {what} is not used, {instead}: {error}", err=True)
        return serving


def _window(provider: Provider, settings: Settings) -> int:
    """The largest window a deployment of this provider claims; 0: none does."""
    claimed = [each.facts.context_tokens for each in settings.deployments if each.provider == provider.name]
    return max((tokens for tokens in claimed if tokens), default=0)


def run(configuration: Configuration, on_ready: Callable[[Snapshot], None]) -> int:
    """Run until a signal says otherwise; return the exit status.

    Raises:
        ConfigError, EnvironmentProblem: it cannot start.
    """
    snapshot = configuration.compile(1)
    for reference in configuration.references:
        if said := warning(reference):
            click.echo(f"twintrack: {said}", err=True)
    plan = Plan(
        snapshot=snapshot,
        compile=configuration.compile,
        watched=configuration.watched,
        secret=resolve,
        engines=configuration.engine_processes,
        on_ready=on_ready,
    )
    return Supervisor(plan).run()
