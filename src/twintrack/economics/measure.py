"""Loads an OpenAI-compatible engine for a short, bounded time and says how fast it answers at each concurrency."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from twintrack.economics.inputs import BadWorkload
from twintrack.errors import EnvironmentProblem, TwintrackError

_TIMEOUT_S = 120.0
_WORD = "alpha "
"""About a token in most vocabularies; the engine's own count is what is kept."""


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One concurrency of one engine."""

    model: str
    """Catalogue name, alias or repository; what the engine calls it where nothing else was said."""
    gpu: str
    """Empty: not said."""
    gpus: int
    weight_bits: float | None
    concurrency: int
    input_tokens: float
    output_tokens: float
    """Means, as the engine counted them."""
    output_tok_s: float
    ttft_p50_ms: float
    ms_per_token: float
    requests: int
    failed: int
    at: str
    """UTC, ISO 8601."""


@dataclass(slots=True)
class _Level:
    lock: threading.Lock = field(default_factory=threading.Lock)
    started: int = 0
    answers: list[_Answer] = field(default_factory=list)
    failed: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    ttft_s: float
    total_s: float
    input_tokens: int
    output_tokens: int


def served(url: str, key: str = "") -> list[str]:
    """Names of the models at an address.

    Raises:
        EnvironmentProblem: nobody answers there as an OpenAI-compatible engine does.
    """
    try:
        connection, path = _connection(url)
        connection.request("GET", f"{path}/models", headers=_headers(key))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        names = [str(row["id"]) for row in json.loads(body)["data"]] if answer.status == 200 else []
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise EnvironmentProblem(
            f"Nothing answers at {url}",
            why=str(error) or type(error).__name__,
            fix="Name the base address, as http://10.0.0.5:8000/v1",
        ) from error
    if not names:
        raise EnvironmentProblem(
            f"{url} lists no model", why=f"it answered {answer.status}", fix="Set --key-env if it needs a key"
        )
    return names


def measure(
    url: str,
    model: str,
    concurrency: int,
    *,
    input_tokens: int,
    output_tokens: int,
    requests: int,
    most_s: float,
    key: str = "",
) -> tuple[list[_Answer], int, float]:
    """Answers, failures and seconds of `requests` requests, `concurrency` at a time; none is begun after `most_s`.

    Raises:
        TwintrackError: not one was answered.
    """
    level = _Level()

    def body(number: int) -> bytes:
        """No two begin alike, so that no engine has read a prompt before."""
        return json.dumps(
            {
                "model": model,
                "messages": [{"role": "user", "content": f"{number}. " + _WORD * max(input_tokens - 4, 1)}],
                "max_tokens": output_tokens,
                "temperature": 1.0,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        ).encode()

    began = time.perf_counter()

    def work() -> None:
        while time.perf_counter() - began < most_s:
            with level.lock:
                if level.started >= requests:
                    return
                level.started += 1
                number = level.started
            try:
                answer = _ask(url, body(number), key)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                with level.lock:
                    level.failed += 1
                    level.why = str(error) or type(error).__name__
                continue
            with level.lock:
                level.answers.append(answer)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not level.answers:
        raise TwintrackError(f"{model} at {url} answered none of {level.started} requests", why=level.why)
    return level.answers, level.failed, time.perf_counter() - began


def measured(
    url: str,
    model: str,
    levels: Sequence[int],
    *,
    name: str,
    gpu: str,
    gpus: int,
    weight_bits: float | None,
    input_tokens: int,
    output_tokens: int,
    requests: int,
    most_s: float,
    at: Callable[[], str],
    key: str = "",
    told: Callable[[Measurement], None] = lambda _: None,
) -> list[Measurement]:
    """One measurement a level, `told` as soon as it is there. The first answers of all warm the engine up."""
    few = min(output_tokens, 8)
    measure(url, model, 1, input_tokens=input_tokens, output_tokens=few, requests=1, most_s=most_s, key=key)
    found = []
    for concurrency in levels:
        answers, failed, seconds = measure(
            url, model, concurrency, input_tokens=input_tokens, output_tokens=output_tokens,
            requests=max(requests, 2 * concurrency), most_s=most_s, key=key,
        )  # fmt: skip
        tokens = [answer.output_tokens for answer in answers]
        each = [(one.total_s - one.ttft_s) / (one.output_tokens - 1) for one in answers if one.output_tokens > 1]
        found.append(
            Measurement(
                model=name, gpu=gpu, gpus=gpus, weight_bits=weight_bits, concurrency=concurrency,
                input_tokens=statistics.fmean(answer.input_tokens for answer in answers),
                output_tokens=statistics.fmean(tokens),
                output_tok_s=sum(tokens) / seconds,
                ttft_p50_ms=statistics.median(answer.ttft_s for answer in answers) * 1000,
                ms_per_token=statistics.median(each) * 1000 if each else 0.0,
                requests=len(answers), failed=failed, at=at(),
            )
        )  # fmt: skip
        told(found[-1])
    return found


def write(path: Path, measurements: Sequence[Measurement]) -> None:
    """Append them to a file, one JSON object a line."""
    try:
        with open(path, "ab") as file:
            file.writelines(msgspec.json.encode(each) + b"\n" for each in measurements)
    except OSError as error:
        raise TwintrackError(f"{path} cannot be written", why=str(error)) from error


def read(path: Path) -> list[Measurement]:
    """Raises BadWorkload where a line is no measurement."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadWorkload(f"{path} cannot be read", why=str(error)) from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Measurement))
        except msgspec.DecodeError as error:
            raise BadWorkload(f"{path}:{number} is no measurement", why=str(error)) from None
    return found


def _ask(url: str, body: bytes, key: str) -> _Answer:
    connection, path = _connection(url)
    try:
        began = time.perf_counter()
        connection.request("POST", f"{path}/chat/completions", body, _headers(key))
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError(f"it answered {answer.status}: {answer.read(300).decode(errors='replace')}")
        first = last = 0.0
        pieces = into = out = 0
        while line := answer.readline():
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                break
            event = json.loads(data)
            now = time.perf_counter()
            if any(_content(choice) for choice in event.get("choices") or ()):
                pieces += 1
                first = first or now
                last = now
            usage = event.get("usage")
            if usage:
                into, out = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        if not first:
            raise ValueError("an answer had no content")
        return _Answer(first - began, last - began, into, out or pieces)
    finally:
        connection.close()


def _content(choice: dict[str, object]) -> bool:
    delta = choice.get("delta")
    return isinstance(delta, dict) and any(delta.get(name) for name in ("content", "reasoning_content", "tool_calls"))


def _headers(key: str) -> dict[str, str]:
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    return {**headers, "authorization": f"Bearer {key}"} if key else headers


def _connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no address")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    path = parts.path.rstrip("/")
    return kind(parts.hostname, parts.port, timeout=_TIMEOUT_S), path or "/v1"
