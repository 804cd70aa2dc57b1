"""The page of licences, written from licences.toml:

    python -m twintrack.catalog.licences_page

prints it as Markdown. The same file gives the same text.
"""

from __future__ import annotations

import sys
from typing import get_args

from twintrack.catalog.licences import Licence, Use, licences, patterns
from twintrack.catalog.permission import Purpose, check

_OPENING = """# Licences

May I use this model so? `twintrack plan licence` answers with the clause that says it. This is **not legal advice**: it
checks conditions that were written down from the texts, and each row says how much of its text was read.

```console run
$ twintrack plan licence llama-3.3-70b-instruct --use product --users 20000
llama-3.3-70b-instruct for product: Allowed, with duties.
Text: Llama 3.3 Community License (LicenseRef-Llama-3.3), no open-source licence by the OSI.
1. Keep to the Acceptable Use Policy. [1.b.iv]
2. Show "Built with Llama". [1.b.i]
Assumed: as many users on 2024-12-06 as now, 20,000.
…
$ twintrack plan licence "Mistral Large 2" --use internal
Mistral Large 2 for internal: Not without another licence.
…
$ twintrack plan licence "Gemma 3 9B" --use internal
…
- There is no Gemma 3 9B: Gemma 3 comes as 270m, 1b, 4b, 12b, 27b.
…
```

| answer | meaning |
|---|---|
| `allowed` | the text grants it, and asks for nothing |
| `allowed_with_duties` | the text grants it; the duties are listed, each with its clause |
| `needs_licence` | the text does not grant it; another licence can be asked or paid for |
| `not_allowed` | the text forbids it |
| `unknown` | it depends on something that was not said, or on a text nobody read. It never counts as allowed |

Where an answer depends on what you did not say, it is unknown, `missing` names what to say, and `otherwise` is the
answer if that is harmless. Some traps it knows:

- Llama's 700 million users are counted on the day the model came out, not today; Qwen's 100 million are today's.
- Llama 3.2's and 4's multimodal models are not granted to companies with their seat in the EU; users of their products
  are not meant.
- Kimi's limits ask for a name to be shown, and forbid nothing.
- Gemma has no limit of users. It changes its licence between 3 and 4, as Command A does to A+, and DeepSeek-V3 from its
  first weights to those of March 2025.
- A model distilled from outputs is under the teacher's terms with Gemma, DeepSeek and OpenRAIL; Llama 3 and the terms
  of closed models forbid it.
- A field of use (`--field military`) that a policy may forbid, and that nobody looked up in it, is unknown.

`--json` gives programs the whole finding: `verdict`, `otherwise`, `grounds` and `duties` with their clauses, `missing`,
`assumed`, `read`, `source`, `as_of`.

What it is not: it does not read contracts you have, laws, patents, trade marks, or the licences of data; it knows the
texts of the day they were read, and vendors change them. Have somebody who answers for it read what you rely on.

## The texts

For one million users, a million dollars a month, a seat in the United States and no special field. Generated from
`src/twintrack/catalog/licences.toml`.
"""

_SHORT = {
    "allowed": "yes",
    "allowed_with_duties": "with duties",
    "needs_licence": "needs licence",
    "not_allowed": "no",
    "unknown": "unknown",
}
_READ = {"full": "in full", "part": "in part", "no": "not read"}


def page() -> str:
    """Markdown."""
    uses = get_args(Use)
    head = ["text", "OSI", *(use.replace("_", " ") for use in uses), "distil", "read"]
    lines = [_OPENING, "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += [_row(text, uses) for text in licences().values()]
    lines += ["", "## Which models", "", "| text | names |", "|---|---|"]
    for text in licences():
        names = [f"`{pattern}`" for pattern, licence in patterns() if licence == text]
        if names:
            lines.append(f"| {text} | {', '.join(names)} |")
    lines += ["", "Models of the catalogue name theirs themselves; else the most letters that match count.", ""]
    lines += ["## Where each was read", ""]
    lines += [f"- {text.title}: {text.source}, {text.as_of}" for text in licences().values()]
    return "\n".join(lines) + "\n"


def _row(text: Licence, uses: tuple[Use, ...]) -> str:
    cells = [f"[{text.title}]({text.url})" if text.url else text.title, "yes" if text.osi_open_source else "no"]
    cells += [_answer(text, use) for use in uses]
    outputs = _SHORT[text.outputs]
    return "| " + " | ".join([*cells, outputs, _READ[text.read]]) + " |"


def _answer(text: Licence, use: Use) -> str:
    purpose = Purpose(use=use, users_at_release=10**6, users_now=10**6, revenue_usd_month=1e6, domicile="US")
    return _SHORT[check(text.name, purpose).verdict]


if __name__ == "__main__":
    sys.stdout.write(page())
