"""Dollars and counts as people read them."""

from __future__ import annotations


def usd(amount: float) -> str:
    if abs(amount) >= 1e6:
        return f"${amount / 1e6:,.2f}M"
    if 0 < abs(amount) < 0.1:
        return f"${amount:.2g}"
    return f"${amount:,.0f}" if abs(amount) >= 100 else f"${amount:,.2f}"


def price(amount: float) -> str:
    """A price per million tokens, unrounded: at least cents, and every digit there is."""
    digits = f"{amount:.9f}".rstrip("0")
    return f"${max(digits, f'{amount:.2f}', key=len)}"


def count(number: float | None) -> str:
    if number is None:
        return "unknown"
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= size:
            return f"{number / size:,.3g}{unit}" if number < 1000 * size else f"{number / size:,.0f}{unit}"
    return f"{number:,.0f}"
