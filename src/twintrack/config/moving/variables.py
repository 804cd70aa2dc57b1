"""Secrets of the old file become references: to the variable it names, or to a new one where it holds the secret."""

from __future__ import annotations

import re
from dataclasses import dataclass

from twintrack.config import secrets
from twintrack.config.moving.account import Kind
from twintrack.config.moving.document import Node
from twintrack.config.moving.draft import unused
from twintrack.config.moving.moved import Variable

_NO_SECRET = frozenset(
    (
        "", "none", "null", "empty", "dummy", "dummy-key", "fake", "fake-key", "fake-api-key", "anything", "any",
        "not-needed", "not-used", "unused", "no-key", "nokey", "n/a", "na", "x", "placeholder", "ollama", "lm-studio",
        "lm_studio", "lmstudio", "vllm", "llama.cpp",
    )
)  # fmt: skip
"""What people write for servers that ask for no key."""


@dataclass(frozen=True)
class Secret:
    reference: str
    """Empty: a placeholder, so no key is sent."""
    kind: Kind | None = None
    why: str = ""


class Variables:
    def __init__(self, root: Node) -> None:
        self._known: dict[str, Variable] = {}
        self._used: dict[str, Variable] = {}
        self._of_secret: dict[str, str] = {}
        found = (variable(leaf) for leaf in root.leaves())
        self._named = {name for name in found if name is not None}
        """By the old file: a secret it holds must not take the place of another one."""

    def key(self, node: Node, suggestion: str, purpose: str, *, needs_none: bool) -> Secret | None:
        """A reference for the secret at `node`; None if nothing can be made of it.

        Args:
            suggestion: the variable to use if the file holds the secret itself.
            needs_none: the server may well ask for no key, so a placeholder is taken for one.
        """
        name = variable(node)
        if name is not None:
            usable = secrets.is_reference(f"env:{name}")
            return Secret(self.need(name, node.line, purpose)) if usable else None
        text = str(node.scalar if node.scalar is not None else "")
        if text.lower() in _NO_SECRET and needs_none:
            return Secret("", "not needed", "A placeholder, so no key is sent.")
        if not text.strip():
            return None
        name = self._of_secret.get(text)
        if name is None:
            name = unused(_as_variable(suggestion), self._named | set(self._of_secret.values()), "_")
            self._of_secret[text] = name
        why = f"The secret is not copied. Set {name} to it where `twintrack serve` starts."
        return Secret(self.need(name, node.line, purpose), "secret", why)

    def need(self, name: str, line: int, purpose: str) -> str:
        """A reference to `name`."""
        self._known.setdefault(name, Variable(name, line, purpose))
        return f"env:{name}"

    def made(self, reference: object) -> bool:
        """Whether it stands for a secret the old file holds."""
        return isinstance(reference, str) and reference.removeprefix("env:") in self._of_secret.values()

    def use(self, reference: str) -> None:
        """What was written needs it."""
        name = reference.removeprefix("env:")
        if name:
            self._used[name] = self._known[name]

    @property
    def used(self) -> tuple[Variable, ...]:
        return tuple(self._used.values())


def variable(node: Node) -> str | None:
    """The name in os.environ/NAME, LiteLLM's reference; None if it is none."""
    text = node.scalar
    return text.removeprefix("os.environ/") if isinstance(text, str) and text.startswith("os.environ/") else None


def _as_variable(text: str) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    return name if name and not name[0].isdigit() else f"KEY_{name}".rstrip("_")
