"""An error as an answer: a page for people, JSON for programs."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from twintrack.config.snapshot import Snapshot
from twintrack.control.render import render
from twintrack.errors import LedgerError, RequestError, TwintrackError

_TITLES = {
    400: "That was not understood",
    404: "Not found",
    405: "This only reads",
    421: "Not under this name",
    503: "Not available now",
}


def problem(path: str, error: TwintrackError, snapshot: Snapshot) -> Response:
    """What to answer a request for `path` that ended in `error`."""
    status = 503 if isinstance(error, LedgerError) else error.status
    if path.startswith("/admin"):
        said = {"code": error.code, "what": error.what, "why": error.why, "fix": error.fix}
        if isinstance(error, RequestError) and error.param:
            said["param"] = error.param
        return Response(msgspec.json.encode({"error": said}), status, media_type="application/json")
    sentences = [_sentence(part) for part in (error.what, error.why, error.fix) if part]
    return render("error.html", snapshot, status=status, title=_TITLES.get(status, "An error"), sentences=sentences)


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
