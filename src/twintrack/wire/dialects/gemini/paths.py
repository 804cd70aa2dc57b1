"""Where a model is asked: the model's name stands in the path, and so does whether the answer is streamed."""

from __future__ import annotations

from urllib.parse import quote

_COLLECTIONS = ("models/", "tunedModels/")


def path(model: str, stream: bool) -> str:
    """Below the Gemini API's base address, as https://generativelanguage.googleapis.com/v1beta."""
    for collection in _COLLECTIONS:
        if model.startswith(collection):
            return f"/{collection}{_asked(model.removeprefix(collection), stream)}"
    return f"/models/{_asked(model, stream)}"


def vertex_path(model: str, stream: bool) -> str:
    """Below Vertex AI's base address, which ends with /projects/PROJECT/locations/REGION.

    A tuned model is asked at its endpoint: `endpoints/1234567890`.
    """
    if model.startswith("endpoints/"):
        return f"/endpoints/{_asked(model.removeprefix('endpoints/'), stream)}"
    model = model.removeprefix("publishers/google/").removeprefix("models/").removeprefix("google/")
    return f"/publishers/google/models/{_asked(model, stream)}"


def _asked(model: str, stream: bool) -> str:
    name = quote(model, safe="")
    return f"{name}:streamGenerateContent?alt=sse" if stream else f"{name}:generateContent"
