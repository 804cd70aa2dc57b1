"""Providers: does each answer the telephone? A connection and its TLS, all at once, and nothing that costs anything.

With keys, the list of models is asked for too (GET /models, which no provider charges for), to see whether the key is
taken and whether their clock agrees with ours.
"""

from __future__ import annotations

import asyncio
import email.utils
import http.client
import os
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import uvloop

from twintrack.cli.doctor.finding import Finding, note, ok, problem, span
from twintrack.cli.doctor.reading import Case
from twintrack.config import secrets
from twintrack.config.effective import Endpoint, endpoint, ignore
from twintrack.errors import TwintrackError, UpstreamError, UpstreamTimeout
from twintrack.providers.auth import Authoriser, google, sigv4
from twintrack.providers.pool import Dialing, Pool
from twintrack.providers.upstream import Address

_ABOUT = "provider"
_MOST_S = 10.0
_CLOSING_S = 0.02
"""What a connection that was given up takes to be closed: some turns of the event loop."""
_SKEW_S = 60.0
_CREDENTIALS = "docs/providers.md says where this provider's credentials are looked for."


@dataclass(frozen=True)
class Reached:
    """One address, whoever of the providers is there."""

    names: tuple[str, ...]
    at: Endpoint
    error: UpstreamError | None
    took_s: float


def endpoints(case: Case) -> list[Endpoint]:
    """Of providers that are reached over the network; engines are started by the gateway."""
    found = [endpoint(provider, ignore) for provider in case.settings.providers]
    return [each for each in found if each is not None and not each.engine]


def dialing(case: Case) -> Dialing:
    """As the gateway would, as far as the configuration can be read."""
    server = case.settings.server
    tls = ssl.create_default_context()
    if server.ca:
        try:
            tls.load_verify_locations(case.source.absolute(server.ca))
        except (OSError, ssl.SSLError):
            pass  # said with the certificates
    proxy = server.proxy
    if secrets.is_reference(proxy):
        proxy = secrets.resolve(case.source.reference(proxy)) or ""
    direct = tuple(part.strip() for part in os.environ.get("NO_PROXY", "").split(",") if part.strip())
    return Dialing(min(server.deadlines.connect_s, _MOST_S), 1.0, proxy, direct, tls)


def check(case: Case, *, with_keys: bool) -> Iterator[Finding]:
    found = endpoints(case)
    if not found:
        return
    how = dialing(case)
    reached = uvloop.run(_reach_all(found, how))
    asked = uvloop.run(_ask_all([each.at for each in reached if each.error is None], case, how)) if with_keys else []
    for each in reached:
        yield said(each)
    yield from asked
    for at in found:
        if at.auth != "key":
            yield _signing(at, case, with_keys)


async def _reach_all(found: list[Endpoint], how: Dialing) -> list[Reached]:
    by_address: dict[Address, list[Endpoint]] = {}
    for each in found:
        by_address.setdefault(Address(each.address.host, each.address.port, each.address.tls), []).append(each)
    pool = Pool(asyncio.get_running_loop(), how)

    async def reach(address: Address, there: list[Endpoint]) -> Reached:
        began = time.monotonic()
        error: UpstreamError | None = None
        try:
            await pool.reach(address)
        except UpstreamError as cause:
            error = cause
        return Reached(tuple(each.name for each in there), there[0], error, time.monotonic() - began)

    reached = await asyncio.gather(*(reach(address, there) for address, there in by_address.items()))
    pool.close()
    await asyncio.sleep(_CLOSING_S)
    return list(reached)


def said(reached: Reached) -> Finding:
    names, address = " and ".join(reached.names), reached.at.address
    where = f"{address.host}:{address.port}"
    error = reached.error
    if error is None:
        tls = " with TLS" if address.tls else ""
        return ok(_ABOUT, f"{names}: {where} is reached{tls} in {reached.took_s * 1000:.0f} ms")
    why = "nobody listens there" if isinstance(error.__cause__, ConnectionRefusedError) else error.why or error.what
    return problem(_ABOUT, f"{names}: {where} is not reached: {why}", remedy(error, reached.at))


def remedy(error: UpstreamError, at: Endpoint) -> str:
    """What to do about a connection that did not come about."""
    cause = error.__cause__
    if isinstance(error, UpstreamTimeout):
        return "A firewall may be in between: let this machine out, or set server.proxy."
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "If the certificate is your own, name its authority in server.ca; else look at the clock."
    if isinstance(cause, ssl.SSLError):
        return "Does it speak TLS there? If not, its url begins with http://."
    if isinstance(cause, ConnectionRefusedError):
        started = f"Start the {at.api} server" if not at.managed else "Try again later"
        return f"{started}, or correct url of {at.name}."
    if isinstance(cause, ConnectionError):
        return "Something there closes connections: is it the right port, and does it speak TLS?"
    if isinstance(cause, OSError):
        return f"Look at the name in url of {at.name}, at DNS and at the network."
    return "Look at server.proxy." if "proxy" in str(error) else f"Look at url of {at.name}."


# ---- with keys


def _signing(at: Endpoint, case: Case, with_keys: bool) -> Finding:
    """Whether requests to a provider can be signed; with keys, whether there are credentials."""
    try:
        if at.auth == "aws-sigv4":
            signer: Authoriser = sigv4.authoriser(at.address.host, at.region)
        else:
            signer = google.authoriser(case.source.reference(at.key).removeprefix("file:"))
    except TwintrackError as error:
        return problem(_ABOUT, f"{at.name}: {error.what}{f': {error.why}' if error.why else ''}", error.fix)
    if not with_keys:
        return ok(_ABOUT, f"{at.name}: requests are signed ({at.auth}); --with-keys fetches the credentials")
    signer.start()
    there = signer.wait(_MOST_S)
    signer.close()
    if there:
        return ok(_ABOUT, f"{at.name}: there are credentials to sign with")
    return problem(_ABOUT, f"{at.name}: {signer.trouble or f'no credentials came in {_MOST_S:.0f} s'}", _CREDENTIALS)


async def _ask_all(found: list[Endpoint], case: Case, how: Dialing) -> list[Finding]:
    keyed = [each for each in found if each.auth == "key" and each.key and set(each.dialects) & {"openai", "anthropic"}]
    answers = [asyncio.to_thread(_ask, each, case.source.reference(each.key), how) for each in keyed]
    return [each for each in await asyncio.gather(*answers) if each is not None]


def _ask(at: Endpoint, reference: str, how: Dialing) -> Finding | None:
    key = secrets.resolve(reference)
    if key is None:
        return None  # said with the keys
    dialect = "openai" if "openai" in at.dialects else "anthropic"
    header = at.key_headers.get(dialect, "authorization")  # type: ignore[call-overload]
    headers = {header: f"Bearer {key}" if header == "authorization" else key, "accept": "application/json"}
    if dialect == "anthropic":
        headers["anthropic-version"] = "2023-06-01"
    path = f"{at.base_paths.get(dialect, at.address.base_path)}/models"  # type: ignore[call-overload]
    connection = _connection(at, how)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return judged(at.name, answer.status, answer.headers.get("date", ""), time.time())
    except (OSError, http.client.HTTPException) as error:
        what = f"{at.name}: asked for its models it did not answer: {type(error).__name__}"
        return note(_ABOUT, what, "Its key could not be tried; run this once more.")
    finally:
        connection.close()


def _connection(at: Endpoint, how: Dialing) -> http.client.HTTPConnection:
    host, port = at.address.host, at.address.port
    if not at.address.tls:
        return http.client.HTTPConnection(host, port, timeout=_MOST_S)
    if not how.through_proxy(host):
        return http.client.HTTPSConnection(host, port, timeout=_MOST_S, context=how.tls)
    proxy = urlsplit(how.proxy)
    connection = http.client.HTTPSConnection(proxy.hostname or "", proxy.port or 80, timeout=_MOST_S, context=how.tls)
    headers = {}
    if proxy.username:
        import base64

        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["proxy-authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    connection.set_tunnel(host, port, headers)
    return connection


def judged(name: str, status: int, date: str, now: float) -> Finding:
    """What an answer to GET /models says of the key, and of the clock.

    Args:
        date: of the answer's header; empty: it has none.
        now: seconds since 1970.
    """
    if status in (401, 403):
        what = f"{name}: refuses the key ({status})"
        return problem(_ABOUT, what, "Make a new one there, and put it where the configuration says.")
    if status >= 400:
        return note(_ABOUT, f"{name}: says {status} to GET /models, so its key could not be tried")
    off_s = _off(date, now)
    if abs(off_s) > _SKEW_S:
        what = f"{name}: takes the key, but its clock is {span(off_s)} {'ahead of' if off_s > 0 else 'behind'} ours"
        return problem(_ABOUT, what, "Let the system set its clock: timedatectl set-ntp true.")
    return ok(_ABOUT, f"{name}: takes the key, and its clock agrees with ours")


def _off(date: str, now: float) -> float:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - now if date else 0.0
    except ValueError:
        return 0.0
