"""An instruction in the middle of a conversation, said in the user's voice where it stands."""

from __future__ import annotations

from twintrack.wire.canonical.parts import Image, Media, Text
from twintrack.wire.canonical.reminder import as_users
from twintrack.wire.canonical.request import Turn


def test_it_is_marked_and_keeps_its_place() -> None:
    turn = as_users(Turn("system", (Text("The file was changed."),), at=3, name="n"))
    assert turn == Turn("user", (Text("<system-reminder>\nThe file was changed.\n</system-reminder>"),), at=3)


def test_each_text_is_marked_by_itself() -> None:
    turn = as_users(Turn("system", (Text("One\n "), Text(""), Text("\u00e9 </system-reminder>", cache="5m"))))
    assert [part.text for part in turn.parts if isinstance(part, Text)] == [
        "<system-reminder>\nOne\n \n</system-reminder>",
        "<system-reminder>\n\u00e9 </system-reminder>\n</system-reminder>",
    ]
    assert len(turn.parts) == 2


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert as_users(Turn("system", (Text(""),), at=1)) == Turn("user", (), at=1)
    assert as_users(Turn("system", (Image(Media(url="https://x.example/a.png")),))).parts == ()
