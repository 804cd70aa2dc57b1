"""Start what a configuration asks for and keep it running; shared by `serve`, `up` and `demo`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from twintrack.config.check import problems
from twintrack.config.load import load, parse
from twintrack.config.secrets import resolve
from twintrack.config.settings import Settings
from twintrack.config.snapshot import Snapshot
from twintrack.config.source import Source, invalid
from twintrack.control.supervise import Plan, Supervisor
from twintrack.gateway.open import compiled

if TYPE_CHECKING:
    from twintrack.engines.start import EngineProcess


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
        self._engines: dict[str, tuple[str, int]] = {}
        self._references: list[str] = []
        self.engine_processes: list[EngineProcess] = []

    def read(self) -> tuple[Settings, Source]:
        """Raises ConfigError."""
        settings, source = load(self._file) if self._file else parse(self._text, "the configuration of this run")
        if self._changes:
            settings = msgspec.structs.replace(
                settings, server=msgspec.structs.replace(settings.server, **self._changes)
            )
            wrong = problems(settings, source, os.environ)
            if wrong:
                raise invalid(source, wrong)
        return settings, source

    def compile(self, generation: int) -> Snapshot:
        """Raises ConfigError."""
        settings, source = self.read()
        self._prepare_engines(settings, source)
        snapshot = compiled(settings, source, generation=generation, engines=self._engines)
        references = [*(key.key for key in settings.keys), *(each.key for each in snapshot.deployments)]
        self._references = [source.reference(each) for each in references]
        return snapshot

    def watched(self) -> list[Path]:
        """The configuration file and the files of secrets."""
        files = [Path(each.removeprefix("file:")) for each in self._references if each.startswith("file:")]
        return [*([self._file] if self._file else []), *files]

    def _prepare_engines(self, settings: Settings, source: Source) -> None:
        """One process for each provider that wants an engine; one that leaves the file runs until the end."""
        wanted = [each for each in settings.providers if each.engine and each.name not in self._engines]
        if not wanted:
            return
        from twintrack.engines.start import Engine, EngineProcess, bundled, free_port

        for provider in wanted:
            name = provider.engine
            model = Path(source.absolute(name)) if name.endswith(".gguf") else bundled(name)
            engine = Engine(Path(name).stem, model, free_port())
            self._engines[provider.name] = (engine.host, engine.port)
            self.engine_processes.append(EngineProcess(engine))


def run(configuration: Configuration, on_ready: Callable[[Snapshot], None]) -> int:
    """Run until a signal says otherwise; return the exit status.

    Raises:
        ConfigError, EnvironmentProblem: it cannot start.
    """
    snapshot = configuration.compile(1)
    plan = Plan(
        snapshot=snapshot,
        compile=configuration.compile,
        watched=configuration.watched,
        secret=resolve,
        engines=configuration.engine_processes,
        on_ready=on_ready,
    )
    return Supervisor(plan).run()
