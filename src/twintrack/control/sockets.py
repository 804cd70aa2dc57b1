"""The sockets that clients connect to: opened before workers are forked, one for each."""

from __future__ import annotations

import errno
import socket

from twintrack.config.snapshot import Snapshot
from twintrack.errors import EnvironmentProblem

_BACKLOG = 4096
_REMEDIES = {
    errno.EADDRINUSE: "Stop that program, or choose another address with --listen.",
    errno.EACCES: "Use a port above 1023, or give the unit AmbientCapabilities=CAP_NET_BIND_SERVICE.",
    errno.EADDRNOTAVAIL: "Set server.listen to an address of this machine: ip address lists them.",
}


def remedy(error: OSError) -> str:
    """What to do where an address cannot be listened on."""
    return _REMEDIES.get(error.errno or 0, "Set another server.listen.")


def listening(snapshot: Snapshot) -> list[socket.socket]:
    """One socket a worker; the kernel spreads connections, and a dead worker's queue waits for the next.

    Raises:
        EnvironmentProblem: the address is taken, or cannot be listened on.
    """
    workers = snapshot.workers
    if workers > 1:
        _bound(snapshot, shared=False).close()  # a shared port would also be shared with another gateway
    sockets = []
    for _ in range(workers):
        sock = _bound(snapshot, shared=workers > 1)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        sockets.append(sock)
    return sockets


def _bound(snapshot: Snapshot, *, shared: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in snapshot.listen_host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((snapshot.listen_host, snapshot.listen_port))
    except OSError as error:
        sock.close()
        raise EnvironmentProblem(
            f"{snapshot.listen_host}:{snapshot.listen_port} cannot be listened on",
            why="another program has it" if error.errno == errno.EADDRINUSE else error.strerror or str(error),
            fix=remedy(error),
        ) from None
    return sock
