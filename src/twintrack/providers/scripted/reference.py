"""The page of failures, written from the table of faults:

    python -m twintrack.providers.scripted.reference

prints it as Markdown. The same table gives the same text.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator

from twintrack.providers.scripted.faults import ADDRESSES, FAULTS, Fault, Outcome
from twintrack.providers.scripted.plays import PLAYS

_OPENING = """# When a provider fails

Until the first word of an answer the client has nothing, so whatever goes wrong may still be put right by another
deployment. Behind it the answer is broken, and the client is told so by an error event of its dialect: an answer that
was cut never looks whole. And each time somebody was asked there is one row in the ledger that says how it ended.
Where nobody else may be asked, the same deployment is asked once more if the attempt cost nothing, before the client is
told; [operations.md](operations.md) has the rules. Behind the first word events pass on as they come: one that is no
JSON reaches a client of the same dialect, with the event that says the answer is broken behind it.

Each line of these tables is played in the tests, by real sockets, streamed and not, in every dialect, alone and with a
healthy deployment behind it (`tests/gateway/test_fault_matrix.py`).
"""

_LEDGER = """
A row that is *settled* costs what the provider told to have used, to the nano-dollar what it bills, or an estimate
where it told nothing that can be believed. What is *released* cannot have cost anything. *Unknown* is neither: the
provider may bill it or not, and no figure is made up for it. Where the client's own words were refused, they would be
refused elsewhere too, and nobody else is asked. But for one reason: a prompt that is longer than a window, which our
estimate did not foresee, goes on to those of the route whose window is larger.
"""

_TRY = """
## Try it with your own client

`twintrack scripted` is the provider of these tests. It speaks chat completions, Responses, Messages and embeddings, and
goes wrong where a request asks it to: a directive in the prompt passes through every SDK and gateway, and one in the
name of the model makes a deployment that always fails. `times 2` lets the first two attempts fail, which is how to see
whether a client tries again; `for NAME` is meant for one model alone, which is how to see a gateway move on to another.

```console run
$ twintrack scripted --listen 127.0.0.1:8080 &
$ curl -s http://127.0.0.1:8080/v1/chat/completions --data '{"model": "any", "messages": [
> {"role": "user", "content": "Hello [fault: http(503, retry_after=2) times 1]"}]}' --write-out '\\n%{http_code}\\n'
{"error":{"message":"scripted failure 503","type":"api_error","param":null,"code":null}}
503
$ curl -s http://127.0.0.1:8080/v1/chat/completions --data '{"model": "any", "messages": [
> {"role": "user", "content": "Hello [fault: http(503, retry_after=2) times 1]"}]}' --write-out '\\n%{http_code}\\n'
{"id":"chatcmpl-scripted",…"finish_reason":"stop"}],"usage":{"prompt_tokens":12,…
200
$ curl -s http://127.0.0.1:8080/v1/messages --data '{"model": "any", "stream": true, "messages": [
> {"role": "user", "content": "Hello [fault: cut(words)]"}]}' --output answer.txt || echo "curl says $?: cut off"
curl says 18: cut off
```

It also keeps the invoice that it would send, so that your own accounting can be held against it: what each request
would cost at $2 and $8 a million tokens ($0.20 for those from a cache), by what it told or, where it told nothing, by
what went out. `--fault` and `--share` let a share of all requests go wrong at random, and `--certificate` serves TLS
with a certificate that is as bad as you like.

```console run
$ curl -s http://127.0.0.1:8080/invoice
{"billed_nusd":…,"lines":[{"number":1,"model":"any","endpoint":"chat","streamed":false,"fault":"http(503, …
$ twintrack scripted --list
fault         arguments                what it does
http          status=500, …
```
"""


def reference() -> str:
    parts = [_OPENING, "## What a request can meet", *_table(FAULTS), _LEDGER]
    parts += ["## What lies in an address or a certificate", *_table(ADDRESSES.values()), _TRY.rstrip()]
    parts += ["", "## Every directive", "", "Arguments stand in this order, or by name.", ""]
    parts += ["| directive | |", "|---|---|", *(f"| `{said}` | {what} |" for said, what in directives())]
    return "\n".join(parts) + "\n"


def directives() -> Iterator[tuple[str, str]]:
    """Each kind of fault with its arguments and their defaults, and what it does."""
    for name, play in PLAYS.items():
        parameters = list(inspect.signature(play).parameters.values())[1:]
        given = ", ".join(f"{each.name.rstrip('_')}={each.default}" for each in parameters)
        yield f"{name}({given})" if given else name, " ".join((play.__doc__ or "").split())


def _table(faults: Iterable[Fault]) -> list[str]:
    rows = [_row(fault) for fault in faults]
    head = (
        "| the provider | alone the client sees | with a healthy deployment behind it | the ledger says | directive |"
    )
    return ["", head, "|---|---|---|---|---|", *rows]


def _row(fault: Fault) -> str:
    directive = f"`{fault.directives[0]}`" if fault.directives else ""
    cells = (_both(fault, _alone), _both(fault, _backed), _both(fault, _booked))
    return f"| {fault.what} | {' | '.join(cells)} | {directive} |"


def _both(fault: Fault, say: Callable[[Outcome], str]) -> str:
    whole, streamed = (say(each) for each in (fault.whole, fault.streamed))
    others = [f"{endpoint}: {say(each)}" for endpoint, each in fault.but.items() if say(each) != streamed]
    if others:
        streamed += f" ({'; '.join(others)})"
    return whole if whole == streamed else f"whole: {whole}<br>streamed: {streamed}"


def _alone(outcome: Outcome) -> str:
    if outcome.client == "answer":
        return "the answer"
    if outcome.client == "broken":
        return "words, then an error event"
    return f"an error, {outcome.status or 'the same status'}"


def _backed(outcome: Outcome) -> str:
    return "the other's answer" if outcome.moves_on else "the same"


def _booked(outcome: Outcome) -> str:
    cost = {"billed": "cost as billed", "estimated": "cost estimated", "nothing": "costs 0", "unknown": "cost unknown"}
    return f"{outcome.state}, {outcome.outcome}, {cost[outcome.cost]}"


if __name__ == "__main__":
    sys.stdout.write(reference())
