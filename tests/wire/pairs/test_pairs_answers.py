"""Whole answers between dialects: what a provider of one says, as a client of another gets to read it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from pairs.features import QUERY, TIME, WEATHER, asked
from pairs.golden import CLIENTS, DIALECTS, GOLDEN, check, client_side, compact, pretty

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer, Reply
from twintrack.wire.canonical.parts import Citation, Refusal, Text
from twintrack.wire.canonical.request import Request

FOLDER = GOLDEN / "answers"
BY_HAND = sorted(path for path in FOLDER.glob("*.json") if path.name.split(".")[1] in DIALECTS)
ASKED: dict[str, Request] = {
    "calls": asked(tools=(WEATHER, TIME)),
    "call_custom": asked(tools=(QUERY,)),
    "logprobs": asked(logprobs=True, top_logprobs=2),
}
"""What was asked, by the name of the answer; else nothing but a greeting."""


IMPOSSIBLE = {
    ("call_custom.chat", "messages"): "nobody who reads messages offers a custom tool",
    ("call_custom.responses", "messages"): "nobody who reads messages offers a custom tool",
}


def reply(feature: str) -> Reply:
    return Reply(ASKED.get(feature, asked()), "tt-1", 1_763_633_400)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.stem)
def test_a_client_reads_an_answer_of_another_dialect(path: Path, client: str) -> None:
    feature, provider, _ = path.name.split(".")
    if client == provider:
        return
    answer = DIALECTS[provider].provider.read_answer(compact(json.loads(path.read_text())))
    if (path.stem, client) in IMPOSSIBLE:
        with pytest.raises(UpstreamError):
            client_side(client).write_answer(answer, reply(feature))
        return
    body = client_side(client).write_answer(answer, reply(feature))
    check(FOLDER / f"{feature}.{provider}-{client}.json", pretty(json.loads(body)))


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.stem)
def test_an_answer_means_the_same_when_its_own_dialect_writes_it(path: Path) -> None:
    feature, dialect, _ = path.name.split(".")
    side = DIALECTS[dialect]
    if side.client is None:
        return
    answer = side.provider.read_answer(compact(json.loads(path.read_text())))
    again = side.provider.read_answer(side.client.write_answer(answer, reply(feature)))
    assert without_vendors_own(again) == without_vendors_own(answer)


def without_vendors_own(answer: Answer) -> Answer:
    """What only the vendor's own servers say: the tier of a message, a citation in their form, and a refusal beside
    the text that tells of it."""
    told = {part.text for part in answer.parts if isinstance(part, Refusal)}
    parts = [
        msgspec.structs.replace(part, citations=tuple(map(without_form, part.citations)))
        if isinstance(part, Text)
        else part
        for part in answer.parts
        if not (isinstance(part, Text) and part.text in told)
    ]
    return msgspec.structs.replace(answer, parts=tuple(parts), service_tier="")


def without_form(citation: Citation) -> Citation:
    return msgspec.structs.replace(citation, raw=msgspec.Raw(b""))


def test_no_file_is_left_over() -> None:
    hands = {path.stem for path in BY_HAND}
    pairs = {
        f"{each}-{client}"
        for each in hands
        for client in CLIENTS
        if not each.endswith(f".{client}") and (each, client) not in IMPOSSIBLE
    }
    assert {path.stem for path in FOLDER.iterdir()} == hands | pairs
