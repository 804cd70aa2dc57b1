"""OpenAI chat completions, as clients ask and as OpenAI and the many who copy it answer (API reference, spec 2.3.0).

shapes.py              a request's JSON, every member known
read_request.py        a client's request; with read_conversation.py, read_tools.py and media.py
write_request.py       a request for a provider; with write_conversation.py and write_tools.py
said.py                what providers answer, and what their words mean
read_answer.py         a provider's answer, read_stream.py the same in chunks
write_answer.py        an answer for a client, write_stream.py the same in chunks
"""

from __future__ import annotations

from twintrack.wire.canonical.sides import ClientSide, ProviderSide
from twintrack.wire.dialects.chat.read_answer import read_answer
from twintrack.wire.dialects.chat.read_request import NAMES, read_request
from twintrack.wire.dialects.chat.read_stream import ChatReader
from twintrack.wire.dialects.chat.write_answer import write_answer
from twintrack.wire.dialects.chat.write_request import write_request
from twintrack.wire.dialects.chat.write_stream import ChatSink

CLIENT = ClientSide(read_request, write_answer, ChatSink, NAMES)
PROVIDER = ProviderSide(write_request, read_answer, ChatReader)
