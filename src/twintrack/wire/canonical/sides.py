"""What a dialect implements: a client's side, a provider's side, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twintrack.wire.canonical.answer import Answer, Reader, Reply, Sink
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Request, Target


@dataclass(frozen=True, slots=True)
class ClientSide:
    """How clients of a dialect ask and want to be answered."""

    read_request: Callable[[bytes, bool], tuple[Request, tuple[str, ...]]]
    """From a body that `decode` accepted. With True, members it does not know are left out instead of refused; the
    paths of those come back beside the request.

    Raises:
        BadRequest: a member unknown to the dialect or breaking one of its rules, with its path in `param`.
    """
    write_answer: Callable[[Answer, Reply], bytes]
    write_stream: Callable[[Reply], Sink]
    names: Mapping[str, str]
    """The dialect's own path for those fields of `Request` that it calls differently."""


@dataclass(frozen=True, slots=True)
class ProviderSide:
    """How providers of a dialect are asked and answer."""

    write_request: Callable[[Request, Target, Losses], bytes]
    """What cannot be said is noted in the losses. Raises BadRequest for what no wording could carry, as arguments of
    a tool call that are no JSON object."""
    read_answer: Callable[[bytes], Answer]
    """Raises UpstreamError if the body is none of this dialect."""
    read_stream: Callable[[Sink], Reader]
