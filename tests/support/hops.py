"""The table of the matrix: who may see what, every way a request can go on to somebody, and all that can go wrong.

`test_every_hop.py` plays it, `test_dialling.py` fails when a way is missing here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from support.fuzzing.answers import asked, chunk, framed_head, good
from support.street import DAY_S, House, Say, Street, Worker, snapshot
from twintrack.config.settings import DATA_CLASSES, Ner
from twintrack.config.snapshot import Snapshot
from twintrack.gateway.ner import recogniser
from twintrack.policy.affinity import conversation, seed, weight

HOME, SPARE = 1001, 1002
"""Ports of our own machines; `home` and its twin have one account, `spare` is another."""
AGREED = 'entity = "F", retention_days = 0, trains_on_data = false, baa = true, dpa = true, persons = ["us"]'
OWN = 'region = "eu-west"\nterms = { persons = ["us"] }\n'
PLACES: dict[str, tuple[int, str, str]] = {
    "outside": (2001, "third_party", ""),
    "vendor": (2002, "third_party", 'region = "eu-west"\nterms = { trains_on_data = false, dpa = true }'),
    "bare": (2003, "contracted", 'region = "eu-west"'),
    "lapsed": (2004, "contracted", f'region = "eu-west"\nterms = {{ {AGREED}, expires_on = "2024-10-03" }}'),
    "overseas": (2005, "contracted", f'region = "us-east"\nterms = {{ {AGREED}, expires_on = "2030-01-01" }}'),
    "annex": (2007, "own", 'region = "us-east"'),
    "firm": (2006, "contracted", f'region = "eu-west"\nterms = {{ {AGREED}, expires_on = "2024-10-20" }}'),
}
"""Port, zone, and what else is known, on 2024-10-04."""
RULES = """
[privacy]
internal = { no_training = true }
confidential = { zones = ["own", "contracted"], regions = ["eu-*"], max_retention_days = 0, dpa = true }
"""
_BY_FINDING = """
[detect]
always = true
classes = { pii = "internal" }
[privacy.categories]
pii = { persons = ["us"] }
"""
"""Requests are read, and there is a rule for what is found whatever its class."""
_BY_LABEL = '[detect]\nmode = "off"\n'
"""The class of a request is what its label says."""
OPEN_RULES = """
[privacy]
confidential = { zones = ["own", "contracted", "third_party"] }
restricted = { zones = ["own", "contracted", "third_party"] }
"""
CLOSED_RULES = """
[privacy]
public = { zones = ["own"] }
"""
_EVERYBODY = {
    "public": set(PLACES),
    "internal": {"vendor", "overseas", "annex", "firm"},
    "confidential": {"firm"},
    "restricted": set(),
}
MAY: dict[str, dict[str, set[str]]] = {
    "everybody": _EVERYBODY,
    "route": {each: _EVERYBODY[each] & {"overseas", "annex", "firm"} for each in DATA_CLASSES},
    "key": {each: _EVERYBODY[each] & {"overseas", "firm"} for each in DATA_CLASSES},
    "tenant": {each: _EVERYBODY[each] & (set(PLACES) if each == "public" else {"vendor"}) for each in DATA_CLASSES},
}
"""Whose rules hold beside the general ones, and who may see a class then: written down, not computed by the policy."""
NARROWING = {
    "everybody": "",
    "route": '[routes.r.privacy]\npublic = { zones = ["own", "contracted"], baa = true }\n',
    "key": '[[keys]]\nname = "k"\nkey = "env:K"\nprivacy = { public = { persons = ["us", "ca"] } }\n',
    "tenant": '[[keys]]\nname = "k"\nkey = "env:K"\ntenant = "t"\n[tenants.t.privacy]\n'
    'internal = { providers = ["home", "spare", "vendor*", "bare*"] }\n',
}


# ---- ways to somebody

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
STREAM = {"stream": True}


@dataclass(frozen=True, eq=False)
class Hop:
    """A way to `there`, and the request that goes it if it may."""

    name: str
    path: str
    tiers: tuple[str, ...]
    """Deployments of each tier, with blanks between them."""
    body: dict[str, Any] = field(default_factory=dict)
    """What is in it beside model and text."""
    model: str = "r"
    """r is the route."""
    more: str = ""
    """Of the route."""
    headers: dict[str, str] = field(default_factory=dict)
    api: str = "openai"
    speaks: str = ""
    """The provider's dialect; default: as the API."""
    embeds: bool = False
    reads: bool = False
    """It is gone only by requests that were read: another counts as the strictest class."""
    base: str = "firm"
    """A place at which the configuration is accepted."""
    poor: tuple[str, ...] = ()
    """Deployments that are not good enough by themselves, cheap for it."""
    by_name: bool = False
    """The client names the deployment: no route's rules hold."""
    ill: Literal["home", "there"] = "home"
    """Who fails: the one before, or `there` itself at the first request."""
    prepare: Callable[[Worker, int], Any] | None = None
    """Before the request; gets the port of `there`."""

    def request(self, text: str, *more: str) -> dict[str, Any]:
        """`more`: turns of the user after the first."""
        if self.embeds:
            said: dict[str, Any] = {"input": [text, *more]}
        else:
            turns = [*self.body.get("messages", ({"role": "user", "content": text},))]
            for each in more:
                turns += [{"role": "assistant", "content": "Yes?"}, {"role": "user", "content": each}]
            said = {"input" if self.path == RESPONSES else "messages": turns}
        return {"model": self.model} | self.body | said


async def _kept_alive(worker: Worker, port: int) -> None:
    """A connection to `there` that was used before, and is closed when it is written to again."""
    house = worker.street.house(port)
    _, connection = await worker.street.create_connection(lambda: _connection(worker, port), "127.0.0.1", port)
    connection.served = 1
    house.quiet()
    first = iter([[b""]])
    house.say = lambda request: next(first, None) or good(request)


def _connection(worker: Worker, port: int) -> Any:
    from twintrack.providers.connection import Connection
    from twintrack.providers.upstream import Address

    address = Address("127.0.0.1", port, False)
    idle = worker.pool._idle.setdefault(address, [])
    connection = Connection(lambda connection, keep: None)
    connection.idle_since = worker.street.time()
    idle.append(connection)
    return connection


async def _full(worker: Worker, port: int) -> None:
    """Whoever is at home has as much to do as it may."""
    for name in ("home", "twin", "spare"):
        if name in worker.gateway.pulses:
            worker.gateway.pulses[name].in_flight = 256


async def _broken_down(worker: Worker, port: int) -> None:
    for name in ("home", "twin", "spare"):
        if name in worker.gateway.pulses:
            worker.gateway.pulses[name].wished(worker.gateway.now, 30.0)


async def _explores(worker: Worker, port: int) -> None:
    """The random choice falls on the second, which is `there`."""
    worker.chance = 0.075


async def _warm(worker: Worker, port: int) -> None:
    """The conversation was answered by `there` before."""
    there = worker.gateway.serving.names["there"]
    for key in (-1, 0):
        known = conversation(b"%d %b" % (key, TURNS[0]["content"].encode()))
        worker.gateway.serving.conversations.answered(known, there, 8_000)


_CHECKED = 'cascade = { check = ["match"], min_chars = 1 }'
_CLASSIFIED = 'classifier = { deployment = "there" }'
_NEVER = 'cascade = { check = ["match"], must_match = ["nothing says this"] }'
_AGREEING = 'cascade = { check = ["agreement"], drafts = ["there", "home"] }'
TURNS = [
    {"role": "user", "content": "A long document. " * 500},
    {"role": "assistant", "content": "Yes?"},
    {"role": "user", "content": "Shorten it."},
]
HOPS = (
    Hop("first choice", CHAT, ("there", "home")),
    Hop("first choice, streamed", CHAT, ("there", "home"), STREAM),
    Hop("failover to a dearer tier", CHAT, ("home", "there")),
    Hop("failover, streamed", CHAT, ("home", "there"), STREAM),
    Hop("failover to a cheaper tier", CHAT, ("there spare", "home"), headers={"x-twintrack-stakes": "high"}),
    Hop("high stakes", CHAT, ("home", "there"), headers={"x-twintrack-stakes": "high"}),
    Hop("affinity", CHAT, ("home there spare",)),
    Hop("where it is cached", CHAT, ("home there spare",), {"messages": TURNS}, prepare=_warm),
    Hop("exploration", CHAT, ("home", "there"), more="explore = 0.1", prepare=_explores),
    Hop("again, after a pause", CHAT, ("there",), ill="there"),
    Hop("redial of a stale connection", CHAT, ("there",), prepare=_kept_alive),
    Hop("an account that rests", CHAT, ("home", "twin", "there")),
    Hop("all at home are busy", CHAT, ("home", "there"), prepare=_full),
    Hop("all at home are passed over", CHAT, ("home", "there"), prepare=_broken_down),
    Hop("take-up of a cut stream", CHAT, ("home", "there"), STREAM, more="take_up = true"),
    Hop("take-up, messages", MESSAGES, ("home", "there"), STREAM | {"max_tokens": 9}, more="take_up = true"),
    Hop("a draft", CHAT, ("there", "home"), more=_CHECKED, poor=("there",)),
    Hop("a draft, streamed", CHAT, ("there", "home"), STREAM, more=_CHECKED, poor=("there",)),
    Hop("a draft, translated", MESSAGES, ("there", "home"), {"max_tokens": 99}, more=_CHECKED, poor=("there",)),
    Hop("after a draft that failed", CHAT, ("home", "there"), more=_NEVER, poor=("home",)),
    Hop("a draft that has to agree", CHAT, ("home", "there", "spare"), more=_AGREEING, poor=("home", "there")),
    Hop("a classifier", CHAT, ("home",), more=_CLASSIFIED, reads=True, base="annex"),
    Hop("a classifier, streamed", CHAT, ("home",), STREAM, more=_CLASSIFIED, reads=True, base="annex"),
    Hop("observe", CHAT, ("home", "spare"), more='mode = "observe"\nobserve = "there"'),
    Hop("observed fails", CHAT, ("there", "home"), more='mode = "observe"\nobserve = "home"'),
    Hop("count tokens", "/v1/messages/count_tokens", ("there", "home"), api="anthropic"),
    Hop("count tokens, failover", "/v1/messages/count_tokens", ("home", "there"), api="anthropic"),
    Hop("embeddings", "/v1/embeddings", ("there home",), embeds=True),
    Hop("embeddings, failover", "/v1/embeddings", ("home", "there"), embeds=True),
    Hop("translated", MESSAGES, ("there", "home"), {"max_tokens": 9}),
    Hop("translated, failover", MESSAGES, ("home", "there"), STREAM | {"max_tokens": 9}),
    Hop("responses", RESPONSES, ("home", "there")),
    Hop(
        "what a provider keeps",
        RESPONSES,
        ("home",),
        {"previous_response_id": "resp_1"},
        model="there",
        by_name=True,
        speaks="responses",
    ),
    Hop("named", CHAT, ("home",), model="there", by_name=True),
    Hop("named, streamed", CHAT, ("home",), STREAM, model="there", by_name=True),
    Hop("told to a collector", CHAT, ("home", "there"), more="trace_content = true"),
)


# ---- what goes wrong


@dataclass(frozen=True)
class Fault:
    name: str
    say: Say | None = None
    """What whoever is ill says; None: it answers well."""
    connects: Literal["at once", "refused", "never"] = "at once"
    meanwhile: Callable[[Worker, Worlds], None] | None = None
    """What happens while whoever is asked first thinks. It fails then, so that the request goes on."""
    spoil: Callable[[Hop, dict[str, Any], str], tuple[bytes, dict[str, str]]] | None = None
    """The request as it is sent, and its headers, from what it says and its class. None: said by header."""
    nobody: bool = False
    """Nobody may be asked whatever the class."""
    before: Callable[[Worker], None] | None = None
    after: Callable[[Worker], None] | None = None


@dataclass(frozen=True)
class Worlds:
    """Other configurations of the same worker."""

    open: Snapshot
    closed: Snapshot


def status(code: int, more: bytes = b"", body: bytes = b'{"error":{"message":"no","type":"server_error"}}') -> Say:
    head = b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n" % (code, more, len(body))
    return lambda request: [head + body]


SPENT = status(429, body=b'{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}')


def cut_off(request: bytes) -> list[bytes]:
    """Words, and then the connection is gone."""
    whole = good(request)
    return [*whole[: len(whole) // 2], b""] if asked(request)[1] else [whole[0][:-3], b""]


def begun(request: bytes) -> list[bytes]:
    """A head, and then silence."""
    return [framed_head(asked(request)[1], None)]


def swap_open(worker: Worker, worlds: Worlds) -> None:
    worker.gateway.swap(worlds.open)


def swap_closed(worker: Worker, worlds: Worlds) -> None:
    worker.gateway.swap(worlds.closed)


def time_goes_by(worker: Worker, worlds: Worlds) -> None:
    """All records end."""
    worker.street.wall += 10_000 * DAY_S
    worker.gateway.tick(worker.street.clock)


def _said_twice(hop: Hop, body: dict[str, Any], data_class: str) -> tuple[bytes, dict[str, str]]:
    """Public by header, and what it is in the metadata."""
    labelled = body | {"metadata": {"twintrack_class": data_class}}
    return json.dumps(labelled).encode(), {"x-twintrack-class": "public"}


def _a_word_nobody_knows(hop: Hop, body: dict[str, Any], data_class: str) -> tuple[bytes, dict[str, str]]:
    return json.dumps(body).encode(), {"x-twintrack-class": f"{data_class}ish"}


def _unknown_in_metadata(hop: Hop, body: dict[str, Any], data_class: str) -> tuple[bytes, dict[str, str]]:
    labelled = body | {"metadata": {"twintrack_clas": data_class}}
    return json.dumps(labelled).encode(), {"x-twintrack-class": data_class}


def _override(hop: Hop, body: dict[str, Any], data_class: str) -> tuple[bytes, dict[str, str]]:
    """By somebody who is no operator."""
    headers = {"x-twintrack-override-class": "public", "x-twintrack-override-reason": "hurry"}
    return json.dumps(body).encode(), headers | {"x-twintrack-class": data_class}


def _broken(hop: Hop, body: dict[str, Any], data_class: str) -> tuple[bytes, dict[str, str]]:
    return json.dumps(body).encode()[:-1], {"x-twintrack-class": data_class}


def _huge(hop: Hop, body: dict[str, Any], data_class: str) -> tuple[bytes, dict[str, str]]:
    return json.dumps(body | {"user": "x" * 70_000}).encode(), {"x-twintrack-class": data_class}


def _hurried(hop: Hop, body: dict[str, Any], data_class: str) -> tuple[bytes, dict[str, str]]:
    return json.dumps(body).encode(), {"x-twintrack-class": data_class, "x-twintrack-deadline-ms": "700"}


def _no_journal(worker: Worker) -> None:
    worker.book.full = True


FAULTS = (
    Fault("none"),
    Fault("engine down", connects="refused"),
    Fault("engine hangs", connects="never"),
    Fault("500", status(500)),
    Fault("503 with a wish", status(503, b"retry-after: 1\r\n")),
    Fault("429", status(429)),
    Fault("no money", SPENT),
    Fault("401", status(401)),
    Fault("400", status(400)),
    Fault("redirect", status(302, b"location: http://127.0.0.1:2001/\r\n")),
    Fault("closed at once", lambda request: [b""]),
    Fault("silence", lambda request: []),
    Fault("a head and silence", begun),
    Fault("garbage", lambda request: [b"\x16\x03\x01 nothing of HTTP\r\n\r\n"]),
    Fault("no JSON", status(200, body=b"<html>")),
    Fault("cut off", cut_off),
    Fault(
        "an answer that is none", lambda request: [framed_head(asked(request)[1], None), chunk(b"data: {}\n\n"), b""]
    ),
    Fault("hurried", lambda request: [], spoil=_hurried),
    Fault("reload that allows more", status(500), meanwhile=swap_open),
    Fault("reload that allows less", status(500), meanwhile=swap_closed),
    Fault("records end", status(500), meanwhile=time_goes_by),
    Fault("journal full", before=_no_journal, nobody=True),
    Fault("two labels", status(500), spoil=_said_twice),
    Fault("a class nobody knows", spoil=_a_word_nobody_knows, nobody=True),
    Fault("a label nobody knows", spoil=_unknown_in_metadata, nobody=True),
    Fault("an override by anybody", spoil=_override, nobody=True),
    Fault("broken JSON", spoil=_broken, nobody=True),
    Fault("too large", spoil=_huge, nobody=True),
)
SOME_FAULTS = tuple(each for each in FAULTS if each.name in ("none", "500", "engine down", "reload that allows more"))
"""For the rules of routes, keys and tenants."""


# ---- what is found in a text, and what goes wrong with that

NOBODY: frozenset[str] = frozenset()
Patch = Callable[[pytest.MonkeyPatch, Worker], None]


@dataclass(frozen=True)
class Reading:
    """What stands in a request without a label, or what keeps it from being read."""

    name: str
    says: str
    may: frozenset[str]
    """Who may see it."""
    patch: Patch | None = None
    earlier: str = ""
    """What an earlier turn of the conversation said."""
    twice: bool = False
    """A member stands in it twice."""
    headers: dict[str, str] = field(default_factory=dict)


def _crashes(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    def feed(scan: object, budget_ns: int) -> bool:
        raise RuntimeError("a fault in a detector")

    patch.setattr("twintrack.signals.sensitivity.scan.Scan.feed", feed)


def _cannot_grade(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    def grade(*args: object) -> object:
        raise RuntimeError("a fault in grading")

    patch.setattr("twintrack.gateway.screening.grade", grade)


def _too_slow(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    patch.setattr("twintrack.gateway.slices.SLICE_NS", 0)
    serving = copy(worker.gateway.serving)
    serving.snapshot = replace(serving.snapshot, detect=replace(serving.snapshot.detect, max_s=1e-9))
    worker.gateway.serving = serving


def _no_detector(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    worker.gateway.serving = copy(worker.gateway.serving)
    worker.gateway.serving.detector = None


RECOGNISER = 1003


def _asks_a_recogniser(patch: pytest.MonkeyPatch, worker: Worker) -> House:
    """One of our own, on a machine of our own."""
    serving = copy(worker.gateway.serving)
    asked = replace(
        serving.snapshot.detect, ner=Ner(url=f"http://127.0.0.1:{RECOGNISER}", region="eu-west", persons=("us",))
    )
    serving.ner = recogniser(replace(serving.snapshot, detect=asked))
    worker.gateway.serving = serving
    return worker.street.house(RECOGNISER)


def _it_finds(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    entity = b'[{"start": 0, "end": 3, "entity_type": "EMAIL_ADDRESS", "score": 0.9}]'
    _asks_a_recogniser(patch, worker).say = status(200, body=entity)


def _it_finds_nothing(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    _asks_a_recogniser(patch, worker).say = status(200, body=b"[]")


def _it_is_silent(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    _asks_a_recogniser(patch, worker).say = lambda request: []


def _it_is_down(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    _asks_a_recogniser(patch, worker).connects = "refused"


def _it_fails(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    _asks_a_recogniser(patch, worker).say = status(500)


def _it_talks_nonsense(patch: pytest.MonkeyPatch, worker: Worker) -> None:
    _asks_a_recogniser(patch, worker).say = status(200, body=b'{"entities": 7}')


_INTERNAL = frozenset(_EVERYBODY["internal"])
_CONFIDENTIAL = frozenset(_EVERYBODY["confidential"])
_IBAN = "IBAN: DE89 3704 0044 0532 0130 00"
_SECRET = "The password: hunter2-Xq9!zzK"
_MAIL = "Write to anna.schmidt@example.org today."
_BLOB = "data:application/octet-stream;base64," + base64.b64encode(bytes(range(7, 247))).decode()
READINGS: tuple[Reading, ...] = (
    Reading("nothing", "The board meets at nine.", _INTERNAL),
    Reading("an account", _IBAN, _CONFIDENTIAL),
    Reading("a key", _SECRET, NOBODY),
    Reading("an address, which has a rule of its own", _MAIL, frozenset(("overseas", "firm"))),
    Reading("an account, labelled public", _IBAN, _CONFIDENTIAL, headers={"x-twintrack-class": "public"}),
    Reading("an account, in an earlier turn", "And then?", _CONFIDENTIAL, earlier=_IBAN),
    Reading("an address, in an earlier turn", "And then?", frozenset(("overseas", "firm")), earlier=_MAIL),
    Reading("what is no text", _BLOB, NOBODY),
    Reading("a member twice", "The board meets at nine.", NOBODY, twice=True),
    Reading("a detector crashes", "The board meets at nine.", NOBODY, _crashes),
    Reading("grading crashes", "The board meets at nine.", NOBODY, _cannot_grade),
    Reading("it takes too long", "The board meets at nine. " * 400, NOBODY, _too_slow),
    Reading("there is no detector", "The board meets at nine.", NOBODY, _no_detector),
)
ASKED = tuple(
    Reading(f"a recogniser {name}", "The board meets at nine.", may, patch)
    for name, may, patch in (
        ("that finds an address", frozenset(("overseas", "firm")), _it_finds),
        ("that finds nothing", _INTERNAL, _it_finds_nothing),
        ("that is silent", NOBODY, _it_is_silent),
        ("that is down", NOBODY, _it_is_down),
        ("that fails", NOBODY, _it_fails),
        ("that talks nonsense", NOBODY, _it_talks_nonsense),
    )
)
READINGS += ASKED
FOUND_FAULTS = tuple(
    each
    for each in FAULTS
    if each.name in ("none", "engine down", "500", "cut off", "no money", "reload that allows more", "records end")
)


# ---- a worker for each way and place

_LIMITS = """
[server]
secret = "env:SECRET"
[server.deadlines]
connect_s = 1.0
first_byte_s = 1.0
between_chunks_s = 1.0
total_s = 12.0
[server.failover]
backoff_s = 0.1
max_wait_s = 2.0
[server.limits]
max_body_bytes = 65_536
[telemetry]
otlp = "http://127.0.0.1:3001"
"""


def config(hop: Hop, place: str, whose: str, rules: str = RULES, *, reads: bool = False) -> str:
    port, zone, more = PLACES[place]
    text = _LIMITS + (_BY_FINDING if reads else _BY_LABEL) + rules
    for name, at, its_zone, its_more in (
        ("home", HOME, "own", OWN),
        ("spare", SPARE, "own", OWN),
        (place, port, zone, more),
    ):
        text += f'[[providers]]\nname = "{name}"\napi = "{hop.api}"\nurl = "http://127.0.0.1:{at}/v1"\n'
        text += f'dialects = ["{hop.speaks}"]\n' if hop.speaks else ""
        text += f'zone = "{its_zone}"\n{its_more}\n'
    for name, at in (("home", "home"), ("twin", "home"), ("spare", "spare"), ("there", place)):
        quality = 0.4 if name in hop.poor else 0.9
        facts = f"context_tokens = 100000, tools = true, quality = {quality}{', embeddings = true' * hop.embeds}"
        text += f'[[deployments]]\nname = "{name}"\nmodel = "m"\nprovider = "{at}"\nfacts = {{ {facts} }}\n'
        output_usd = 0.4 if name in hop.poor else 8.0
        price = (
            f"input_usd_per_mtok = {output_usd / 4}, output_usd_per_mtok = {output_usd}, cache_read_usd_per_mtok = 0.1"
        )
        text += f'prefill = "last"\nprice = {{ {price} }}\n'
    tiers = ", ".join(
        f'{{ name = "t{number}", deployments = {json.dumps(each.split())} }}' for number, each in enumerate(hop.tiers)
    )
    narrowing = NARROWING[whose]
    route = f"[routes.r]\ntiers = [{tiers}]\n{hop.more}\n"
    return text + (narrowing + route if narrowing.startswith("[[") else route + narrowing)


def sticks_to(there: str, others: tuple[str, ...]) -> str:
    """A first turn whose conversation goes to `there` if it may."""
    for number in range(1000):
        text = f"Conversation {number}"
        known = conversation(b"-1 " + text.encode())
        if all(weight(known, seed(there)) > weight(known, seed(each)) for each in others):
            return text
    raise AssertionError("no conversation sticks there")


TEXT = sticks_to("there", ("home", "spare"))


@cache
def _compiled(hop: Hop, place: str, whose: str, rules: str, reads: bool = False) -> Snapshot:
    return snapshot(config(hop, place, whose, rules, reads=reads))


def built(
    hop: Hop, place: str, whose: str, rules: str = RULES, generation: int = 1, *, reads: bool = False
) -> Snapshot:
    """What `config` comes to, put together from parts that are read once: reading it takes longer than a row."""
    law = _compiled(HOPS[0], "firm", "everybody", rules, reads)
    base = _compiled(hop, hop.base, "everybody", RULES)
    there = _compiled(HOPS[0], place, "everybody", RULES).deployments[-1]
    who = _compiled(HOPS[0], "firm", whose, RULES)
    *others, last = base.deployments
    last = replace(
        last, provider=there.provider, port=there.port, zone=there.zone, region=there.region, terms=there.terms
    )
    return replace(
        base,
        generation=generation,
        deployments=(*others, last),
        routes=tuple(replace(each, privacy=who.routes[0].privacy, detect=law.routes[0].detect) for each in base.routes),
        keys=who.keys,
        tenants=who.tenants,
        privacy=law.privacy,
        categories=law.categories,
        detect=law.detect,
    )


def worlds(hop: Hop, place: str, whose: str, *, reads: bool = False) -> Worlds:
    return Worlds(
        built(hop, place, "everybody", OPEN_RULES, 2, reads=reads),
        built(hop, place, whose, CLOSED_RULES, 3, reads=reads),
    )


def house_of(street: Street, place: str) -> House:
    return street.house(PLACES[place][0])
