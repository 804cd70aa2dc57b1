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

# All names of the file stand here, whichever of the four modules holds them.
from twintrack.config.detection import Detect as Detect
from twintrack.config.detection import DetectRule as DetectRule
from twintrack.config.detection import Ner as Ner
from twintrack.config.detection import Screen as Screen
from twintrack.config.detection import Unscannable as Unscannable
from twintrack.config.serving import Deadlines as Deadlines
from twintrack.config.serving import Failover as Failover
from twintrack.config.serving import Limits as Limits
from twintrack.config.serving import Server as Server
from twintrack.config.serving import Tls as Tls
from twintrack.config.table import CATEGORIES as CATEGORIES
from twintrack.config.table import DATA_CLASSES as DATA_CLASSES
from twintrack.config.table import PSEUDONYMS as PSEUDONYMS
from twintrack.config.table import ZONES as ZONES
from twintrack.config.table import Count, Days, Joules, Seconds, Share, Table, Usd
from twintrack.config.table import DataClass as DataClass


class PrivacyRule(Table, frozen=True, kw_only=True):
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


class Privacy(Table, frozen=True, kw_only=True):
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


class Tenant(Table, frozen=True, kw_only=True):
    """On whose behalf keys ask."""

    data_class: DataClass = "public"
    """The least class of anything its keys send."""
    privacy: Privacy = Privacy()
    """Further rules for what its keys send; they only narrow."""


class Key(Table, frozen=True, kw_only=True):
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


class Terms(Table, frozen=True, kw_only=True):
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


class Provider(Table, frozen=True, kw_only=True):
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


class Price(Table, frozen=True, kw_only=True):
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


class Facts(Table, frozen=True, kw_only=True):
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


class Deployment(Table, frozen=True, kw_only=True):
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


class Tier(Table, frozen=True, kw_only=True):
    """A step of a route."""

    name: str
    """Shown in the ledger and in answers, as small or premium."""
    deployments: tuple[str, ...]
    """Names of deployments; the first of the last tier is what savings are measured against."""


Check = Literal["schema", "match", "logprobs", "agreement", "verifier"]
Natural = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)]
Logprob = Annotated[float, msgspec.Meta(ge=-1_000, le=0)]


class Cascade(Table, frozen=True, kw_only=True):
    """Where no cheap tier is good enough by itself: a cheap deployment drafts, and its answer is checked before the
    client sees any of it. If a check fails the tier that is good enough answers; both are paid. A draft is asked for
    only where that is expected to be cheaper and the time allows it. docs/cascade.md says which checks are worth what.
    """

    check: tuple[Check, ...]
    """What a draft has to pass, all of it. schema: JSON that the request asks for, and the parameters of its tools.
    match: the rules below. logprobs: the provider's log-probabilities, which Anthropic's dialect does not have.
    agreement: two drafts end in the same answer. verifier: what `twintrack learn verifier` fitted finds it as good as
    `keep_quality` asks; until there is one, nobody drafts."""
    drafts: tuple[str, ...] = ()
    """Deployments that draft, in this order; with agreement one may be named twice, and is asked twice. Default: of the
    tiers below the one that is good enough the cheapest; with agreement the cheapest two."""
    repeat_temperature: Annotated[float, msgspec.Meta(gt=0.0, le=2.0)] | None = None
    """Of one that is named twice all drafts but the last are drawn at this temperature and without a seed, whatever the
    client said. Default: as the client said; who said temperature 0 or a seed would get the same twice, so it is asked
    once."""
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


class Classifier(Table, frozen=True, kw_only=True):
    """A small model of your own that says what task a request is and how hard, before it is decided. It moves the
    complexity by at most 0.25."""

    deployment: str
    """In zone own, in the OpenAI dialect. It need not stand in the route."""
    max_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 150
    """After so long, and at most a quarter of the request's deadline, the built-in reading holds."""


class Route(Table, frozen=True, kw_only=True):
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


class Telemetry(Table, frozen=True, kw_only=True):
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


class Audit(Table, frozen=True, kw_only=True):
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


class Settings(Table, frozen=True, kw_only=True):
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
