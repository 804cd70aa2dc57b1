"""What the control plane knows of all workers together and each of them steers by: told through shared memory."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec

from twintrack.config.snapshot import Snapshot
from twintrack.errors import LedgerError
from twintrack.gateway.steering import Told
from twintrack.ledger.surplus import is_judged, newest_verdict, spent, surpluses
from twintrack.server.board import MOST_BYTES, Board

_EVERY_S = 1.0
_VERDICTS_EVERY_S = 2.0
_SHARE = 0.05
"""Of the time, that comparing verdicts may take where there are very many."""
_SINCE_S = 90 * 86_400
"""How old a verdict may be."""
MOST_ANSWERS = 1_000
"""Of a route, that are compared: as many verdicts as 5 % of the controller's window are."""
_DAY_S = 86_400


class Telling:
    """Used by the ledger's thread."""

    def __init__(self, board: Board, ledger: Path) -> None:
        self._board = board
        self._ledger = ledger
        self._due_s = 0.0
        self._verdicts_due_s = 0.0
        self._known: tuple[str, int, int] | None = None
        """The router and the newest verdict that `_told` is about."""
        self._told = Told()
        self._complained = False

    def tell(self, snapshot: Snapshot) -> None:
        """Every second or so; at other times it does nothing."""
        now_s = time.monotonic()
        if now_s < self._due_s or not self._ledger.exists():
            return
        self._due_s = now_s + _EVERY_S
        try:
            told = self._look(snapshot, now_s)
        except LedgerError as error:
            if not self._complained:
                self._complained = True
                print(f"twintrack: routes are steered by what was known: {error}", file=sys.stderr, flush=True)
            return
        if told != self._told:
            self._told = told
            payload = msgspec.msgpack.encode(told)
            if len(payload) <= MOST_BYTES:
                self._board.tell(payload)

    def _look(self, snapshot: Snapshot, now_s: float) -> Told:
        told, day = self._told, int(time.time()) // _DAY_S
        if any(route.nusd_per_day >= 0 for route in snapshot.routes):
            told = msgspec.structs.replace(told, day=day, spent_nusd=spent(self._ledger, day))
        if not told.judged and any(route.learn for route in snapshot.routes):
            told = msgspec.structs.replace(told, judged=is_judged(self._ledger, _since_us()))
        router = snapshot.policy_version.partition("+")[2]
        if router and now_s >= self._verdicts_due_s:
            newest = (router, *newest_verdict(self._ledger))
            if newest != self._known:
                compared = surpluses(self._ledger, router, _since_us(), MOST_ANSWERS, snapshot.tenants_by_key())
                told = msgspec.structs.replace(told, router=router, verdicts=compared)
                self._known = newest
            took_s = time.monotonic() - now_s
            self._verdicts_due_s = now_s + max(_VERDICTS_EVERY_S, took_s / _SHARE)
        return told


def _since_us() -> int:
    return int((time.time() - _SINCE_S) * 1e6)
