"""What of an answer went out, read from its bytes as somebody reads who does not know the gateway."""

from __future__ import annotations

import re
from typing import NamedTuple

from twintrack.providers.scripted.shapes import Tokens

_INPUT = re.compile(rb'"(?:prompt|input)_tokens":(-?\d+)')
_OUTPUT = re.compile(rb'"(?:completion|output)_tokens":(-?\d+)')
_CACHED = re.compile(rb'"(?:cached_tokens|cache_read_input_tokens)":(\d+)')
_WORD = {
    "chat": b'"delta":{"content":',
    "messages": b'"type":"text_delta"',
    "responses": b'"type":"response.output_text.delta"',
}
"""Once in the event of each word."""
_WHOLE = {
    "chat": b'"finish_reason":"stop"',
    "messages": b'"type":"message_stop"',
    "responses": b'"type":"response.completed"',
}
"""In the event of a stream that says it is whole."""
_TEXT = {"chat": b'"content":"', "messages": b'"text":"', "responses": b'"text":"', "embeddings": b'"embedding":['}
"""Before what a whole answer says."""


class Heard(NamedTuple):
    told: Tokens | None
    words: int
    whole: bool


_ENDS = 131_072
"""Of an answer that is mostly padding these many bytes at either end say everything."""


def listen(sent: bytes, endpoint: str, streamed: bool) -> Heard:
    if len(sent) > 2 * _ENDS:
        sent = sent[:_ENDS] + sent[-_ENDS:]
    told = _told(sent, endpoint, streamed)
    if streamed:
        return Heard(told, sent.count(_WORD[endpoint]), _WHOLE[endpoint] in sent)
    said = _TEXT[endpoint] in sent
    return Heard(told, int(said), said and sent.rstrip().endswith(b"}"))


def _told(sent: bytes, endpoint: str, streamed: bool) -> Tokens | None:
    inputs, outputs, cached = (found.findall(sent) for found in (_INPUT, _OUTPUT, _CACHED))
    if endpoint == "embeddings":
        return Tokens(int(inputs[-1]), 0) if inputs else None
    # A message's first event tells what was read, and 1 token that begins the count of what is written.
    if not inputs or len(outputs) < (2 if streamed and endpoint == "messages" else 1):
        return None
    read = int(cached[-1]) if cached else 0
    return Tokens(int(inputs[-1]) + (read if endpoint == "messages" else 0), int(outputs[-1]), read)
