"""The page of known providers, written from providers.toml:

    python -m twintrack.catalog.reference

prints it as Markdown. The same file gives the same text.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import msgspec

from twintrack.catalog import facts
from twintrack.catalog.providers import Provider
from twintrack.wire import deviations
from twintrack.wire.deviations import Deviation

_OPENING = """# Providers

What Twintrack knows of providers and server programs: address, dialects, key, and where they differ from the dialect
they say they speak. Written from `src/twintrack/catalog/providers.toml`, which names source and date of each fact.

```toml
[[providers]]
name = "mistral"                     # a row of this page: everything else comes with it

[[providers]]
name = "our-azure"
api = "azure"                        # the row, where the name is another
url = "https://our-company.openai.azure.com/openai/v1"

[[providers]]
name = "bedrock"
region = "eu-central-1"              # part of its address, and what privacy rules look at

[[providers]]
name = "vertex"
region = "europe-west4"
project = "our-project"
key = "file:/run/secrets/google-token"  # an OAuth access token; the file is read again when it changes
```

A request in a dialect the provider speaks travels on as it came; in another it is translated into the first one named
here. What a server answers with an error is refused by name before it is sent, with what to do about it; hints such as
`user` or `store` are left out instead. Any server that speaks the OpenAI dialect can be given as `api = "openai"` with
its `url` and `zone`; what else it speaks says `dialects`.
"""

_HOW = {
    "docs": "",
    "source": "its source",
    "measured": "measured",
    "seen": "seen by others",
    "unverified": "**unverified**",
}


def reference() -> str:
    rows = facts.rows("providers.toml", "providers", Provider)
    table = [
        "| name | dialects | key | counts tokens |",
        "|---|---|---|---|",
        *(
            f"| [{row.name}](#{_anchor(row.name)}) | {', '.join(row.dialects)} | {_key(row)} | "
            f"{'yes' if row.count_tokens else ''} |"
            for row in rows
        ),
    ]
    return "\n".join([_OPENING, *table, "", *(_section(row) for row in rows)])


def _anchor(name: str) -> str:
    return name.replace(".", "")


def _key(row: Provider) -> str:
    header = "" if row.key_header == "authorization" else f" in `{row.key_header}`"
    if row.auth == "google-oauth":
        return "an OAuth access token"
    return f"`{row.key_env}`{header}" if row.key_env else ""


def _section(row: Provider) -> str:
    items = _address(row)
    items += [f"{dialect} below `{path}`" for dialect, path in row.paths.items()]
    items += [f"For {dialect} the key travels in `{header}`." for dialect, header in row.key_headers.items()]
    if row.note:
        items.append(row.note)
    if row.deviations_of:
        items.append(f"What is said of [{row.deviations_of}](#{_anchor(row.deviations_of)}) holds here too.")
    items.append(f"Source: {row.source}, {row.as_of}")
    lines = [f"## {row.name}", "", *(f"- {item}" for item in items)]
    if row.deviations:
        lines += ["", "| endpoint | deviation | models | source |", "|---|---|---|---|"]
        lines += [_deviation(each) for each in row.deviations]
    return "\n".join(lines) + "\n"


def _address(row: Provider) -> list[str]:
    if not row.url:
        return [f"Each customer's own address, like `{row.url_hint}`"]
    return [f"`{row.url}`", *(f"region {region}: `{url}`" for region, url in row.region_urls.items())]


def _deviation(each: Deviation) -> str:
    models = ", ".join(f"`{pattern}`" for pattern in each.models) or "all"
    if each.not_models:
        models += " but " + ", ".join(f"`{pattern}`" for pattern in each.not_models)
    words = _words(each) + (f" {each.note}" if each.note else "")
    how = f" ({_HOW[each.checked]})" if _HOW[each.checked] else ""
    cells = (each.endpoint, words, models, f"{each.source}, {each.as_of}{how}")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _words(each: Deviation) -> str:
    match each:
        case deviations.Refuses():
            only = f" but {_codes(map(_json, each.unless))}" if each.unless else ""
            body = ", ".join(f"`{path}` is {_json(value)}" for path, value in each.unless_body_says.items())
            return f"Refuses {_codes(each.members)}{only}{f', unless {body}' if body else ''}."
        case deviations.Ignores():
            return f"Ignores {_codes(each.members)}."
        case deviations.Renames():
            return f"Calls `{each.member}` `{each.to}`."
        case deviations.Spells():
            return f"Says `{each.to}` for `{each.value}` in `{each.member}`."
        case deviations.Sets():
            return f"Wants `{each.member}`: `{each.value}`."
        case deviations.LeavesOut():
            return f"Must not be told {_codes(each.members)}."
        case deviations.AsList():
            return f"Takes `{each.member}` only as a list."
        case deviations.ToolCallIds():
            return f"Takes only ids of tool calls of {each.length} letters and digits."
        case deviations.StreamUsage():
            return "Sends usage in streams unasked." if each.value == "always" else "Sends no usage in streams."
        case deviations.ReasoningText():
            where = "in parts of the content" if each.value == "content_parts" else f"in `{each.value}`"
            return f"Thinking stands {where}."
        case deviations.FinishReason():
            return f"Ends with `{_json(each.value)}`, which means `{each.to}`."
        case deviations.AskedAt():
            streamed = f", streamed at `{each.stream}`" if each.stream else ""
            return f"Is asked at `{each.path}`{streamed}."


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


if __name__ == "__main__":
    sys.stdout.write(reference())
