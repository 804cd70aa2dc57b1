"""`max_in_flight` holds for whoever asks: a route takes the next deployment of the privacy set, a named one says no."""

from __future__ import annotations

from pathlib import Path

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.waiting import eventually
from twintrack.providers.scripted import Script, chat_answer

NARROW = "price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0 }\nmax_in_flight = 1"


def test_more_than_max_in_flight_spills_over_inside_the_privacy_set_or_is_told_so(
    mine: Provider, other: Provider, outside: Provider, tmp_path: Path
) -> None:
    mine.scripts["narrow"] = Script(framing="raw", end="hang")
    other.default = chat_answer("spilt over")
    config = provider("mine", mine.url) + provider("other", other.url)
    config += provider("outside", outside.url, zone="third_party")
    config += deployment("narrow", "mine", more=NARROW) + deployment("ours", "other")
    config += deployment("theirs", "outside")
    config += route("spills", "narrow", "ours") + route("out", "narrow", "theirs")
    restricted = {"x-twintrack-class": "restricted"}
    with Served(tmp_path, config) as gateway:
        with gateway.connect() as first:
            first.post("/v1/chat/completions", question("narrow"))
            eventually(lambda: mine.asked("narrow"))

            for _ in range(2):  # a named decision is remembered, but not that there was room
                named = gateway.chat("narrow")
                assert (named.status, named.headers["retry-after"]) == (503, "1")
                assert "it has 1 requests in flight" in named.json()["error"]["message"]
            spilt = gateway.ask(question("spills"), headers=restricted)
            assert spilt.headers["x-twintrack-provider"] == "other"
            held = gateway.ask(question("out"), headers=restricted)
            assert held.status == 503

        mine.scripts["narrow"] = chat_answer("room again")
        assert eventually(lambda: gateway.chat("narrow").status == 200)
    assert outside.bytes_in == 0
