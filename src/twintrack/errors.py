"""The error tree. Every error says what went wrong, why, and what to do about it.

    TwintrackError
    ├── ConfigError            the configuration is wrong                        exit 3
    ├── EnvironmentProblem     the machine lacks something                       exit 4
    │   └── MissingExtra       an optional dependency is not installed
    ├── LedgerError            the journal or the database cannot be used        exit 4
    │   └── JournalFull        no space to record a dispatch                     503
    ├── RequestError           the client's request cannot be served as it is    4xx
    │   ├── BadRequest         malformed, or a field we refuse                   400
    │   ├── Unauthorized       no key, or a key we do not know                   401
    │   ├── Forbidden          the key may not do this                           403
    │   ├── NotFound           unknown path                                      404
    │   ├── UnknownModel       no route or deployment of that name               404
    │   ├── MethodNotAllowed                                                     405
    │   ├── RequestTimeout     the body came too slowly                          408
    │   ├── TooLarge           head or body over the limit                       413
    │   ├── UnsupportedMedia   not JSON, or compressed                           415
    │   ├── ExpectationFailed  an Expect we do not know                          417
    │   ├── Misdirected        the Host header names somebody else               421
    │   ├── NoEligibleModel    every deployment was ruled out for good           422
    │   ├── PromptTooLong      it would have to be shorter for any of them       400
    │   └── HeadTooLarge                                                         431
    ├── Unavailable            we cannot serve right now: draining, or all busy  503
    └── UpstreamError          the provider failed                               502
        ├── UpstreamTimeout    the provider was too slow                         504
        └── ProviderRefused    it answered with an error of its own              its status

The `error_body` of each endpoint in `wire/` writes these in that API's form; `cli/` says them and leaves with
their exit code.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LONGEST_WORD = 256
_ENDS = (".", "!", "?", ":")
_BEGINS_SMALL = re.compile(r"[a-z]+[ ,]")
"""A word, and no name of a deployment, a file or a field: what begins so goes on with the sentence before it."""


class TwintrackError(Exception):
    """Base of all errors raised on purpose. `str()` gives one sentence each for what, why and fix; what and why are
    one where why begins like the rest of a sentence."""

    status = 500
    code = "internal_error"
    exit_code = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        what = self.what
        if self.why and what and _BEGINS_SMALL.match(self.why) and not what.endswith(_ENDS):
            what += ":"
        return " ".join(_sentence(part) for part in (what, self.why, self.fix) if part)


def _sentence(text: str) -> str:
    return text if text.endswith(_ENDS) else text + "."


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Known words closest to a mistyped one, best first; empty if none is near."""
    if len(word) > _LONGEST_WORD:  # to compare takes time and memory by its length, and it may be megabytes
        return []
    return difflib.get_close_matches(word, list(known), n=most, cutoff=0.5)


class ConfigError(TwintrackError):
    code = "config_error"
    exit_code = 3


class EnvironmentProblem(TwintrackError):
    code = "environment_problem"
    exit_code = 4


class MissingExtra(EnvironmentProblem):
    code = "missing_extra"


class LedgerError(TwintrackError):
    code = "ledger_error"
    exit_code = 4


class JournalFull(LedgerError):
    status = 503
    code = "journal_full"


class RequestError(TwintrackError):
    """`param` names the offending field as a JSON path, where there is one."""

    status = 400
    code = "bad_request"

    def __init__(self, what: str, *, why: str = "", fix: str = "", param: str | None = None) -> None:
        super().__init__(what, why=why, fix=fix)
        self.param = param


class BadRequest(RequestError):
    pass


class Unauthorized(RequestError):
    status = 401
    code = "invalid_api_key"


class Forbidden(RequestError):
    status = 403
    code = "forbidden"


class NotFound(RequestError):
    status = 404
    code = "not_found"


class UnknownModel(RequestError):
    status = 404
    code = "model_not_found"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class RequestTimeout(RequestError):
    status = 408
    code = "request_timeout"


class TooLarge(RequestError):
    status = 413
    code = "request_too_large"


class UnsupportedMedia(RequestError):
    status = 415
    code = "unsupported_media_type"


class ExpectationFailed(RequestError):
    status = 417
    code = "expectation_failed"


class Misdirected(RequestError):
    status = 421
    code = "misdirected_request"


class NoEligibleModel(RequestError):
    status = 422
    code = "no_eligible_model"


class PromptTooLong(RequestError):
    """The status is the vendors' own, and so are the words: by these, and no others, clients know that they should
    shorten the conversation and ask again. Here they are OpenAI's, as crewAIInc/crewAI-examples#121 (June 2024) and
    mckaywrigley/chatbot-ui#102 (March 2023) quote them; the other dialect's stand in `wire/messages.py`.
    """

    code = "context_length_exceeded"

    def __init__(self, prompt_tokens: int, output_tokens: int, window_tokens: int, *, why: str, fix: str) -> None:
        """`prompt_tokens` is our estimate, `output_tokens` what the client allows, and their sum passes the window."""
        if prompt_tokens > window_tokens:
            asked = f"your messages resulted in {prompt_tokens} tokens"
        else:
            asked = f"you requested {prompt_tokens + output_tokens} tokens ({prompt_tokens} in the messages, "
            asked += f"{output_tokens} in the completion)"
        what = f"This model's maximum context length is {window_tokens} tokens. However, {asked}"
        super().__init__(what, why=why, fix=fix)
        self.prompt_tokens = prompt_tokens
        self.output_tokens = output_tokens
        self.window_tokens = window_tokens


class HeadTooLarge(RequestError):
    status = 431
    code = "header_fields_too_large"


class Unavailable(TwintrackError):
    status = 503
    code = "unavailable"


class UpstreamError(TwintrackError):
    status = 502
    code = "upstream_error"


class ProviderRefused(UpstreamError):
    """A provider's refusal that has to be said in another dialect than its own."""

    code = "provider_refused"

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        param: str | None = None,
        too_long: tuple[int, int] | None = None,
    ) -> None:
        """`too_long`: the prompt's tokens and the window's where that is what it refuses, 0 where it does not say."""
        super().__init__(message)
        self.status = status
        self.param = param
        self.too_long = too_long
        if too_long is not None:
            self.code = PromptTooLong.code
        elif code:
            self.code = code


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"
