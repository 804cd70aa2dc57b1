"""What a configuration file may say, as types. The type is the schema; each docstring ends up in the reference.

`load.py` reads a file into `Settings`; `compile.py` turns it, with the catalogue, into the `Snapshot` that serves.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from twintrack.catalog.models import Modality as Modality
from twintrack.catalog.providers import Auth as Auth
from twintrack.catalog.providers import DialectName as DialectName
from twintrack.catalog.providers import Prefill as Prefill
from twintrack.catalog.providers import Zone as Zone

DataClass = Literal["public", "internal", "confidential", "restricted"]
PSEUDONYMS = ("pii", "person", "financial", "secret")
"""Categories that are replaced where a route says true."""
DATA_CLASSES: tuple[DataClass, ...] = ("public", "internal", "confidential", "restricted")
"""The ladder, least sensitive first; a label can only raise a request on it."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Usd = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Joules = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_000)]
Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]

CATEGORIES = ("pii", "phi", "financial", "secret", "export")
"""What findings are of; rules of your own may add words."""


ZONES: tuple[Zone, ...] = ("own", "contracted", "third_party")


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Tls(_Table, frozen=True, kw_only=True):
    """Serve https; files are relative to the configuration file."""

    cert: str
    """PEM file with the certificate chain."""
    key: str
    """PEM file with the private key."""


class Deadlines(_Table, frozen=True, kw_only=True):
    """How long each phase may take, in seconds."""

    head_s: Seconds = 10.0
    """A client's request line and headers."""
    body_s: Seconds = 60.0
    """A client's body, from the end of its headers."""
    idle_s: Seconds = 75.0
    """A kept-alive connection between two requests, on either side."""
    connect_s: Seconds = 5.0
    """Opening a connection to a provider, TLS included."""
    first_byte_s: Seconds = 120.0
    """From the request sent to the provider's first byte."""
    between_chunks_s: Seconds = 60.0
    """The longest silence inside an answer."""
    total_s: Seconds = 600.0
    """A request as a whole."""
    keepalive_after_s: Seconds = 10.0
    """Silence before content after which a stream gets its headers and an SSE comment."""
    keepalive_every_s: Seconds = 15.0
    """Silence after which a stream gets another one, before content and inside it."""
    drain_s: Seconds = 30.0
    """What running requests get to finish after SIGTERM."""


class Limits(_Table, frozen=True, kw_only=True):
    """What a request, an answer and a worker may grow to."""

    max_body_bytes: Count = 20_971_520
    """A request body; more is a 413."""
    max_head_bytes: Count = 16_384
    """Request line and headers; more is a 431."""
    max_headers: Count = 64
    """Header lines of a request; more is a 431."""
    max_answer_bytes: Count = 67_108_864
    """An unstreamed answer from a provider."""
    max_connections: Count = 10_000
    """Client connections of one worker."""


class Failover(_Table, frozen=True, kw_only=True):
    """What happens when an attempt fails before its answer began."""

    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4
    """All attempts of a request together, the first included. 1: no other deployment is asked."""
    backoff_s: Seconds = 0.25
    """Where nobody else is left, the same deployment is asked again after a random pause up to twice this long, then
    four times and so on. Pauses are kept to a fifth of a second."""
    max_wait_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 8.0
    """The pauses of a request together. A provider that asks for a longer one (retry-after) is not asked again: the
    client gets its refusal. 0: nobody is asked twice."""


class Server(_Table, frozen=True, kw_only=True):
    """Where the gateway listens and what it keeps."""

    listen: str = "127.0.0.1:8080"
    """HOST:PORT. Beyond loopback at least one key is required."""
    workers: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    """Data-plane processes; one per core is plenty."""
    data: str = ".twintrack"
    """Folder of ledger and journal, relative to the configuration file. Needs a persistent volume."""
    secret: str = ""
    """env:NAME or file:PATH of what placeholders and fingerprints are made with; replicas that share it make the same
    ones. Default: 32 random bytes, made once, in the file `secret` of the data folder."""
    tls: Tls | None = None
    proxy: str = "env:HTTPS_PROXY"
    """HTTP proxy for https providers: an address, an `env:` reference, or "" for none."""
    ca: str = ""
    """PEM file with further certificate authorities trusted for providers."""
    deadlines: Deadlines = Deadlines()
    failover: Failover = Failover()
    limits: Limits = Limits()


class PrivacyRule(_Table, frozen=True, kw_only=True):
    """Who may see a class of data. All of it has to hold."""

    zones: tuple[Zone, ...] | None = None
    """Empty: nobody may. Default: in [privacy] own for restricted, own and contracted for confidential, and for the
    others as for the class below; everywhere else all."""
    regions: tuple[str, ...] = ("*",)
    """Patterns a deployment's region must match, as eu-*; an unknown region matches only *. Where its provider's record
    names another region for storage, that one too."""
    providers: tuple[str, ...] = ("*",)
    """Patterns of the names of providers that may see it."""
    max_retention_days: Days | None = None
    """Most days a provider may keep it by its record; 0: not at all. Your own machines meet this and the next three."""
    no_training: bool = False
    """Only providers on whose record `trains_on_data` is false."""
    baa: bool = False
    """Only providers with which you have a business associate agreement (HIPAA)."""
    dpa: bool = False
    """Only providers with which you have a data processing agreement (GDPR)."""
    persons: tuple[str, ...] = ()
    """Who may have access, for export control, as us: all on the provider's record must be among them, and your own
    machines need such a record too. Empty: anybody."""


class Privacy(_Table, frozen=True, kw_only=True):
    """Who may see what, by class. A rule binds its class and those above it."""

    public: PrivacyRule | None = None
    internal: PrivacyRule | None = None
    confidential: PrivacyRule | None = None
    restricted: PrivacyRule | None = None
    categories: dict[str, PrivacyRule] = {}
    """By what was found, whatever the class: pii, phi, financial, secret, export, or a word of a detection rule."""

    def said(self) -> dict[DataClass, PrivacyRule]:
        """The rules there are, least sensitive first."""
        rules: dict[DataClass, PrivacyRule | None] = {name: getattr(self, name) for name in DATA_CLASSES}
        return {name: rule for name, rule in rules.items() if rule is not None}


class Tenant(_Table, frozen=True, kw_only=True):
    """On whose behalf keys ask."""

    data_class: DataClass = "public"
    """The least class of anything its keys send."""
    privacy: Privacy = Privacy()
    """Further rules for what its keys send; they only narrow."""


class Key(_Table, frozen=True, kw_only=True):
    """A client of the gateway. Without any, everybody on this machine may use it."""

    name: str
    """Shown in the ledger."""
    key: str
    """The secret, by reference: env:NAME or file:PATH."""
    data_class: DataClass = "public"
    """The least class of anything this key sends."""
    models: tuple[str, ...] = ("*",)
    """Names of routes and deployments it may use, with * as wildcard."""
    judge: bool = False
    """It may judge answers to other keys too, and say that a human, a check or a judge did; see `POST /v1/feedback`."""
    tenant: str = ""
    """One of the tenants below."""
    operator: bool = False
    """It may send `x-twintrack-override-class`, which lowers what was found, never below `data_class`."""
    privacy: Privacy = Privacy()
    """Further rules for what it sends; they only narrow."""


class Terms(_Table, frozen=True, kw_only=True):
    """What is agreed with a provider, as you checked it. The catalogue knows what is offered, which is not the same:
    nothing counts that does not stand here."""

    entity: str = ""
    """The other party of the contract."""
    storage_region: str = ""
    """Where it keeps what it keeps. Default: where it processes."""
    retention_days: Days | None = None
    """Days it keeps prompts and answers, for whatever reason. Unknown: any limit excludes it."""
    zdr: bool = False
    """Zero data retention is agreed: as retention_days = 0."""
    trains_on_data: bool | None = None
    """Unknown counts as true."""
    baa: bool = False
    """A business associate agreement (HIPAA) is signed."""
    dpa: bool = False
    """A data processing agreement (GDPR) is signed."""
    persons: tuple[str, ...] = ()
    """All who can reach what is sent, as us: citizenship or residence, whatever your rules count. Empty: unknown."""
    sub_processors: tuple[str, ...] = ()
    """Who else sees it."""
    evidence: str = ""
    """Where this can be read: a contract's number, an address."""
    verified_on: str = ""
    """Day it was checked, YYYY-MM-DD."""
    expires_on: str = ""
    """Last day it holds, YYYY-MM-DD in UTC. From the next one on it counts for nothing, also while the gateway runs."""


class Provider(_Table, frozen=True, kw_only=True):
    """Who serves models, and over which API."""

    name: str
    """A known one (openai, anthropic, …) brings its address, dialect and key variable along."""
    api: str = ""
    """Which server it is: vllm, llama.cpp, ollama, openai, anthropic, …; default: the name."""
    url: str = ""
    """Base address, with /v1 where the server has it. Default: the known one's."""
    key: str = ""
    """env:NAME or file:PATH. Default: the known one's variable, at the known one's own address."""
    zone: Zone | None = None
    """Who sees the data. Default: the known one's; an address of your own must say."""
    region: str = ""
    """Where the data is processed, as eu-west or us; empty: unknown. Part of the address of bedrock and vertex."""
    project: str = ""
    """The Google Cloud project, part of the address of vertex."""
    auth: Auth | None = None
    """How it knows who asks: key; aws-sigv4 (credentials of the AWS chain; needs the extra `bedrock`); google-oauth
    (`key` names a service account's file, else the application default; needs the extra `vertex`). Default: as the
    known one."""
    dialects: tuple[DialectName, ...] | None = None
    """What it speaks, best first. Default: as the known one, but at another address of a managed one only its first."""
    engine: str = ""
    """Start this bundled model (demo-nano, demo-small) or GGUF file on a local engine; needs the extra `local`."""
    simulated: bool = False
    """Marks every row SIMULATED and keeps it out of totals."""
    terms: Terms | None = None
    """What is agreed with it; rules such as `baa` ask for it."""


class Price(_Table, frozen=True, kw_only=True):
    """By token or by hour; both at once is an error."""

    input_usd_per_mtok: Usd | None = None
    """US dollars per million tokens."""
    output_usd_per_mtok: Usd | None = None
    """US dollars per million tokens. Only a model that answers with embeddings can do without."""
    cache_read_usd_per_mtok: Usd | None = None
    """Default: the input price."""
    cache_write_usd_per_mtok: Usd | None = None
    """Default: the input price."""
    cache_write_1h_usd_per_mtok: Usd | None = None
    """What is kept for an hour. Default: the price of other cache writes."""
    input_audio_usd_per_mtok: Usd | None = None
    """Default: the input price."""
    output_audio_usd_per_mtok: Usd | None = None
    """Default: the output price."""
    input_image_usd_per_mtok: Usd | None = None
    """Default: the input price."""
    output_image_usd_per_mtok: Usd | None = None
    """Default: the output price."""
    per_hour_usd: Usd | None = None
    """Own engines: every hour is booked, idle included."""


class Facts(_Table, frozen=True, kw_only=True):
    """What the catalogue would know; anything said here wins over it."""

    context_tokens: Count | None = None
    """Input and output together. Unknown: no request is refused for its length."""
    max_output_tokens: Count | None = None
    """The longest answer. Unknown: none is asked for."""
    modalities: tuple[Modality, ...] | None = None
    """Inputs it takes."""
    tools: bool | None = None
    """It can call tools. Unknown: requests with tools pass it over."""
    embeddings: bool | None = None
    """It answers /v1/embeddings instead of chat."""
    licence: str | None = None
    """SPDX name of the licence of its weights."""
    quality: Share | None = None
    """Share of ordinary requests it answers well, 0 to 1: a prior until verdicts say more. A model the catalogue
    does not know needs it to stand in a route beside another."""
    energy_j_per_output_token: Joules | None = None
    """As measured on your hardware at its usual load. Unknown: so is the energy of a request."""


class Deployment(_Table, frozen=True, kw_only=True):
    """One model at one provider: what a request is sent to."""

    model: str
    """A catalogue name, or any name if `facts` says what it is."""
    provider: str
    """One of the providers above, by name."""
    name: str = ""
    """What clients may call it. Default: model@provider."""
    upstream_model: str = ""
    """What the provider calls the model. Default: as the catalogue or `model` says."""
    price: Price | None = None
    """Default: the provider's list price from the catalogue; if there is none, cost is unknown."""
    facts: Facts = Facts()
    max_in_flight: Count = 256
    """Per worker; beyond it the deployment is passed over."""
    prefill: Prefill | None = None
    """How the model is asked to go on with an answer that was begun: last (a last message of the assistant's),
    continue_final_message (with this member), prefix (with that member in the message), or "" for not at all.
    Default: as the known provider does; for anthropic none, since its newer models refuse it."""


class Tier(_Table, frozen=True, kw_only=True):
    """A step of a route."""

    name: str
    """Shown in the ledger and in answers, as small or premium."""
    deployments: tuple[str, ...]
    """Names of deployments; the first of the last tier is what savings are measured against."""


Check = Literal["schema", "match", "logprobs", "agreement", "verifier"]
Natural = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)]
Logprob = Annotated[float, msgspec.Meta(ge=-1_000, le=0)]


class Cascade(_Table, frozen=True, kw_only=True):
    """Where no cheap tier is good enough by itself: a cheap deployment drafts, and its answer is checked before the
    client sees any of it. If a check fails the tier that is good enough answers; both are paid. A draft is asked for
    only where that is expected to be cheaper and the time allows it. docs/cascade.md says which checks are worth what.
    """

    check: tuple[Check, ...]
    """What a draft has to pass, all of it. schema: JSON that the request asks for, and the parameters of its tools.
    match: the rules below. logprobs: the provider's log-probabilities, asked for in the OpenAI dialect. agreement: two
    drafts end in the same answer. verifier: what `twintrack learn verifier` fitted finds it as good as `keep_quality`
    asks; until there is one, nobody drafts."""
    drafts: tuple[str, ...] = ()
    """Deployments that draft, in this order. Default: of the tiers below the one that is good enough the cheapest; with
    agreement the cheapest two."""
    believe: tuple[tuple[str, str], ...] = ()
    """Pairs of drafts whose agreement is believed. Default: any two."""
    min_mean_logprob: Logprob = -0.25
    """Natural logarithm, mean over the tokens of a draft."""
    min_logprob: Logprob | None = None
    """Natural logarithm, of each token. Default: no limit."""
    must_match: tuple[str, ...] = ()
    """Regular expressions without look-around and back-references that must be found in a draft's text, all of them."""
    must_not_match: tuple[str, ...] = ()
    """None of these may be found."""
    min_chars: Natural = 0
    """Of a draft's text."""
    max_chars: Natural | None = None
    """Default: no limit."""
    min_p_good: Share = 0.2
    """Where the chance of a good answer is less than this, no draft is asked for."""
    max_draft_ms: Count = 30_000
    """A draft that takes longer is given up. All drafts of a request together take at most half of its deadline."""


class Classifier(_Table, frozen=True, kw_only=True):
    """A small model of your own that says what task a request is and how hard, before it is decided. It moves the
    complexity by at most 0.25."""

    deployment: str
    """In zone own, in the OpenAI dialect. It need not stand in the route."""
    max_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 150
    """After so long, and at most a quarter of the request's deadline, the built-in reading holds."""


class Route(_Table, frozen=True, kw_only=True):
    """A model name clients send, answered by the cheapest deployment that is allowed and good enough."""

    tiers: tuple[Tier, ...]
    """Cheap to premium."""
    keep_quality: Share = 0.98
    """Share of the last tier's quality that must remain, 0 to 1."""
    max_usd_per_request: Usd | None = None
    """Hard limit on the predicted cost."""
    usd_per_day: Usd | None = None
    """Soft budget for a UTC day: the closer spending comes to it, the more quality gives way to cost, down to the
    cheapest that may answer. Nothing is refused."""
    explore: Annotated[float, msgspec.Meta(ge=0.0, le=0.1)] = 0.0
    """Share of requests that a random one of those that may and can answer gets, so that other policies can be judged
    by this traffic, and of drafts that a verifier doubts and that are believed, so that it learns of those too. 0 to
    0.1; never for confidential and restricted data."""
    max_ttft_ms: Count | None = None
    """Hard limit on the time to first token, against what was measured lately."""
    default_class: DataClass = "internal"
    """Class of a request that carries no label."""
    drop_unsupported: bool = False
    """Leave out what the chosen provider's dialect has no word for, instead of refusing the request. A client asks
    the same for one request with `x-twintrack-drop-unsupported: true`."""
    privacy: Privacy = Privacy()
    """Further rules for what is asked of it; they only narrow."""
    take_up: bool = False
    """Where a stream of plain text breaks off after words were sent, let the next deployment that can go on from
    there. The client reads words of two models; the place is marked in the stream."""
    trace_content: bool = False
    """Tell the collector of `[telemetry]` what was asked and answered, for requests of class public or internal; never
    for others. Nothing without `otlp`."""
    learn: bool | None = None
    """Keep some numbers that describe each request of class public or internal, so that a router can be fitted to
    verdicts on its answer: lengths, counts of marks and kinds of words, never text. Default: where there is more than
    one tier, of all requests once there are verdicts, until then of 500 at once and 100 a second in each worker. With
    `true`, or `explore`: of all."""
    cascade: Cascade | None = None
    """Default: no drafts."""
    classifier: Classifier | None = None
    """Default: none, and task and complexity are read by rules."""
    mode: Literal["route", "observe"] = "route"
    """observe: record the choice, answer with the deployment named in `observe`."""
    observe: str = ""
    """The deployment that answers in observe mode. Default: the last tier's first."""
    pseudonyms: bool | tuple[str, ...] = ()
    """Categories of findings that give way to placeholders before a request leaves and come back in its answer, so that
    its class is that of what remains: pii, phi, financial, secret (which does not come back), person (names beside
    others), or a company's own. true: pii, person, financial and secret. Default: none."""
    detect: Literal["", "enforce", "observe", "off"] = ""
    """Whether its requests are read for what must not leave, as `mode` of [detect]. Default: as said there."""


Screen = Literal["enforce", "observe", "off"]
Unscannable = Literal["image", "audio", "video", "file", "tokens", "elsewhere", "encoded", "sealed"]


class DetectRule(_Table, frozen=True, kw_only=True):
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


class Ner(_Table, frozen=True, kw_only=True):
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


class Detect(_Table, frozen=True, kw_only=True):
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


class Telemetry(_Table, frozen=True, kw_only=True):
    """Spans and metrics for an OpenTelemetry collector; needs the extra `otel`. `/metrics` is there without it."""

    otlp: str = ""
    """Base address of a receiver of OTLP over HTTP, as http://127.0.0.1:4318; /v1/traces and /v1/metrics are below it.
    Empty: nothing is sent."""
    headers: dict[str, str] = {}
    """Sent along, by name. The value is a secret by reference, behind a word if it needs one: "Bearer env:TOKEN"."""
    sample: Share = 1.0
    """Share of requests that get spans, 0 to 1, where the caller's traceparent does not say it. Metrics count all."""
    every_s: Seconds = 30.0
    """How often metrics are sent."""
    service: str = "twintrack"
    """The resource's service.name."""


class Audit(_Table, frozen=True, kw_only=True):
    """Checkpoints of the audit chain: how long it is and how it ends, signed, without a word about any request. Kept
    where whoever can write to the ledger cannot reach, they show that it was rewritten or cut off."""

    checkpoint_every_s: Seconds = 60.0
    """While there is something new; one more is made when the gateway stops."""
    checkpoint_to: str = ""
    """file:PATH, to which a line is added; with a / at its end a folder, for a new file each. Or an http(s) address, to
    which each is POSTed; with a / at its end each is PUT below it under a name of its own. Empty: the database alone
    has them."""
    headers: dict[str, str] = {}
    """Sent along to an address, by name; each a secret by reference, as in `[telemetry]`."""
    key: str = ""
    """file:PATH of an Ed25519 private key in PEM that signs; whoever has the public one can check. Needs the extra
    `audit`. Default: an HMAC under the secret of `[server]`, which only its holder can check."""


class Settings(_Table, frozen=True, kw_only=True):
    """The whole file. Secrets never stand in it, only references to them."""

    server: Server = Server()
    keys: tuple[Key, ...] = ()
    providers: tuple[Provider, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    routes: dict[str, Route] = {}
    """By the name clients send as model."""
    tenants: dict[str, Tenant] = {}
    """By the name keys use."""
    privacy: Privacy = Privacy()
    """Default: restricted stays in zone own, confidential in own and contracted, and no class goes where the one
    below it may not. The ladder is public, internal, confidential, restricted."""
    detect: Detect = Detect()
    """What `twintrack privacy` looks for."""
    telemetry: Telemetry = Telemetry()
    audit: Audit = Audit()
