"""Signs how the audit chain ends, every now and then and when the gateway stops, and sends that away."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from twintrack.config.snapshot import Snapshot
from twintrack.control.away import send
from twintrack.errors import TwintrackError
from twintrack.ledger.audit.checkpoint import Checkpoint
from twintrack.ledger.audit.seal import Seal, signing
from twintrack.ledger.load import Loader
from twintrack.ledger.secret import secret as data_secret

_LAST_S = 5.0
"""What the last checkpoint gets to arrive when the gateway stops."""


class Notary:
    """Used by the ledger's thread; what it sends goes by a thread of its own, since networks and archives can hang."""

    def __init__(self, snapshot: Snapshot, secret: Callable[[str], str | None]) -> None:
        self._snapshot = snapshot
        self._secret = secret
        self._seal: Seal | None = None
        self._due_s = time.monotonic() + snapshot.audit.checkpoint_every_s
        self._sending: threading.Thread | None = None
        self._arrived: Checkpoint | None = None
        """Sent, and not yet noted in the database."""
        self._complained = ""

    def use(self, snapshot: Snapshot) -> None:
        """Another configuration serves."""
        if snapshot.audit != self._snapshot.audit:
            self._seal = None
            self._due_s = min(self._due_s, time.monotonic() + snapshot.audit.checkpoint_every_s)
        self._snapshot = snapshot

    def look(self, loader: Loader) -> None:
        """Sign if it is time to, and send what is not sent. Raises LedgerError."""
        self._note(loader)
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._snapshot.audit.checkpoint_every_s
        self._sign(loader)
        self._send(loader)

    def last(self, loader: Loader) -> None:
        """All is loaded, and nothing more comes. Raises LedgerError."""
        self._sign(loader)
        if self._sending is not None:
            self._sending.join(_LAST_S)
        self._note(loader)
        self._send(loader)
        if self._sending is not None:
            self._sending.join(_LAST_S)
        self._note(loader)

    def _sign(self, loader: Loader) -> None:
        try:
            if self._seal is None:
                shared = self._secret(self._snapshot.secret) if self._snapshot.secret else None
                self._seal = signing(data_secret(Path(self._snapshot.data), shared), self._snapshot.audit.key)
        except TwintrackError as error:
            self._complain(f"the audit chain gets no checkpoints: {error}")
        else:
            loader.checkpoint(self._seal)

    def _send(self, loader: Loader) -> None:
        if not self._snapshot.audit.checkpoint_to or (self._sending is not None and self._sending.is_alive()):
            return
        for made in loader.unsent_checkpoints():
            # A daemon: a place that hangs must not keep the gateway from ending.
            self._sending = threading.Thread(target=self._deliver, args=(made, self._snapshot), daemon=True)
            self._sending.start()

    def _deliver(self, made: Checkpoint, snapshot: Snapshot) -> None:
        try:
            send(made, snapshot.audit.checkpoint_to, snapshot.audit.headers, self._secret, snapshot.ca)
        except TwintrackError as error:
            self._complain(str(error))
        else:
            self._complained = ""
            self._arrived = made

    def _note(self, loader: Loader) -> None:
        made, self._arrived = self._arrived, None
        if made is not None:
            loader.mark_sent(made)

    def _complain(self, what: str) -> None:
        """Once for each trouble."""
        if what != self._complained:
            self._complained = what
            print(f"twintrack: {what}", file=sys.stderr, flush=True)
