"""Anthropic messages, as clients ask and as providers answer."""

from __future__ import annotations

from twintrack.wire.canonical.sides import ClientSide, ProviderSide
from twintrack.wire.dialects.messages.answer import read_answer, write_answer
from twintrack.wire.dialects.messages.read_request import NAMES, read_request
from twintrack.wire.dialects.messages.read_stream import MessagesReader
from twintrack.wire.dialects.messages.write_request import write_request
from twintrack.wire.dialects.messages.write_stream import MessagesSink

CLIENT = ClientSide(read_request=read_request, write_answer=write_answer, write_stream=MessagesSink, names=NAMES)
PROVIDER = ProviderSide(write_request=write_request, read_answer=read_answer, read_stream=MessagesReader)
