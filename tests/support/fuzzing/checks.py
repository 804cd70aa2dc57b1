"""What must hold of whatever a client hears."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from support.fuzzing.bodies import some_body
from support.fuzzing.campaign import Campaign
from support.fuzzing.inside import Inside, answers
from support.fuzzing.secrets import PROMPT, SECRETS
from support.raw import request


def checked(inside: Inside, heard: bytes, capsys: pytest.CaptureFixture[str]) -> str:
    """The status of the first answer in what was heard, once nothing is wrong with any of them."""
    for secret in SECRETS:
        # Who names a model nobody has is told the name; nothing else of a prompt is repeated.
        assert secret not in heard.replace(b"There is no model '%b'" % secret, b""), f"it comes out: {heard[:2000]!r}"
    said = capsys.readouterr()
    assert not said.err, said.err
    found = answers(heard)
    for head, body in found:
        assert head.status < 500, f"{head.status} {body[:1000]!r}"
        assert b"Traceback" not in body
        if head.status >= 400 and body:
            error = json.loads(body)["error"]
            assert error["message"], body
    return str(found[0][0].status) if found else "silence"


def posted(inside: Inside, path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    return inside.converse([request("POST", path, body, headers)])


def with_prompt(body: bytes) -> bytes:
    """With a secret in what is asked."""
    return body.replace(b'"Hi"', b'"%b"' % PROMPT.encode())


def json_bodies(
    inside: Inside, capsys: pytest.CaptureFixture[str], path: str, good: Sequence[dict[str, Any]], seed: int
) -> Campaign:
    """Bodies for `path`, made from those in `good`."""

    def make(random: Random) -> bytes:
        return with_prompt(some_body(random, good))

    def check(case: bytes) -> str:
        drop = {"x-twintrack-drop-unsupported": "true"} if len(case) % 3 == 0 else None
        return checked(inside, posted(inside, path, case, drop), capsys)

    return Campaign(f"JSON for {path}", seed, make, check)
