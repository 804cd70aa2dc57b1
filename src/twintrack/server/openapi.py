"""Our own OpenAPI 3.1 document: what the data plane accepts, generated from the types that decode it."""

from __future__ import annotations

import functools

import msgspec

from twintrack import __version__
from twintrack.wire.dialect import REFUSED_MEMBERS
from twintrack.wire.endpoints import ENDPOINTS
from twintrack.wire.feedback import DECODER as FEEDBACK
from twintrack.wire.feedback import PATH as FEEDBACK_PATH
from twintrack.wire.prompt import LABELS

_LABEL_TEXT = {
    "class": "Data class of this request: public, internal, confidential or restricted.",
    "deadline-ms": "Milliseconds until the answer must be complete.",
    "max-cost-usd": "The most this request may cost.",
    "stakes": "high takes the best allowed model.",
    "drop-unsupported": "true leaves out what the provider's dialect has no word for.",
}
_ERRORS = {
    "400": "Not JSON, a wrong type, or a field that is refused; names the position or path.",
    "401": "No key, or one that is not ours.",
    "403": "The key may not use this model.",
    "404": "No such model; names the nearest.",
    "413": "The body is too large.",
    "415": "Not JSON, or compressed.",
    "422": "Every deployment is ruled out; says why.",
    "502": "The provider failed.",
    "503": "Nothing can be dispatched right now.",
    "504": "The provider was too slow.",
}


@functools.cache
def document() -> bytes:
    """The document as JSON. Made once: whoever asks for it a thousand times shall not keep others waiting."""
    types = [*(endpoint.decoder.type for endpoint in ENDPOINTS), FEEDBACK.type]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for endpoint in ENDPOINTS:
        properties = components[endpoint.decoder.type.__name__]["properties"]
        properties.update({name: {"not": {}, "description": "Refused."} for name in REFUSED_MEMBERS})
    paths: dict[str, object] = {}
    for endpoint, schema in zip(ENDPOINTS, schemas[:-1], strict=True):
        paths[endpoint.path] = {
            "post": {
                "operationId": endpoint.name,
                "summary": f"{endpoint.name.capitalize()}; unknown members pass to a provider of the same dialect.",
                "security": [{"bearer": []}, {"apiKey": []}],
                "parameters": [
                    {
                        "name": f"x-twintrack-{label}",
                        "in": "header",
                        "required": False,
                        "description": _LABEL_TEXT[label],
                        "schema": {"type": "string"},
                    }
                    for label in LABELS
                ],
                "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
                "responses": {
                    "200": {
                        "description": "The provider's answer, whole or as server-sent events.",
                        "content": {"application/json": {}, "text/event-stream": {}},
                    },
                    **{status: _error(text) for status, text in _ERRORS.items()},
                },
            }
        }
    paths[FEEDBACK_PATH] = {
        "post": {
            "operationId": "feedback",
            "summary": "A verdict on an earlier answer: one of thumbs, score and correct, or a correction.",
            "security": [{"bearer": []}, {"apiKey": []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schemas[-1]}}},
            "responses": {
                "202": {"description": "What was recorded.", "content": {"application/json": {}}},
                **{status: _error(_ERRORS[status]) for status in ("400", "401", "413", "415", "503")},
                "403": _error("The key may not speak for this source."),
            },
        }
    }
    for path, (operation, summary, content) in {
        "/v1/models": ("models", "Routes and deployments the key may use.", "application/json"),
        "/healthz": ("healthz", "The process answers.", "text/plain"),
        "/readyz": ("readyz", "The process takes requests.", "text/plain"),
        "/metrics": ("metrics", "Counters of all workers for Prometheus.", "text/plain"),
    }.items():
        responses: dict[str, object] = {"200": {"description": summary, "content": {content: {}}}}
        if path in ("/v1/models", "/metrics"):
            responses["401"] = _error(_ERRORS["401"])
        if path == "/readyz":
            responses["503"] = {"description": "Draining.", "content": {content: {}}}
        paths[path] = {"get": {"operationId": operation, "summary": summary, "responses": responses}}
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Twintrack", "version": __version__, "license": {"name": "Apache-2.0"}},
            "paths": paths,
            "components": {
                "schemas": {
                    **components,
                    "Error": {
                        "type": "object",
                        "required": ["error"],
                        "properties": {
                            "error": {
                                "type": "object",
                                "required": ["message", "type"],
                                "properties": {"message": {"type": "string"}, "type": {"type": "string"}},
                            }
                        },
                    },
                },
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                },
            },
        }
    )


def _error(text: str) -> dict[str, object]:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
