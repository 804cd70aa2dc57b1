"""A provider that does exactly what it is told: for demonstrations, and for what healthy servers never do.

    server.py     reads real HTTP on loopback, plays one `Script` for each request, counts what it received
    shapes.py     answers as the dialects shape them
    directive.py  what to do wrong, written into a request: `[fault: cut(words)]`
    delivery.py   a good answer, taken apart where faults happen
    plays.py      how to spoil it: one function a kind of fault, in plays_answer.py and plays_http.py
    faults.py     the table of faults: what a client must see of each, and what the ledger must say
    playbook.py   answers each request as it asks to be answered
    invoice.py    what the provider would bill, and how a ledger is held against that

Whatever comes from it is marked simulated by its configuration (`simulated = true`).

    provider = ScriptedProvider(Playbook().answer)      # follows directives, keeps an invoice
    provider = ScriptedProvider(lambda received: chat_answer("Hello"))
"""

from twintrack.providers.scripted.directive import Directive, NoSuchFault, parse
from twintrack.providers.scripted.invoice import Invoice, Line, Rates, Reconciled, reconcile
from twintrack.providers.scripted.playbook import WORDS, Playbook
from twintrack.providers.scripted.server import Answer, Received, Script, ScriptedProvider
from twintrack.providers.scripted.shapes import (
    Tokens,
    chat_answer,
    chat_events,
    error_answer,
    message_answer,
    message_events,
    response_body,
    response_events,
    stream,
)

__all__ = [
    "WORDS", "Answer", "Directive", "Invoice", "Line", "NoSuchFault", "Playbook", "Rates", "Received", "Reconciled",
    "Script", "ScriptedProvider", "Tokens", "chat_answer", "chat_events", "error_answer", "message_answer",
    "message_events", "parse", "reconcile", "response_body", "response_events", "stream",
]  # fmt: skip
