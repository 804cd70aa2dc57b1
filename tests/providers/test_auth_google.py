"""Requests to Vertex AI: real google-auth, a token server on loopback."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.web import Server
from twintrack.errors import MissingExtra, Unavailable
from twintrack.providers.auth.google import SCOPES, Google, authoriser


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No credentials of this machine, and no look at its metadata address."""
    for name in os.environ:
        if name.startswith(("GOOGLE_", "GCE_", "CLOUDSDK_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("PATH", str(tmp_path))  # no gcloud to ask
    return monkeypatch


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def service_account(folder: Path, address: str, **members: str) -> str:
    file = folder / "account.json"
    file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": "gateway@p.iam.gserviceaccount.com",
                "private_key_id": "k1",
                "private_key": PEM,
                "token_uri": f"http://{address}/token",
                **members,
            }
        )
    )
    return str(file)


def tokens(seconds: int = 3_600) -> Callable[[], tuple[int, str]]:
    numbers = iter(range(100))
    return lambda: (200, json.dumps({"access_token": f"ya29.{next(numbers)}", "expires_in": seconds}))


def headers(found: Google) -> bytes:
    return found.headers(b"POST", b"/v1/projects/p", b"aiplatform.googleapis.com", b"{}")


def started(found: Google) -> Google:
    found.start()
    found.wait(10)
    found.close()
    return found


def test_of_a_service_account(server: Server, tmp_path: Path):
    server.answer = tokens()
    found = started(authoriser(service_account(tmp_path, server.address)))
    assert headers(found) == b"authorization: Bearer ya29.0\r\n"
    ((method, path, _, body),) = server.asked
    assert (method, path) == ("POST", "/token")
    assertion = parse_qs(body.decode())["assertion"][0]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))
    assert (claims["iss"], claims["scope"]) == ("gateway@p.iam.gserviceaccount.com", " ".join(SCOPES))


def test_of_the_environment(bare: pytest.MonkeyPatch, server: Server, tmp_path: Path):
    server.answer = tokens()
    bare.setenv("GOOGLE_APPLICATION_CREDENTIALS", service_account(tmp_path, server.address))
    bare.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "payer")
    assert headers(started(authoriser())) == b"authorization: Bearer ya29.0\r\nx-goog-user-project: payer\r\n"


def test_of_a_workload_identity(bare: pytest.MonkeyPatch, server: Server, tmp_path: Path):
    server.answer = lambda: (
        200,
        json.dumps(
            {
                "access_token": "federated",
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "token_type": "Bearer",
                "expires_in": 3_600,
            }
        ),
    )
    (tmp_path / "subject").write_text("a.pods.token")
    file = tmp_path / "federation.json"
    file.write_text(
        json.dumps(
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": f"http://{server.address}/token",
                "credential_source": {"file": str(tmp_path / "subject")},
            }
        )
    )
    bare.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert headers(started(authoriser())) == b"authorization: Bearer federated\r\n"
    ((_, _, _, body),) = server.asked  # and nobody else was asked anything
    assert parse_qs(body.decode())["scope"] == list(SCOPES)


def test_a_token_is_renewed_before_it_expires(monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: Path):
    server.answer = tokens(seconds=2)
    monkeypatch.setattr("twintrack.providers.auth.google._EARLY_S", 1.9)
    monkeypatch.setattr("twintrack.providers.auth.renewal._FIRST_RETRY_S", 0.01)
    found = authoriser(service_account(tmp_path, server.address))
    found.start()
    assert found.wait(10)
    first = headers(found)
    deadline = time.monotonic() + 10
    while headers(found) == first:  # never without one in between
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found.close()


def test_an_expired_token_is_not_sent(monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: Path):
    server.answer = tokens(seconds=1)
    found = started(authoriser(service_account(tmp_path, server.address)))
    now = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: now)
    found._tokens._clock = time.time  # it took the real one when it was made
    with pytest.raises(Unavailable, match="The Google credentials have expired"):
        headers(found)


def test_a_refusal_of_the_token_server_is_told(server: Server, tmp_path: Path):
    server.answer = lambda: (400, '{"error":"invalid_grant","error_description":"Invalid JWT Signature."}')
    found = started(authoriser(service_account(tmp_path, server.address)))
    assert "Invalid JWT Signature" in found.trouble
    with pytest.raises(Unavailable, match="Invalid JWT Signature") as raised:
        headers(found)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in raised.value.fix
    assert "PRIVATE KEY" not in str(raised.value)


def test_a_token_server_out_of_reach_is_told(monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: Path):
    file = service_account(tmp_path, server.address)
    server.close()
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    assert "cannot be reached" in started(authoriser(file)).trouble
    assert "by HTTP" in started(authoriser(service_account(tmp_path, "", token_uri="ftp://x/"))).trouble


@pytest.mark.parametrize(
    "text", ["", "{", '{"type":"service_account"}', '{"type":"other"}', '{"type":"service_account","private_key":"x"}']
)
def test_a_file_that_holds_no_credentials_is_told(tmp_path: Path, text: str):
    file = tmp_path / "broken.json"
    file.write_text(text)
    found = started(authoriser(str(file)))
    assert found.trouble
    with pytest.raises(Unavailable):
        headers(found)


def test_without_credentials_the_error_says_what_to_do():
    found = started(authoriser())
    with pytest.raises(Unavailable, match="There are no Google credentials") as raised:
        headers(found)
    assert raised.value.status == 503
    assert "gcloud auth application-default login" in str(raised.value)


def test_a_token_that_fits_in_no_header_is_refused(server: Server, tmp_path: Path):
    server.answer = lambda: (200, json.dumps({"access_token": "a\r\nx: y", "expires_in": 3_600}))
    assert "fits in no header" in started(authoriser(service_account(tmp_path, server.address))).trouble


def test_without_google_auth_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "google.auth", None)
    with pytest.raises(MissingExtra, match=r"twintrack\[vertex\]"):
        authoriser()


def test_credentials_that_say_no_end_are_renewed_soon():
    from twintrack.providers.auth.google import _fetched

    class Endless:
        token = "t"
        expiry = None

    class Ending(Endless):
        expiry = datetime.fromtimestamp(1_000, UTC).replace(tzinfo=None) + timedelta(hours=1)

    assert _fetched(Endless, 1_000.0).expires_at == 1_600.0
    assert (_fetched(Ending, 1_000.0).renew_at, _fetched(Ending, 1_000.0).expires_at) == (4_300.0, 4_600.0)
