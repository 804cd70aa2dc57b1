"""Google's generateContent, of the Gemini API and of Vertex AI: only asked, never answered in.

paths.py      where a model is asked
model.py      in what the generations of Gemini differ
thinking.py   a client's wish to think, for each generation
shapes.py     requests and answers as types
request.py    a conversation as contents
answer.py     a whole answer
stream.py     the same piece by piece
"""

from __future__ import annotations

from twintrack.wire.canonical.sides import ProviderSide
from twintrack.wire.dialects.gemini.answer import read_answer
from twintrack.wire.dialects.gemini.paths import path as path
from twintrack.wire.dialects.gemini.request import write_request
from twintrack.wire.dialects.gemini.stream import GeminiReader

PROVIDER = ProviderSide(write_request, read_answer, GeminiReader)
