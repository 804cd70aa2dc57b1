"""An operator may say that a request is less sensitive than it counts as: nobody else, not below the key's own class,
and never without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from twintrack.providers.scripted import chat_answer

KEYS = {"OPEN_KEY": "open", "OPS_KEY": "ops", "CLINIC_KEY": "clinic"}
CONFIG = """
[[keys]]
name = "open"
key = "env:OPEN_KEY"
[[keys]]
name = "ops"
key = "env:OPS_KEY"
operator = true
[[keys]]
name = "clinic-ops"
key = "env:CLINIC_KEY"
operator = true
tenant = "clinic"
[tenants.clinic]
data_class = "confidential"
"""
DOWN = {"x-twintrack-override-class": "internal", "x-twintrack-override-reason": "false-positive"}
RESTRICTED = {"x-twintrack-class": "restricted"}


@pytest.fixture(scope="module")
def gateway(mine: Provider, outside: Provider, tmp_path_factory: Any) -> Iterator[Served]:
    config = CONFIG + provider("mine", mine.url) + provider("outside", outside.url, zone="third_party")
    config += deployment("own", "mine") + deployment("theirs", "outside")
    config += route("secret", "theirs", "own", more='default_class = "restricted"')
    with Served(tmp_path_factory.mktemp("override"), config, KEYS) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def answers(mine: Provider, outside: Provider) -> None:
    mine.default, outside.default = chat_answer("from home"), chat_answer("from afar")


def ask(gateway: Served, key: str, *headers: dict[str, str], model: str = "secret") -> Any:
    sent = {"authorization": f"Bearer {key}"}
    for each in headers:
        sent |= each
    return gateway.ask(question(model), headers=sent)


def test_an_operator_lowers_what_a_request_counts_as(gateway: Served) -> None:
    before = ask(gateway, "ops")
    assert (before.headers["x-twintrack-provider"], before.headers["x-twintrack-class"]) == ("mine", "restricted")
    after = ask(gateway, "ops", DOWN)
    assert (after.headers["x-twintrack-provider"], after.headers["x-twintrack-class"]) == ("outside", "internal")
    assert gateway.entries(after.id)[0]["data_class"] == "internal"
    metrics = gateway.get("/metrics", {"authorization": "Bearer ops"}).body.decode()
    assert 'twintrack_overrides_total{class="internal"} 1\n' in metrics


@pytest.mark.parametrize("headers", [{**DOWN, "x-twintrack-override-reason": ""}, DOWN])
@pytest.mark.parametrize("model", ["secret", "theirs"])
def test_nobody_else_does(gateway: Served, outside: Provider, headers: dict[str, str], model: str) -> None:
    asked = outside.bytes_in
    answer = ask(gateway, "open", headers, model=model)
    assert answer.status == 403
    assert "takes a key with operator = true" in answer.json()["error"]["message"]
    assert outside.bytes_in == asked


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"x-twintrack-override-class": "internal"}, "needs a reason"),
        (DOWN | {"x-twintrack-override-reason": "it was a test, honest"}, "needs a reason"),
        (DOWN | {"x-twintrack-override-class": "Internal"}, "Data class 'Internal' is unknown"),
        ({"x-twintrack-override-reason": "false-positive"}, "Data class '' is unknown"),
    ],
)
def test_it_takes_a_class_and_a_reason(gateway: Served, headers: dict[str, str], says: str) -> None:
    answer = ask(gateway, "ops", headers)
    assert answer.status == 400
    assert says in answer.json()["error"]["message"]


def test_it_never_goes_below_the_class_of_the_key(gateway: Served) -> None:
    answer = ask(gateway, "clinic", DOWN)
    assert (answer.headers["x-twintrack-provider"], answer.headers["x-twintrack-class"]) == ("mine", "confidential")


def test_what_the_caller_says_itself_still_raises_it(gateway: Served) -> None:
    answer = ask(gateway, "ops", DOWN, RESTRICTED)
    assert answer.headers["x-twintrack-class"] == "restricted"


def test_metadata_is_no_way_to_say_it(gateway: Served) -> None:
    asked = question("secret", metadata={"twintrack_override_class": "internal"})
    answer = gateway.ask(asked, headers={"authorization": "Bearer ops"})
    assert answer.status == 400
