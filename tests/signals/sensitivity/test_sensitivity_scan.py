"""A scan may pause anywhere, a failure is never clean, and the library that nominates changes nothing."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twintrack.signals.sensitivity import nominate, nominations, rules
from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.finding import Scanned, Unscanned, _Proof
from twintrack.signals.sensitivity.grade import grade, ladder
from twintrack.signals.sensitivity.own_tests import drawn
from twintrack.signals.sensitivity.scan import Scan, scan
from twintrack.signals.sensitivity.verdicts import Verdicts

_PIECES = [
    *(rule.number for rule in rules.identifiers().type),
    *(drawn(rule.example) for rule in rules.secrets().token if rule.example),
    *(word for concept in rules.vocabulary().concept.values() for said in concept.values() for word in said[:2]),
    *(street.example for street in rules.addresses().street),
    *(marking.example for marking in rules.markings().marking),
    "bob@example.com", "203.0.114.5", "4111 1111 1111 1111", "+49 30 901820", "1984-05-17", "\\n", "%40", "\u200b",
    "patientMrn", "ssnNumber", "userIdCard9", "Łódź", "né", "IBAN", "tel", "ext", "+",
]  # fmt: skip
_TEXTS = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=12)), min_size=1, max_size=12).flatmap(
    lambda pieces: st.sampled_from([" ", ": ", "", "\n", '": "']).map(lambda mark: mark.join(pieces))
)


def findings(verdict: object):
    assert isinstance(verdict, Scanned), verdict
    return verdict.findings


class _Ticks:
    """A clock that says a millisecond went by whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


def test_how_often_a_scan_pauses_changes_nothing(detector: Detector):
    text = "\n".join(_PIECES) * 2
    slow = Scan(detector, text, _Ticks())
    pauses = 0
    while not slow.feed(1):
        pauses += 1
        assert isinstance(slow.verdict, Unscanned)
    assert pauses > 100
    assert findings(slow.verdict) == findings(scan(detector, text))


def test_what_stands_across_two_windows_is_found(detector: Detector):
    for before in range(880, 1320, 11):
        text = "lorem ipsum " * 200
        text = f"{text[:before]} card 4111 1111 1111 1111 {text[before:]}"
        cards = [one for one in findings(scan(detector, text)) if one.type == "credit_card"]
        assert [text[one.start : one.end] for one in cards] == ["4111 1111 1111 1111"]


@pytest.mark.parametrize("broken", [False, True], ids=["in one line", "in lines"])
def test_what_is_encoded_is_found_wherever_windows_cut_it(detector: Detector, broken: bool):
    encode = base64.encodebytes if broken else base64.b64encode
    filler = b"The weather is mild, und \xc3\xbcber allem ist Ruh. "
    for before in range(4):
        inner = encode(filler * 40 + b"card 4111 1111 1111 1111, mail bob@example.com. " + filler * 20).decode()
        found = findings(scan(detector, f"{'x' * before} decode {inner} please"))
        assert {"credit_card", "email"} <= {one.type for one in found}


def test_what_is_encoded_at_one_place_is_not_one_thing(detector: Detector):
    said = b"SSN: 536-22-8714, mail jane.doe@example.org, IBAN DE89370400440532013000."
    plain = {one.type for one in findings(scan(detector, said.decode()))}
    assert {one.type for one in findings(scan(detector, base64.b64encode(said).decode()))} == plain
    assert "us_ssn" in plain


def test_what_stands_behind_thousands_of_others_is_found(detector: Detector, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("twintrack.signals.sensitivity.scan.MOST_FINDINGS", 50)
    monkeypatch.setattr("twintrack.signals.sensitivity.scan._SLACK", 10)
    mails = "".join(f"a{number}@example.org\n" for number in range(300))
    found = findings(scan(detector, f"{mails}card 4111 1111 1111 1111 thanks\n{mails}"))
    assert "credit_card" in {one.type for one in found}
    assert len(found) <= 70


def test_a_failing_detector_makes_the_text_sensitive(detector: Detector, monkeypatch: pytest.MonkeyPatch):
    def broken(window: object) -> None:
        raise ZeroDivisionError("secret text")

    monkeypatch.setattr(detector.recognisers[0], "find", broken)
    verdict = scan(detector, "hello")
    assert isinstance(verdict, Unscanned)
    assert "secret text" not in verdict.why
    found = grade([verdict], ladder())
    assert found.sensitive
    assert found.data_class == "restricted"


def test_a_verdict_is_no_truth_value_and_nobody_but_a_scan_makes_a_clean_one(detector: Detector):
    for verdict in (scan(detector, "hello"), Unscanned("error", "x")):
        with pytest.raises(TypeError, match="not a truth value"):
            bool(verdict)
    with pytest.raises(TypeError, match="Only a finished scan"):
        Scanned((), object())  # type: ignore[arg-type]
    assert not hasattr(Unscanned("error", "x"), "findings")
    assert Scanned((), _Proof()).findings == ()


def test_a_scan_that_is_not_finished_counts_as_sensitive(detector: Detector):
    started = Scan(detector, "hello " * 5000)
    assert started.feed(0) is False
    assert grade([started.verdict], ladder()).sensitive


def test_a_text_too_long_to_read_counts_as_sensitive(detector: Detector, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("twintrack.signals.sensitivity.scan.MOST_CHARACTERS", 100)
    verdict = scan(detector, "x" * 101)
    assert isinstance(verdict, Unscanned)
    assert verdict.kind == "too_large"


class _AllAtOnce(nominations.Nominations):
    """Asks for every pattern at each text: what asking for less is measured against."""

    def __init__(self, patterns: tuple[bytes, ...], cased: tuple[bytes, ...]) -> None:
        self._all = nominate.Plainly(patterns)
        self._cased = nominate.Plainly(cased)

    def nominate(self, low: str) -> list[tuple[int, int]]:
        return self._all.ends(low.encode("utf-8", "replace"))


@pytest.fixture(scope="module")
def others(detector: Detector) -> list[nominations.Nominations]:
    lexicon = detector.lexicon
    with_re2 = nominations.Nominations(
        lexicon.patterns, lexicon.short, lexicon.cased, lambda patterns, _: nominate.WithRe2(patterns)
    )
    return [with_re2, _AllAtOnce(lexicon.patterns, lexicon.cased)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=_TEXTS)
def test_all_ways_to_look_for_words_give_the_same_findings(
    detector: Detector, others: list[nominations.Nominations], text: str
):
    ours = detector.lexicon.nominations
    expected = findings(scan(detector, text))
    try:
        for other in others:
            detector.lexicon.nominations = other
            assert findings(scan(detector, text)) == expected
    finally:
        detector.lexicon.nominations = ours


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(_TEXTS, st.text(max_size=400)))
def test_no_text_breaks_a_detector_and_every_span_lies_in_it(detector: Detector, text: str):
    for one in findings(scan(detector, text)):
        assert 0 <= one.start < one.end <= len(text)
        assert 0 <= one.score <= 1


@pytest.mark.parametrize(
    "unit",
    ["a", "A ", "1", "1 ", "1-", "@", "a@", "a.", ":", "::", "=", "ab12 ", "eyJ", "curl ", "password ", "%41", "\\n",
     "\\", "\\\\x", "&amp;", "%25", "=41", "A" * 24 + "/", "41" * 12 + " ", "\u200b", "é", "漢", "0x",
     "-----BEGIN PRIVATE KEY-----", "card 4 ", "St ", "ul. A 1 ", "calle de la ", "tel 1 "],
)  # fmt: skip
def test_no_text_takes_time_out_of_proportion(detector: Detector, unit: str):
    """Steps, not seconds: a machine under load must not fail this. A window takes one step for each recogniser."""
    import time

    text = (unit * 20_000)[:20_000]
    before = time.thread_time()
    scan(detector, text)
    assert time.thread_time() - before < 3.0


def test_the_compiled_words_are_kept_and_made_again_if_they_are_damaged_or_anybody_could_write_them(tmp_path: Path):
    cache = tmp_path / "cache"
    words = [b"one", b"two"]
    nominate.WithHyperscan(words, cache)
    (file,) = cache.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    for damage in (content[:-1], content[:10], b"", content[:40] + bytes([content[40] ^ 1]) + content[41:]):
        file.write_bytes(damage)
        assert nominate.WithHyperscan(words, cache).nominate(b"two") == [1]
        assert file.read_bytes() == content
    file.chmod(0o666)
    assert nominate._read(file) is None
    file.unlink()
    os.symlink("/etc/hostname", file)
    assert nominate._read(file) is None
    assert nominate.WithHyperscan(words, cache).nominate(b"one") == [0]


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert nominate.WithHyperscan([b"one"], blocked / "cache").nominate(b"one") == [0]


def test_a_verdict_is_kept_by_text_and_key_and_the_oldest_goes(detector: Detector):
    kept = Verdicts(b"k" * 32, detector.version, most=2)
    other = Verdicts(b"o" * 32, detector.version)
    names = [kept.name(text) for text in ("a", "b", "c")]
    assert names[0] != other.name("a")
    for name, text in zip(names, ("a", "b", "c"), strict=True):
        kept.put(name, scan(detector, text))
    assert kept.get(names[0]) is None
    assert isinstance(kept.get(names[2]), Scanned)
    kept.put(names[0], Unscanned("error", "x"))
    assert kept.get(names[0]) is None
    kept.name("\ud800")


@pytest.mark.parametrize("count", [10, 64, 65, 100, 300])
def test_no_row_of_labels_hides_the_value_behind_the_last(detector: Detector, count: int) -> None:
    for label, value, kind in (
        ("ssn ", "is 123456789", "us_ssn"),
        ("tel ", "030 1234567", "phone"),
        ("passport ", "no: C01X00T47", "passport"),
        ("card;", "5018 0000 0009", "credit_card"),
    ):
        row = label * min(count, 1200 // len(label))
        for text in (f"{row}{value} ok", f"{value} {row}ok {row[:300]} {label}{value} ok"):
            verdict = scan(detector, text)
            assert isinstance(verdict, Scanned)
            last = max((one.end for one in verdict.findings if one.type == kind), default=0)
            assert last == len(text) - len(" ok"), (label, count)
    lines = "ssn 123456789\n" * 80
    verdict = scan(detector, lines)
    assert isinstance(verdict, Scanned)
    assert len([one for one in verdict.findings if one.type == "us_ssn"]) == 80
