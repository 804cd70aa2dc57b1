"""From another gateway's file to ours."""

from __future__ import annotations

from twintrack.config.moving import litellm, openrouter
from twintrack.config.moving.document import read
from twintrack.config.moving.moved import Moved, World
from twintrack.config.source import InvalidConfig


def move(data: bytes, name: str, world: World) -> Moved:
    """Translate a file; which gateway's it is follows from what stands in it.

    Raises:
        InvalidConfig: it cannot be read, or is neither of LiteLLM nor of OpenRouter.
    """
    document = read(data, name)
    if any(section in document.root.fields for section in litellm.SECTIONS):
        return litellm.translate(document, world)
    if openrouter.is_one(document.root):
        return openrouter.translate(document, world)
    raise InvalidConfig(
        [
            f"{document.name}:{document.root.line}: This is neither a configuration of LiteLLM (it has model_list) nor "
            "a request or preset of OpenRouter (it has model or models)."
        ]
    )
