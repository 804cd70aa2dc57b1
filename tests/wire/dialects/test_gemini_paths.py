"""Where models are asked: ai.google.dev/api/generate-content and Vertex AI's REST reference, read on 2026-11-20."""

from __future__ import annotations

import pytest

from twintrack.wire.dialects.gemini import path, vertex_path


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


@pytest.mark.parametrize(
    ("model", "written"),
    [
        ("gemini-3.8-flash", "/publishers/google/models/gemini-3.8-flash"),
        ("google/gemini-3.8-flash", "/publishers/google/models/gemini-3.8-flash"),
        ("publishers/google/models/gemini-3.8-flash", "/publishers/google/models/gemini-3.8-flash"),
        ("endpoints/123", "/endpoints/123"),
        ("x/y", "/publishers/google/models/x%2Fy"),
    ],
)
def test_models_of_vertex(model: str, written: str):
    assert vertex_path(model, False) == f"{written}:generateContent"
    assert vertex_path(model, True) == f"{written}:streamGenerateContent?alt=sse"
