"""The name of a client's own user, where a dialect has no room for all of it."""

from __future__ import annotations

import hashlib

_LONGEST = 64
"""OpenAI's limit for `user` and `safety_identifier` (API reference, read 2026-11-20)."""


def short_user(user: str) -> str:
    """As it is, or a digest of it: an opaque name stays one, and the same user the same."""
    return user if len(user) <= _LONGEST else hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
