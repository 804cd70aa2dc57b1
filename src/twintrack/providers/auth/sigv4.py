"""AWS Signature Version 4, for Amazon Bedrock's endpoints that speak OpenAI's and Anthropic's own dialects.

Credentials come from botocore's chain: environment, profile, web identity, container, instance. The signature is made
here: botocore's own takes 40 to 80 µs of a request and this one 5 (python tests/providers/test_auth_sigv4.py), where
the whole way through the gateway takes 22. The tests hold it against that of botocore 1.44.

Their streams are server-sent events, also for Claude (docs.aws.amazon.com/bedrock/latest/userguide/
inference-messages-api.html, inference-responses-api.html, read on 2026-11-20), so nothing here reads AWS's own framing.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import math
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from twintrack.errors import ConfigError, MissingExtra, Unavailable
from twintrack.providers.auth import Authoriser
from twintrack.providers.auth.renewal import Fetched, Renewal

_ALGORITHM = "AWS4-HMAC-SHA256"
_LOOK_EVERY_S = 60.0
"""botocore itself renews credentials that expire, some fifteen minutes before; so it is asked this often."""
_READ_EVERY_S = 300.0
"""Keys that do not expire may be changed in their file."""
_ENDPOINT = re.compile(r"(?:^|\.)bedrock-(mantle|runtime|runtime-fips)\.([a-z]{2}(?:-[a-z]+)+-\d)\.")
_FIX = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine or the pod a role. "
    'Or use a Bedrock API key: key = "env:AWS_BEARER_TOKEN_BEDROCK".'
)


class Scope(NamedTuple):
    """What a signature is good for."""

    service: str
    """By the name that signatures use: bedrock, bedrock-mantle."""
    region: str


class Keys(NamedTuple):
    access_key: str
    secret_key: str
    token: str
    """Of a session; empty: the keys stay."""


def scope_of(host: str) -> Scope | None:
    """From the host of a Bedrock endpoint; None if it is none.

    bedrock-runtime signs as `bedrock`, bedrock-mantle under its own name: so do the SDKs of OpenAI 3.52
    (openai/providers/bedrock.py) and Anthropic 2.x (anthropic/lib/bedrock/_mantle.py), read on 2026-11-20.
    """
    found = _ENDPOINT.search(host)
    if found is None:
        return None
    return Scope("bedrock-mantle" if found[1] == "mantle" else "bedrock", found[2])


def authoriser(host: str, region: str = "", profile: str = "") -> SigV4:
    """For a provider at `host`.

    Args:
        region: where the host does not tell it, as behind a proxy or at a private endpoint of your own name.
        profile: of the AWS configuration files; empty: what the environment says.
    Raises:
        MissingExtra: botocore is not installed.
        ConfigError: the region is not known.
    """
    scope = scope_of(host)
    if region:
        scope = Scope(scope.service if scope is not None else "bedrock", region)
    if scope is None:
        raise ConfigError(
            f"The AWS region of {host} is not known",
            why="requests are signed for one region, and the address does not tell which",
            fix="Say region in the provider's table.",
        )
    return SigV4(scope, Renewal("AWS credentials", _chain(profile), _FIX))


class SigV4:
    """Signs requests by the credentials that `keys` has."""

    __slots__ = ("_clock", "_keys", "_region", "_service", "_signing", "_suffix")

    def __init__(self, scope: Scope, keys: Renewal[Keys], clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970; AWS takes signatures that are at most five minutes off."""
        self._service, self._region = scope
        self._suffix = f"/{scope.region}/{scope.service}/aws4_request"
        self._keys = keys
        self._clock = clock
        self._signing: tuple[str, str, bytes] = ("", "", b"")
        """Day and secret that the signing key was derived for, and the key: it holds for a day."""

    def headers(self, method: bytes, path: bytes, host: bytes, body: bytes) -> bytes:
        keys = self._keys.current()
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock()))
        day = now[:8]
        digest = hashlib.sha256(body).hexdigest()
        names = "host;x-amz-content-sha256;x-amz-date"
        values = f"host:{host.decode('latin-1')}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n"
        lines = f"x-amz-content-sha256: {digest}\r\nx-amz-date: {now}\r\n"
        if keys.token:
            names += ";x-amz-security-token"
            values += f"x-amz-security-token:{keys.token}\n"
            lines += f"x-amz-security-token: {keys.token}\r\n"
        request = f"{method.decode()}\n{_canonical(path)}\n{values}\n{names}\n{digest}"
        scope = day + self._suffix
        text = f"{_ALGORITHM}\n{now}\n{scope}\n{hashlib.sha256(request.encode('latin-1')).hexdigest()}"
        signature = hmac.digest(self._key(day, keys.secret_key), text.encode(), "sha256").hex()
        return (
            f"{lines}authorization: {_ALGORITHM} Credential={keys.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}\r\n"
        ).encode("latin-1")

    def _key(self, day: str, secret: str) -> bytes:
        known_day, known_secret, key = self._signing
        if known_day != day or known_secret != secret:
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._signing = (day, secret, key)
        return key

    def take_over(self, before: Authoriser) -> None:
        if isinstance(before, SigV4):
            self._keys.take_over(before._keys)

    def start(self) -> None:
        self._keys.start()

    def wait(self, timeout_s: float) -> bool:
        return self._keys.wait(timeout_s)

    @property
    def trouble(self) -> str:
        return self._keys.trouble

    def close(self) -> None:
        self._keys.close()


@functools.lru_cache(maxsize=4096)
def _canonical(path: bytes) -> str:
    """Path and query as they are signed: what is encoded already is encoded once more, and the query is in order."""
    where, _, query = path.decode("latin-1").partition("?")
    ordered = "&".join(
        sorted(f"{name}={value}" for name, _, value in (each.partition("=") for each in query.split("&")))
    )
    return f"{quote(where, safe='/~', encoding='latin-1')}\n{ordered if query else ''}"


def _chain(profile: str) -> Callable[[], Fetched[Keys]]:
    """Fetches credentials as the AWS command line would find them.

    Raises:
        MissingExtra: botocore is not installed.
    """
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError:
        raise MissingExtra(
            "botocore is not installed",
            why="it finds the credentials that requests to Amazon Bedrock are signed with",
            fix="Run pip install 'twintrack[bedrock]', or use a Bedrock API key.",
        ) from None
    found: Any = None
    """Credentials that renew themselves when they are asked for."""

    def fetch() -> Fetched[Keys]:
        nonlocal found
        try:
            if found is None:
                found = Session(profile=profile or None).get_credentials()
            if found is None:
                raise Unavailable("AWS has no credentials here")
            frozen = found.get_frozen_credentials()
        except Unavailable:
            raise
        except BotoCoreError as error:
            found = None  # the next try reads files and environment anew
            raise Unavailable("AWS gave no credentials", why=str(error)) from None
        except Exception as error:  # noqa: BLE001 - helper programs and plug-ins of the chain raise what they like
            found = None
            raise Unavailable("AWS gave no credentials", why=type(error).__name__) from None
        keys = Keys(frozen.access_key, frozen.secret_key, frozen.token or "")
        if not all(each.isascii() and each.isprintable() for each in keys):
            raise Unavailable("The AWS credentials are no plain ASCII")
        expiry = getattr(found, "_expiry_time", None)  # botocore tells it nowhere else
        if isinstance(expiry, datetime):
            return Fetched(keys, time.time() + _LOOK_EVERY_S, expiry.timestamp())
        found = None
        return Fetched(keys, time.time() + _READ_EVERY_S, math.inf)

    return fetch
