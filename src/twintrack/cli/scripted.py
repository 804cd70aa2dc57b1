"""twintrack scripted: a provider that fails as it is asked to, for trying out clients and gateways."""

from __future__ import annotations

import asyncio
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import click
import uvloop

from twintrack.cli.numbers import Share
from twintrack.cli.run import listen_option
from twintrack.cli.table import show
from twintrack.config.effective import listen_address
from twintrack.errors import EnvironmentProblem
from twintrack.providers.scripted import Directive, NoSuchFault, Playbook, ScriptedProvider, parse
from twintrack.providers.scripted.addresses import tls
from twintrack.providers.scripted.delivery import Asked, Said, deliver
from twintrack.providers.scripted.plays import play
from twintrack.providers.scripted.reference import directives
from twintrack.providers.scripted.shapes import Tokens

_DEFAULT = "127.0.0.1:9000"


@click.command("scripted")
@listen_option(f"Listen here.  [default: {_DEFAULT}]")
@click.option(
    "--fault", "faults", multiple=True, metavar="DIRECTIVE", callback=lambda *given: _directives(*given),
    help="What requests meet that ask for nothing themselves, as cut(words); of several one at random.",
)  # fmt: skip
@click.option("--share", type=Share(), default=1.0, show_default=True, help="Of requests, that meet it.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same faults.")
@click.option("--certificate", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Speak TLS with it.")
@click.option("--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The certificate's key.")
@click.option("--list", "listed", is_flag=True, help="List what can be asked for, and end.")
def command(
    listen: str | None,
    faults: tuple[Directive, ...],
    share: float,
    seed: int,
    certificate: Path | None,
    key: Path | None,
    listed: bool,
) -> int:
    """A provider that fails as you ask, to try out how your client or gateway takes it.

    It speaks chat completions, Responses, Messages and embeddings. A request says what goes wrong by a directive in its
    prompt or in the name of its model: `[fault: http(503, retry_after=2)]`, `[fault: cut(words) times 1]`. GET /invoice
    shows what it would bill, at $2 and $8 a million tokens and $0.20 for those from a cache. Nothing it says comes
    from a model.
    """
    if listed:
        show(("fault", "arguments", "what it does"), (_cells(*each) for each in directives()), whole=("fault",))
        return 0
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key belong together.")
    where = listen_address(listen or _DEFAULT)
    assert where is not None  # as the option's check said
    playbook = Playbook(choose=_Random(faults, share, random.Random(seed)) if faults else None)  # noqa: S311 - no secret
    uvloop.run(_serve(playbook, where, None if certificate is None or key is None else (certificate, key)))
    lines = playbook.invoice.lines
    click.echo(
        f"{len(lines)} requests, {sum(1 for line in lines if line.fault)} with a fault, "
        f"would bill ${playbook.invoice.billed_nusd / 1e9:.6f}"
    )
    return 0


def _directives(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[Directive, ...]:
    """Read now, and played once on nothing, so that a mistake is said before anybody asks."""
    nothing = deliver(Said(Asked("chat", "", False, True, 1), ("",), Tokens(0, 0), ""))
    found = []
    for value in values:
        try:
            found.append(parse(value))
            play(found[-1], nothing)
        except NoSuchFault as error:
            raise click.BadParameter(f"{error}.", ctx, param) from None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Random:
    """Chooses what goes wrong."""

    faults: tuple[Directive, ...]
    share: float
    random: random.Random

    def __call__(self, asked: Asked, number: int) -> Directive | None:
        return self.random.choice(self.faults) if self.random.random() < self.share else None


def _cells(said: str, what: str) -> tuple[str, str, str]:
    name, _, arguments = said.partition("(")
    return name, arguments.removesuffix(")"), what


async def _serve(playbook: Playbook, where: tuple[str, int], files: tuple[Path, Path] | None) -> None:
    """Until a signal. Raises EnvironmentProblem: the address or the certificate cannot be used."""
    provider = ScriptedProvider(playbook.answer, keep_requests=False)
    context = None if files is None else tls(*files)
    host, port = where
    try:
        await provider.start(port, host, context)
    except OSError as error:
        raise EnvironmentProblem(
            f"{host}:{port} cannot be listened on", why=error.strerror or str(error), fix="Choose another by --listen."
        ) from None
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    scheme = "http" if context is None else "https"
    click.echo(f"twintrack: a scripted provider on {scheme}://{host}:{port}/v1, nothing it says is real", err=True)
    await stopped.wait()
    await provider.stop()
