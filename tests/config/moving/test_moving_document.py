"""Files that are wrong, or meant to harm, end in one line that says where."""

from __future__ import annotations

import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from twintrack.config.moving.document import MOST_BYTES, read
from twintrack.config.source import InvalidConfig

from .conftest import leaves

_YAML_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)
_MERGE_BOMB = "a: &a {k: v}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{', '.join(['*' + chr(97 + n)] * 9)}]}}\n" for n in range(9)
)


def plain(node) -> object:
    if isinstance(node.value, dict):
        return {name: plain(each) for name, each in node.value.items()}
    if isinstance(node.value, list):
        return [plain(each) for each in node.value]
    return node.value


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("model_list:\n  - a: [1, 2\n  - b", "x.yaml:3:6: ", "This is not YAML: while parsing a flow sequence"),
        ("a: b: c", "x.yaml:1:5: ", "mapping values are not allowed here"),
        ("a:\n\t- b", "x.yaml:2:1: ", "cannot start any token"),
        ("a: *nobody", "x.yaml:1:4: ", "undefined alias"),
        ("a: 1\n---\nb: 2", "x.yaml:2:1: ", "expected a single document"),
        ("", "x.yaml:1:1: ", "This is empty"),
        ("a: \x07", "x.yaml:1:4: ", "The character U+0007 cannot stand in YAML"),
        ("a: &a\n  b: *a", "x.yaml:1:4: ", "This alias leads back into itself"),
        ("a: !!python/object/apply:os.system ['true']", "x.yaml:1:4: ", "The tag 'tag:yaml.org,2002:python/"),
        ("a: !secret key", "x.yaml:1:4: ", "The tag '!secret' is not read"),
        ("a: !!binary AAAA", "x.yaml:1:4: ", "The tag 'tag:yaml.org,2002:binary' is not read"),
        ("? [a]\n: 1", "x.yaml:1:3: ", "A key must be a plain word"),
        ("a: {<<: 1}", "x.yaml:1:9: ", "Only mappings can be merged"),
    ],
)
def test_yaml_that_is_wrong_says_where(text, place, what):
    with pytest.raises(InvalidConfig) as error:
        read(text.encode(), "x.yaml")
    assert str(error.value).startswith(place)
    assert what in str(error.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,}', "x.json:1:"),
        ('{\n  "a": 1\n  "b": 2}', "x.json:3:3: "),
        ("", "x.json:1:1: "),
        ("[1", "x.json:1:3: "),
    ],
)
def test_json_that_is_wrong_says_where(text, place):
    with pytest.raises(InvalidConfig, match="This is not JSON") as error:
        read(text.encode(), "x.json")
    assert str(error.value).startswith(place)


@pytest.mark.parametrize("text", [_YAML_BOMB, _MERGE_BOMB], ids=["aliases", "merges"])
def test_aliases_cannot_multiply_without_end(text):
    began = time.monotonic()
    with pytest.raises(InvalidConfig, match="more than 200,000 values"):
        read(text.encode(), "x.yaml")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("text", "name"),
    [("[" * 100_000, "x.yaml"), ("- " * 50_000 + "a", "x.yaml"), ("[" * 500 + "]" * 500, "x.yaml"),
     ("[" * 500 + "]" * 500, "x.json"), ('{"a":' * 100_000 + "1" + "}" * 100_000, "x.json")],
)  # fmt: skip
def test_depth_is_bounded(text, name):
    with pytest.raises(InvalidConfig, match="nested too deeply"):
        read(text.encode(), name)


def test_size_is_bounded():
    with pytest.raises(InvalidConfig, match=r"x.yaml: This has 5,000,001 bytes; at most 5,000,000 are read"):
        read(b"#" * (MOST_BYTES + 1), "x.yaml")


def test_what_is_not_utf_8_says_its_line():
    with pytest.raises(InvalidConfig, match=r"x.yaml:2: This is not UTF-8"):
        read(b"a: 1\nb: \xff", "x.yaml")


def test_dates_stay_as_they_are_written_and_numbers_may_be_too_long():
    root = read(b"version: 2024-02-01\nhuge: " + b"9" * 5000 + b"\nnone: ~\nyes: on", "x.yaml").root
    assert root.fields["version"].value == "2024-02-01"
    assert root.fields["huge"].value == "9" * 5000
    assert (root.fields["none"].value, root.fields["yes"].value) == (None, True)


def test_every_value_knows_its_line_and_an_alias_the_line_it_is_written_on():
    root = read(b"a: &x\n  b: 1\nc:\n- *x\n- {<<: *x, d: 2}\n", "x.yaml").root
    found = [(leaf.path, leaf.line) for leaf in root.leaves()]
    assert found == [(("a", "b"), 2), (("c", 0, "b"), 2), (("c", 1, "b"), 2), (("c", 1, "d"), 5)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_json_is_read_as_json_reads_it(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    root = read(text.encode("utf-8", "replace"), "x.json").root
    expected = json.loads(text.encode("utf-8", "replace"))
    assert plain(root) == expected
    assert [(leaf.path, leaf.value or None) for leaf in root.leaves()] == [
        (path, each or None) for path, each in leaves(expected)
    ]


_WORD = st.text("abcxyz-_. 019:#'\"é", max_size=8)
_YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _WORD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORD, inner, max_size=4),
    max_leaves=12,
)


@given(_YAML, st.booleans())
def test_yaml_is_read_as_the_library_reads_it(value, flow):
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert plain(read(text.encode(), "x.yaml").root) == yaml.safe_load(text)
