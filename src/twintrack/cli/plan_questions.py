"""The questions of `twintrack plan`, at most twelve. Enter takes what is assumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from twintrack.economics.inputs import BadWorkload, given


def asked() -> dict[str, Any]:
    """Answers in the form of a workload file; what is left open stays assumed."""
    click.echo("At most twelve questions; Enter takes what stands in brackets.")
    document: dict[str, Any] = {"name": click.prompt("What is it for?", default="workload")}
    traffic: dict[str, Any] = {}
    for name, question, usual in (
        ("daily_users", "How many people use it a day?", "1000"),
        ("requests_per_user", "How many requests does each make?", "8"),
    ):
        traffic[name] = click.prompt(question, default=usual, value_proc=_amount)
    _number(traffic, "input_tokens", "How many tokens does a request send?", 800)
    _number(traffic, "output_tokens", "How many tokens has an answer?", 300)
    _number(traffic, "peak_to_mean", "How many times the mean hour is the busiest one?", 2.5)
    _share(traffic, "growth_per_month", "How much does it grow a month, in percent?")
    needs: dict[str, Any] = {}
    needs["use"] = click.prompt(
        "Who uses it?", default="product", type=click.Choice(["internal", "product", "hosted_service", "research"])
    )
    users = click.prompt(
        "How many people use your products a month, in all? (licences ask)", default="",
        value_proc=lambda text: _amount(text, or_none=True) if text.strip() else None,
    )  # fmt: skip
    if users is not None:
        needs["users_now"] = users
    country = click.prompt("In which country is your seat, as US or DE? (licences ask)", default="", type=str)
    if country.strip():
        needs["domicile"] = country.strip().upper()
    zone = click.prompt("May the data leave your machines?", default="yes", type=click.Choice(["yes", "no"]))
    if zone == "no":
        needs["zones"] = ["own"]
    selfhost: dict[str, Any] = {}
    _number(selfhost, "fte", "How many engineers would running models take?", 1)
    return {**document, "traffic": traffic, "needs": needs, "selfhost": selfhost}


def _number(into: dict[str, Any], name: str, question: str, usual: float) -> None:
    answer = click.prompt(question, default=f"{usual:g}", value_proc=_sensible(name))
    if answer != usual:
        into[name] = answer


def _share(into: dict[str, Any], name: str, question: str) -> None:
    check = _sensible(name)
    answer = click.prompt(
        question, default="0", value_proc=lambda text: check(str(_as_number(text.rstrip("% ")) / 100))
    )
    if answer:
        into[name] = answer


def _sensible(name: str) -> Callable[[str], float]:
    """Asked again at once, not after the last question, where an answer is out of its range."""

    def checked(text: str) -> float:
        number = _as_number(text)
        try:
            given(name, number)
        except BadWorkload as error:
            raise click.UsageError(str(error)) from None
        return number

    return checked


def _amount(text: str, *, or_none: bool = False) -> float:
    number = _as_number(text)
    if not 0 <= number <= 1e10 or not (number or or_none):
        raise click.UsageError(f"{text} makes no sense. Use a number above 0, at most 10,000,000,000.")
    return number


def _as_number(text: str) -> float:
    try:
        return float(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise click.UsageError(f"{text!r} is no number.") from None
