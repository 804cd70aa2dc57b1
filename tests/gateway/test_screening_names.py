"""A recogniser of names beside the gateway: a real HTTP server of its own, what it says, and when it says nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from support.gateway import Served, deployment, provider, route
from support.processes import free_port
from support.provider import Provider
from twintrack.config.load import parse
from twintrack.errors import ConfigError
from twintrack.gateway.open import compiled

NAME = "Anna Kovacs"


class Analyser(BaseHTTPRequestHandler):
    """As Presidio's: finds one name."""

    protocol_version = "HTTP/1.1"
    heard: ClassVar[list[dict[str, Any]]] = []
    answers: ClassVar[str] = "well"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.heard.append(asked | {"path": self.path})
        if self.answers == "late":
            time.sleep(0.6)
        text = asked["text"]
        kind = "entity_type" if self.path == "/analyze" else "label"
        found = [
            {"start": at, "end": at + len(NAME), kind: "PERSON", "score": 0.85} for at in [text.find(NAME)] if at >= 0
        ]
        body = b"no json" if self.answers == "odd" else json.dumps(found).encode()
        self.send_response(500 if self.answers == "ill" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.answers == "hang up"

    def log_message(self, *said: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def analyser() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Analyser) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def fresh(mine: Provider, outside: Provider) -> None:
    Analyser.heard.clear()
    Analyser.answers = "well"


def served(folder: Any, mine: Provider, outside: Provider, url: str, more: str = "") -> Served:
    config = f'[detect.ner]\nurl = "{url}"\ntimeout_ms = 300\ncategories = {{ PERSON = "pii" }}\n{more}'
    config += provider("mine", mine.url) + provider("outside", outside.url, zone="third_party")
    config += deployment("own", "mine") + deployment("theirs", "outside") + route("auto", "theirs", "own")
    return Served(folder, config)


def by(gateway: Served, text: str) -> str:
    asked = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    return gateway.ask(asked).headers["x-twintrack-provider"]


def test_what_it_finds_counts_each_text_is_asked_about_once_and_what_it_does_not_say_is_restricted(
    mine: Provider, outside: Provider, analyser: ThreadingHTTPServer, tmp_path: Any
) -> None:
    with served(tmp_path, mine, outside, f"http://127.0.0.1:{analyser.server_port}") as gateway:
        assert by(gateway, f"Ask {NAME} about it") == "mine"
        assert by(gateway, "Ask somebody about it") == "outside"
        asked = len(Analyser.heard)
        assert by(gateway, f"Ask {NAME} about it") == "mine"
        assert len(Analyser.heard) == asked
        assert Analyser.heard[0]["path"] == "/analyze"
        assert Analyser.heard[0]["language"] == "en"
        for number, Analyser.answers in enumerate(("ill", "odd", "late")):
            assert by(gateway, f"Question {number}?") == "mine", Analyser.answers
        Analyser.answers = "hang up"
        assert by(gateway, "Question 4?") == "outside", "the answer came, and the connection is gone"
        Analyser.answers = "well"
        assert by(gateway, "Question 5?") == "outside", "a connection that is gone is opened again"
        assert by(gateway, "Question 1?") == "outside", "what was not read is asked about again"


def test_an_operator_may_do_without_its_word_and_gliner_is_asked_for_labels(
    mine: Provider, outside: Provider, analyser: ThreadingHTTPServer, tmp_path: Any
) -> None:
    more = 'on_failure = "ignore"\napi = "gliner"\nlabels = ["person"]\n'
    with served(tmp_path / "a", mine, outside, f"http://127.0.0.1:{analyser.server_port}", more) as gateway:
        assert by(gateway, f"Ask {NAME} about it") == "mine"
        assert (Analyser.heard[0]["path"], Analyser.heard[0]["labels"]) == ("/predict", ["person"])
        Analyser.answers = "ill"
        assert by(gateway, "Ask somebody else") == "outside"
        assert by(gateway, "Mail anna.kovacs@example.org") == "mine"
    with served(tmp_path / "b", mine, outside, f"http://127.0.0.1:{free_port()}") as gateway:
        assert by(gateway, "Ask somebody about it") == "mine", "nobody is there"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('url = "localhost"', "no address"),
        ('url = "http://127.0.0.1:1"\n[privacy]\nrestricted = { zones = [] }', "may not"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(more: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        compiled(*parse(f"[detect.ner]\n{more}\n", "x.toml"))
