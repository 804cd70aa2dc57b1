"""How to spoil a good answer: every kind of fault, by the name a directive calls it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from twintrack.providers.scripted import plays_answer, plays_http
from twintrack.providers.scripted.delivery import Delivery
from twintrack.providers.scripted.directive import Directive, NoSuchFault
from twintrack.providers.scripted.server import Script

Play = Callable[..., Script]
"""From a good answer, and the directive's arguments, to what is played instead."""

PLAYS: dict[str, Play] = {
    play.__name__: play
    for play in (
        plays_answer.wait, plays_answer.hang, plays_answer.cut, plays_answer.drip, plays_answer.split,
        plays_answer.lines, plays_answer.done, plays_answer.beyond, plays_answer.comments, plays_answer.error,
        plays_answer.garble, plays_answer.usage, plays_answer.content_type, plays_answer.model, plays_answer.page,
        plays_answer.other_kind, plays_answer.dialect, plays_answer.empty, plays_answer.http, plays_answer.quota,
        plays_answer.redirect, plays_http.line, plays_http.gzip, plays_http.headers, plays_http.head,
        plays_http.interim, plays_http.http10, plays_http.length, plays_http.chunk, plays_http.greeting,
    )
}  # fmt: skip
"""By the name a directive calls them."""


def play(directive: Directive, good: Delivery) -> Script:
    """Raises NoSuchFault: the name or an argument is not known."""
    found = PLAYS.get(directive.name)
    if found is None:
        raise NoSuchFault(f"{directive.name} is no fault; known are {', '.join(PLAYS)}")
    parameters = list(inspect.signature(found).parameters.values())[1:]
    given: dict[str, Any] = {}
    for parameter, value in zip(parameters, directive.positional, strict=False):
        given[parameter.name] = value
    given |= {name if name != "is" else "is_": value for name, value in directive.named}
    known = {parameter.name: type(parameter.default) for parameter in parameters}
    if len(directive.positional) > len(parameters) or not given.keys() <= known.keys():
        raise NoSuchFault(f"{directive.name} takes {', '.join(name.rstrip('_') for name in known) or 'no argument'}")
    for name, value in given.items():
        try:
            given[name] = known[name](value)
        except (ValueError, OverflowError):
            raise NoSuchFault(f"{directive.name}: {name} is {known[name].__name__}, not {value}") from None
    return found(good, **given)
