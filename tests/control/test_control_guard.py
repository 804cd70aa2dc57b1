"""Who may ask the console, how, and what a browser may do with the answer."""

from __future__ import annotations

import msgspec
import pytest

from twintrack.control.guard import is_ours

PATHS = ("/", "/console/latest", "/console/requests/none", "/admin/api/snapshot", "/console/static/console.css", "/no")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("method", "host"), [("GET", "localhost"), ("POST", "localhost"), ("GET", "evil.example")])
def test_every_answer_carries_the_headers_that_bind_a_browser(console, path, method, host):
    headers = console.get(path, method=method, host=host).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_nothing_can_be_written(console, path, method):
    answer = console.get(path, method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_head_is_answered_like_get(console):
    assert console.get("/", method="HEAD").status == 200
    assert console.get("/admin/api/snapshot", method="HEAD").status == 200
    assert console.get("/no", method="HEAD").status == 404


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example", "", None])
def test_a_foreign_name_that_leads_here_sees_nothing(console, path, host):
    answer = console.get(path, host=host)
    assert answer.status == 421
    assert b"gpt-5.4" not in answer.body


def test_a_foreign_name_is_told_which_to_use(console):
    answer = console.get("/admin/api/summary", host="<b>evil.example")
    assert answer.json()["error"]["code"] == "misdirected_request"
    assert "localhost:8080" in answer.json()["error"]["fix"]
    assert "<b>" not in console.get("/", host="<b>evil.example").text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "127.8.8.8", "[::1]", "[::1]:8080"]
)
def test_loopback_names_are_ours_on_any_address(host):
    assert is_ours(host, "192.168.1.5")
    assert is_ours(host, "0.0.0.0")


def test_the_configured_host_is_ours_and_its_neighbour_is_not():
    assert is_ours("192.168.1.5:8080", "192.168.1.5")
    assert not is_ours("192.168.1.6:8080", "192.168.1.5")
    assert is_ours("Gateway.example:80", "gateway.example")
    assert not is_ours("192.168.1.5", "127.0.0.1")


@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
def test_listening_everywhere_literal_addresses_are_ours_and_names_are_not(listen):
    assert is_ours("10.1.2.3:8080", listen)
    assert is_ours("[fd00::5]:8080", listen)
    assert not is_ours("rebound.example:8080", listen)


def test_the_guard_follows_the_snapshot(console):
    assert console.get("/", host="10.1.2.3").status == 421
    console.snapshot = msgspec.structs.replace(console.snapshot, listen_host="0.0.0.0")
    assert console.get("/", host="10.1.2.3").status == 200
