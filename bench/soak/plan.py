"""What is asked, when, of whom, and how its client behaves: everything drawn from one seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, NamedTuple

Endpoint = Literal["chat", "messages", "responses", "embeddings"]
Leave = Literal["", "half", "at once", "waiting", "first", "middle"]
"""When a client goes: with half its request sent, with its request sent, while it waits, after the first content,
further on in the stream."""

PATHS: dict[Endpoint, str] = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
}
_SHARES: dict[Endpoint, float] = {"chat": 0.40, "messages": 0.25, "responses": 0.20, "embeddings": 0.15}
_LEAVES: tuple[Leave, ...] = ("half", "at once", "at once", "waiting", "waiting", "first", "first", "middle", "middle")

SPEAK = ("openai", "anthropic", "responses")
"""Dialects of the faulty providers, in turn; of the steady one the first."""
STEADY, NOBODY = "steady", "nobody"
"""A provider that never fails, and one that is never there."""
GROUPS = 100
"""Routes and deployments of each kind: a deployment that fails three times in a row is passed over for a while, so one
alone would mostly be seen resting."""


class Phase(NamedTuple):
    """A stretch of the run."""

    begins_s: float
    ends_s: float
    faults: float
    """Share of a faulty provider's answers that go wrong."""


class Ask(NamedTuple):
    """One request and its client."""

    number: int
    at_s: float
    endpoint: Endpoint
    model: str
    steady: bool
    """A deployment that never fails stands behind the first choice."""
    stream: bool
    leave: Leave
    reset: bool
    """Leaves as a crashed client does."""
    slow: bool
    """Reads in small sips."""
    fresh: bool
    """On a connection of its own."""

    @property
    def mark(self) -> str:
        """What the answer must contain, and no other request's may."""
        return f"[{self.number}]"

    @property
    def texts(self) -> int:
        """How many are to be embedded."""
        return 1 + self.number % 5

    def body(self) -> bytes:
        text = f"Say the number of this question. {self.mark}"
        asked: dict[str, Any] = {"model": self.model}
        if self.endpoint in ("chat", "messages"):
            asked["messages"] = [{"role": "user", "content": text}]
        elif self.endpoint == "responses":
            asked["input"] = text
        else:
            asked["input"] = [text] * self.texts
        if self.endpoint == "messages":
            asked["max_tokens"] = 100
        if self.stream:
            asked["stream"] = True
            if self.endpoint == "chat" and self.number % 2:
                asked["stream_options"] = {"include_usage": True}
        return json.dumps(asked).encode()


@dataclass(frozen=True)
class Plan:
    minutes: float
    rate: float
    """Requests a second, at random moments."""
    workers: int
    faults: float
    leaves: float
    seed: int

    @property
    def seconds(self) -> float:
        return self.minutes * 60

    @property
    def idle_s(self) -> float:
        """How long the gateway keeps idle connections, on either side."""
        return 5.0 if self.minutes >= 1 else 1.5

    def phases(self) -> list[Phase]:
        """Quiet first, for comparison; then faults with a calm behind them, once or every ten minutes."""
        quiet = min(60.0, self.seconds * 0.15)
        cycles = max(1, round(self.minutes / 10))
        each = (self.seconds - quiet) / cycles
        calm = min(60.0, each * 0.4)
        phases = [Phase(0.0, quiet, 0.0)]
        for cycle in range(cycles):
            begins = quiet + cycle * each
            phases += [
                Phase(begins, begins + each - calm, self.faults),
                Phase(begins + each - calm, begins + each, 0.0),
            ]
        return phases

    def asks(self) -> Iterator[Ask]:
        random = Random(self.seed)
        endpoints, shares = list(_SHARES), list(_SHARES.values())
        at_s, number = 0.0, 0
        while True:
            at_s += random.expovariate(self.rate)
            if at_s >= self.seconds:
                return
            number += 1
            endpoint = random.choices(endpoints, shares)[0]
            kind = random.choices(("named", "pair", "steady"), (0.3, 0.3, 0.4))[0]
            stream = endpoint != "embeddings" and random.random() < 0.5
            leave = random.choice(_LEAVES) if random.random() < self.leaves else ""
            if leave in ("first", "middle") and not stream:
                leave = "waiting"
            yield Ask(
                number,
                at_s,
                endpoint,
                _model(random, endpoint, kind),
                kind == "steady" or (endpoint == "embeddings" and kind == "pair"),
                stream,
                leave,
                random.random() < 0.5,
                random.random() < 0.02,
                random.random() < 0.3,
            )


def _model(random: Random, endpoint: Endpoint, kind: str) -> str:
    group = random.randrange(GROUPS)
    if endpoint == "embeddings":
        return f"vectors-{group}" if kind == "named" else f"embed-{group}"
    return f"{random.choice(SPEAK)}-{group}" if kind == "named" else f"{kind}-{group}"


_SERVER = """\
[server]
workers = {workers}

[server.deadlines]
connect_s = 1.0
first_byte_s = 1.5
between_chunks_s = 1.5
total_s = 20.0
idle_s = {idle_s}
"""


def configuration(plan: Plan, ports: dict[str, int]) -> str:
    """TOML. `ports` by provider: those of `SPEAK`, `STEADY` and `NOBODY`."""
    lines = [_SERVER.format(workers=plan.workers, idle_s=plan.idle_s)]
    for name, port in ports.items():
        dialect = name if name in SPEAK else "openai"
        api = "anthropic" if dialect == "anthropic" else "openai"
        dialects = f'dialects = ["{dialect}"]\n'
        url = f"http://127.0.0.1:{port}/v1"
        lines.append(
            f'[[providers]]\nname = "{name}"\napi = "{api}"\nurl = "{url}"\nzone = "own"\nkey = ""\n{dialects}'
        )
    for group in range(GROUPS):
        lines += [_deployment(f"{name}-{group}", name) for name in SPEAK]
        lines += [_deployment(f"spare-{group}", STEADY), _deployment(f"vectors-{group}", "openai", embeddings=True)]
        lines.append(_deployment(f"spare-vectors-{group}", STEADY, model=f"vectors-{group}", embeddings=True))
        first, second = SPEAK[group % 3], SPEAK[(group + 1) % 3]
        lines.append(_route(f"pair-{group}", f"{first}-{group}", f"{second}-{group}"))
        if group % 5 == 4:
            lines.append(_deployment(f"nobody-{group}", NOBODY))
            lines.append(_route(f"steady-{group}", f"nobody-{group}", f"spare-{group}"))
        else:
            lines.append(_route(f"steady-{group}", f"{first}-{group}", f"spare-{group}"))
        lines.append(_route(f"embed-{group}", f"vectors-{group}", f"spare-vectors-{group}"))
    return "\n".join(lines)


def _deployment(name: str, provider: str, *, model: str = "", embeddings: bool = False) -> str:
    facts = "context_tokens = 100000, tools = true, quality = 0.9" + (", embeddings = true" if embeddings else "")
    price = "input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0, cache_read_usd_per_mtok = 0.2"
    return (
        f'[[deployments]]\nname = "{name}"\nmodel = "{model or name}"\nprovider = "{provider}"\n'
        f"facts = {{ {facts} }}\nprice = {{ {price} }}\nmax_in_flight = 1000\n"
    )


def _route(name: str, *deployments: str) -> str:
    tiers = ", ".join(f'{{ name = "t{at}", deployments = ["{each}"] }}' for at, each in enumerate(deployments))
    return f'[routes."{name}"]\ntiers = [{tiers}]\n'
