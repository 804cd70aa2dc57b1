"""What one item of model_list says, and which of it was taken."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from twintrack.config.moving.account import Account, Kind
from twintrack.config.moving.document import Node
from twintrack.config.moving.variables import variable

_MOST_COUNT = 10**12


class NotCarried(Exception):
    """Why an entry cannot become a deployment."""


class Entry:
    """Nothing is accounted for before `commit`: an entry that cannot be carried is lost as a whole."""

    def __init__(self, node: Node, environment: Mapping[str, Node], environ: Mapping[str, str]) -> None:
        self.node = node
        self.params = dict(node.fields["litellm_params"].fields) if "litellm_params" in node.fields else {}
        self.info = dict(node.fields["model_info"].fields) if "model_info" in node.fields else {}
        self.unset: list[str] = []
        """Variables it takes values from, and that have none."""
        self._environment = environment
        self._environ = environ
        self._taken: list[tuple[Node, str]] = []
        self._said: list[tuple[Node, Kind, str]] = []

    def take(self, node: Node, to: str) -> None:
        """It stands in `to`, a word of our configuration, if the entry is carried."""
        self._taken.append((node, to))

    def say(self, node: Node, kind: Kind, why: str) -> None:
        """It is told if the entry is carried."""
        self._said.append((node, kind, why))

    def commit(self, account: Account) -> None:
        for node, to in self._taken:
            account.carry(node, to)
        for node, kind, why in self._said:
            account.remark(node, kind, why)

    def text(self, node: Node | None) -> str | None:
        """A text, with os.environ/NAME looked up; None if there is none."""
        if node is None:
            return None
        name = variable(node)
        if name is not None:
            said = self._environment.get(name)
            if said is not None and isinstance(said.scalar, str):
                self.take(said, "where it is named")
                return said.scalar
            value = self._environ.get(name)
            self.unset += [name] if value is None else []
            return value
        scalar = node.scalar
        return None if scalar is None or isinstance(scalar, bool) else str(scalar)

    def count(self, node: Node | None, to: str) -> int | None:
        """A whole number of at least 1, which is taken; None if it is none."""
        number = decimal(node)
        if node is None or number is None or number != number.to_integral_value() or not 1 <= number <= _MOST_COUNT:
            return None
        self.take(node, to)
        return int(number)

    def flag(self, word: str, to: str) -> bool | None:
        """True or false of model_info, which is taken; None if it is neither."""
        node = self.info.get(word)
        if node is None or not isinstance(node.value, bool):
            return None
        self.take(node, to)
        return node.value


def decimal(node: Node | None) -> Decimal | None:
    """A number, or a text that is one: YAML takes 3e-6 for a text."""
    value = node.scalar if node is not None else None
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
