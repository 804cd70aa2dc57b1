"""Keys: is each there, and who else can read it? Their values are never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from twintrack.cli.doctor.finding import Finding, note, ok, problem
from twintrack.cli.doctor.reading import Case
from twintrack.config import secrets
from twintrack.config.effective import authorisation, endpoint, ignore
from twintrack.config.source import spell

_ABOUT = "keys"


def check(case: Case) -> Iterator[Finding]:
    for each in case.unmet:
        where = f"{case.source.name}:{case.source.line(each.path)}: {spell(each.path)}"
        yield problem(_ABOUT if "key" in each.path else "files", f"{where} {each.what}", each.fix)
    named = [(f"client key {key.name}", key.key) for key in case.settings.keys]
    for provider in case.settings.providers:
        at = endpoint(provider, ignore)
        if at is not None and at.key and authorisation(provider) == "key":
            named.append((f"key of {provider.name}", at.key))
    for whose, reference in named:
        reference = case.source.reference(reference)
        if secrets.is_reference(reference) and not secrets.trouble(reference):
            yield exposed(whose, reference) or ok(_ABOUT, f"{whose}: {reference} is there")
    if not case.settings.keys and case.whole:
        yield ok(_ABOUT, "no client needs a key, so only this machine is served")


def exposed(whose: str, reference: str) -> Finding | None:
    """A finding if the file of a secret can be read by others than its owner."""
    scheme, _, name = reference.partition(":")
    if scheme != "file":
        return None
    mode = os.stat(name).st_mode
    if mode & stat.S_IROTH:
        return problem(_ABOUT, f"{whose}: every user of this machine can read {name}", f"chmod 600 {name}")
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return problem(_ABOUT, f"{whose}: others can change {name}", f"chmod 600 {name}")
    if mode & stat.S_IRGRP:
        return note(_ABOUT, f"{whose}: its group can read {name}", f"chmod 600 {name}, unless that is meant")
    return None
