"""The console's ASGI application: pages for people, an admin API for programs. It reads and never writes."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from twintrack.config.snapshot import Snapshot
from twintrack.control.admin import Admin
from twintrack.control.guard import Guard
from twintrack.control.pages import Pages
from twintrack.control.problem import problem
from twintrack.errors import NotFound, TwintrackError, nearest

_KNOWN = (
    "/",
    "/console/requests/",
    "/admin/api/summary",
    "/admin/api/requests",
    "/admin/api/snapshot",
    "/admin/api/balance",
)


def application(
    snapshot: Callable[[], Snapshot], clock_us: Callable[[], int] = lambda: time.time_ns() // 1000
) -> ASGIApp:
    """
    Args:
        snapshot: the one that serves now.
        clock_us: UTC microseconds.
    """

    def refuse(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):  # the router's own: only "not found" is left, methods end at the guard
            close = nearest(request.url.path, _KNOWN, 1)
            error = NotFound(
                f"There is nothing at {request.url.path[:80]}",
                fix=f"Did you mean {close[0]}?" if close else "The overview is at /",
            )
        assert isinstance(error, TwintrackError)
        return problem(request.url.path, error, snapshot())

    routes = [*Pages(snapshot, clock_us).routes(), *Admin(snapshot, clock_us).routes()]
    app = Starlette(routes=routes, exception_handlers={TwintrackError: refuse, HTTPException: refuse})
    app.router.redirect_slashes = False
    return Guard(app, snapshot)
