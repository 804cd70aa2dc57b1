"""A request with placeholders in the place of what was found in it.

The same value of one conversation has the same placeholder in every request, on every worker and replica that holds
the key: its code is an HMAC (RFC 2104) of the value, under a key made of the data folder's, the caller and the
conversation. Nothing is kept, so nothing is looked up: what goes back into the answer is what stands in this very
request.

A value is replaced wherever it stands, not only where it was found: a telephone number is found behind "phone", and
leaves all the same where somebody repeats it. What cannot be replaced for sure makes all of it fail: there is no body
with half of its values replaced.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import msgspec

from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.signals.sensitivity.finding import Finding
from twintrack.signals.sensitivity.grade import Grade, Ladder
from twintrack.signals.sensitivity.naming import Naming
from twintrack.signals.sensitivity.replaced import Impossible, Values
from twintrack.signals.sensitivity.seams import Seam
from twintrack.signals.sensitivity.surface import Surface
from twintrack.signals.sensitivity.surfaces import is_blob, says_nothing
from twintrack.wire.dialect import UNREADABLE

_IDENTIFYING = frozenset(("pii", "phi", "financial", "person"))
"""What may be a patient's."""
_JSON_TEXTS = ("arguments", "partial_json")
_FETCHED = frozenset(("image_url", "video_url", "file_url", "file_uri", "fileUri"))
_MEDIA = frozenset(("image_url", "video_url", "source"))


Names = tuple[str, ...]
Texts = Sequence[tuple[Surface, tuple[Finding, ...]]]
"""Those of a request in which something was found."""


class Pseudonymised(msgspec.Struct, frozen=True):
    body: bytes
    values: dict[str, str]
    """By placeholder; secrets have none."""
    replaced: int
    """Values, secrets among them."""


def replaceable(graded: Grade, texts: Texts, wanted: frozenset[str]) -> tuple[Finding, ...]:
    """Findings that a route has replaced: those of its categories, and for phi whatever identifies the patient.

    A name is none by itself. Beside others it is replaced too where `wanted` has person or phi.
    """
    patients = "phi" in wanted and "phi" in graded.categories
    found = [one for one in graded.findings if one.category in wanted or (patients and one.category in _IDENTIFYING)]
    if found and (patients or "person" in wanted):
        found += [one for _, findings in texts for one in findings if one.category == "person"]
    return tuple(found)


def remaining(before: Grade, after: Grade, texts: Texts, wanted: frozenset[str], by: Ladder) -> tuple[DataClass, Names]:
    """Class and categories of what is left, from what was found before and after; `texts`: those after.

    Raises:
        Impossible: something that had to be replaced is found again.
    """
    if replaceable(after, texts, wanted):
        raise Impossible("a value that is found again")
    if "phi" not in before.categories or "phi" in wanted:
        return after.data_class, after.categories
    # Without identifiers nothing looks like a patient's any more; but nobody said that it may be taken for that.
    left = max(after.data_class, by.classes.get("phi", DATA_CLASSES[-1]), key=DATA_CLASSES.index)
    return left, tuple(sorted({*after.categories, "phi"}))


def pseudonymise(body: bytes, texts: Texts, found: Sequence[Finding], naming: Naming) -> Pseudonymised:
    """All at once, for tools: the gateway takes the steps of `Replacing`. Raises Impossible."""
    replacing = Replacing(body, texts, found, naming)
    for _ in replacing.steps():
        pass
    return replacing.done()


class Replacing:
    """One request's replacing, in steps."""

    def __init__(self, body: bytes, texts: Texts, found: Sequence[Finding], naming: Naming) -> None:
        """`found`: what is replaced of what was found in `texts`."""
        self._body = body
        self._texts = texts
        self._found = frozenset(found)
        self._naming = naming
        self._values = Values()
        self._made: bytes | None = None

    def done(self) -> Pseudonymised:
        """After the last step."""
        assert self._made is not None
        return Pseudonymised(self._made, self._values.restorable, len(self._values.placeholders))

    def steps(self) -> Iterator[None]:
        """Raises Impossible."""
        low = self._body.lower()
        for surface, findings in self._texts:
            for one in _apart([each for each in findings if each in self._found]):
                raw = surface.text[one.start : one.end].strip()
                path = surface.path
                if isinstance(surface, Seam):
                    holder = surface.holder(one)
                    if holder is None:
                        raise Impossible("a value that stands in two texts")
                    path = holder.path
                json = path.rpartition(".")[2] in _JSON_TEXTS
                self._values.add(raw, one, self._naming, low, json=json)
                yield
        values = self._values
        values.ready()
        try:
            members = _MEMBERS.decode(self._body)
        except UNREADABLE:
            raise Impossible("the body cannot be read") from None
        for name, raw_member in members.items():
            if values.replaced(name) != name:
                raise Impossible("the name of a member of the request")
            if name == "model":
                continue
            try:
                member = msgspec.json.decode(raw_member)
            except UNREADABLE:
                raise Impossible("a member cannot be read") from None
            changes = _Changes(values)
            made = yield from changes.value(member, name, "")
            if changes.any:
                members[name] = msgspec.Raw(msgspec.json.encode(made))
        self._made = msgspec.json.encode(members)


_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _apart(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Findings that overlap as one, called what the surest of them is; a secret beside others makes it one."""
    group: list[Finding] = []
    end = -1
    for one in sorted(findings):
        if group and one.start >= end:
            yield _together(group)
            group = []
        group.append(one)
        end = max(end, one.end)
    if group:
        yield _together(group)


def _together(group: list[Finding]) -> Finding:
    best = max(group, key=lambda one: (one.category == "secret", one.score))
    return msgspec.structs.replace(best, start=group[0].start, end=max(one.end for one in group))


class _Changes:
    """A member of the request with its values replaced."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self.any = False

    def value(self, value: Any, name: str, of: str) -> Generator[None, None, Any]:
        """Steps; returns the value, which is the member `name` of the member `of`. Raises Impossible."""
        if isinstance(value, str):
            if value and says_nothing(name, value):
                if self._values.within(value):
                    raise Impossible("a value in a word of the protocol")
            elif value:
                made = value if is_blob(value) else (yield from self._values.steps(value))
                for hidden in self._values.hidden(made):
                    if hidden:
                        raise Impossible("a value that stands elsewhere encoded or in other letters")
                    yield
                if made != value:
                    self.any = True
                    if name in _FETCHED or (name == "url" and of in _MEDIA):
                        raise Impossible("an address that the provider reads")
                    if name in _JSON_TEXTS and _is_json(value) and not _is_json(made):
                        raise Impossible("a number among a call's arguments")
                yield
                return made
        elif isinstance(value, list):
            for at, each in enumerate(value):
                value[at] = yield from self.value(each, name, of)
        elif isinstance(value, dict):
            for key in value:
                value[key] = yield from self.value(value[key], key, name)
            names = {key: self._values.replaced(key) for key in value}
            if any(key != made for key, made in names.items()):
                if len(set(names.values())) < len(names):
                    raise Impossible("names of members that are one value")
                self.any = True
                return {names[key]: each for key, each in value.items()}
        elif isinstance(value, int | float) and not isinstance(value, bool) and self._values.is_number(value):
            raise Impossible("a number that is no text")
        return value


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (*UNREADABLE, UnicodeEncodeError):
        return False
    return True
