"""A request that was read and not yet decided, and what is found out about it before it is.

Most requests are decided at once. Where something has to be known first, as what stands in the text, an `Inquiry` finds
it out, in this turn of the loop if it can and else over several. Inquiries come one after the other: a later one sees
what an earlier one found, so that nothing is shown to anybody who may not see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from twintrack.config.settings import DataClass
from twintrack.config.snapshot import Route
from twintrack.errors import TwintrackError
from twintrack.gateway.client import Client
from twintrack.gateway.heard import Heard
from twintrack.ledger.records import Screened
from twintrack.wire.classifier import Kind


class Inquiry(Protocol):
    """Finds something out and notes it in the `Undecided` it was made for. Raises nothing: what goes wrong is noted."""

    def begin(self, done: Callable[[], None]) -> bool:
        """True: it is found out. Else `done` is called, once and in a later turn, unless `drop` comes before."""
        ...

    def drop(self) -> None:
        """The request is over, and nobody wants to know any more."""


class Report(Protocol):
    """Goes on record with what is decided."""

    def record(self, route: Route | None, data_class: DataClass) -> Screened:
        """`data_class`: the one that held; `route` None: the client named a deployment."""
        ...

    def causes(self, rung: int) -> list[str]:
        """What would have to go so that what was read does not make a request this class, as phrases."""
        ...


class Restoring(Protocol):
    """Puts values back into an answer."""

    def before(self, client: Client) -> Client:
        """A client in front of `client`."""
        ...


class Undecided(Heard):
    body: bytes
    """The client's."""
    found: DataClass = "public"
    """What was found: the request's class is no lower."""
    categories: tuple[str, ...] = ()
    """Of what was found."""
    refused: TwintrackError | None = None
    """Why nobody may answer, whatever else is found."""
    kind: Kind | None = None
    """What a classifier says of it; None: nothing, or there is none."""
    attempts: int = 0
    """Made so far, to find something out."""
    cost_nusd: int | None = 0
    """Of these; None: unknown."""
    waited_ns: int = 0
    """For these."""
    report: Report | None = None
    """What was read of it; None: nothing in it could have changed anything."""
    reported: bool = False
    """That is on record already."""
    restoring: Restoring | None = None
    """What its client hears the answer through, where values in it were replaced; `body` and `asked` are then what
    leaves."""


def inquiries(undecided: Undecided) -> Iterator[Inquiry]:
    """What has to be found out, each made when the one before is done."""
    from twintrack.gateway.screening import screening

    screened = screening(undecided)
    route = undecided.serving.routes.get(undecided.asked.model)
    if screened is not None:
        yield screened
        if route is not None and route.pseudonyms:
            from twintrack.gateway.pseudonyms import replacing

            replaces = replacing(undecided, screened, frozenset(route.pseudonyms))
            if replaces is not None:
                yield replaces
    if route is not None and route.classifier is not None:
        from twintrack.gateway.classifying import classifying

        asked = classifying(undecided)
        if asked is not None:
            yield asked
