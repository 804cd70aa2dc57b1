"""The admin API: the ledger and what is serving, as JSON. Money in nano-dollars, times in UTC microseconds.

GET /admin/api/summary?by=route,tier&since=7d&until=
GET /admin/api/requests?limit=50&before=
GET /admin/api/requests/{id}
GET /admin/api/verdicts?since=7d&until=
GET /admin/api/snapshot
GET /admin/api/balance
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twintrack.config.snapshot import Deployment, Snapshot
from twintrack.errors import BadRequest, NotFound, nearest
from twintrack.ledger.balance import balance
from twintrack.ledger.database import database
from twintrack.ledger.entries import entries, recent
from twintrack.ledger.moment import FORMS, moment_us
from twintrack.ledger.story import told
from twintrack.ledger.summary import BY, summary
from twintrack.ledger.verdicts import sentences, verdicts

MOST_ENTRIES = 1000
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


class Admin:
    def __init__(self, snapshot: Callable[[], Snapshot], clock_us: Callable[[], int]) -> None:
        self._snapshot = snapshot
        self._clock_us = clock_us

    def routes(self) -> list[Route]:
        return [
            Route("/admin/api/summary", self.summary),
            Route("/admin/api/requests", self.requests),
            Route("/admin/api/requests/{request_id:path}", self.request),
            Route("/admin/api/verdicts", self.verdicts),
            Route("/admin/api/snapshot", self.snapshot),
            Route("/admin/api/balance", self.balance),
        ]

    def summary(self, request: Request) -> Response:
        asked = _parameters(request, ("by", "since", "until"))
        by = tuple(word.strip() for word in asked.get("by", "route,tier").split(",") if word.strip())
        for word in by:
            if word not in BY:
                raise BadRequest(
                    f"The ledger cannot be grouped by {word[:80]!r}", fix=_did_you_mean(word, BY), param="by"
                )
        since_us, until_us = (self._time(name, asked[name]) if name in asked else None for name in ("since", "until"))
        path = self._ledger()
        return _json(summary(path, by, since_us, until_us, self._snapshot().tenants_by_key()) if path else None)

    def requests(self, request: Request) -> Response:
        asked = _parameters(request, ("limit", "before"))
        limit = _number("limit", asked["limit"]) if "limit" in asked else 50
        if not 1 <= limit <= MOST_ENTRIES:
            raise BadRequest(f"limit is {limit}", fix=f"Use 1 to {MOST_ENTRIES}.", param="limit")
        before = _number("before", asked["before"]) if "before" in asked else None
        path = self._ledger()
        found = recent(path, limit, before) if path else []
        return _json({"entries": found, "next_before": found[-1].id if len(found) == limit else None})

    def request(self, request: Request) -> Response:
        _parameters(request, ())
        asked: str = request.path_params["request_id"][:200]
        path = self._ledger()
        found = entries(path, asked) if path else []
        if path is None or not found:
            raise NotFound(
                f"There is no request {asked!r} in the ledger", fix="Use the x-twintrack-id header of an answer."
            )
        return _json({"request_id": asked, "told": [*told(found), *sentences(path, asked)], "entries": found})

    def verdicts(self, request: Request) -> Response:
        asked = _parameters(request, ("since", "until"))
        since_us, until_us = (self._time(name, asked[name]) if name in asked else None for name in ("since", "until"))
        path = self._ledger()
        return _json(verdicts(path, since_us, until_us) if path else None)

    def snapshot(self, request: Request) -> Response:
        _parameters(request, ())
        snapshot = self._snapshot()
        # Each field by name: what is added to a snapshot later is not shown by accident.
        return _json(
            {
                "generation": snapshot.generation,
                "policy_version": snapshot.policy_version,
                "source": snapshot.source,
                "listen": {"host": snapshot.listen_host, "port": snapshot.listen_port},
                "workers": snapshot.workers,
                "keys": [{"name": k.name, "data_class": k.data_class, "models": k.models} for k in snapshot.keys],
                "deployments": [_deployment(each) for each in snapshot.deployments],
                "routes": snapshot.routes,
                "privacy": snapshot.privacy,
            }
        )

    def balance(self, request: Request) -> Response:
        """Reads every attempt: seconds for a million of them."""
        _parameters(request, ())
        path = self._ledger()
        discrepancies = balance(path) if path else []
        return _json({"balanced": not discrepancies, "discrepancies": discrepancies})

    def _ledger(self) -> Path | None:
        """None: there is none yet."""
        path = database(self._snapshot().data)
        return path if path.exists() else None

    def _time(self, name: str, said: str) -> int:
        try:
            return moment_us(said, self._clock_us())
        except ValueError:
            raise BadRequest(f"{name} is {said[:80]!r}, which is no time", fix=FORMS, param=name) from None


def _deployment(deployment: Deployment) -> dict[str, object]:
    shown = (
        "name", "model", "upstream_model", "provider", "api", "dialects", "zone", "region", "simulated",
        "context_tokens", "max_output_tokens", "modalities", "tools", "embeddings", "licence", "quality", "price",
        "per_hour_nusd", "energy_j_per_output_token", "max_in_flight",
    )  # fmt: skip
    return {name: getattr(deployment, name) for name in shown}


def _parameters(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    asked = dict(request.query_params)
    for name in asked:
        if name not in known:
            raise BadRequest(
                f"There is no parameter {name[:80]!r}",
                fix=_did_you_mean(name, known) if known else "Leave it out: nothing can be chosen here.",
                param=name[:80],
            )
    return asked


def _number(name: str, said: str) -> int:
    if not _NUMBER.fullmatch(said):
        raise BadRequest(f"{name} is {said[:80]!r}, which is no whole number", fix="Use digits only.", param=name)
    return int(said)


def _did_you_mean(word: str, known: tuple[str, ...]) -> str:
    close = nearest(word, known, 1)
    return f"Did you mean {close[0]}?" if close else f"Use {', '.join(known)}."


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
