"""What our own OpenAPI document allows, and what it forbids, drawn by schemathesis: answered as the document says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.generation import GenerationMode

from support.fuzzing.bodies import GOOD
from support.fuzzing.checks import json_bodies
from support.fuzzing.inside import Inside, answers
from support.fuzzing.secrets import SECRETS
from support.raw import request
from twintrack.server.openapi import document

DOCUMENT: dict[str, Any] = json.loads(document())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
SHORT, DRAWN, LONG = 15, 100, 300_000


def asked(case: schemathesis.Case, number: int) -> bytes:
    """The case as bytes; every second one names a model there is, else nearly all would end there."""
    body = case.body if isinstance(case.body, dict | list | str | int | float | bool | None) else b""
    if isinstance(body, dict) and case.path in GOOD and number % 2:
        body = body | {"model": GOOD[case.path][0]["model"]}
    data = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8", "surrogatepass")
    headers = {}
    for name, value in (case.headers or {}).items():
        text = f"{name}{value}"
        if text.isascii() and text.isprintable():  # what no client could send is for the tests of raw bytes
            headers[name] = str(value)
    return request(case.method.upper(), case.path, data, headers | {"content-length": str(len(data))})


def check(inside: Inside, capsys: pytest.CaptureFixture[str], path: str) -> Callable[[Any, int], int]:
    documented = DOCUMENT["paths"][path]["post"]["responses"]

    def one(case: schemathesis.Case, number: int) -> int:
        heard = inside.converse([asked(case, number)])
        said = capsys.readouterr()
        assert not said.err, said.err
        assert not any(secret in heard for secret in SECRETS)
        ((head, body),) = answers(heard)
        assert head.status < 500, f"{head.status} {body[:600]!r}"
        # A negative case may use another method, or a header HTTP itself forbids.
        assert str(head.status) in documented or case.method != "POST" or head.status in (400, 405, 417, 431)
        if head.status >= 400 and case.method != "HEAD":
            assert json.loads(body)["error"]["message"]
        return head.status

    return one


def drawn(inside: Inside, capsys: pytest.CaptureFixture[str], path: str, mode: Any, count: int) -> list[dict[str, Any]]:
    """The bodies, once each was answered as it should be."""
    one = check(inside, capsys, path)
    statuses: dict[int, int] = {}
    bodies: list[dict[str, Any]] = []

    @seed(20_261_130)
    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(SCHEMA[path]["POST"].as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case) -> None:
        status = one(case, sum(statuses.values()))
        if isinstance(case.body, dict):
            bodies.append(case.body)
        statuses[status] = statuses.get(status, 0) + 1

    run()
    print(f"{path}, {mode}: {sum(statuses.values())} cases: {statuses}")
    return bodies


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("path", GOOD)
def test_what_the_document_says(inside: Inside, capsys: pytest.CaptureFixture[str], path: str, mode: Any) -> None:
    drawn(inside, capsys, path, mode, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("path", GOOD)
def test_three_hundred_thousand_json_bodies(inside: Inside, capsys: pytest.CaptureFixture[str], path: str) -> None:
    """Made from those the document allows, those it forbids, and some that are right."""
    bodies = [body for mode in MODES for body in drawn(inside, capsys, path, mode, DRAWN)]
    campaign = json_bodies(inside, capsys, path, [*GOOD[path] * (len(bodies) // 8), *bodies], 2)
    campaign.run(LONG // len(GOOD))
