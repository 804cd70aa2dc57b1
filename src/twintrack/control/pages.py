"""Two pages: the overview, and one request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from twintrack.config.snapshot import Snapshot
from twintrack.control.attempts import shown
from twintrack.control.latest import latest
from twintrack.control.overview import overview
from twintrack.control.render import render
from twintrack.control.serving import first_request, serving
from twintrack.errors import NotFound
from twintrack.ledger.database import database
from twintrack.ledger.entries import Attempt, entries
from twintrack.ledger.story import in_short
from twintrack.ledger.verdicts import sentences
from twintrack.policy.explain import fix_sentence, objection_sentence

_STATIC = Path(__file__).parent / "static"
_TYPES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
_MOST_ID_CHARS = 200


class Pages:
    """Each page is made on a thread of its own, since SQLite waits for the disk."""

    def __init__(self, snapshot: Callable[[], Snapshot], clock_us: Callable[[], int]) -> None:
        self._snapshot = snapshot
        self._clock_us = clock_us

    def routes(self) -> list[Route]:
        return [
            Route("/", self.overview),
            Route("/console", self.overview),
            Route("/console/sums", self.sums),
            Route("/console/latest", self.latest),
            Route("/console/requests", self.search),
            Route("/console/requests/{request_id:path}", self.request),
            Route("/console/static/{name}", static),
        ]

    def overview(self, request: Request) -> Response:
        snapshot = self._snapshot()
        path = database(snapshot.data)
        return render(
            "overview.html",
            snapshot,
            overview=overview(path, self._clock_us()),
            latest=latest(path, self._clock_us()),
            first_request=first_request(snapshot),
            serving=serving(snapshot),
        )

    def sums(self, request: Request) -> Response:
        """The part of the overview that holds the sums, to put in the place of the old one."""
        snapshot = self._snapshot()
        return render("_sums.html", snapshot, overview=overview(database(snapshot.data), self._clock_us()))

    def latest(self, request: Request) -> Response:
        """The part of the overview that lists requests, likewise."""
        snapshot = self._snapshot()
        rows = latest(database(snapshot.data), self._clock_us())
        return render("_latest.html", snapshot, latest=rows, first_request=first_request(snapshot))

    def search(self, request: Request) -> Response:
        asked = request.query_params.get("id", "").strip()[:_MOST_ID_CHARS]
        return RedirectResponse(f"/console/requests/{quote(asked, safe='')}" if asked else "/", 303)

    def request(self, request: Request) -> Response:
        snapshot = self._snapshot()
        asked: str = request.path_params["request_id"][:_MOST_ID_CHARS]
        path = database(snapshot.data)
        found = entries(path, asked) if path.exists() else []
        if not found:
            raise NotFound(
                f"There is no request {asked!r} in the ledger",
                why="a request is here within a second, but one refused for its form or its key is not kept",
                fix="Use the x-twintrack-id header of an answer, or pick a request on the overview.",
            )
        attempts = [each for each in found if isinstance(each, Attempt)]
        return render(
            "request.html",
            snapshot,
            asked_id=asked,
            first=found[0],
            sentences=[*in_short(found), *sentences(path, asked)],
            attempts=[shown(each) for each in attempts],
            simulated=any(each.simulated for each in attempts),
            ruled_out=[
                (each.deployment, objection_sentence(each.code, each.have, each.need), fix_sentence(each.code))
                for each in found[0].ruled_out
            ],
        )


def static(request: Request) -> Response:
    """Style, script and icon."""
    name = request.path_params["name"]
    if name not in _TYPES:
        raise NotFound(f"There is no file {name[:80]!r}")
    return Response((_STATIC / name).read_bytes(), media_type=_TYPES[name])
