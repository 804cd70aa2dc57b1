"""What would leave of a text on a route that replaces what was found in it."""

from __future__ import annotations

import click
import msgspec

from twintrack.config.settings import PSEUDONYMS, Settings
from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.grade import Grade, Ladder, grade
from twintrack.signals.sensitivity.naming import Naming
from twintrack.signals.sensitivity.pseudonyms import Texts, pseudonymise, remaining, replaceable
from twintrack.signals.sensitivity.replaced import Impossible
from twintrack.signals.sensitivity.whole import read


class Left(msgspec.Struct, frozen=True):
    text: str
    """With placeholders; as it is if it cannot be replaced."""
    replaced: int
    """Values."""
    data_class: str = msgspec.field(name="class")
    """Of what is left."""
    why: str = ""
    """Nothing is replaced, and the class stays."""


class _Turn(msgspec.Struct):
    content: str
    role: str = "user"


class _Body(msgspec.Struct):
    messages: list[_Turn]


def left(text: str, settings: Settings, route: str, detector: Detector, by: Ladder) -> Left:
    """As the gateway replaces it in a prompt; its placeholders have other letters."""
    said = settings.routes[route].pseudonyms if route in settings.routes else ()
    wanted = frozenset(said if isinstance(said, tuple) and said else PSEUDONYMS)
    body = msgspec.json.encode(_Body([_Turn(text)]))
    texts, before = _read(detector, by, body)
    found = replaceable(before, texts, wanted)
    if not found:
        return Left(text, 0, before.data_class)
    try:
        made = pseudonymise(body, texts, found, Naming(b"shown", "", ""))
        after_texts, after = _read(detector, by, made.body)
        data_class, _ = remaining(before, after, after_texts, wanted, by)
    except Impossible as error:
        return Left(text, 0, before.data_class, str(error))
    return Left(msgspec.json.decode(made.body, type=_Body).messages[0].content, made.replaced, data_class)


def tell(what: Left) -> None:
    if what.why:
        click.echo(f"Nothing would be replaced, for {what.why}: it would go as it is, with its class.")
    elif what.replaced:
        click.echo(f"With {what.replaced} replaced its class would be {what.data_class}, and this would leave:\n")
        click.echo(what.text)
    else:
        click.echo("Nothing in it would be replaced.")


def _read(detector: Detector, by: Ladder, body: bytes) -> tuple[Texts, Grade]:
    texts, verdicts = read(detector, body)
    return texts, grade(verdicts, by)
