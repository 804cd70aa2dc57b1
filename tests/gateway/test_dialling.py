"""Whoever writes to somebody outside stands in a table, with the rows of the matrix that prove what it may send; and
the type checker lets nobody reach the pool without a permission of the policy's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mypy import api

import twintrack
from support.hops import ASKED, HOPS, READINGS

SOURCE = Path(twintrack.__file__).parent
CACHE = str(Path(__file__).parents[2] / ".mypy_cache")
OPENS = frozenset((
    "create_connection", "open_connection", "open_unix_connection", "create_unix_connection", "sock_connect",
    "create_datagram_endpoint", "sock_sendto", "urlopen", "HTTPConnection", "HTTPSConnection",
))  # fmt: skip


def writers() -> Iterator[str]:
    """module:function:what for each place that sends a request on, or opens a connection."""
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        yield from _writers(ast.parse(path.read_text()), module, "")


def _writers(node: ast.AST, module: str, function: str) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    if what := _what(node):
        yield f"{module}:{function}:{what}"
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _writers(child, module, function)


def _what(node: ast.AST) -> str:
    """References count as calls: who hands one on can call it elsewhere."""
    if isinstance(node, ast.Name):
        return node.id if node.id in OPENS else ""
    if not isinstance(node, ast.Attribute):
        return ""
    on = ast.unparse(node.value).lower().rpartition(".")[2].strip("_")
    if (on, node.attr) in (("pool", "send"), ("pool", "reach"), ("outgoing", "call"), ("outgoing", "continuing")):
        return f"{on}.{node.attr}"
    if on == "socket" and node.attr == "socket":
        return "socket.socket"
    return node.attr if node.attr in OPENS else ""


CARRIERS: dict[str, tuple[str, ...]] = {
    "gateway.classifying:_send:outgoing.call": ("a classifier", "a classifier, streamed"),
    "gateway.classifying:_send:pool.send": ("a classifier", "a classifier, streamed"),
    "gateway.sending:_send:outgoing.call": tuple(hop.name for hop in HOPS),
    "gateway.sending:_send:outgoing.continuing": ("take-up of a cut stream", "take-up, messages"),
    "gateway.sending:_send:pool.send": tuple(hop.name for hop in HOPS),
    "gateway.ner:begin:pool.send": tuple(reading.name for reading in ASKED),
    "gateway.ner:on_failure:pool.send": tuple(reading.name for reading in ASKED),
    "providers.pool:_open:create_connection": tuple(hop.name for hop in HOPS),
    "providers.pool:_tunnel:socket.socket": ("first choice",),
    "providers.pool:_tunnel:sock_connect": ("first choice",),
}
"""Whoever handles what a client asked, by the rows of the matrix (`support/hops.py`) that go through it. A tunnel
through a proxy is opened by the same call as a connection, before anything is written."""
OTHERS = {
    "catalog.importing:fetch:urlopen": "prices are fetched",
    "cli.doctor.listening:_asked:HTTPConnection": "our own port is tried",
    "cli.doctor.listening:_asked:HTTPSConnection": "our own port is tried",
    "cli.doctor.listening:_try_to_bind:socket.socket": "our own port is tried",
    "cli.doctor.reach:_connection:HTTPConnection": "a provider's list of models",
    "cli.doctor.reach:_connection:HTTPSConnection": "a provider's list of models",
    "cli.doctor.reach:reach:pool.reach": "a connection is opened and closed",
    "cli.init:_free_port:socket.socket": "a free port is looked for",
    "cli.up:_free_port:socket.socket": "a free port is looked for",
    "control.away:_post:HTTPConnection": "checkpoints of the audit chain: digests, no text",
    "control.away:_post:HTTPSConnection": "checkpoints of the audit chain: digests, no text",
    "control.notify:notify:socket.socket": "the service manager is told that we are ready",
    "control.sockets:_bound:socket.socket": "clients connect there",
    "economics.measure:_connection:HTTPConnection": "texts made up to measure an engine with",
    "economics.measure:_connection:HTTPSConnection": "texts made up to measure an engine with",
    "engines.detect:_get:open_connection": "engines on this machine are identified",
    "engines.start:_serves:HTTPConnection": "an engine of ours is asked whether it is ready",
    "engines.start:free_port:socket.socket": "a free port is looked for",
    "providers.auth.google:_request:urlopen": "a token is fetched",
    "providers.scripted.addresses:refusing:socket.socket": "the scripted provider's own",
    "server.relay:_ask:open_unix_connection": "our own control plane, on a socket of this machine",
}
"""Whoever opens a connection and handles nothing of a request."""


def test_whoever_writes_to_somebody_is_in_the_table() -> None:
    """A new caller: add its way to the matrix and name it here, or say what it sends instead."""
    assert set(writers()) == CARRIERS.keys() | OTHERS.keys()


def test_the_rows_named_here_are_played() -> None:
    played = {hop.name for hop in HOPS} | {reading.name for reading in READINGS}
    assert {name for names in CARRIERS.values() for name in names} <= played


WRONG = """
from twintrack.config.snapshot import Deployment
from twintrack.policy.admitted import Admitted
from twintrack.policy.compiled import Policy
from twintrack.providers.connection import Receiver
from twintrack.providers.pool import Pool
from twintrack.providers.upstream import UpstreamCall

def right(pool: Pool, admitted: Admitted, call: UpstreamCall, receiver: Receiver) -> None:
    pool.send(admitted, call, receiver)

def wrong(pool: Pool, policy: Policy, deployment: Deployment, call: UpstreamCall, receiver: Receiver) -> None:
    pool.send(deployment, call, receiver)  # a deployment is no permission
    pool.send(policy.view("restricted").admissions[0], call, receiver)  # it may be an objection
    pool.send(Admitted(deployment, "public", None), call, receiver)  # nor can one be made
    pool.send(policy.view("restricted").candidates[0], call, receiver)
    pool.send(None, call, receiver)
"""


def test_the_type_checker_lets_nobody_send_without_a_permission(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(WRONG)
    said, trouble, _ = api.run(["--strict", "--no-error-summary", "--cache-dir", CACHE, str(file)])
    assert trouble == ""
    faulty = [line for line in said.splitlines() if "error:" in line]
    wrong = [number for number, line in enumerate(WRONG.splitlines(), 1) if "pool.send" in line][1:]
    assert [int(line.split(":")[1]) for line in faulty] == wrong, said
    assert all("arg-type" in line for line in faulty)
