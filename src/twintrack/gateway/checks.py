"""Whether a draft may be believed: pure functions over what was asked and what was said.

A check answers with an objection in a few words, for the ledger, or with None. No objection quotes the prompt or the
answer. What a request itself asks of its answer's form is read from the request (`wanted`), all else stands in the
route's `cascade`.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from twintrack.config.snapshot import Cascade
from twintrack.signals.sensitivity.nominate import Nominator, nominator
from twintrack.wire.canonical.fits import fits
from twintrack.wire.canonical.parts import Refusal, Text, ToolCall
from twintrack.wire.canonical.request import Request
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.held import Draft

_WHOLE = frozenset(("stop", "stop_sequence", "tool_calls"))
_CUT = {"length": "it was cut off at its limit", "context": "its window was full", "pause": "it stopped to go on later"}


class Wanted(msgspec.Struct, frozen=True):
    """What a request asks of the form of its answer."""

    json: bool
    schema: Any
    """Decoded; True: any JSON will do."""
    tools: dict[str, Any]
    """Schema of the arguments by name; True: none was given."""
    call: bool
    """A tool must be called."""
    logprobs: bool
    """The client wants them."""


def wanted(request: Request) -> Wanted:
    form, choice = request.format, request.tool_choice
    return Wanted(
        form is not None,
        _decoded(form.schema) if form is not None else True,
        {tool.name: _decoded(tool.schema) for tool in request.tools if tool.kind == "function"},
        choice is not None and choice.mode in ("required", "named"),
        request.logprobs,
    )


def objection(draft: Draft, asked: Wanted, rules: Cascade) -> str | None:
    """The first thing that stands against a draft, by itself; that it agrees with another is looked at elsewhere."""
    found = incomplete(draft)
    if found is None and "schema" in rules.check:
        found = malformed(draft, asked)
    if found is None and "match" in rules.check:
        found = unlike(draft.text, rules)
    if found is None and "logprobs" in rules.check:
        found = improbable(draft.logprobs, rules.min_mean_logprob, rules.min_logprob)
    return found


def incomplete(draft: Draft) -> str | None:
    """What no answer may be, whatever is checked."""
    if draft.finish not in _WHOLE:
        return _CUT.get(draft.finish, "it was refused or filtered")
    if any(isinstance(part, Refusal) for part in draft.parts):
        return "it is a refusal"
    if not any(isinstance(part, ToolCall) or (isinstance(part, Text) and part.text.strip()) for part in draft.parts):
        return "it is empty"
    return None


def malformed(draft: Draft, asked: Wanted) -> str | None:
    """Against the request's own words: its JSON schema, and the parameters of its tools."""
    calls = [part for part in draft.parts if isinstance(part, ToolCall)]
    for call in calls:
        if call.custom:
            continue
        if call.name not in asked.tools:
            return "it calls a tool that was not offered"
        try:
            arguments = msgspec.json.decode(call.arguments or "{}")
        except UNREADABLE:
            return "the arguments of its tool call are no JSON"
        if not isinstance(arguments, dict) or not fits(arguments, asked.tools[call.name]):
            return "the arguments of its tool call do not fit the tool's parameters"
    if asked.call and not calls:
        return "it calls no tool, and has to"
    if asked.json and not calls:
        try:
            value = msgspec.json.decode(draft.text)
        except UNREADABLE:
            return "it is not the JSON that was asked for"
        if not fits(value, asked.schema):
            return "its JSON does not fit the schema that was asked for"
    return None


def unlike(text: str, rules: Cascade) -> str | None:
    """Against the rules the route gives for its answers' text."""
    if len(text) < rules.min_chars:
        return f"it has {len(text)} characters, at least {rules.min_chars} are asked for"
    if 0 <= rules.max_chars < len(text):
        return f"it has {len(text)} characters, at most {rules.max_chars} are asked for"
    data = text.encode("utf-8", "replace") if rules.must_match or rules.must_not_match else b""
    if rules.must_match and len(set(_matcher(rules.must_match).nominate(data))) < len(rules.must_match):
        return "it does not match what it must"
    if rules.must_not_match and _matcher(rules.must_not_match).nominate(data):
        return "it matches what it must not"
    return None


@functools.lru_cache(256)
def _matcher(patterns: tuple[str, ...]) -> Nominator:
    """By engines whose time grows with the text alone, whatever the pattern."""
    return nominator([pattern.encode() for pattern in patterns], None)


def improbable(logprobs: tuple[float, ...], least_mean: float, least: float | None) -> str | None:
    """Against how sure the model was of its own words.

    Args:
        logprobs: natural logarithms, one a token.
        least_mean: of all tokens.
        least: of each; None: no matter.
    """
    if not logprobs:
        return "its provider told no log-probabilities"
    mean = sum(logprobs) / len(logprobs)
    if not mean >= least_mean:
        return f"its log-probability is {mean:.2f} a token, at least {least_mean:.2f} is asked for"
    lowest = min(logprobs)
    if least is not None and not lowest >= least:
        return f"its least probable token has log-probability {lowest:.2f}, at least {least:.2f} is asked for"
    return None


def _decoded(schema: msgspec.Raw) -> Any:
    raw = bytes(schema)
    return msgspec.json.decode(raw) if raw else True
