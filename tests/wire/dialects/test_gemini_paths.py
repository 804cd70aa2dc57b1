"""Where models are asked: ai.google.dev/api/generate-content and Vertex AI's REST reference, read on 2026-11-20."""

from __future__ import annotations

import pytest

from twintrack.wire.dialects.gemini import path


@pytest.mark.parametrize(
    ("model", "written"),
    [
        ("gemini-3.8-flash", "/models/gemini-3.8-flash"),
        ("models/gemini-3.8-flash", "/models/gemini-3.8-flash"),
        ("tunedModels/mine-1", "/tunedModels/mine-1"),
        ("a b/../c?d#e:f%\r\n", "/models/a%20b%2F..%2Fc%3Fd%23e%3Af%25%0D%0A"),
    ],
)
def test_models_of_the_gemini_api(model: str, written: str):
    assert path(model, False) == f"{written}:generateContent"
    assert path(model, True) == f"{written}:streamGenerateContent?alt=sse"
