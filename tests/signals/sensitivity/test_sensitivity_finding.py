"""What is found in a sentence, and what is left alone. One table a concern."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest

from twintrack.signals.sensitivity.detector import CustomRule, Detector
from twintrack.signals.sensitivity.finding import Scanned
from twintrack.signals.sensitivity.grade import Grade, grade, ladder
from twintrack.signals.sensitivity.scan import scan

CARD = "4111 1111 1111 1111"


def graded(detector: Detector, text: str) -> Grade:
    return grade([scan(detector, text)], ladder())


def spans(detector: Detector, text: str, kind: str) -> list[str]:
    verdict = scan(detector, text)
    assert isinstance(verdict, Scanned)
    return [text[one.start : one.end] for one in verdict.findings if one.type == kind]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        (f"my card {CARD} was stolen", "credit_card", CARD),
        (f"La carte {CARD} est bloquée", "credit_card", CARD),
        (f"カード番号は{CARD}です", "credit_card", CARD),
        ("IBAN DE89 3704 0044 0532 0130 00 please", "iban", "DE89 3704 0044 0532 0130 00"),
        ("Überweise an DE89370400440532013000.", "iban", "DE89370400440532013000"),
        ("write to anna.müller@example.org!", "email", "anna.müller@example.org"),
        ("邮箱zhang.wei@example.cn谢谢", "email", "zhang.wei@example.cn"),
        ("mail me: anna (at) example (dot) org", "email", "anna (at) example (dot) org"),
        ("call me at (555) 123-4567", "phone", "(555) 123-4567"),
        ("Tel.: 030 901820", "phone", "030 901820"),
        ("Zadzwoń: 22 250 01 15", "phone", "22 250 01 15"),
        ("請致電 02-2720-8889", "phone", "02-2720-8889"),
        ("it is +49 30 901820", "phone", "+49 30 901820"),
        ("client_ip=10.1.2.3 logged in", "ip_address", "10.1.2.3"),
        ("a visitor from 203.0.114.5 came", "ip_address", "203.0.114.5"),
        ("DOB: 1984-05-17", "date_of_birth", "1984-05-17"),
        ("née le 17 mai 1984 à Lyon", "date_of_birth", "17 mai 1984"),
        ("生年月日：1984年5月17日", "date_of_birth", "1984年5月17日"),
        ("Passport No. C01X00T47 expires soon", "passport", "C01X00T47"),
        ("numer paszportu: EH1234567", "passport", "EH1234567"),
        ("Pt seen today, MRN 93834701", "medical_record", "93834701"),
        ("病历号：20230915", "medical_record", "20230915"),
        ("Employee SSN is 536-90-4399.", "us_ssn", "536-90-4399"),
        ("Mein Steuer-ID ist 36 574 261 809", "de_idnr", "36 574 261 809"),
        ("CPF 390.533.447-05", "br_cpf", "390.533.447-05"),
        ("the CPF-like 390.533.447-05 stands alone", "br_cpf", "390.533.447-05"),
        ("742 Evergreen Terrace, Springfield, IL 62704", "address", "742 Evergreen Terrace, Springfield, IL 62704"),
        ("VS - NUR FÜR DEN DIENSTGEBRAUCH", "marking", "VS - NUR FÜR DEN DIENSTGEBRAUCH"),
    ],
)
def test_is_found_with_its_span(detector: Detector, text: str, kind: str, value: str):
    assert value in spans(detector, text, kind)


@pytest.mark.parametrize(
    "text",
    [
        "Hello, I am John Smith and this is Maria Garcia.",
        "Write a haiku about Angela Merkel's retirement on 08.12.2021.",
        "George Washington was born on February 22, 1732.",
        "Explain how ITAR differs from EAR in two paragraphs.",
        "What does ECCN stand for?",
        "Write a regex that matches a US social security number.",
        "How do I reset my password?",
        'password = os.environ["DB_PASSWORD"]',
        "api_key: str = Field(description='the key')",
        "def token(self): return self.tokens[0]",
        "pip install requests==2.31.0.1 && chrome/120.0.6099.109",
        "The republic publishes public lists; a client's licence is public.",
        "Order 3893408306508 has 17 items at 1224-7330-0741.",
        "id: 561f092b-1c4b-4fa2-8516-f99eb08ee355",
        "sha512-7blBNKwLoDGabvrn0hTqN4Spdcr+3fL0nTGv/4b/kbh14jrOoTYPCLIAdMIo8YF8LzEgupcM1QhcmWbcwxfpog==",
        "Tom bought 12 apples for $4 and called it a day; 300 people live on 5 streets.",
        "The patient waited. Diabetes is a chronic disease treated with insulin.",
        "AKIAXXXXXXXXXXXXXXXX and ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx are placeholders",
        "1697345556767,-79.938058,-174.522696,0.2113223629,3893408306508",
        "version 10.2.3.4 of the package",
        "",
    ],
)
def test_is_left_alone(detector: Detector, text: str):
    assert graded(detector, text).data_class == "public"


def test_a_table_of_numbers_holds_no_cards_by_chance(detector: Detector):
    """One number in ten passes Luhn's check: where many stand without a word beside them, some do."""
    rows = "\n".join(f"{4000_0000_0000_0000 + 7919 * row * row * 131}" for row in range(40))
    assert graded(detector, rows).data_class == "public"


@pytest.mark.parametrize(
    "written",
    [
        "4111111111111111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "４１１１ １１１１ １１１１ １１１１",
        "4111\u200b1111\u200b1111\u200b1111",
        "4111 1111\n1111 1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "4111\u00a01111\u00a01111\u00a01111",
    ],
)
def test_a_card_is_found_however_it_is_written(detector: Detector, written: str):
    text = f"card number: {written} thanks"
    assert spans(detector, text, "credit_card") == [written]


@pytest.mark.parametrize(
    "hidden",
    [
        "bob@ex\u0430mple.com",  # a Cyrillic a
        "bob%40example.com",
        "bob\\u0040example.com",
        "bob&#64;example.com",
        "b\u200bob@example.com",
        base64.b64encode(b"please write to bob@example.com about the contract").decode(),
        "data:text/plain;base64," + base64.b64encode(b"name,mail\nBob,bob@example.com\n" * 3).decode(),
        base64.b64encode(base64.b64encode(b"please write to bob@example.com about the contract")).decode(),
    ],
)
def test_an_address_is_found_through_what_hides_it(detector: Detector, hidden: str):
    found = graded(detector, f"see {hidden} now")
    assert found.counts == {"email": 1}
    assert hidden.startswith(("data:", "see")) or f"see {hidden} now"[found.findings[0].start :].startswith(hidden[:3])


def test_escaped_json_and_url_values_are_read(detector: Detector):
    inner = json.dumps(json.dumps({"patient": {"mrn": "93834701", "mail": "a.b@example.org"}}))
    assert {"medical_record", "email"} <= set(graded(detector, inner).counts)
    query = "https://host/?" + urllib.parse.urlencode({"card": CARD, "mail": "a.b@example.org"})
    assert {"credit_card", "email"} <= set(graded(detector, query).counts)


def test_an_identifier_beside_words_of_care_is_a_patients(detector: Detector):
    assert graded(detector, "bob@example.com").categories == ("pii",)
    assert graded(detector, "bob@example.com has diabetes and takes metformin").categories == ("phi", "pii")
    assert graded(detector, "bob@example.com has diabetes and takes metformin").data_class == "restricted"
    assert graded(detector, "Patient: Maria Garcia. Diagnosis: diabetes, metformin 500 mg").categories == ("phi",)
    assert graded(detector, "Diagnosis: diabetes, metformin 500 mg").categories == ()


@pytest.mark.parametrize(
    "text",
    [
        "password: Winter2024!xY",
        "Das Passwort lautet Tr0ub4dor&3x",
        "hasło: Zx9!kLm2pQ",
        "密码是Zx9!kLm2pQ",
        "postgres://app:s3cr3tPw9@db:5432/main",
        "curl -u admin:Zx9kLm2pQr https://host",
    ],
)
def test_a_password_is_found_behind_its_word_in_many_languages(detector: Detector, text: str):
    assert graded(detector, text).categories == ("secret",)


def test_names_of_a_dictionary_are_whole_words_in_any_case():
    own = Detector([CustomRule(name="customer", category="customers", terms=("Acme Corp", "Projekt Adler*"))])
    assert graded(own, "about ACME corp's offer").categories == ("customers",)
    assert graded(own, "im Projekt Adlers Namen").categories == ("customers",)
    assert graded(own, "acme corporation").categories == ()


def test_the_ladder_of_a_configuration_wins(detector: Detector):
    verdict = scan(detector, "bob@example.com")
    assert grade([verdict], ladder()).data_class == "confidential"
    assert grade([verdict], ladder({"pii": "internal"})).data_class == "internal"
    assert grade([verdict], ladder(thresholds={"pii": 1.0})).data_class == "public"
