"""An instruction in the middle of a conversation, for dialects that have none there.

It is said where it stands, in the user's voice and marked as what it is. Moved to the front it would keep its rank and
lose its place, and what it says is mostly about its place ("the file was changed meanwhile").
"""

from __future__ import annotations

from twintrack.wire.canonical.parts import Text
from twintrack.wire.canonical.request import Turn


def as_users(turn: Turn) -> Turn:
    """A system turn as a user's."""
    texts = [part.text for part in turn.parts if isinstance(part, Text) and part.text]
    return Turn("user", tuple(Text(f"<system-reminder>\n{text}\n</system-reminder>") for text in texts), turn.at)
