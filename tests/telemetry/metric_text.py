"""Reads what /metrics says, with Prometheus' own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    """By name and sorted labels. Fails on what the parser does not take, and on a sample said twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str | None) -> float:
    """The sum over all samples of the name that have these labels; None: that lack it."""
    return sum(
        number
        for (said, has), number in found.items()
        if said == name and all(dict(has).get(label) == word for label, word in labels.items())
    )
