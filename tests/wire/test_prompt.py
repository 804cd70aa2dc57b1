"""Labels a caller sets, as headers or in `metadata`."""

from __future__ import annotations

import pytest

from twintrack.config.settings import DATA_CLASSES
from twintrack.errors import BadRequest
from twintrack.wire.chat import ENDPOINT
from twintrack.wire.dialect import decode, has_labels, labels_in
from twintrack.wire.prompt import Labels, read_labels


def in_metadata(raw: str) -> dict[str, str]:
    asked = decode(ENDPOINT, b'{"model":"m","messages":[],"metadata":' + raw.encode("latin-1") + b"}")
    assert asked.metadata is not None
    return labels_in(asked.metadata)


def test_labels_in_full() -> None:
    words = {"class": "restricted", "deadline-ms": "1500", "max-cost-usd": "0.05", "stakes": "high"}
    assert read_labels(words, DATA_CLASSES) == Labels("restricted", 1500, 50_000_000, True)
    assert read_labels({"stakes": "normal"}, DATA_CLASSES) == Labels()


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ({"class": "secret"}, "x-twintrack-class"),
        ({"class": "public, restricted"}, "x-twintrack-class"),  # the header stood twice
        ({"stakes": "low"}, "x-twintrack-stakes"),
        *[({"deadline-ms": word}, "x-twintrack-deadline-ms") for word in ("0", "-5", "soon", "nan", "inf", "1e9", "")],
        *[({"max-cost-usd": word}, "x-twintrack-max-cost-usd") for word in ("0", "-0.1", "free")],
    ],
)
def test_a_label_nobody_understands_is_refused(words: dict[str, str], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_labels(words, DATA_CLASSES)
    assert refused.value.param == param


def test_metadata_holds_the_same_labels_as_text_or_numbers() -> None:
    assert in_metadata(
        '{"twintrack_class":"restricted","twintrack_deadline_ms":1500,"twintrack_max_cost_usd":0.05}'
    ) == {
        "class": "restricted",
        "deadline-ms": "1500",
        "max-cost-usd": "0.05",
    }
    assert in_metadata('{"user_id":"u"}') == {}


@pytest.mark.parametrize("raw", ["null", "[]", "1e999", "1" * 5000, '"\xff"'])
def test_a_label_that_is_neither_text_nor_number_is_refused_by_its_path(raw: str) -> None:
    with pytest.raises(BadRequest) as refused:
        in_metadata(f'{{"twintrack_deadline_ms":{raw}}}')
    assert refused.value.param == "$.metadata.twintrack_deadline_ms"


def test_a_misspelt_label_is_refused_since_silence_would_unlock_data() -> None:
    with pytest.raises(BadRequest, match=r"twintrack_clas is no label.*Did you mean twintrack_class\?"):
        in_metadata('{"twintrack_clas":"restricted"}')


def test_which_metadata_holds_labels() -> None:
    asked = decode(ENDPOINT, b'{"model":"m","messages":[],"metadata":{"a":1}}')
    assert asked.metadata is not None
    assert not has_labels(asked.metadata)
