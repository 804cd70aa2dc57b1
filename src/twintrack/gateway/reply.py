"""What one client hears: an answer's head, comments while it waits, and in its own dialect what went wrong."""

from __future__ import annotations

import math

import msgspec

from twintrack.errors import ProviderRefused, TwintrackError
from twintrack.gateway import heads
from twintrack.gateway.attempt import Attempt
from twintrack.gateway.choosing import counted_tokens
from twintrack.gateway.client import Client
from twintrack.gateway.recovery import Failure
from twintrack.gateway.serving import Serving
from twintrack.gateway.state import GatewayState
from twintrack.wire.count_tokens import counted
from twintrack.wire.dialect import Asked, Endpoint

EVENTS = b"text/event-stream"
JSON = b"application/json"
_COMMENT = b": still waiting\n\n"
_LONGEST_RETRY_AFTER_S = 30
_NO_RETRY = b"x-should-retry: false\r\n"
"""What the SDKs of OpenAI and Anthropic obey (openai-python and anthropic-sdk-python, _base_client.py, 2026-11-20)."""


class Reply(msgspec.Struct):
    """To one request."""

    client: Client
    """Or whoever stands in front of it and looks at what it gets."""
    serving: Serving
    endpoint: Endpoint
    request_id: str
    opened: bool = False
    """The client has its headers."""
    comment_at: float = math.inf
    """When a stream that is silent gets a sign of life, on the gateway's clock."""

    def open(self, lines: bytes, first: bytes) -> None:
        """Begin a stream's answer; its headers may be out already, for a comment."""
        if not self.opened:
            self.opened = True
            self.client.open(200, lines, first)
        elif first:
            self.client.write(first)

    def estimate(self, asked: Asked, attempts: int) -> None:
        """Count tokens ourselves: a client that asks gets a number either way."""
        lines = _of_type(JSON) + b"x-twintrack-estimated: true\r\n" + self._id_lines(attempts)
        self.client.answer(200, lines, counted(counted_tokens(asked)))

    def pass_on(self, lines: bytes, failure: Failure) -> None:
        """A provider's refusal, as it came."""
        self.client.answer(failure.status, lines + _hints(failure), failure.body)

    def reject(self, error: TwintrackError, gateway: GatewayState) -> None:
        """Nobody was asked."""
        gateway.count_refusal(error)
        self.fail(error, gateway.now)

    def fail(
        self,
        error: TwintrackError,
        now: float,
        attempts: int = 0,
        attempt: Attempt | None = None,
        failure: Failure | None = None,
    ) -> None:
        """
        Args:
            now: on the gateway's clock.
            attempts: so many were made.
            attempt: the last of them, unless none is under way or told about.
            failure: how that ended, if it did.
        """
        endpoint = self.endpoint
        if self.opened:
            inside = attempt is not None and attempt.inside
            self.client.cut((b"\n\n" if inside else b"") + endpoint.error_event(error, self.request_id))
            return
        lines = _of_type(JSON) + self._id_lines(attempts)
        if isinstance(error, ProviderRefused) and attempt is not None and attempt.response is not None:
            lines += heads.told(attempt.response.headers, attempt.passage.dialect, endpoint.dialect)
            if failure is not None:
                lines += _hints(failure)
        elif error.status in (429, 503):
            lines += b"retry-after: %d\r\n" % self._retry_after_s(now)
        self.client.answer(error.status, lines, endpoint.error_body(error, self.request_id))

    def comment(self, now: float, attempts: int, attempt: Attempt | None, *, slow: bool) -> None:
        """A comment between two events, so that nobody on the way takes silence for death.

        Args:
            attempt: the one under way.
            slow: the client does not read.
        """
        every_s = self.serving.snapshot.deadlines.keepalive_every_s
        self.comment_at = now + every_s
        if not self.opened:
            self.opened = True
            self.client.open(200, _of_type(EVENTS) + self._id_lines(attempts), _COMMENT)
        elif attempt is None or not attempt.content:
            self.client.write(_COMMENT)
        elif now - attempt.quiet_since() < every_s:
            self.comment_at = attempt.quiet_since() + every_s
        elif not attempt.inside and not slow:
            self.client.write(_COMMENT)

    def _retry_after_s(self, now: float) -> int:
        """Until the first deployment is tried again, at least a second."""
        pauses = [pulse.until - now for pulse in self.serving.load if not pulse.healthy]
        return max(1, min(math.ceil(min(pauses, default=1.0)), _LONGEST_RETRY_AFTER_S))

    def _id_lines(self, attempts: int) -> bytes:
        lines = heads.id_lines(self.endpoint, self.request_id)
        return lines + heads.attempts_line(attempts) if attempts > 1 else lines


def _of_type(content_type: bytes) -> bytes:
    return b"content-type: %b\r\n" % content_type


def _hints(failure: Failure) -> bytes:
    """An account without money has none in a second either."""
    return _NO_RETRY if failure.kind == "spent" else b""
