"""A decision as plain values, for JSON and for people."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from twintrack.ledger.audit.decisions import Decision
from twintrack.ledger.moment import moment


def told(decision: Decision) -> dict[str, Any]:
    """Everything the chain says of it, in the order it happened. Without text: there is none."""
    screen = decision.screen
    return {
        "entry": decision.seq,
        "entries": decision.entries,
        "at": moment(decision.at_us),
        "at_us": decision.at_us,
        "erased": decision.erased,
        "request_id": decision.request_id,
        "key": decision.key,
        "tenant": decision.tenant,
        "body_hmac": decision.body_hmac.hex() if decision.body_hmac else None,
        "data_class": decision.data_class,
        "policy": decision.policy,
        "route": decision.route,
        "read": None
        if screen is None
        else asdict(screen)
        | {
            "counts": dict(decision.counts),
            "score_bands": dict(zip(("below_0.7", "below_0.9", "above"), decision.bands, strict=True)),
            "pseudonyms": decision.pseudonyms,
        },
        "ruled_out": [{"deployment": name, "objection": code} for name, code in decision.ruled_out],
        "asked": [
            {
                "entry": each.seq,
                "attempt": each.number,
                "at_us": each.at_us,
                **asdict(each.about),
                **_end(decision, each.number),
            }
            for each in decision.asked
        ],
        "refused": asdict(decision.refused) if decision.refused is not None else None,
    }


def _end(decision: Decision, number: int) -> dict[str, Any]:
    ended = decision.ended.get(number)
    if ended is None:
        return {"outcome": None}
    how = ended[0]
    return {"state": how.state, "outcome": how.outcome, "status": how.status, "ended_us": ended[1]}


def was_read(decision: Decision) -> list[str]:
    """What was found in it, in a sentence or two; empty where it was not read."""
    screen = decision.screen
    if screen is None or not screen.detector:
        return []
    found = ", ".join(f"{count} {kind}" for kind, count in decision.counts)
    said = f"It was read for what must not leave; {f'found were {found}' if found else 'nothing was found'}."
    if screen.unscanned:
        said += f" Not read, and so taken as sensitive: {', '.join(screen.unscanned)}."
    if screen.mode == "observe":
        said += f" That would make it {screen.found}, and was only noted."
    elif screen.sticky:
        said += " What its conversation brought before counts as well."
    if screen.override:
        said += f" An operator, {screen.override}, had its class lowered."
    if decision.pseudonyms:
        said += f" {decision.pseudonyms} values gave way to placeholders before it left."
    return [said]
