"""What to do wrong, written into a request: `[fault: NAME(ARGUMENT, NAME=VALUE)]`.

It stands in the text of a prompt, in whichever dialect, since that is what every gateway and SDK carries unchanged; or
in the name of the model, which makes a deployment that always fails. Where several stand in one body the last one
counts: a conversation repeats what was said before.

    [fault: http(503, retry_after=2)]           an error status
    [fault: cut(words) for small]               only where the request names the model `small`
    [fault: http(429) times 2]                  the first two times this body arrives, and not behind that
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FOUND = re.compile(
    rb"\[fault: *([a-z_0-9]{1,40}) *(?:\(([^()\[\]\"\\]{0,200})\))?"
    rb"(?: +for +([A-Za-z0-9_.:@/-]{1,100}))?(?: +times +([0-9]{1,6}))? *\]"
)
_MARK = b"[fault:"
Value = str | int | float


class NoSuchFault(ValueError):
    """A directive that cannot be followed; the message says why, and what can be written."""


@dataclass(frozen=True, slots=True)
class Directive:
    name: str
    positional: tuple[Value, ...] = ()
    named: tuple[tuple[str, Value], ...] = ()
    model: str = ""
    """Only where this one is asked for; empty: any."""
    times: int = 0
    """So often for one body; 0: always."""

    def __str__(self) -> str:
        words = [*map(str, self.positional), *(f"{name}={value}" for name, value in self.named)]
        return f"{self.name}({', '.join(words)})" if words else self.name


def find(body: bytes, model: str = "") -> Directive | None:
    """The last directive in a body that is meant for `model`. Raises NoSuchFault: one cannot be read."""
    if _MARK not in body:
        return None
    matches = list(_FOUND.finditer(body))
    if len(matches) != body.count(_MARK):
        raise NoSuchFault("a directive is written [fault: NAME], [fault: NAME(ARGUMENT, NAME=VALUE)], "
                          "[fault: NAME for MODEL] or [fault: NAME times NUMBER]")  # fmt: skip
    for match in reversed(matches):
        name, arguments, only, times = (part.decode("ascii", "replace") if part else "" for part in match.groups())
        if not only or only == model:
            return _read(name, arguments, only, int(times or 0))
    return None


def parse(text: str) -> Directive:
    """A directive without its brackets, as `http(503)`. Raises NoSuchFault."""
    found = find(b"[fault: %b]" % text.encode())
    assert found is not None
    return found


def _read(name: str, arguments: str, model: str, times: int) -> Directive:
    positional: list[Value] = []
    named: list[tuple[str, Value]] = []
    for part in arguments.split(",") if arguments.strip() else ():
        key, is_named, value = part.partition("=")
        if is_named:
            named.append((key.strip(), _value(value.strip())))
        elif named:
            raise NoSuchFault(f"{name}: {part.strip()} stands behind a named argument")
        else:
            positional.append(_value(key.strip()))
    return Directive(name, tuple(positional), tuple(named), model, times)


def _value(text: str) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
