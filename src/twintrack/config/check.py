"""Says everything in a configuration that fits the types but cannot be meant: names nobody bears, prices said twice,
secrets written down, an open door without a key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from twintrack.catalog import models
from twintrack.config import rules, secrets
from twintrack.config.check_cascade import cascade_problems, classifier_problems
from twintrack.config.effective import (
    Endpoint,
    Model,
    Report,
    address,
    authorisation,
    deployment_name,
    endpoint,
    is_loopback,
    listen_address,
    model,
    privacy_rules,
)
from twintrack.config.locate import Path
from twintrack.config.settings import DATA_CLASSES, Deployment, Price, Route, Settings
from twintrack.config.source import Problem, Source, alternatives, shown
from twintrack.errors import nearest

_NAME = re.compile(r"[!-~]{1,128}")
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REPLACEABLE = ("pii", "phi", "financial", "secret", "person")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_SCHEME = re.compile(r"[A-Za-z]{1,32}")
_NOT_THEIRS = frozenset(("host", "content-type", "content-length", "content-encoding", "transfer-encoding"))
"""Headers that belong to whoever sends."""
_REFERENCE = "Write env:NAME to take it from an environment variable, or file:PATH"


def problems(settings: Settings, source: Source, environ: Mapping[str, str] | None) -> list[Problem]:
    """All of them. Without `environ` nothing outside the text is looked at: no variable, no file."""
    check = _Check(settings, source, environ)
    check.server()
    check.keys()
    check.providers()
    check.deployments()
    check.routes()
    check.privacy()
    check.detect()
    check.telemetry()
    check.audit()
    return check.found


class _Check:
    def __init__(self, settings: Settings, source: Source, environ: Mapping[str, str] | None) -> None:
        self.found: list[Problem] = []
        self._settings = settings
        self._source = source
        self._environ = environ
        self._endpoints: dict[str, Endpoint] = {}
        self._models: dict[str, Model] = {}
        """By deployment; both hold only what could be filled in."""

    def _report(self, path: Path, what: str, fix: str) -> None:
        self.found.append(Problem(path, what, fix))

    def _below(self, base: Path) -> Report:
        return lambda path, what, fix: self._report((*base, *path), what, fix)

    def server(self) -> None:
        server = self._settings.server
        where = listen_address(server.listen)
        if where is None:
            self._report(
                ("server", "listen"),
                f"is {shown(server.listen)}, which is no address",
                "Use HOST:PORT, like 127.0.0.1:8080 or [::1]:8080.",
            )
        elif not is_loopback(where[0]) and not self._settings.keys:
            self._report(
                ("server", "listen"),
                f"is {shown(server.listen)}, which other machines can reach, and there is no key",
                'Listen on 127.0.0.1, or add:\n\n[[keys]]\nname = "me"\nkey = "env:TWINTRACK_KEY"\n',
            )
        if server.tls is not None:
            self._readable(("server", "tls", "cert"), server.tls.cert)
            self._readable(("server", "tls", "key"), server.tls.key)
        if server.ca:
            self._readable(("server", "ca"), server.ca)
        if "\0" in server.data or not server.data:
            self._report(("server", "data"), "is no folder", 'Name one, like data = ".twintrack".')
        if server.secret:
            self._reference(("server", "secret"), server.secret)
        self._proxy(server.proxy)

    def _proxy(self, proxy: str) -> None:
        if not proxy or secrets.is_reference(proxy):
            return  # an unset HTTPS_PROXY means none, everywhere
        if not re.fullmatch(r"http://[A-Za-z0-9._:\[\]-]+/?", proxy):
            self._report(
                ("server", "proxy"),
                "is not an address like http://proxy.example.com:3128",
                "If it needs a name and password, put the whole address into a variable and write env:NAME.",
            )

    def _readable(self, path: Path, file: str) -> None:
        if "\0" in file or (self._environ is not None and not os.access(self._source.absolute(file), os.R_OK)):
            self._report(path, f"is {shown(file)}, which cannot be read", "Paths start at the configuration's folder.")

    def keys(self) -> None:
        keys = self._settings.keys
        self._names(("keys",), (key.name for key in keys))
        seen: dict[str, int] = {}
        for number, key in enumerate(keys):
            path: Path = ("keys", number, "key")
            self._reference(path, key.key)
            value = (
                secrets.resolve(self._source.reference(key.key), self._environ) if self._environ is not None else None
            )
            if value is not None and seen.setdefault(value, number) != number:
                other = keys[seen[value]].name
                self._report(
                    path, f"is the same secret as that of {shown(other)}", "Give every key a secret of its own."
                )
            self._patterns(number, key.models)

    def _patterns(self, number: int, patterns: tuple[str, ...]) -> None:
        known = [*self._settings.routes, *map(deployment_name, self._settings.deployments)]
        for place, pattern in enumerate(patterns):
            if "*" not in pattern and pattern not in known:
                self._dangling(("keys", number, "models", place), pattern, "a route or deployment", known)

    def _reference(self, path: Path, reference: str) -> None:
        """A secret must be a reference, and lead somewhere."""
        if not secrets.is_reference(reference):
            self._report(path, "holds something else than a reference to a secret", f"{_REFERENCE}.")
        elif self._environ is not None:
            trouble = secrets.trouble(self._source.reference(reference), self._environ)
            if trouble:
                self._report(path, f"leads nowhere: {trouble}", "Set it before starting, or name another.")

    def providers(self) -> None:
        providers = self._settings.providers
        self._names(("providers",), (provider.name for provider in providers))
        for number, provider in enumerate(providers):
            base: Path = ("providers", number)
            if provider.key and authorisation(provider) == "google-oauth":
                self._account((*base, "key"), provider.key)
            elif provider.key:
                self._reference((*base, "key"), provider.key)
            if provider.region and not _REGION.fullmatch(provider.region):
                what = f"is {shown(provider.region)}, which is no region"
                self._report((*base, "region"), what, "Use lower-case words joined by hyphens, like eu-west.")
            if provider.engine:
                self._engine((*base, "engine"), provider.engine)
            at = endpoint(provider, self._below(base))
            if at is None:
                continue
            self._endpoints.setdefault(provider.name, at)
            if at.at_home and at.zone == "own":
                what = f"is own, but {at.address.host} is not your machine"
                self._report((*base, "zone"), what, "Use contracted if you checked its terms, else third_party.")
            if at.key and not provider.key and not at.simulated and self._environ is not None:
                trouble = secrets.trouble(at.key, self._environ)
                if trouble:
                    fix = 'Set it, or name another variable: key = "env:NAME".'
                    self._report((*base, "key"), f"is missing: {trouble}", fix)

    def _account(self, path: Path, key: str) -> None:
        """A service account's file is not one word, as secrets that travel in a header are."""
        if not secrets.is_reference(key) or not key.startswith("file:"):
            fix = 'Write file:PATH; or auth = "key" if this is an access token that something else renews.'
            self._report(path, "is no reference to a service account's file", fix)
        else:
            self._readable(path, key.removeprefix("file:"))

    def _engine(self, path: Path, engine: str) -> None:
        if engine.endswith(".gguf"):
            self._readable(path, engine)
            return
        bundled = [name for name, each in models.models().items() if each.demo]
        if engine not in bundled:
            self._dangling(path, engine, "a bundled model, nor a .gguf file", bundled)

    def deployments(self) -> None:
        deployments = self._settings.deployments
        self._names(("deployments",), map(deployment_name, deployments))
        known = [provider.name for provider in self._settings.providers]
        for number, deployment in enumerate(deployments):
            base: Path = ("deployments", number)
            name = deployment_name(deployment)
            if name in self._settings.routes:
                what = f"is called {shown(name)}, as a route is"
                self._report(base, what, "Clients could not tell them apart: rename one.")
            at = self._endpoints.get(deployment.provider)
            facts = None
            if not _NAME.fullmatch(deployment.model):
                self._report((*base, "model"), f"is {shown(deployment.model)}", _ASCII)
            elif deployment.provider not in known:
                self._dangling((*base, "provider"), deployment.provider, "a provider", known)
            elif at is not None:
                facts = model(deployment, at, self._below(base))
                self._runs(base, deployment, at)
            if facts is not None:
                self._models[name] = facts
            if deployment.price is not None:
                self._price((*base, "price"), deployment.price, embeddings=facts is not None and facts.embeddings)

    def _runs(self, base: Path, deployment: Deployment, at: Endpoint) -> None:
        """A bundled model answers under no other name: its quality must not be taken for another's."""
        bundled = models.find(at.engine)
        if bundled is not None and deployment.model != at.engine:
            what = f"is {shown(deployment.model)}, but {at.name} runs {at.engine}"
            self._report((*base, "model"), what, f'Write model = "{at.engine}".')

    def _price(self, path: Path, price: Price, *, embeddings: bool) -> None:
        said = {name for name in Price.__struct_fields__ if getattr(price, name) is not None}
        hourly = "per_hour_usd" in said
        by_token = [price.input_usd_per_mtok is not None, price.output_usd_per_mtok is not None]
        if hourly and len(said) > 1:
            what = "is said by token and by hour at once"
            self._report(path, what, "Keep per_hour_usd for an engine of your own, else the prices per million tokens.")
        elif not said:
            self._report(path, "says nothing", "Add input_usd_per_mtok and output_usd_per_mtok, or per_hour_usd.")
        elif not hourly and not all(by_token) and not (by_token[0] and embeddings):
            missing = "output_usd_per_mtok" if by_token[0] else "input_usd_per_mtok"
            self._report((*path, missing), "is missing", "A price by token needs both input and output.")

    def routes(self) -> None:
        numbers = {deployment_name(each): number for number, each in enumerate(self._settings.deployments)}
        known, listed = numbers.keys(), list(numbers)
        for name, route in self._settings.routes.items():
            base: Path = ("routes", name)
            if not _NAME.fullmatch(name):
                self._report(base, "is a name clients cannot send", _ASCII)
            if not route.tiers:
                self._report((*base, "tiers"), "is empty", "Add at least one tier with a deployment.")
            self._names((*base, "tiers"), (tier.name for tier in route.tiers))
            for number, tier in enumerate(route.tiers):
                path: Path = (*base, "tiers", number, "deployments")
                if not tier.deployments:
                    self._report(path, "is empty", "Name at least one deployment.")
                for place, deployment in enumerate(tier.deployments):
                    if deployment not in known:
                        self._dangling((*path, place), deployment, "a deployment", listed)
                    elif deployment in tier.deployments[:place]:
                        self._report((*path, place), f"names {deployment} a second time", "Remove it.")
            self._observe(base, route.mode, route.observe, listed)
            self._pseudonyms((*base, "pseudonyms"), route)
            if route.cascade is not None:
                models_of = {deployment_name(each): each.model for each in self._settings.deployments}
                below = self._below((*base, "cascade"))
                cascade_problems(route.cascade, route, self._endpoints_of(), models_of, below)
            if route.classifier is not None:
                below = self._below((*base, "classifier"))
                classifier_problems(route.classifier, listed, self._endpoints_of(), below)
            names = {each for tier in route.tiers for each in tier.deployments}
            if len(names) > 1:
                self._choice(name, sorted(numbers[each] for each in names & known))

    def _endpoints_of(self) -> dict[str, Endpoint]:
        """By deployment."""
        return {
            deployment_name(each): self._endpoints[each.provider]
            for each in self._settings.deployments
            if each.provider in self._endpoints
        }

    def _observe(self, base: Path, mode: str, observe: str, known: list[str]) -> None:
        if observe and observe not in known:
            self._dangling((*base, "observe"), observe, "a deployment", known)
        elif observe and mode != "observe":
            self._report((*base, "observe"), "is set, but mode is not", 'Add mode = "observe", or remove it.')

    def _pseudonyms(self, base: Path, route: Route) -> None:
        categories, mode = route.pseudonyms, route.detect or self._settings.detect.mode
        if categories and mode != "enforce":
            what = f"is said, but what its requests hold changes nothing: detect is {mode}"
            self._report(base, what, 'Write detect = "enforce" in this route, or remove it.')
        known = [*_REPLACEABLE, *(rule.category for rule in self._settings.detect.rules)]
        for place, category in enumerate(categories if isinstance(categories, tuple) else ()):
            if category == "export":
                what = "is export: a marking is about all of a document, and no word of it can be put for it"
                self._report((*base, place), what, "Take it out: such requests keep their class.")
            elif category not in known:
                self._dangling((*base, place), category, "a category that can be replaced", known)

    def _choice(self, route: str, numbers: Sequence[int]) -> None:
        """A route that has a choice compares qualities, so it must know them; embeddings leave no choice of model."""
        chosen = [(number, self._settings.deployments[number]) for number in numbers]
        members = [
            (number, deployment, self._models[deployment_name(deployment)])
            for number, deployment in chosen
            if deployment_name(deployment) in self._models
        ]
        for number, deployment, facts in members:
            if facts.quality is None:
                what = f"is missing: route {route} compares it, and the catalogue does not know {deployment.model}"
                fix = "Add the share of ordinary requests it answers well, like quality = 0.8."
                self._report(("deployments", number, "facts", "quality"), what, fix)
        different = sorted({deployment.model for _, deployment, _ in members})
        if len(different) > 1 and any(facts.embeddings for _, _, facts in members):
            what = f"chooses between {alternatives(different, 'and')}, and vectors of two embedding models do not mix"
            self._report(("routes", route), what, "Keep one model in it; several deployments of that one are fine.")

    def privacy(self) -> None:
        self.found += rules.problems(self._settings)
        said = privacy_rules(self._settings.privacy)
        for lower, higher in pairwise(DATA_CLASSES):
            more = [zone for zone in said[higher].zones or () if zone not in (said[lower].zones or ())]
            if more:
                what = f"lets {alternatives(more, 'and')} see what is {higher}, but not what is {lower}"
                fix = f"Whoever may see {higher} data may see {lower} data too: take it out here, or add it there."
                self._report(("privacy", higher, "zones"), what, fix)
        known = list(self._settings.tenants)
        for number, key in enumerate(self._settings.keys):
            if key.tenant and key.tenant not in known:
                self._dangling(("keys", number, "tenant"), key.tenant, "a tenant", known)

    def detect(self) -> None:
        ner = self._settings.detect.ner
        if ner is not None and address(ner.url) is None:
            what = f"is {shown(ner.url)}, which is no address"
            self._report(("detect", "ner", "url"), what, "Use one like http://127.0.0.1:5002, without name or query.")

    def telemetry(self) -> None:
        said = self._settings.telemetry
        base: Path = ("telemetry",)
        where = address(said.otlp) if said.otlp else None
        if said.otlp and where is None:
            what = "is no address of a receiver"
            self._report((*base, "otlp"), what, "Use one like http://127.0.0.1:4318, without name, password or query.")
        elif where is not None and not where.tls and said.headers and not is_loopback(where.host):
            what = "is http, and a secret among its headers would travel in the open"
            self._report((*base, "otlp"), what, "Use https, or a collector on this machine that knows the secret.")
        if not _NAME.fullmatch(said.service):
            self._report((*base, "service"), f"is {said.service[:100]!r}", _ASCII)
        self._headers(base, said.headers)

    def audit(self) -> None:
        said = self._settings.audit
        base: Path = ("audit",)
        to = said.checkpoint_to
        where = None if to.startswith("file:") else address(to)
        if to and where is None and not (to.startswith("file:") and secrets.is_reference(to)):
            fix = "Use file:PATH, or an address like https://archive.example/checkpoints, without password or query."
            self._report((*base, "checkpoint_to"), "is no place for checkpoints", fix)
        elif where is not None and not where.tls and said.headers and not is_loopback(where.host):
            what = "is http, and a secret among its headers would travel in the open"
            self._report((*base, "checkpoint_to"), what, "Use https.")
        if said.key and not said.key.startswith("file:"):
            self._report((*base, "key"), "is no reference to a file", "Use file:PATH of a private key in PEM.")
        self._headers(base, said.headers)

    def _headers(self, base: Path, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            path: Path = (*base, "headers", name)
            scheme, reference = secrets.header_reference(value)
            if not _HEADER.fullmatch(name) or name.lower() in _NOT_THEIRS:
                self._report(path, "is no header that could be sent along", "Use letters, digits and hyphens.")
            elif scheme and not _SCHEME.fullmatch(scheme):
                self._report(path, "has a sign in front of its secret that no header holds", f"{_REFERENCE}.")
            else:
                self._reference(path, reference)

    def _dangling(self, path: Path, word: str, thing: str, known: Iterable[str]) -> None:
        known = list(known)
        near = nearest(word, known, most=1)
        if near:
            fix = f"Did you mean {near[0]}?"
        else:
            fix = f"Known: {', '.join(known[:10])}." if known else "There is none yet."
        self._report(path, f"is {shown(word)}, which is not the name of {thing}", fix)

    def _names(self, base: Path, names: Iterable[str]) -> None:
        """Names of a list of tables: they can travel in a header, and no two are the same."""
        seen: dict[str, int] = {}
        for number, name in enumerate(names):
            path = (*base, number, "name")
            if not _NAME.fullmatch(name):
                self._report(path, f"is {shown(name)}", _ASCII)
            elif seen.setdefault(name, number) != number:
                first = self._source.line((*base, seen[name]))
                self._report(path, f"is {shown(name)}, as on line {first}", "Give each a name of its own.")


_ASCII = "Use 1 to 128 letters, digits and signs of plain ASCII, without spaces."
