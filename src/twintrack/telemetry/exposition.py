"""The text that Prometheus reads (exposition format 0.0.4)."""

from __future__ import annotations

from twintrack.telemetry.buckets import Histogram
from twintrack.telemetry.families import FAMILIES, Family, Scene


def text(scene: Scene) -> bytes:
    lines: list[str] = []
    for family in FAMILIES:
        lines.append(f"# HELP {family.name} {_escaped_help(family.meaning)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for values, number in sorted(family.read(scene), key=lambda sample: sample[0]):
            labels = ",".join(
                f'{label}="{_escaped(value)}"' for label, value in zip(family.labels, values, strict=True) if value
            )
            if isinstance(number, Histogram):
                _histogram(lines, family, labels, number)
            else:
                lines.append(f"{family.name}{{{labels}}} {number:.17g}" if labels else f"{family.name} {number:.17g}")
    lines.append("")
    return "\n".join(lines).encode("utf-8", "replace")


def _histogram(lines: list[str], family: Family, labels: str, histogram: Histogram) -> None:
    more = f"{labels}," if labels else ""
    reached = 0
    for bound, count in zip(family.bounds, histogram.counts, strict=False):
        reached += count
        lines.append(f'{family.name}_bucket{{{more}le="{bound!r}"}} {reached}')
    reached += histogram.counts[-1]
    lines.append(f'{family.name}_bucket{{{more}le="+Inf"}} {reached}')
    within = f"{{{labels}}}" if labels else ""
    lines.append(f"{family.name}_sum{within} {histogram.total * family.scale:.17g}")
    lines.append(f"{family.name}_count{within} {reached}")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escaped_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
