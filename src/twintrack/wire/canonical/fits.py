"""Whether a value keeps to a JSON Schema, as far as the schema is understood.

For answers whose form the client asked for. Understood is what structured outputs and tools use (JSON Schema 2020-12:
type, enum, const, properties, required, additionalProperties, items, prefixItems, the limits of numbers, lengths and
counts, anyOf, oneOf, allOf, and $ref inside the same schema). Anything else is not checked: a pattern above all, since
it is the client's and may take for ever. So what does not fit is surely wrong, and what fits is probably right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

_MOST_STEPS = 100_000
"""References and alternatives can multiply; behind so many comparisons the rest is not checked."""


def fits(value: Any, schema: Any) -> bool:
    """Both as `msgspec.json.decode` gives them."""
    return _Check(schema).holds(value, schema, 0)


class _Check:
    _DEEPEST = 100

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = 0

    def holds(self, value: Any, schema: Any, depth: int) -> bool:
        self._steps += 1
        if schema is False:
            return False
        if not isinstance(schema, dict) or depth > self._DEEPEST or self._steps > _MOST_STEPS:
            return True
        if "$ref" in schema and not self.holds(value, self._referred(schema["$ref"]), depth + 1):
            return False
        if not _of_type(value, schema) or not _among(value, schema):
            return False
        if isinstance(value, dict):
            inside = self._object(value, schema, depth)
        elif isinstance(value, list):
            inside = self._array(value, schema, depth)
        elif isinstance(value, str):
            inside = _within(len(value), schema, "minLength", "maxLength")
        elif _is_number(value):
            inside = _number(value, schema)
        else:
            inside = True
        return inside and self._alternatives(value, schema, depth)

    def _referred(self, where: Any) -> Any:
        """What a reference inside the schema leads to; True, which holds for everything, where it leads elsewhere."""
        if not isinstance(where, str) or not where.startswith("#"):
            return True
        found = self._root
        for word in where[1:].split("/")[1:]:
            word = word.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or word not in found:
                return True
            found = found[word]
        return found

    def _object(self, value: dict[str, Any], schema: dict[str, Any], depth: int) -> bool:
        required = schema.get("required")
        if isinstance(required, list) and any(isinstance(name, str) and name not in value for name in required):
            return False
        if not _within(len(value), schema, "minProperties", "maxProperties"):
            return False
        known = schema.get("properties")
        known = known if isinstance(known, dict) else {}
        more = True if "patternProperties" in schema else schema.get("additionalProperties", True)
        return all(self.holds(each, known.get(name, more), depth + 1) for name, each in value.items())

    def _array(self, value: list[Any], schema: dict[str, Any], depth: int) -> bool:
        if not _within(len(value), schema, "minItems", "maxItems"):
            return False
        first = schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        rest = schema.get("items", True)
        return all(
            self.holds(each, first[place] if place < len(first) else rest, depth + 1)
            for place, each in enumerate(value)
        )

    def _alternatives(self, value: Any, schema: dict[str, Any], depth: int) -> bool:
        holds: Callable[[Any], bool] = lambda each: self.holds(value, each, depth + 1)  # noqa: E731 - said three times
        every, some, one = schema.get("allOf"), schema.get("anyOf"), schema.get("oneOf")
        if isinstance(every, list) and not all(map(holds, every)):
            return False
        if isinstance(some, list) and some and not any(map(holds, some)):
            return False
        # Of alternatives that are not wholly understood more than one may seem to hold.
        return not (isinstance(one, list) and one) or any(map(holds, one))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
}


def _of_type(value: Any, schema: dict[str, Any]) -> bool:
    said = schema.get("type")
    if value is None and schema.get("nullable") is True:  # OpenAPI's word
        return True
    words = said if isinstance(said, list) else [said]
    checks = [_TYPES[word] for word in words if isinstance(word, str) and word in _TYPES]
    return len(checks) < len(words) or any(check(value) for check in checks)


def _among(value: Any, schema: dict[str, Any]) -> bool:
    if "const" in schema and not _same(value, schema["const"]):
        return False
    allowed = schema.get("enum")
    return not isinstance(allowed, list) or any(_same(value, each) for each in allowed)


def _same(one: Any, other: Any) -> bool:
    """JSON tells true from 1, Python does not."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _within(count: float, schema: dict[str, Any], least: str, most: str) -> bool:
    low, high = schema.get(least), schema.get(most)
    return not (_is_number(low) and count < low) and not (_is_number(high) and count > high)


def _number(value: float, schema: dict[str, Any]) -> bool:
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if (_is_number(above) and value <= above) or (_is_number(below) and value >= below):
        return False
    return _within(value, schema, "minimum", "maximum")
