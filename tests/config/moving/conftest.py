"""Other gateways' files as their users write them, and what becomes of them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from twintrack.catalog import prices
from twintrack.config.load import parse
from twintrack.config.locate import Path as Where
from twintrack.config.moving.move import move
from twintrack.config.moving.moved import Moved, World
from twintrack.config.settings import Settings
from twintrack.config.source import spell

DATA = Path(__file__).parent / "data"
PRICES = prices.load(None, on=datetime.date(2026, 11, 20))


def guess(name: str) -> tuple[float, str]:
    return 0.8, "a guess"


def moved(text: str | bytes, name: str = "litellm.yaml", **environ: str) -> Moved:
    data = text if isinstance(text, bytes) else dedent(text).encode()
    return move(data, name, World(environ, guess, 2, PRICES))


def settings(result: Moved) -> Settings:
    """What was made of it, through the checks every configuration goes through."""
    return parse(result.text, "twintrack.toml", environ=None)[0]


def said(result: Moved) -> dict[str, tuple[int, str, str]]:
    """Line, kind and reason of what is listed, by path."""
    return {spell(each.path): (each.line, each.kind, each.why) for each in result.remarks}


def leaves(value: Any, path: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Every value of a document that holds no others, as a reader other than ours would find it."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from leaves(each, (*path, str(name)))
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            yield from leaves(each, (*path, number))
    else:
        yield path, value


Move = Callable[..., Moved]


@pytest.fixture
def sample() -> Callable[[str], bytes]:
    return lambda name: (DATA / name).read_bytes()
