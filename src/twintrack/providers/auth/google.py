"""Google's OAuth tokens, for Vertex AI: of a service account's file, or of whatever the environment offers (the
application default credentials: a variable, gcloud's login, workload identity, the instance's own account).

google-auth makes the tokens; it is asked by a thread beside the event loop, in time before a token expires.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from twintrack.errors import MissingExtra, Unavailable
from twintrack.providers.auth import Authoriser
from twintrack.providers.auth.renewal import Fetched, Renewal

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_EARLY_S = 300.0
"""How long before its end a token is renewed; of one that lives shorter, at half its life."""
_UNSAID_LIFE_S = 600.0
_TIMEOUT_S = 30.0
_FIX = (
    "Name a service account's file, set GOOGLE_APPLICATION_CREDENTIALS, run gcloud auth "
    "application-default login, or give the machine or the pod a service account."
)


class Token(NamedTuple):
    lines: bytes
    """The headers it travels in."""


def authoriser(file: str = "") -> Google:
    """
    Args:
        file: JSON of a service account; empty: the application default credentials.
    Raises:
        MissingExtra: google-auth is not installed.
    """
    return Google(Renewal("Google credentials", _source(file), _FIX))


class Google:
    """Adds the token that `tokens` has."""

    __slots__ = ("_tokens",)

    def __init__(self, tokens: Renewal[Token]) -> None:
        self._tokens = tokens

    def headers(self, method: bytes, path: bytes, host: bytes, body: bytes) -> bytes:
        return self._tokens.current().lines

    def take_over(self, before: Authoriser) -> None:
        if isinstance(before, Google):
            self._tokens.take_over(before._tokens)

    def start(self) -> None:
        self._tokens.start()

    def wait(self, timeout_s: float) -> bool:
        return self._tokens.wait(timeout_s)

    @property
    def trouble(self) -> str:
        return self._tokens.trouble

    def close(self) -> None:
        self._tokens.close()


def _source(file: str) -> Callable[[], Fetched[Token]]:
    """
    Raises:
        MissingExtra: google-auth is not installed.
    """
    try:
        auth, errors, account = _modules()
    except ImportError:
        raise MissingExtra(
            "google-auth is not installed",
            why="it makes the tokens that Vertex AI is asked with",
            fix="Run pip install 'twintrack[vertex]'.",
        ) from None
    found: Any = None

    def fetch() -> Fetched[Token]:
        nonlocal found
        try:
            if found is None:
                if file:
                    found = account.from_service_account_file(file, scopes=SCOPES)
                else:
                    # Without scopes at first: with them a federated identity is asked for its project's name.
                    found, _ = auth.default(request=_request)
                    found = auth.credentials.with_scopes_if_required(found, SCOPES)
            found.refresh(_request)
        except errors.DefaultCredentialsError as error:
            found = None
            raise Unavailable("Google has no credentials here", why=str(error)) from None
        except errors.GoogleAuthError as error:
            found = None  # the next try reads file and environment anew
            raise Unavailable("Google gave no token", why=_reason(error)) from None
        except Exception as error:  # noqa: BLE001 - keys that cannot be read raise what their library likes
            found = None
            raise Unavailable("Google's credentials cannot be used", why=type(error).__name__) from None
        return _fetched(found, time.time())

    return fetch


def _modules() -> tuple[Any, Any, Any]:
    """Of google-auth, which is imported only where Vertex AI is used, and whose half has no types."""
    import google.auth
    import google.auth.credentials
    import google.auth.exceptions
    from google.oauth2 import service_account

    return google.auth, google.auth.exceptions, service_account.Credentials


def _fetched(credentials: Any, now: float) -> Fetched[Token]:
    token = credentials.token
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Unavailable("Google gave a token that fits in no header")
    lines = f"authorization: Bearer {token}\r\n"
    project = getattr(credentials, "quota_project_id", None)
    if isinstance(project, str) and project.isascii() and project.isprintable():
        lines += f"x-goog-user-project: {project}\r\n"
    expiry = credentials.expiry
    expires_at = expiry.replace(tzinfo=UTC).timestamp() if isinstance(expiry, datetime) else now + _UNSAID_LIFE_S
    return Fetched(Token(lines.encode()), expires_at - min(_EARLY_S, (expires_at - now) / 2), expires_at)


def _reason(error: Exception) -> str:
    """The first words of what the token server said; the rest may repeat what it was sent."""
    return str(error.args[0] if error.args else error)[:300]


class _Answer:
    """What google-auth wants to know of an answer (google.auth.transport.Response)."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


def _request(
    url: str,
    method: str = "GET",
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: Any,
) -> _Answer:
    """google-auth's way to the network (google.auth.transport.Request): its own ones need a further package.

    Proxies are taken from the environment, as everywhere in Python's library.
    """
    errors = _modules()[1]
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data, dict(headers or {}), method=method)  # noqa: S310 - checked below
    if request.type not in ("http", "https"):
        raise errors.TransportError("a token server is reached by HTTP")
    try:
        with urllib.request.urlopen(request, timeout=timeout or _TIMEOUT_S) as answer:  # noqa: S310
            return _Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return _Answer(error.code, dict(error.headers), error.read())
    except OSError as error:
        raise errors.TransportError(f"{request.host} cannot be reached: {error}") from error
