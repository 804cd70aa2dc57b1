"""Whatever a client sends: answers that are well-formed and no fault of ours, and nothing left behind."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random

import pytest
from http1_corpus import attacked, some_cuts, some_message

from support.fuzzing.answers import cut
from support.fuzzing.bodies import GOOD, heavy
from support.fuzzing.campaign import Campaign
from support.fuzzing.checks import checked, json_bodies, posted
from support.fuzzing.inside import Inside
from support.fuzzing.secrets import CLIENT_KEY
from support.raw import request

SHORT, LONG = 1_500, 300_000
GETS = ("/v1/models", "/v1/models/m", "/v1/models/%00", "/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/x")
HEADERS = (
    ("x-twintrack-class", "internal"), ("x-twintrack-class", "nonsense"), ("x-twintrack-deadline-ms", "1e999"),
    ("x-twintrack-deadline-ms", "5000"), ("x-twintrack-max-cost-usd", "0.5"), ("x-twintrack-stakes", "high"),
    ("x-twintrack-drop-unsupported", "true"), ("x-twintrack-unknown", "x"), ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "\xff"), ("content-type", "text/plain"), ("content-encoding", "gzip"),
    ("expect", "100-continue"), ("authorization", f"Bearer {CLIENT_KEY}"), ("x-api-key", CLIENT_KEY),
    ("cookie", "a=b"), ("idempotency-key", "k"),
)  # fmt: skip


# ---- raw HTTP


def some_request(random: Random) -> bytes:
    """A request the gateway knows, or one of another's corpus."""
    way = random.random()
    if way < 0.15:
        return request("GET", random.choice(GETS), headers={"content-length": "", "content-type": ""})
    if way < 0.4:
        return some_message(random, "request")
    path = random.choice(list(GOOD))
    body = json.dumps(random.choice(GOOD[path])).encode()
    headers = dict(random.sample(HEADERS, random.choice((0, 0, 1, 2))))
    if random.random() < 0.3:
        pieces = cut(random, body)
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        return request("POST", path, b"", headers | {"content-length": "", "transfer-encoding": "chunked"}) + framed
    return request(random.choice(("POST", "POST", "POST", "PUT", "HEAD", "GET")), path, body, headers)


def some_connection(random: Random) -> bytes:
    """Up to four requests back to back, attacked four times out of five."""
    stream = b"".join(some_request(random) for _ in range(random.randrange(1, 5)))
    return attacked(random, "request", stream) if random.random() < 0.8 else stream


def raw(inside: Inside, capsys: pytest.CaptureFixture[str], seed: int) -> Campaign:
    def check(case: bytes) -> str:
        random = Random(len(case))  # so that a case says how it was cut
        edges = [0, *sorted(some_cuts(random, len(case))), len(case)] if len(case) < 3_000 else [0, len(case)]
        pieces = [case[start:end] for start, end in pairwise(edges) if end > start]
        heard = inside.converse(pieces)
        # A method HEAD has answers without bodies, which only the client that asked can tell apart.
        return "heads" if b"HEAD" in case else checked(inside, heard, capsys)

    return Campaign("raw HTTP", seed, some_connection, check)


def test_raw_bytes(inside: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = raw(inside, capsys, 1).run(SHORT)
    assert outcomes["200"] > SHORT / 20
    assert outcomes["400"] > SHORT / 20


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
def test_three_hundred_thousand_raw_connections(inside: Inside, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    raw(inside, capsys, seed).run(LONG // 6)


# ---- JSON


@pytest.mark.parametrize("path", GOOD)
def test_json(inside: Inside, capsys: pytest.CaptureFixture[str], path: str) -> None:
    outcomes = json_bodies(inside, capsys, path, GOOD[path], 1).run(SHORT // 3)
    assert outcomes["200"] > SHORT / 60
    assert outcomes["400"] > SHORT / 60


@pytest.mark.parametrize("weight", [4, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("path", GOOD)
def test_heavy_json(inside: Inside, capsys: pytest.CaptureFixture[str], path: str, weight: int) -> None:
    for name, body in heavy(path, weight).items():
        campaign = Campaign(
            f"{name} for {path}",
            weight,
            lambda random, body=body: body,
            lambda case: checked(inside, posted(inside, path, case), capsys),
        )
        campaign.run(1)
