"""OpenAI responses (API reference, spec 2.3.0), as clients such as Codex speak them and as OpenAI's servers do."""

from __future__ import annotations

from twintrack.wire.canonical.sides import ClientSide, ProviderSide
from twintrack.wire.dialects.responses.read_answer import read_answer
from twintrack.wire.dialects.responses.read_request import NAMES, read_request
from twintrack.wire.dialects.responses.read_stream import ResponsesReader
from twintrack.wire.dialects.responses.write_answer import write_answer
from twintrack.wire.dialects.responses.write_request import write_request
from twintrack.wire.dialects.responses.write_stream import ResponsesSink

CLIENT = ClientSide(read_request, write_answer, ResponsesSink, NAMES)
PROVIDER = ProviderSide(write_request, read_answer, ResponsesReader)
