"""Embeddings: what is read of a request and of an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twintrack.errors import BadRequest, UpstreamError
from twintrack.wire.dialect import decode
from twintrack.wire.embeddings import ENDPOINT, read_usage
from twintrack.wire.usage import Usage


@pytest.mark.parametrize(
    ("given", "texts"),
    [("a cat", ("a cat",)), (["a", "b"], ("a", "b")), ([1, 2, 3], ()), ([[1, 2], [3]], ()), ([], ()), ("", ("",))],
)
def test_input_is_text_texts_or_tokens(given: Any, texts: tuple[str, ...]) -> None:
    prompt = decode(ENDPOINT, json.dumps({"model": "m", "input": given}).encode()).prompt()
    assert prompt.texts == texts
    assert prompt.turns == 1


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"input": {}}, "$.input: Expected `str | array`, got `object`."),
        ({"input": [1.5]}, "$.input[0]: Expected `int | str | array`, got `float`."),
        ({"stream": True}, "$: stream is true, and embeddings are not streamed."),
    ],
)
def test_a_wrong_request_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(ENDPOINT, json.dumps({"model": "m", "input": "x"} | more).encode())
    assert str(refused.value) == says


def test_only_the_model_and_our_labels_change() -> None:
    body = b'{"model":"m","input":"x","dimensions":8.0,"metadata":{"twintrack_stakes":"high"}}'
    assert decode(ENDPOINT, body).body_for(body, "m2") == b'{"model":"m2","input":"x","dimensions":8.0}'


def test_usage_has_no_output() -> None:
    assert read_usage(b'{"data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}') == Usage(4, 0)
    assert read_usage(b'{"data":[]}') == Usage()


@pytest.mark.parametrize("tokens", [b"-5", b"null", b'"4"', b"1000000000000000000000"])
def test_usage_that_cannot_be_believed_was_not_reported(tokens: bytes) -> None:
    """Else a row would say that its usage is reported, and cost nobody knows what."""
    assert read_usage(b'{"data":[],"usage":{"prompt_tokens":%b}}' % tokens) == Usage()


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data":5}', b'{"\xff":0}'])
def test_what_holds_no_embeddings_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read_usage(body)
