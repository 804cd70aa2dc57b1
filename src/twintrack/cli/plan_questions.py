"""The questions of `twintrack plan`, at most twelve. Enter takes what is assumed."""

from __future__ import annotations

from typing import Any

import click


def asked() -> dict[str, Any]:
    """Answers in the form of a workload file; what is left open stays assumed."""
    click.echo("At most twelve questions; Enter takes what stands in brackets.")
    document: dict[str, Any] = {"name": click.prompt("What is it for?", default="workload")}
    traffic: dict[str, Any] = {}
    traffic["daily_users"] = click.prompt("How many people use it a day?", default=1000.0, type=float)
    traffic["requests_per_user"] = click.prompt("How many requests does each make?", default=8.0, type=float)
    _number(traffic, "input_tokens", "How many tokens does a request send?", 800)
    _number(traffic, "output_tokens", "How many tokens has an answer?", 300)
    _number(traffic, "peak_to_mean", "How many times the mean hour is the busiest one?", 2.5)
    _share(traffic, "growth_per_month", "How much does it grow a month, in percent?")
    needs: dict[str, Any] = {}
    needs["use"] = click.prompt(
        "Who uses it?", default="product", type=click.Choice(["internal", "product", "hosted_service", "research"])
    )
    users = click.prompt("How many people use your products a month, in all? (licences ask)", default="", type=str)
    if users.strip():
        needs["users_now"] = _as_number(users)
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
    answer = click.prompt(question, default=f"{usual:g}", type=str)
    if answer.strip() != f"{usual:g}":
        into[name] = _as_number(answer)


def _share(into: dict[str, Any], name: str, question: str) -> None:
    answer = click.prompt(question, default="0", type=str)
    if answer.strip() not in ("", "0"):
        into[name] = _as_number(answer.rstrip("% ")) / 100


def _as_number(text: str) -> float:
    try:
        return float(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise click.UsageError(f"{text!r} is no number.") from None
