"""Fixtures that several rooms take over in their `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.provider import Provider


def _provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


# One of each for a module: what they received is counted from a gateway's start to its end.
mine = pytest.fixture(scope="module", name="mine")(_provider)
"""A provider on our own machine."""
other = pytest.fixture(scope="module", name="other")(_provider)
"""Another one."""
outside = pytest.fixture(scope="module", name="outside")(_provider)
"""A third party's."""
claude = pytest.fixture(scope="module", name="claude")(_provider)
"""One that speaks the Anthropic dialect."""
