"""A value is found in whatever way it is written, as long as somebody would read it as that."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Callable

import pytest

from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.encoded import MOST
from twintrack.signals.sensitivity.finding import Scanned
from twintrack.signals.sensitivity.scan import scan
from twintrack.signals.sensitivity.surface import Unscannable
from twintrack.signals.sensitivity.surfaces import surfaces
from twintrack.signals.sensitivity.whole import read

VALUES = (
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "anna.bauer@example.org",
    "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "my SSN is 078-05-1120",
)
CARD, IBAN = VALUES[:2]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def each(form: Callable[[int], str]) -> Callable[[str], str]:
    return lambda text: "".join(form(ord(char)) for char in text)


def between(sign: str) -> Callable[[str], str]:
    return lambda text: sign.join(text)


def figures(zero: int) -> Callable[[str], str]:
    return lambda text: "".join(chr(zero + int(char)) if char.isdecimal() else char for char in text)


def in_json(text: str) -> str:
    return json.dumps(each(lambda code: f"\\u{code:04x}")(text))


WAYS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: b64(text.encode()),
    "base64 of base64": lambda text: b64(b64(text.encode()).encode()),
    "base64 of UTF-16": lambda text: b64(text.encode("utf-16-le")),
    "base64 of UTF-16 with its mark": lambda text: b64(text.encode("utf-16")),
    "base64 of UTF-16, big end first": lambda text: b64(text.encode("utf-16-be")),
    "base64 of UTF-32": lambda text: b64(text.encode("utf-32-le")),
    "base64 of Latin 1": lambda text: b64(f"Größe für Jürgen: {text}".encode("latin-1")),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in capitals": lambda text: f"0x{text.encode().hex().upper()}",
    "hexadecimal of UTF-16": lambda text: text.encode("utf-16-le").hex(),
    "in a URL": each(lambda code: f"%{code:02X}"),
    "in a URL in a URL": lambda text: urllib.parse.quote(each(lambda code: f"%{code:02x}")(text)),
    "HTML": each(lambda code: f"&#{code};"),
    "HTML in hexadecimal": each(lambda code: f"&#x{code:06X};"),
    "HTML without ends": each(lambda code: f"&#{code}"),
    "HTML in HTML": lambda text: html.escape(html.escape(each(lambda code: f"&#{code};")(text))),
    "quoted-printable": each(lambda code: f"={code:02X}"),
    "JSON": each(lambda code: f"\\u{code:04x}"),
    "JSON in JSON": in_json,
    "JSON in JSON in JSON": lambda text: json.dumps(in_json(text)),
    "behind a line break of JSON in JSON": lambda text: json.dumps(json.dumps(f"so\n{text}")),
    "bytes of a program": each(lambda code: f"\\x{code:02x}"),
    "characters of a program": each(lambda code: f"\\u{{{code:x}}}"),
    "long characters of a program": each(lambda code: f"\\U{code:08x}"),
    "spaces without width": between("\u200b"),
    "soft hyphens": between("\u00ad"),
    "accents on all": between("\u0301"),
    "rings": between("\u20dd"),
    "fillers": between("\u3164"),
    "half fillers": between("\uffa0"),
    "tags": between("\U000e0041"),
    "variants": between("\U000e0101"),
    "wide": lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
    "bold figures": figures(0x1D7CE),
    "Arabic figures": figures(0x660),
    "black figures": lambda text: text.translate(str.maketrans("0123456789", "⓿❶❷❸❹❺❻❼❽❾")),
    "keys": lambda text: "".join(f"{char}\ufe0f\u20e3" if char.isdecimal() else char for char in text),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "empty Braille": lambda text: text.replace(" ", "\u2800"),
    "other hyphens": lambda text: text.replace("-", "\u2011"),
    "other hosts' points": lambda text: text.replace(".", "\u3002").replace("@", "\uff20"),
    "Cyrillic letters": lambda text: text.translate(str.maketrans("aeopc", "аеорс")),
}  # fmt: skip


def found(detector: Detector, text: str) -> set[str]:
    verdict = scan(detector, text)
    assert isinstance(verdict, Scanned)
    return {one.type for one in verdict.findings}


@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_found_however_it_is_written(detector: Detector, way: str) -> None:
    missed = [text for text in VALUES if not found(detector, text) <= found(detector, f"see {WAYS[way](text)} .")]
    assert missed == []


@pytest.mark.parametrize("sign", ["\u2011", "\u2043", "\u00b7", "\u2022", "\u05be", ".", "+", "_", "\u207b"])
def test_groups_of_a_number_stand_apart_by_many_signs(detector: Detector, sign: str) -> None:
    assert "credit_card" in found(detector, f"see {CARD.replace(' ', sign)} .")
    assert "iban" in found(detector, f"see {IBAN.replace(' ', sign)} .")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_number_goes_on_in_the_next_line_whatever_ends_it(detector: Detector, end: str) -> None:
    for value, kind in ((CARD, "credit_card"), (IBAN, "iban"), ("NHS number 943 476 5919", "gb_nhs")):
        text = f"see card, IBAN: {end}{value.replace(' ', end)}."
        verdict = scan(detector, text)
        assert isinstance(verdict, Scanned)
        spans = [text[one.start : one.end] for one in verdict.findings if one.type == kind]
        assert [span.split()[-1] for span in spans] == [value.split()[-1]], (kind, end)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("label", ["", "card: "])
def test_figures_in_the_lines_beside_it_are_no_part_of_a_card(detector: Detector, label: str, end: str) -> None:
    number, other = CARD.replace(" ", ""), "378282246310005"
    for card in (CARD, number):
        for lines in (
            [card, "12/27", "123"],
            [card, "123"],
            ["12", card],
            ["3", card, "12 34"],
            [card, "37 82", other],
        ):
            text = label + end.join(lines)
            verdict = scan(detector, text)
            assert isinstance(verdict, Scanned)
            cards = [text[one.start : one.end] for one in verdict.findings if one.type == "credit_card"]
            assert cards == [line for line in lines if line in (card, other)], lines


def test_what_is_no_text_is_not_taken_for_one(detector: Detector) -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    for text in (digest, f"sha256:{digest}", "4111" * 40, "a=12;b=34;c=56", "C:\\new\\x86\\users", "&#49;&num;"):
        assert found(detector, text) == set()


def test_wide_characters_in_a_long_text_are_read_to_its_end(detector: Detector) -> None:
    text = "This is a harmless paragraph about gardening. " * 12_000 + CARD
    data = b64(text.encode("utf-16-le"))
    assert len(data) > MOST
    body = json.dumps({"messages": [{"role": "user", "content": data}]}).encode()
    texts, _ = read(detector, body)
    assert {one.type for _, findings in texts for one in findings} == {"credit_card"}
    assert not any(isinstance(one, Unscannable) for one in surfaces(body))
