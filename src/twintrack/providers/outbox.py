"""Writes of one turn of the event loop, sent together at its end.

A write to a process that sleeps on the other core has the kernel wake it, at several microseconds a time, as much as
the request itself costs. Sent one after another, the first wakes it and the others find it awake. Alone a write waits
for nothing: the turn ends when there is nothing more to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Send = Callable[[bytes], None]


class Outbox:
    """One for each event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[asyncio.WriteTransport, bytes]] = []

    def sender(self, transport: asyncio.WriteTransport) -> Send:
        """What to call instead of `transport.write`. Call `flush` before anything else is done to the transport."""
        waiting, soon, flush = self._waiting, self._loop.call_soon, self.flush

        def send(data: bytes) -> None:
            if not waiting:
                soon(flush)
            waiting.append((transport, data))

        return send

    def flush(self) -> None:
        waiting = self._waiting
        if not waiting:
            return
        batch = waiting[:]
        waiting.clear()
        for transport, data in batch:
            if not transport.is_closing():
                transport.write(data)
