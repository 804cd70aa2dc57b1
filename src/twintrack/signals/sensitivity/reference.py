"""The rules as a page, written from the rule files:

    python -m twintrack.signals.sensitivity.reference

prints it as Markdown.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from twintrack.signals.sensitivity import rules

_OPENING = """# What the detectors look for

Written from the rule files in `src/twintrack/signals/sensitivity/rules`; [privacy-detection.md](privacy-detection.md)
says how they work and how well. A source names the document that defines the format, or says that it was observed.
"""


def reference() -> str:
    """The whole page; the same files give the same text."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _OPENING
    identifiers, secrets, markings = rules.identifiers(), rules.secrets(), rules.markings()
    yield f"## Identifiers: {len(identifiers.type)} types\n"
    yield "| type | what | category | check digits | needs no label | label languages | source |"
    yield "|---|---|---|---|---|---|---|"
    for number in identifiers.type:
        yield _row(
            f"`{number.id}`",
            number.name,
            number.category,
            "yes" if number.check else "no",
            "yes" if number.alone else "no",
            " ".join(number.words),
            f"{number.source} ({number.as_of or identifiers.as_of})",
        )
    yield "\nBeside these: `email`, `phone`, `ip_address`, `mac_address`, `credit_card`, `iban`, `address`,"
    yield "`date_of_birth`, and what stands behind its label in any form: `medical_record`, `health_insurance`,"
    yield "`passport`, `driving_licence`, `national_id`, `tax_id`, `social_security`, `bank_account`,"
    yield "`professional_id`, `card_code`.\n"
    yield f"## Credentials: {len(secrets.token)} shapes, {len(secrets.keyed)} values behind a service's name\n"
    yield "| rule | how | source |"
    yield "|---|---|---|"
    for token in secrets.token:
        yield _row(f"`{token.id}`", "shape", f"{token.source} ({token.as_of or secrets.as_of})")
    for keyed in secrets.keyed:
        yield _row(f"`{keyed.id}`", "name and value", f"{keyed.source} ({keyed.as_of or secrets.as_of})")
    yield "\nBeside these: `assigned`, a value behind a word like password or API key that looks like a secret.\n"
    yield "## Markings\n"
    yield "| rule | category | example | source |"
    yield "|---|---|---|---|"
    for marking in markings.marking:
        source = f"{marking.source} ({marking.as_of or markings.as_of})"
        yield _row(f"`{marking.id}`", marking.category, marking.example, source)
    yield "\n## Languages of words\n"
    yield "| concept | languages |"
    yield "|---|---|"
    for concept, said in rules.vocabulary().concept.items():
        yield _row(f"`{concept}`", " ".join(said))
    strong = [language for language in rules.health().strong if len(language) == 2]
    yield _row("words of care", " ".join(strong))
    streets = [language for street in rules.addresses().street for language in street.languages]
    yield _row("streets", " ".join(streets))


def _row(*cells: str) -> str:
    said = " | ".join(cell.replace("|", "\\|") for cell in cells)
    return f"| {said} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
