"""Of a body that travels on only the model's name changes: every other byte, or at least every other value, stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.errors import BadRequest
from twintrack.wire.body import member, with_first, with_members, with_model


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        (b'{"model":"a","x":1.0}', b'{"model":"b","x":1.0}'),
        (b' { "model" :\t"a" , "x": 1e5 }\r\n', b' { "model":"b" , "x": 1e5 }\r\n'),
        (b'{"x":"say \\"model\\": \\"a\\"","model":"a"}', b'{"x":"say \\"model\\": \\"a\\"","model":"b"}'),
        # The bytes of the key stand twice, so names are read before anything is changed.
        (b'{"metadata":{"model":"a"},"model":"a"}', b'{"metadata":{"model":"a"},"model":"b"}'),
        (b'{"x":"model","model":"a"}', b'{"x":"model","model":"b"}'),
        (b'{"x":"is this \\"model","model":"a"}', b'{"x":"is this \\"model","model":"b"}'),
        # Of a key that stands twice the last one counts, here and for providers.
        (b'{"model":"a","model":"a"}', b'{"model":"b"}'),
        (b'{"mod\\u0065l":"a"}', b'{"model":"b"}'),
        (b'{"x":{"model":"a"},"\\u006dodel":"a"}', b'{"x":{"model":"a"},"model":"b"}'),
        # A value with escapes is not looked for by its bytes.
        (b'{"model":"a\\"","x":0.10}', b'{"model":"b","x":0.10}'),
        (b'{"model":"\\u0061","x":-0}', b'{"model":"b","x":-0}'),
    ],
)
def test_only_the_model_changes(body: bytes, changed: bytes) -> None:
    assert with_model(body, "b") == changed


def test_a_name_with_quotes_and_signs_is_written_as_json() -> None:
    assert json.loads(with_model(b'{"model":"a"}', 'x"\\\né')) == {"model": 'x"\\\né'}


class Number(str):
    """A number by its digits."""


def decoded(body: bytes) -> Any:
    return json.loads(body, parse_int=Number, parse_float=Number)


def escaped(text: str) -> st.SearchStrategy[str]:
    """JSON texts that mean `text`: each character as it is, or as an escape."""

    def forms(character: str) -> st.SearchStrategy[str]:
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        code = f"{ord(character):04x}"
        if ord(character) > 0xFFFF:
            return st.just(plain)
        return st.sampled_from([plain, plain, plain, f"\\u{code}", f"\\u{code.upper()}"])

    return st.tuples(*map(forms, text)).map(lambda parts: '"' + "".join(parts) + '"')


SPACES = st.text(alphabet=" \t\r\n", max_size=2)
NUMBERS = st.sampled_from(["0", "-0", "1.0", "1.10", "1e5", "1E+05", "0.1e-7", "123456789012345678901234567890", "-12"])
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
NAMES = st.sampled_from(["model", "models", "x", "messages", "\u00e9", 'a"model'])


def spelled(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An array or an object of `values`, written in some way."""
    member_ = st.builds("{0}{1}:{2}{3}".format, NAMES.flatmap(escaped), SPACES, SPACES, values)
    objects = st.lists(member_, max_size=4).flatmap(
        lambda members: SPACES.map(lambda space: "{" + space + ("," + space).join(members) + space + "}")
    )
    return objects | st.lists(values, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")


VALUES = st.recursive(NUMBERS | TEXT.flatmap(escaped) | st.sampled_from(["true", "false", "null", '"model"']), spelled)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """JSON objects as somebody might write them, whose last `model` is a text."""
    members = draw(st.lists(st.tuples(NAMES.flatmap(escaped), VALUES), max_size=5))
    ours = (draw(escaped("model")), draw(TEXT.flatmap(escaped)))
    after = draw(st.integers(0, len(members)))
    members.insert(after, ours)
    members = [*members[: after + 1], *(each for each in members[after + 1 :] if json.loads(each[0]) != "model")]
    space = draw(SPACES)
    return (space + "{" + f",{space}".join(f"{name}{space}:{value}" for name, value in members) + "}" + space).encode()


@given(bodies(), TEXT)
def test_of_any_object_only_the_model_changes_and_numbers_keep_their_digits(body: bytes, model: str) -> None:
    before, after = decoded(body), decoded(with_model(body, model))

    assert after == before | {"model": model}
    assert list(after) == list(before)


@given(bodies())
def test_a_member_put_in_front_changes_no_other_byte(body: bytes) -> None:
    longer = with_first(body, b'"stream_options":{"include_usage":true}')

    assert longer.replace(b'"stream_options":{"include_usage":true},', b"", 1) == body
    assert decoded(longer) == {"stream_options": {"include_usage": True}} | decoded(body)


def test_members_are_set_and_taken_out_and_the_rest_stays_as_it_was_written() -> None:
    body = b'{"a": 1.0, "b": {"c" : 1e2}, "d": null}'

    assert with_members(body, {"a": None, "d": b"[ 2 ]", "e": b"3", "z": None}) == b'{"b":{"c" : 1e2},"d":[ 2 ],"e":3}'
    assert member(body, "b") == b'{"c" : 1e2}'


@pytest.mark.parametrize("name", [b"\xff", b"\\ud800"], ids=["not UTF-8", "half a character"])
def test_a_name_that_is_no_text_is_the_clients_error(name: bytes) -> None:
    body = b'{"' + name + b'":1,"model":"a","y":"\\u0061 \\u006d"}'

    with pytest.raises(BadRequest, match="name of a member is no text"):
        with_model(body, "b")
