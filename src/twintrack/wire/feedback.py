"""What a caller says about an earlier answer: POST /v1/feedback, and a line of a file of verdicts.

The text of a correction is looked at only to see that there is one. It is prompt text, and is not kept.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

import msgspec

from twintrack.errors import BadRequest, nearest
from twintrack.wire.dialect import UNREADABLE, read_json

PATH = "/v1/feedback"
MOST_BYTES = 65_536
"""Of a body; a correction is as long as an answer."""

Source = Literal["feedback", "human", "check", "judge"]
"""feedback: whoever uses the answer. human: somebody whose task it is to judge. check: a program that knows what is
right. judge: a model."""
SOURCES: tuple[Source, ...] = ("feedback", "human", "check", "judge")
Label = Literal[
    "wrong", "incomplete", "irrelevant", "malformed", "refused", "unsafe", "tone", "too_long", "corrected", "other"
]
"""Why. Words of a list, so that no text of a prompt or an answer comes to the ledger by this way."""


class Feedback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A verdict on one answer: exactly one of thumbs, score and correct, or a correction alone."""

    id: str
    """The answer's x-twintrack-id."""
    thumbs: Literal["up", "down"] | None = None
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """0 (of no use) to 1 (good)."""
    correct: bool | None = None
    correction: str | None = None
    """What the answer should have been. Its text is not kept: alone it is score 0, label corrected."""
    label: Label | None = None
    source: Source | None = None
    """Default: feedback. Other words need a key that may judge."""


class Verdict(msgspec.Struct, frozen=True):
    request_id: str
    score: float
    """0 to 1."""
    label: Label | None
    source: Source


_WORDS = Feedback.__struct_fields__
_CHOICES: dict[str, tuple[str, ...]] = {"thumbs": ("up", "down"), "label": get_args(Label), "source": SOURCES}
_VERDICTS = ("thumbs", "score", "correct")
_ID = re.compile(r"[\x21-\x7e]{1,64}")
_OUR_ID = re.compile(r"tt-[0-9a-f]{1,32}(?:-[0-9a-f]{1,16})?")
"""As a gateway makes them."""
DECODER = msgspec.json.Decoder(Feedback)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_feedback(body: bytes, source: Source = "feedback", *, ours: bool = False) -> Verdict:
    """Args:
        source: where the body does not say.
        ours: only an id that a gateway could have made: a verdict is kept under it, and anything else could be words
            of a prompt.
    Raises:
        BadRequest: not JSON, a wrong type, an unknown member, or not one verdict.
    """
    try:
        return _verdict(read_json(DECODER, body), source, _OUR_ID if ours else _ID)
    except BadRequest as error:
        raise _named(body, error) from None


def _verdict(said: Feedback, source: Source, form: re.Pattern[str]) -> Verdict:
    if not form.fullmatch(said.id):
        raise BadRequest(
            "$.id is no request's id", fix="Send what the answer had in its header x-twintrack-id.", param="$.id"
        )
    given = [name for name in _VERDICTS if getattr(said, name) is not None]
    if len(given) > 1 or not (given or said.correction):
        raise BadRequest(
            f"{' and '.join(given)} together are no verdict" if given else "There is no verdict",
            fix='Send one of "thumbs": "up" or "down", "score": 0 to 1, "correct": true or false, or a "correction".',
            param=f"$.{given[1]}" if given else "$",
        )
    if said.thumbs is not None:
        score = float(said.thumbs == "up")
    elif said.score is not None:
        score = said.score
    else:
        score = float(bool(said.correct))
    return Verdict(said.id, score, said.label or ("corrected" if said.correction else None), said.source or source)


def _named(body: bytes, error: BadRequest) -> BadRequest:
    """The same, with the nearest member where one is unknown, and the words to choose from where one is."""
    name = (error.param or "").removeprefix("$.")
    if name in _CHOICES:
        choices = _CHOICES[name]
        return BadRequest(error.what, why=error.why, fix=f"Use {', '.join(choices)}.", param=error.param)
    if "unknown field" not in error.what:
        return error
    try:
        found = _MEMBERS.decode(body)
    except UNREADABLE:  # behind that member it is not even JSON
        return error
    unknown = next((name for name in found if name not in _WORDS), "")[:40]
    close = nearest(unknown, _WORDS, 1)
    return BadRequest(
        f"There is no member {unknown!r}",
        fix=f"Did you mean {close[0]}?" if close else f"Members are {', '.join(_WORDS)}; texts are not kept.",
        param=f"$.{unknown}",
    )
