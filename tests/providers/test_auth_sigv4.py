"""Requests to Amazon Bedrock: our signature against botocore's, and credentials of every kind of the chain.

Run as a program, it measures both: python tests/providers/test_auth_sigv4.py
"""

from __future__ import annotations

import http.client
import json
import os
import timeit
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from support.web import Server
from twintrack.errors import ConfigError, MissingExtra, Unavailable
from twintrack.providers.auth import Authoriser
from twintrack.providers.auth.renewal import Fetched, Renewal
from twintrack.providers.auth.sigv4 import Keys, Scope, SigV4, authoriser, scope_of

HOST = "bedrock-runtime.eu-west-1.amazonaws.com"
NOW = 1_795_169_730.0
AT = "20261120T101530Z"


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No credentials of this machine, and no look at its metadata address."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return monkeypatch


def ready(keys: Keys) -> Renewal[Keys]:
    renewal = Renewal("AWS credentials", lambda: Fetched(keys, NOW + 60, NOW + 900), "", clock=lambda: NOW)
    renewal.start()
    assert renewal.wait(5)
    renewal.close()
    return renewal


def signer(keys: Keys, scope: Scope | None = None) -> SigV4:
    return SigV4(scope or Scope("bedrock", "eu-west-1"), ready(keys), clock=lambda: NOW)


def parsed(lines: bytes) -> dict[str, str]:
    assert lines.endswith(b"\r\n")
    return dict(line.split(": ", 1) for line in lines.decode().splitlines())


def botocores(
    monkeypatch: pytest.MonkeyPatch, keys: Keys, scope: Scope, url: str, host: str, body: bytes, digest: str, at: str
) -> str:
    """The authorization header that botocore would send at that time."""
    time = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: time)
    request = AWSRequest("POST", url, headers={"host": host, "X-Amz-Content-SHA256": digest}, data=body)
    SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token or None), *scope).add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("token", ["", "IQoJb3JpZ2luX2Vj//+=="])
@pytest.mark.parametrize(
    "path",
    [
        "/openai/v1/chat/completions",
        "/anthropic/v1/messages?beta=true",
        "/model/anthropic.claude-sonnet-5%3A0/invoke?b=2&a=1&a=0&c",
        "/",
    ],
)
def test_a_received_request_bears_botocores_signature(
    server: Server, monkeypatch: pytest.MonkeyPatch, path: str, token: str
):
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    scope = Scope("bedrock-mantle", "us-gov-west-1")
    body = json.dumps({"model": "m", "text": "ünï" * 100}).encode()
    lines = signer(keys, scope).headers(b"POST", path.encode(), server.address.encode(), body)
    connection = http.client.HTTPConnection(server.address)
    connection.request("POST", path, body, {"content-type": "application/json", **parsed(lines)})
    assert connection.getresponse().status == 200
    connection.close()
    ((_, received_path, received, received_body),) = server.asked
    assert (received_path, received_body, received["x-amz-date"]) == (path, body, AT)
    assert received.get("x-amz-security-token", "") == token
    assert received["authorization"] == botocores(
        monkeypatch,
        keys,
        scope,
        f"http://{received['host']}{received_path}",
        received["host"],
        received_body,
        received["x-amz-content-sha256"],
        received["x-amz-date"],
    )


KEYS = Keys("AKID", "secret", "")
SIGNER: list[SigV4] = []
SEGMENTS = st.text(st.sampled_from("abz09-_.~:@%!$&'()*+,;= "), min_size=1, max_size=6).filter(
    lambda s: s not in (".", "..")
)


@given(st.lists(SEGMENTS, min_size=1, max_size=3), st.binary(max_size=50))
def test_any_path_and_body(segments: list[str], body: bytes):
    from urllib.parse import quote

    if not SIGNER:
        SIGNER.append(signer(KEYS))
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    found = parsed(SIGNER[0].headers(b"POST", path.encode(), HOST.encode(), body))
    with pytest.MonkeyPatch.context() as monkeypatch:
        expected = botocores(
            monkeypatch, KEYS, Scope("bedrock", "eu-west-1"), f"https://{HOST}{path}", HOST, body,
            found["x-amz-content-sha256"], found["x-amz-date"],
        )  # fmt: skip
    assert found["authorization"] == expected


def test_the_signing_key_follows_day_and_secret():
    times = [NOW, NOW + 86_400, NOW + 86_400]
    keys = [KEYS, KEYS, Keys("AKID", "other", "")]

    class Changing:
        def current(self) -> Keys:
            return keys.pop(0)

    one = SigV4(Scope("bedrock", "eu-west-1"), Changing(), clock=lambda: times.pop(0))  # type: ignore[arg-type]
    signatures = [parsed(one.headers(b"POST", b"/", b"h", b""))["authorization"][-64:] for _ in range(3)]
    assert len(set(signatures)) == 3


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("bedrock-runtime.us-east-1.amazonaws.com", Scope("bedrock", "us-east-1")),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Scope("bedrock", "us-gov-west-1")),
        ("bedrock-mantle.eu-central-1.api.aws", Scope("bedrock-mantle", "eu-central-1")),
        ("vpce-0a1b.bedrock-runtime.us-east-1.vpce.amazonaws.com", Scope("bedrock", "us-east-1")),
        ("xbedrock-runtime.us-east-1.amazonaws.com", None),
        ("bedrock.example.org", None),
    ],
)
def test_what_a_host_is_signed_for(host: str, scope: Scope | None):
    assert scope_of(host) == scope


def test_a_region_must_be_known():
    with pytest.raises(ConfigError, match="Say region"):
        authoriser("bedrock.example.org")
    authoriser("bedrock.example.org", region="eu-west-1")


def test_without_botocore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "botocore.exceptions", None)
    with pytest.raises(MissingExtra, match=r"twintrack\[bedrock\]"):
        authoriser(HOST)


# ---- credentials


def started(found: Authoriser) -> Authoriser:
    found.start()
    found.wait(10)
    found.close()
    return found


def credential(found: Authoriser) -> tuple[str, str]:
    headers = parsed(found.headers(b"POST", b"/", HOST.encode(), b""))
    return headers["authorization"].split("Credential=")[1].split("/")[0], headers.get("x-amz-security-token", "")


def test_from_the_environment(bare: pytest.MonkeyPatch):
    bare.setenv("AWS_ACCESS_KEY_ID", "AKENV")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "s")
    bare.setenv("AWS_SESSION_TOKEN", "t")
    assert credential(started(authoriser(HOST))) == ("AKENV", "t")


def test_from_a_profile(tmp_path: Path):
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id=AKD\naws_secret_access_key=s\n[p]\naws_access_key_id=AKP\naws_secret_access_key=s\n"
    )
    assert credential(started(authoriser(HOST))) == ("AKD", "")
    assert credential(started(authoriser(HOST, profile="p"))) == ("AKP", "")
    missing = started(authoriser(HOST, profile="q"))
    with pytest.raises(Unavailable, match=r"profile \(q\) could not be found"):
        missing.headers(b"POST", b"/", b"h", b"")


def lent(key: str, seconds: float) -> str:
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return json.dumps(
        {"AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    )


def test_from_a_container(bare: pytest.MonkeyPatch, server: Server):
    server.answer = lambda: (200, lent("AKPOD", 3_600))
    bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://{server.address}/creds")
    assert credential(started(authoriser(HOST))) == ("AKPOD", "t")


def test_from_a_web_identity(bare: pytest.MonkeyPatch, server: Server, tmp_path: Path):
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    server.answer = lambda: (
        200,
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
        "<AccessKeyId>AKWEB</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        f"<Expiration>{until}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>",
    )
    (tmp_path / "token").write_text("a.web.token")
    bare.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    bare.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/gateway")
    bare.setenv("AWS_ENDPOINT_URL_STS", f"http://{server.address}")
    bare.setenv("AWS_REGION", "eu-west-1")
    assert credential(started(authoriser(HOST))) == ("AKWEB", "t")


def test_expiring_credentials_are_fetched_anew(
    bare: pytest.MonkeyPatch, server: Server, monkeypatch: pytest.MonkeyPatch
):
    numbers = iter(range(100))
    server.answer = lambda: (200, lent(f"AK{next(numbers)}", 30))  # so near their end that botocore renews each time
    bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://{server.address}/creds")
    monkeypatch.setattr("twintrack.providers.auth.sigv4._LOOK_EVERY_S", 0.0)
    monkeypatch.setattr("twintrack.providers.auth.renewal._FIRST_RETRY_S", 0.01)
    found = authoriser(HOST)
    found.start()
    assert found.wait(10)
    first = credential(found)
    deadline = timeit.default_timer() + 10
    while credential(found) == first:
        assert timeit.default_timer() < deadline
    found.close()


def test_without_credentials_the_error_says_what_to_do():
    found = started(authoriser(HOST))
    assert "no credentials" in found.trouble
    with pytest.raises(Unavailable) as raised:
        found.headers(b"POST", b"/", HOST.encode(), b"")
    assert raised.value.status == 503
    assert "AWS has no credentials here" in str(raised.value)
    assert "AWS_BEARER_TOKEN_BEDROCK" in str(raised.value)


def test_before_the_start_the_error_says_so():
    with pytest.raises(Unavailable, match="nobody has fetched them"):
        authoriser(HOST).headers(b"POST", b"/", b"h", b"")


def test_credentials_that_fit_in_no_header_are_refused(bare: pytest.MonkeyPatch):
    bare.setenv("AWS_ACCESS_KEY_ID", "AK")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "s")
    bare.setenv("AWS_SESSION_TOKEN", "t\r\nx: y")
    found = started(authoriser(HOST))
    with pytest.raises(Unavailable, match="plain ASCII"):
        found.headers(b"POST", b"/", b"h", b"")


def _measure() -> None:
    body = b"x" * 1_000
    ours = signer(Keys("AKID", "secret", "token" * 100))
    theirs = SigV4Auth(Credentials("AKID", "secret", "token" * 100), "bedrock", "eu-west-1")

    def botocore_signs() -> None:
        request = AWSRequest("POST", f"https://{HOST}/anthropic/v1/messages", headers={"host": HOST}, data=body)
        theirs.add_auth(request)

    for name, sign in [
        ("ours", lambda: ours.headers(b"POST", b"/anthropic/v1/messages", HOST.encode(), body)),
        ("botocore", botocore_signs),
    ]:
        seconds = min(timeit.repeat(sign, number=2_000, repeat=5)) / 2_000
        print(f"{name}: {seconds * 1e6:.1f} µs")


if __name__ == "__main__":
    _measure()
