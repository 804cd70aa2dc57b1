"""Two pages: the overview, and one request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from twintrack.config.snapshot import Snapshot
from twintrack.control import figures
from twintrack.control.chart import Chart, Hour, chart
from twintrack.control.latest import latest, outcome
from twintrack.control.render import render
from twintrack.control.serving import ZONES, first_request, is_demo, serving
from twintrack.control.story import paid_nusd, told
from twintrack.errors import NotFound
from twintrack.ledger.hours import HOUR_US
from twintrack.ledger.queries import Attempt, Summary, entries, summary
from twintrack.ledger.schema import database
from twintrack.policy.explain import fix_sentence, objection_sentence

HOURS = 24
DAYS = 7
_DAY_US = 24 * HOUR_US
_STATIC = Path(__file__).parent / "static"
_TYPES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
_MAX_ID_CHARS = 200


class Pages:
    def __init__(self, snapshot: Callable[[], Snapshot], clock_us: Callable[[], int]) -> None:
        self._snapshot = snapshot
        self._clock_us = clock_us

    def routes(self) -> list[Route]:
        return [
            Route("/", self.overview),
            Route("/console", self.overview),
            Route("/console/figures", self.figures),
            Route("/console/latest", self.latest),
            Route("/console/requests", self.search),
            Route("/console/requests/{request_id:path}", self.request),
            Route("/console/static/{name}", static),
        ]

    def overview(self, request: Request) -> Response:
        snapshot = self._snapshot()
        books = _books(snapshot, self._clock_us())
        rows = latest(database(snapshot.data)) if books is not None else []
        return render(
            "overview.html",
            snapshot,
            books=books,
            latest=rows,
            serving=serving(snapshot),
            first_request=first_request(snapshot),
        )

    def figures(self, request: Request) -> Response:
        """The part of the overview that holds the sums, to put in place of the old one."""
        snapshot = self._snapshot()
        return render("_figures.html", snapshot, books=_books(snapshot, self._clock_us()))

    def latest(self, request: Request) -> Response:
        """The part of the overview that lists requests, likewise."""
        snapshot = self._snapshot()
        path = database(snapshot.data)
        return render("_latest.html", snapshot, latest=latest(path) if path.exists() else [])

    def search(self, request: Request) -> Response:
        asked = request.query_params.get("id", "").strip()[:_MAX_ID_CHARS]
        return RedirectResponse(f"/console/requests/{quote(asked, safe='')}" if asked else "/", 303)

    def request(self, request: Request) -> Response:
        snapshot = self._snapshot()
        asked: str = request.path_params["request_id"][:_MAX_ID_CHARS]
        path = database(snapshot.data)
        found = entries(path, asked) if path.exists() else []
        if not found:
            raise NotFound(
                f"There is no request {asked!r} in the ledger" if asked else "No request id was given",
                why="a request shows up here within a second; what was refused for its form or its key is not kept",
                fix="Use the x-twintrack-id header of an answer, or pick one from the overview.",
            )
        attempts = [each for each in found if isinstance(each, Attempt)]
        return render(
            "request.html",
            snapshot,
            asked_id=asked,
            first=found[0],
            sentences=told(found),
            attempts=attempts,
            simulated=any(each.simulated for each in attempts),
            outcome=outcome,
            paid_nusd=paid_nusd,
            is_demo=is_demo,
            zones=ZONES,
            ruled_out=[
                (each.deployment, objection_sentence(each.code, each.have, each.need), fix_sentence(each.code))
                for each in found[0].ruled_out
            ],
        )


def static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _TYPES:
        raise NotFound(f"There is no file {name[:80]!r}")
    return Response((_STATIC / name).read_bytes(), media_type=_TYPES[name])


class _Books:
    """What `_figures.html` shows of one kind of rows, real or simulated."""

    def __init__(self, spans: list[figures.Books], drawn: Chart | None) -> None:
        self.headline = figures.headline(spans[-1])
        self.columns = [each.name for each in spans]
        self.rows = figures.rows(spans)
        self.chart = drawn
        self.empty = not any(each.line.requests or each.line.attempts or each.engines for each in spans)


class _AllBooks:
    def __init__(self, real: _Books, simulated: _Books | None, running: int) -> None:
        self.real = real
        self.simulated = simulated
        self.running = running


def _books(snapshot: Snapshot, now_us: int) -> _AllBooks | None:
    """None: the ledger is still empty."""
    path = database(snapshot.data)
    if not path.exists():
        return None
    midnight_us = now_us // _DAY_US * _DAY_US
    spans: list[tuple[str, str, Summary]] = [
        ("Today", "today", summary(path, (), midnight_us)),
        (f"Last {DAYS} days", f"in the last {DAYS} days", summary(path, (), now_us - DAYS * _DAY_US)),
    ]
    real = [figures.real(*span) for span in spans]
    unreal = [figures.simulated(*span) for span in spans]
    running = spans[-1][2].open
    everything = spans[-1][2]
    if not everything.total.requests and not everything.total.attempts and not everything.idle:
        if everything.simulated_total is None and not running and _is_empty(path):
            return None
    hours = [
        summary(path, (), start_us, start_us + HOUR_US)
        for start_us in range(now_us // HOUR_US * HOUR_US - (HOURS - 1) * HOUR_US, now_us, HOUR_US)
    ]
    return _AllBooks(real, unreal, running)


def _is_empty(path: Path) -> bool:
    return not latest(path)
