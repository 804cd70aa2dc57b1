"""Settings of `[detect]`: what is looked for in requests, and who helps to find it."""

from __future__ import annotations

from typing import Literal

from twintrack.config.table import Count, DataClass, Seconds, Share, Table

Screen = Literal["enforce", "observe", "off"]
Unscannable = Literal["image", "audio", "video", "file", "tokens", "elsewhere", "encoded", "sealed"]


class DetectRule(Table, frozen=True, kw_only=True):
    """A rule of your own for sensitive data, with the texts it is tried on."""

    name: str
    """What findings are called."""
    category: str = "own"
    """pii, phi, financial, secret or export, or a word of your own."""
    terms: tuple[str, ...] = ()
    """Names of projects, customers or products: whole words in any case; a star at the end allows other endings."""
    pattern: str = ""
    """A regular expression, in Python's form but for what looks ahead or back and references to groups, so that no
    text can make it take long. Of what begins at one place the longest counts."""
    words: tuple[str, ...] = ()
    """One of these has to stand near what `pattern` matches. Default: none has to."""
    check: str = ""
    """Check digits: luhn, or a module of python-stdnum as nl.bsn."""
    finds: tuple[str, ...] = ()
    """Texts it has to find something in; `twintrack privacy test` tries them."""
    ignores: tuple[str, ...] = ()
    """Texts it has to leave alone."""


class Ner(Table, frozen=True, kw_only=True):
    """A recogniser of names beside the gateway, as Presidio's analyser: it is yours, so it may see every class."""

    url: str
    """Its address, as http://127.0.0.1:5002."""
    region: str = ""
    """Where it runs, for rules that ask for a region."""
    persons: tuple[str, ...] = ()
    """All who can reach it, for rules that ask for it; as in the terms of a provider."""
    api: Literal["presidio", "gliner"] = "presidio"
    """presidio: POST /analyze of Presidio's analyser. gliner: POST /predict with text and labels, answered by a list of
    start, end, label and score."""
    timeout_ms: Count = 300
    """It has to answer within this."""
    language: str = "en"
    """What Presidio is told the text is in."""
    labels: tuple[str, ...] = ("person", "organization", "address")
    """What GLiNER is asked for."""
    categories: dict[str, str] = {}
    """What an entity counts as: a category of [detect], or empty for nothing. Default: person for persons, which count
    beside words of care only; nothing for places, organisations and dates; pii for all others."""
    on_failure: Literal["restricted", "ignore"] = "restricted"
    """What a request counts as that it did not read in time, or at all. ignore: as what was found without it."""


class Detect(Table, frozen=True, kw_only=True):
    """What is looked for in requests before they are sent anywhere."""

    mode: Screen = "enforce"
    """enforce: a request's class is no lower than what stands in it. observe: what was found is recorded and changes
    nothing. off: nothing is read. A route may say its own."""
    always: bool = False
    """Read every request, for the record. Default: only those where a higher class would keep them from somebody."""
    max_s: Seconds = 0.5
    """Processor time for reading one request; one that takes longer counts as restricted."""
    sticky_s: Seconds = 3600.0
    """How long a conversation keeps the class that one of its turns was found to have, counted from the last turn. Each
    worker remembers it by itself."""
    unscannable: dict[Unscannable, DataClass] = {}
    """Class of what cannot be read, by kind: image, audio, video, file, tokens (numbers instead of text), elsewhere
    (what a provider keeps), encoded (no text and nothing known), sealed (a provider's own reasoning under its seal).
    Default: public for sealed, restricted for all others."""
    ner: Ner | None = None
    """Asked about each text once. Default: none is."""
    rules: tuple[DetectRule, ...] = ()
    classes: dict[str, DataClass] = {}
    """Class that a category of findings suggests. Default: restricted for phi, secret and export, confidential for all
    others."""
    thresholds: dict[str, Share] = {}
    """By category: the least score that counts. Default: 0.5."""
