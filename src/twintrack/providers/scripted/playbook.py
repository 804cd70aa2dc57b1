"""Answers each request as it asks to be answered, and keeps the invoice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import msgspec

from twintrack.providers.scripted.delivery import Asked, Said, deliver, read
from twintrack.providers.scripted.directive import Directive, NoSuchFault, find
from twintrack.providers.scripted.invoice import Invoice, Line
from twintrack.providers.scripted.listen import listen
from twintrack.providers.scripted.plays import play
from twintrack.providers.scripted.server import Received, Script
from twintrack.providers.scripted.shapes import Tokens, error_answer

WORDS = ("Straße", ",", " naïve", " 🦊👋🏽", " done", ".")
"""What it answers: characters of one to four bytes, so that a cut can fall into each."""
_REMEMBERED = 10_000
"""Bodies whose repetitions are counted."""

_NONE = Tokens(0, 0)

Choose = Callable[[Asked, int], Directive | None]
"""A fault for a request that names none, from what it asks and its number; None: a good answer."""


@dataclass(slots=True)
class Playbook:
    """`answer` is what a `ScriptedProvider` serves."""

    invoice: Invoice = field(default_factory=Invoice)
    words: tuple[str, ...] = WORDS
    heeds: bool = True
    """Follow directives in requests; off for a provider that stays well whatever it is asked."""
    choose: Choose | None = None
    _seen: OrderedDict[bytes, int] = field(default_factory=OrderedDict)

    def answer(self, received: Received) -> Script:
        if received.method == "GET":
            return self._page(received.target)
        asked = read(received)
        number = len(self.invoice.lines) + 1
        if not asked.endpoint:
            self._line(number, asked, "", 404)
            return error_answer(404, f"There is no {received.target[:80]} here")
        tokens = _tokens(number, len(self.words), asked)
        good = deliver(Said(asked, self.words, tokens, asked.model or "scripted"))
        try:
            directive = find(received.body, asked.model) if self.heeds else None
            if directive is not None and directive.times and self._arrivals(received.body) > directive.times:
                directive = None
            elif directive is None and self.choose is not None:
                directive = self.choose(asked, number)
            script = good.script() if directive is None else play(directive, good)
        except NoSuchFault as error:
            self._line(number, asked, "", 400)
            return error_answer(400, f"{error}.")
        line = self._line(number, asked, "" if directive is None else str(directive), script.status, tokens)
        return _watched(script, line)

    def _page(self, target: str) -> Script:
        if target == "/invoice":
            return Script(pieces=(msgspec.json.encode(self.invoice.printed()),))
        return Script(pieces=(b"{}",)) if target in ("/healthz", "/readyz") else error_answer(404)

    def _line(self, number: int, asked: Asked, fault: str, status: int, tokens: Tokens = _NONE) -> Line:
        line = Line(number, asked.model, asked.endpoint, asked.streamed, fault, tokens, self.invoice.rates, status)
        self.invoice.lines.append(line)
        return line

    def _arrivals(self, body: bytes) -> int:
        """How often this body has arrived, now included."""
        key = blake2b(body, digest_size=16).digest()
        times = self._seen.pop(key, 0) + 1
        self._seen[key] = times
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return times


def _tokens(number: int, words: int, asked: Asked) -> Tokens:
    """No two requests of a provider read as many, so that usage alone says which one is meant."""
    if asked.endpoint == "embeddings":
        return Tokens(number + 10, 0)
    return Tokens(number + 10, words + number % 7, (number + 10) // 3 if number % 4 == 0 else 0)


def _watched(script: Script, line: Line) -> Script:
    """The script, telling the line what went out of it."""

    def over(count: int, whole: bool) -> None:
        sent = b"".join(piece for piece in script.pieces[:count] if isinstance(piece, bytes))
        if script.claim is not None:
            sent = sent[: script.claim]
        heard = listen(sent, line.endpoint, line.streamed)
        line.told, line.words_sent = heard.told, heard.words
        line.complete = whole and heard.whole

    return replace(script, over=over)
