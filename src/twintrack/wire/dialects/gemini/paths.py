"""Where a model is asked: the model's name stands in the path, and so does whether the answer is streamed."""

from __future__ import annotations

from urllib.parse import quote

_COLLECTIONS = ("models/", "tunedModels/")


def path(model: str, stream: bool) -> str:
    """Below the base address of the Gemini API, or of Vertex AI's publisher, which ends with /publishers/google."""
    for collection in _COLLECTIONS:
        if model.startswith(collection):
            return f"/{collection}{_asked(model.removeprefix(collection), stream)}"
    return f"/models/{_asked(model, stream)}"


def _asked(model: str, stream: bool) -> str:
    name = quote(model, safe="")
    return f"{name}:streamGenerateContent?alt=sse" if stream else f"{name}:generateContent"
