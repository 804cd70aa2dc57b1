from __future__ import annotations

import pytest

from twintrack.signals.sensitivity.detector import Detector


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector()
