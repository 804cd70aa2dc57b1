"""The other side: scripted providers in a process of their own, with their invoices.

Told on standard input, a JSON object a line: `{"faults": 0.3}` sets the share of answers that go wrong from now on,
`{"write": PATH}` writes the invoices. Answers each line with one on standard output, the first with the ports.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from soak.plan import SPEAK
from twintrack.providers.scripted.delivery import Asked
from twintrack.providers.scripted.directive import Directive, parse
from twintrack.providers.scripted.invoice import Line
from twintrack.providers.scripted.playbook import Playbook
from twintrack.providers.scripted.server import Answer, Received, Script, ScriptedProvider

_HARMFUL: dict[str, float] = {
    # before content: somebody else may be asked
    "http(500)": 6, "http(503)": 6, "http(503, retry_after=1)": 2, "http(529)": 4, "http(429)": 3,
    "http(429, retry_after=1)": 3, "http(429, retry_after=date)": 1,
    "http(408)": 2, "http(401)": 2, "http(403)": 1, "http(404)": 1, "redirect": 2,
    "cut(start)": 4, "cut(start, by=reset)": 4, "cut(head)": 2, "cut(head, by=reset)": 2, "cut(opening, by=reset)": 4,
    "cut(body)": 2, "garble(truncated)": 3, "garble(invalid)": 3, "garble(utf8)": 2, "garble(null)": 1,
    "garble(list)": 1,
    "error(first)": 3, "error(opening)": 3, "error(first, kind=quota)": 1, "content_type": 2, "page": 2, "page(502)": 2,
    "other_kind": 2, "empty": 2, "length(long)": 2, "length(negative)": 1, "length(twice)": 1, "length(chunked)": 1,
    "chunk": 2, "chunk(huge)": 1, "chunk(negative)": 1, "chunk(extension)": 1, "headers": 1, "greeting": 1,
    "interim(101)": 1, "interim(103, times=40)": 1, "gzip": 1, "gzip(nested=1)": 1, "line(1)": 0.5, "head": 0.5,
    "hang(head)": 1, "hang(body)": 1, "hang(opening)": 1, "garble(deep)": 0.5,
    # behind content: the stream must say that it broke
    "cut(words)": 4, "cut(words, by=reset)": 4, "cut(words, by=end)": 3, "cut(half)": 2, "cut(half, by=reset)": 2,
    "cut(usage)": 3, "cut(usage, by=reset)": 3, "error(words)": 3, "error(words, kind=quota)": 2, "hang(words)": 1,
    "garble(invalid, at=words)": 2, "garble(utf8, at=words)": 1, "chunk(xyz, at=words)": 2, "length(short)": 1,
}  # fmt: skip
"""Each with its weight. What closes a whole account, or a deployment for minutes, is left to the tests of each fault:
here it would leave little else to see."""
_ODD: dict[str, float] = {
    "split(1)": 2, "split(7)": 2, "lines(crlf)": 2, "lines(cr)": 1, "lines(mixed)": 2, "done(0)": 2, "done(2)": 2,
    "beyond": 2, "comments(5)": 2, "usage(missing)": 3, "usage(zero)": 2, "usage(negative)": 2, "usage(absurd)": 2,
    "usage(late)": 2, "model": 2, "interim(103)": 1, "http10": 1, "wait(0.3)": 2, "wait(1.2)": 1,
    "drip(body, every=0.02, bytes=40)": 1,
}  # fmt: skip
"""What is unusual and yet an answer."""
_MARK = re.compile(rb"\[\d+\]")
_PAUSE_S = 0.004
"""Between two events of a stream."""


class Faulty:
    """Chooses what goes wrong."""

    def __init__(self, seed: int) -> None:
        self.share = 0.0
        self._random = Random(seed)
        self._faults = [parse(each) for each in _HARMFUL | _ODD]
        self._weights = list((_HARMFUL | _ODD).values())

    def choose(self, asked: Asked, number: int) -> Directive | None:
        if self._random.random() >= self.share:
            return None
        return self._random.choices(self._faults, self._weights)[0]


def speaking(playbook: Playbook, harmed: set[int], odd: set[int]) -> Answer:
    """What answers with the number of the question, so that nobody is taken for another.

    `harmed`, `odd`: take the numbers of questions whose answer was spoilt, or unusual.
    """
    harmful = {str(parse(each)) for each in _HARMFUL}

    def answer(received: Received) -> Script:
        mark = _MARK.search(received.body)
        asked = mark[0].decode() if mark else "[0]"
        playbook.words = ("The", " number", " is ", asked, ", thank", " you", ".")
        script = playbook.answer(received)
        fault = playbook.invoice.lines[-1].fault
        if fault:
            (harmed if fault in harmful else odd).add(int(asked[1:-1]))
        if script.framing == "chunked" and len(script.pieces) < 30:
            script = _paced(script)
        return script

    return answer


def _paced(script: Script) -> Script:
    """With a pause before each event but the first; who listens goes on counting events."""
    pieces: list[bytes | float] = []
    own = [0]
    """Of the script's pieces, how many are among the first n of the paced ones."""
    for place, piece in enumerate(script.pieces, 1):
        if pieces and isinstance(piece, bytes):
            pieces.append(_PAUSE_S)
            own.append(place - 1)
        pieces.append(piece)
        own.append(place)
    over = script.over
    if over is None:
        return replace(script, pieces=tuple(pieces))
    return replace(script, pieces=tuple(pieces), over=lambda count, whole: over(own[count], whole))


async def serve(seed: int) -> None:
    playbooks: dict[str, Playbook] = {}
    faulty = [Faulty(seed + at) for at in range(len(SPEAK))]
    servers = []
    harmed: set[int] = set()
    odd: set[int] = set()
    for at, name in enumerate((*SPEAK, "steady")):
        playbook = playbooks[name] = Playbook(heeds=False, choose=faulty[at].choose if at < len(SPEAK) else None)
        server = ScriptedProvider(speaking(playbook, harmed, odd), keep_requests=False)
        await server.start()
        servers.append(server)
    _say({name: server.port for name, server in zip(playbooks, servers, strict=True)})
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told = json.loads(line)
        for each in faulty:
            each.share = told.get("faults", each.share)
        if "write" in told:
            lines = {name: playbook.invoice.lines for name, playbook in playbooks.items()}
            Path(told["write"]).write_bytes(msgspec.json.encode(lines))
        requests = sum(len(playbook.invoice.lines) for playbook in playbooks.values())
        _say({"requests": requests, "harmed": len(harmed), "odd": len(odd - harmed)})
    for server in servers:
        await server.stop()


def invoices(path: Path) -> dict[str, list[Line]]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, list[Line]])


def _say(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
