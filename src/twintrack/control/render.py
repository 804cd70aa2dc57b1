"""Templates, compiled when the first page is shown: Jinja takes longer to import than everything else here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response

from twintrack import __version__
from twintrack.config.snapshot import Snapshot
from twintrack.control import words
from twintrack.ledger.moment import moment

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        usd=words.usd,
        count=words.count,
        moment=moment,
        iso=words.iso,
        share=words.share,
        segment=lambda text: quote(text, safe=""),
    )
    return environment


def render(template: str, snapshot: Snapshot, *, status: int = 200, **context: Any) -> Response:
    """A page. Text from outside reaches it through autoescaped values only."""
    page = (
        _environment()
        .get_template(template)
        .render(snapshot=snapshot, version=__version__, **{"asked_id": "", **context})
    )
    return Response(page, status, media_type="text/html")
