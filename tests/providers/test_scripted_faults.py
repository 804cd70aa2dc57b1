"""The table of faults says what its provider can do, all of it, and nothing twice."""

from __future__ import annotations

import inspect

import pytest

from twintrack.providers.scripted.delivery import Asked, Said, deliver
from twintrack.providers.scripted.directive import parse
from twintrack.providers.scripted.faults import FAULTS
from twintrack.providers.scripted.plays import PLAYS, play
from twintrack.providers.scripted.shapes import Tokens

DIRECTIVES = [directive for fault in FAULTS for directive in fault.directives]


def test_no_directive_stands_in_two_rows() -> None:
    assert len(DIRECTIVES) == len(set(DIRECTIVES))


def test_every_kind_of_fault_is_in_the_table() -> None:
    assert {parse(directive).name for directive in DIRECTIVES} == set(PLAYS)


@pytest.mark.parametrize("name", PLAYS)
def test_every_argument_has_a_default_and_every_fault_a_sentence(name: str) -> None:
    assert all(each.default is not inspect.Parameter.empty for each in _arguments(name))
    assert (PLAYS[name].__doc__ or "").strip().endswith(".")


def _arguments(name: str) -> list[inspect.Parameter]:
    return list(inspect.signature(PLAYS[name]).parameters.values())[1:]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("endpoint", ["chat", "messages", "responses", "embeddings"])
def test_every_directive_can_be_played_in_every_dialect(endpoint: str, streamed: bool) -> None:
    asked = Asked(endpoint, "m", streamed and endpoint != "embeddings", True, 1)
    good = deliver(Said(asked, ("one", " two"), Tokens(12, 2), "m"))
    for directive in DIRECTIVES:
        assert all(isinstance(piece, bytes | float | int) for piece in play(parse(directive), good).pieces)
