"""The port: is it free, or held by the gateway that should hold it? And the certificate that is shown there."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twintrack.cli.doctor.finding import Finding, note, ok, problem, span
from twintrack.cli.doctor.reading import Case
from twintrack.config.effective import is_loopback, listen_address
from twintrack.control.sockets import remedy
from twintrack.ledger.folder import holder

_PORT, _TLS = "port", "tls"
_ASK_S = 2.0
_LISTENS = "0A"
"""The kernel's number of that state of a socket."""
_SETTLED_S = 3.0
"""What a gateway that starts or stops gets to do so, before it is called a fault."""
_LOOK_S = 0.1
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # what it may listen on, not what we would
_SOON_S = 30 * 86_400.0
_NOW_S = 7 * 86_400.0
_RENEW = "Renew it, and start the gateway anew: it reads the certificate when it starts."


def port(case: Case) -> Iterator[Finding]:
    where = listen_address(case.settings.server.listen)
    if where is None:
        return  # the configuration's own findings say so
    late = time.monotonic() + _SETTLED_S
    while True:
        found = list(_port(case, *where))
        # A gateway that starts or stops this moment holds its folder, but not its port, or is not ready yet.
        passing = any(each.state != "ok" for each in found) and holder(case.folder) is not None
        if not passing or time.monotonic() >= late:
            yield from found
            return
        time.sleep(_LOOK_S)


def _port(case: Case, host: str, number: int) -> Iterator[Finding]:
    spoken = f"{host}:{number}"
    try:
        _try_to_bind(host, number)
    except OSError as error:
        yield _held(case, host, number) if error.errno == errno.EADDRINUSE else impossible(error, spoken)
        return
    yield ok(_PORT, f"{spoken} is free")
    pid = holder(case.folder)
    if pid is not None:
        what = f"a gateway (process {pid}) uses this data folder but does not listen on {spoken}"
        yield note(_PORT, what, "It was started with --listen, or before the file was changed: restart it.")


def _try_to_bind(host: str, number: int) -> None:
    """Not to listen: a gateway that starts this moment would be refused the port, and its clients come to us."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, number))


def impossible(error: OSError, spoken: str) -> Finding:
    why = {
        errno.EACCES: "may not be listened on by this user",
        errno.EADDRNOTAVAIL: "is no address of this machine",
    }.get(error.errno or 0, f"cannot be listened on: {error.strerror or error}")
    return problem(_PORT, f"{spoken} {why}", remedy(error))


def _held(case: Case, host: str, number: int) -> Finding:
    pid = holder(case.folder)
    spoken = f"{host}:{number}"
    at = "127.0.0.1" if host in _EVERYWHERE else host
    answer = _asked(at, number, tls=case.settings.server.tls is not None)
    if pid is None or answer is None:
        ours = f", and the gateway that uses this data folder (process {pid}) does not answer there"
        what = f"{spoken} is taken by another program" if pid is None else f"{spoken} is taken{ours}"
        return problem(_PORT, what, f"ss -ltnp 'sport = :{number}' shows by which; or set another server.listen.")
    if not _listens(pid, number):
        what = f"{spoken} is served by another gateway than the one that uses this data folder (process {pid})"
        return problem(_PORT, what, f"ss -ltnp 'sport = :{number}' shows by which; or set another server.listen.")
    status, body = answer
    served = f"{spoken} is served by our own gateway (process {pid})"
    if status == 200:
        return ok(_PORT, f"{served}, which is ready")
    return problem(_PORT, f"{served}: {body}", "See what it says on stderr.")


def _listens(pid: int, number: int) -> bool:
    """Whether the process holds a socket that listens on the port; True where we may not look."""
    try:
        held = {os.readlink(each.path) for each in os.scandir(f"/proc/{pid}/fd")}
        lines = [line.split() for kind in ("tcp", "tcp6") for line in _table(kind)]
    except OSError:
        return True
    return any(f"socket:[{line[9]}]" in held for line in lines if int(line[1].rpartition(":")[2], 16) == number)


def _table(kind: str) -> list[str]:
    """Sockets that listen, as Linux tells them."""
    try:
        lines = Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    except FileNotFoundError:  # a machine without IPv6
        return []
    return [line for line in lines if line.split()[3] == _LISTENS]


def _asked(host: str, number: int, *, tls: bool) -> tuple[int, str] | None:
    """What /readyz there says, if a gateway of ours answers."""
    connection: http.client.HTTPConnection
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # it is this machine, and nothing is said that matters
        connection = http.client.HTTPSConnection(host, number, timeout=_ASK_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, number, timeout=_ASK_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(1_000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return (answer.status, body) if answer.headers.get("x-twintrack") == "gateway" else None


# ---- TLS


def certificates(case: Case) -> Iterator[Finding]:
    server = case.settings.server
    if server.ca:
        yield _authorities(case.source.absolute(server.ca))
    if server.tls is None:
        where = listen_address(server.listen)
        if where is not None and not is_loopback(where[0]):
            fix = "Set [server.tls], or put a proxy that has a certificate in front."
            yield note(_TLS, f"{server.listen} speaks plain HTTP, and keys of clients pass over the network", fix)
        return
    cert, key = case.source.absolute(server.tls.cert), case.source.absolute(server.tls.key)
    for path in (cert, key):
        if not os.access(path, os.R_OK):
            yield problem(_TLS, f"{path} cannot be read", "Name the right file, and let the user who serves read it.")
            return
    mode = os.stat(key).st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        yield problem(_TLS, f"every user of this machine can read the private key {key}", f"chmod 600 {key}")
    elif mode & (stat.S_IRGRP | stat.S_IWGRP):
        yield note(_TLS, f"its group can read the private key {key}", f"chmod 600 {key}, unless that is meant")
    try:
        shown = presented(cert, key)
    except ssl.SSLError as error:
        yield _unusable(error, cert, key)
        return
    yield expiry(ssl.cert_time_to_seconds(str(shown["notAfter"])), time.time(), cert)
    names = [value for kind, value in shown.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    if names:
        yield ok(_TLS, f"{Path(cert).name} is good for {', '.join(names[:8])}{' …' if len(names) > 8 else ''}")
    else:
        yield problem(_TLS, f"{cert} names no host: clients refuse it", "Have one made with a subjectAltName.")


def presented(cert: str, key: str) -> Mapping[str, Any]:
    """The certificate as a client sees it, by a handshake with ourselves in memory.

    Raises:
        ssl.SSLError: it is none, does not fit its key, or is not valid now.
    """
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(cert, key)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname = False
    theirs.load_verify_locations(cert)
    theirs.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # who signed it is not the question here
    to_them, to_us = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = ours.wrap_bio(to_us, to_them, server_side=True)
    client = theirs.wrap_bio(to_them, to_us)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert() or {}


def _unusable(error: ssl.SSLError, cert: str, key: str) -> Finding:
    if isinstance(error, ssl.SSLCertVerificationError):
        return problem(_TLS, f"{cert}: {error.verify_message}", f"{_RENEW} If it is new, look at the clock.")
    if error.reason == "KEY_VALUES_MISMATCH":
        return problem(_TLS, f"{key} is not the key of {cert}", "Name the key that the certificate was made for.")
    why = error.reason or str(error)
    return problem(_TLS, f"{cert} and {key} cannot be loaded: {why}", "Both must be PEM, and not encrypted.")


def expiry(until: float, now: float, cert: str) -> Finding:
    """
    Args:
        until, now: seconds since 1970.
    """
    left_s = until - now
    what = f"{cert} is valid for {span(left_s)} more"
    if left_s < 0:
        return problem(_TLS, f"{cert} ended {span(left_s)} ago", _RENEW)
    if left_s < _NOW_S:
        return problem(_TLS, what, _RENEW)
    return note(_TLS, what, _RENEW) if left_s < _SOON_S else ok(_TLS, what)


def _authorities(ca: str) -> Finding:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "reason", None) or error.strerror or error
        return problem(_TLS, f"the authorities in {ca} cannot be read: {why}", "server.ca names a PEM file.")
    return ok(_TLS, f"{ca} adds {len(context.get_ca_certs())} authorities for providers")
