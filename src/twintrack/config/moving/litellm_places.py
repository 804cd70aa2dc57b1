"""Who serves a model of LiteLLM's model_list: provider, address, key."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from twintrack.catalog import providers
from twintrack.config import settings
from twintrack.config.moving.document import Node
from twintrack.config.moving.litellm_entry import Entry, NotCarried
from twintrack.config.moving.upstream import HOW_TO_ADD, REGION, Place, place
from twintrack.config.moving.variables import Variables
from twintrack.config.moving.words import Prefix, Words
from twintrack.config.moving.write import Value
from twintrack.errors import nearest

_PROVIDER_WORDS = frozenset(each.name for each in msgspec.structs.fields(settings.Provider))
_REGIONS = ("aws_region_name", "vertex_location", "vertex_ai_location", "region_name")
_PROJECTS = ("vertex_project", "vertex_ai_project")
_AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")


def follow_credential(entry: Entry, credentials: Mapping[str, Node]) -> None:
    """Add what litellm_credential_name stands for; the entry's own words win."""
    named = entry.params.get("litellm_credential_name")
    if named is None:
        return
    found = credentials.get(str(named.scalar))
    if found is None:
        raise NotCarried("litellm_credential_name names nothing in credential_list.")
    entry.take(named, "providers")
    for name, node in found.fields.items():
        entry.params.setdefault(name, node)


def prefix_of(entry: Entry, wanted: str, words: Words) -> tuple[str, Prefix, str]:
    """The word before the slash, what it means here, and the rest."""
    said = entry.text(entry.params.get("custom_llm_provider"))
    name, slash, rest = wanted.partition("/")
    if said:
        entry.take(entry.params["custom_llm_provider"], "providers")
        name, rest = said, wanted.removeprefix(f"{said}/")
    elif wanted == "*":
        raise NotCarried("A gateway for every model there is cannot be written down: name the models.")
    elif not slash:
        name, rest = words.bare(wanted), wanted
        if not name:
            raise NotCarried(f"Nothing says who serves {wanted[:80]!r}. Write it as provider/model and run this again.")
    found = words.prefix(name, rest)
    if found is None and name in providers.providers():
        found = Prefix((name,), api=(name,))
    if found is None:
        near = nearest(name, words.prefixes, 1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise NotCarried(f"Twintrack does not know {name[:80]!r}.{guess} If it speaks OpenAI's API, {HOW_TO_ADD}")
    if found.why:
        raise NotCarried(found.why)
    return name, found, rest


def stripped(upstream: str, prefix: Prefix) -> tuple[str, str]:
    """The model's name alone, and the region if one stood before it."""
    region = ""
    while "/" in upstream:
        word, _, rest = upstream.partition("/")
        if prefix.strip and _AWS_REGION.fullmatch(word):
            region = word
        elif word not in ("responses", *prefix.strip):
            break
        upstream = rest
    return upstream, region


def place_of(entry: Entry, name: str, prefix: Prefix, region: str) -> Place:
    """Where it is asked, without a key.

    Args:
        name: its prefix.
        region: what stood before the model's name; empty: nothing.
    """
    base = entry.params.get("api_base") or entry.params.get("base_url")
    url = ""
    if base is not None:
        if base.value is not None:
            url = entry.text(base) or ""
            if not url:
                raise NotCarried("Its api_base has no value.")
        entry.take(base, "providers.url")
    found = place(name, prefix, url, _further(entry, region))
    if isinstance(found, str):
        raise NotCarried(found)
    return found


def _further(entry: Entry, region: str) -> dict[str, Value]:
    """Words of a provider beside its address, as far as this version has them."""
    said: dict[str, Value] = {"region": region} if region else {}
    for word in _REGIONS:
        node = entry.params.get(word)
        named = (entry.text(node) or "").lower()
        if node is not None and "region" not in said and REGION.fullmatch(named):
            said["region"] = named
            entry.take(node, "providers.region")
    for word in _PROJECTS:
        node = entry.params.get(word)
        project = entry.text(node)
        if node is not None and project and "project" not in said and "project" in _PROVIDER_WORDS:
            said["project"] = project
            entry.take(node, "providers.project")
    return said


def key_of(entry: Entry, at: Place, prefix: Prefix, variables: Variables, environ: Mapping[str, str]) -> str:
    """A reference to the key it is asked with, empty for none; also put into `at` where the provider's own differs."""
    row = providers.find(at.api)
    assert row is not None
    own = row.key_env if at.at_home else ""
    managed = at.at_home or (row.kind == "managed" and prefix.url == at.fields.get("url"))
    node = entry.params.get("api_key")
    purpose = f"the key of {at.name}"
    if node is not None and node.value is not None:
        suggestion = own or prefix.key_env or f"{at.name}_API_KEY"
        secret = variables.key(node, suggestion, purpose, needs_none=not managed)
        if secret is None:
            raise NotCarried("Its api_key is no reference and no key.")
        reference = secret.reference
        entry.take(node, "providers.key")
        if secret.kind is not None:
            entry.say(node, secret.kind, secret.why)
    else:
        if node is not None:
            entry.take(node, "providers.key")
        name = prefix.key_env or own  # LiteLLM takes it from a variable of the provider
        wanted = name and (managed or name in environ or "azure" in prefix.name)
        reference = variables.need(name, entry.node.line, purpose) if wanted else ""
    if reference and reference != f"env:{own}":
        at.fields["key"] = reference
    return reference
