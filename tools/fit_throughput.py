"""Fits the throughput and energy estimator to measured points and says how well it predicts pairs it has not seen.

    python tools/fit_throughput.py FOLDER            print cross-validated figures
    python tools/fit_throughput.py FOLDER --write    and write calibration.json and the figures in calibration.md

FOLDER holds throughput_energy_mlenergy_dev.csv and mlperf_v51_llm_dev.csv. A pair is a model on a GPU. Each pair is
predicted by a fit that has seen none of its rows, intervals and all: the whole of `calibrate` runs again without it.
That takes some minutes; `--quick` leaves out the judgement of intervals.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from twintrack.economics import calibrate as fits
from twintrack.economics import calibration as shipped
from twintrack.economics import memory, shape
from twintrack.economics.points import Point, read

SERVING, TUNED = "throughput_energy_mlenergy_dev.csv", "mlperf_v51_llm_dev.csv"
SOURCES = (
    "ML.ENERGY leaderboard v3.0 data, commit 0cd52dab (2026-02-27): throughput and energy of vLLM at a known batch",
    "MLPerf Inference v5.1, results, commit 965182b0 (2025-09-09): tuned engines at full load",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    serving, tuned = read(asked.folder / SERVING), read(asked.folder / TUNED)
    figures = [*_errors(serving, tuned), *_robustness(serving), *_memory(serving)]
    if not asked.quick:
        figures += _coverage(serving, tuned)
    table = "\n".join(["| what | rows | figure |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in figures)])
    print(table)
    if not asked.write:
        return
    made = fits.calibrate(
        serving, tuned, fitted=datetime.datetime.now(datetime.UTC).date().isoformat(), sources=SOURCES
    )
    folder = Path(shipped.__file__).parent
    (folder / "calibration.json").write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
    card = folder / "calibration.md"
    head, mark, _ = card.read_text().partition("<!-- figures -->\n")
    card.write_text(f"{head}{mark}{table}\n")


Row = tuple[str, int, str]


def _errors(serving: Sequence[Point], tuned: Sequence[Point]) -> list[Row]:
    errors = fits.left_out(serving, fits.serving_constants, fits.serving_error)
    s = _relative(errors)
    t = _relative(fits.left_out(tuned, fits.tuned_constants, fits.tuned_error))
    e = _relative(
        fits.left_out(
            serving,
            lambda points: (c := fits.serving_constants(points), fits.power_constants(points, c)),
            fits.energy_error,
        )
    )
    return [
        ("tokens/s, engines at a known batch, pair left out", len(s), _quantiles(s)),
        ("tokens/s, tuned engines at full load, pair left out", len(t), _quantiles(t)),
        ("tokens/s, both", len(s) + len(t), _quantiles(np.concatenate([s, t]))),
        ("points of one pair about its mean error, median deviation", len(s), f"{_within(serving, errors):.2f}"),
        ("joules per output token, pair left out", len(e), _quantiles(e)),
    ]


def _within(points: Sequence[Point], errors: np.ndarray) -> float:
    pairs = np.array([p.pair for p in points])
    return float(np.median([errors[pairs == pair].std() for pair in np.unique(pairs)]))


def _robustness(serving: Sequence[Point]) -> list[Row]:
    """What a user meets whose model is like none of those fitted, or whose model nobody knows the inside of."""
    families = [
        replace(p, pair=f"{p.setup.shape.name.split('/')[-1].split('-')[0]} {p.setup.shape.total_b:g}") for p in serving
    ]
    f = _relative(fits.left_out(families, fits.serving_constants, fits.serving_error))
    c = fits.serving_constants(serving)
    known = np.array([fits.serving_error(p, c) for p in serving])
    guessed = np.array([fits.serving_error(_guessed(p), c) for p in serving])
    extra = float(np.sqrt(max(np.quantile(np.abs(guessed), 0.8) ** 2 - np.quantile(np.abs(known), 0.8) ** 2, 0)))
    return [
        ("tokens/s, all models of a family and size left out", len(f), _quantiles(f)),
        ("tokens/s, not left out, shapes guessed from size", len(guessed), _quantiles(_relative(guessed))),
        ("what a guessed shape adds to the 80 % half width", len(guessed), f"{extra:.2f}"),
    ]


def _memory(serving: Sequence[Point]) -> list[Row]:
    """Every measured configuration ran, so each `does not fit` is a false alarm. Where an engine ran fewer sequences
    than it was allowed, it was full: to say that more of them fit is false."""
    fits_of = [(p, memory.fit(p.setup, 8, p.input_tokens + p.output_tokens)) for p in serving]
    full = [(p, f) for p, f in fits_of if p.batch and p.allowed and p.batch < 0.97 * p.allowed]
    too_many = sum(f.most_sequences > (p.batch or 0) for p, f in full)
    return [
        ("configurations that ran, said not to fit", len(serving), str(sum(not f.fits for _, f in fits_of))),
        ("engines that ran full, said to hold more", len(full), str(too_many)),
    ]


def _coverage(serving: Sequence[Point], tuned: Sequence[Point]) -> list[Row]:
    inside: list[list[bool]] = [[], []]
    for which, points in enumerate((serving, tuned)):
        for pair in sorted({p.pair for p in points}):
            rest = [[p for p in kind if p.pair != pair] for kind in (serving, tuned)]
            made = fits.calibrate(rest[0], rest[1], fitted="", sources=())
            for p in points:
                if p.pair == pair:
                    e = shipped.predict(made, p)
                    assert p.measured_tok_s is not None
                    inside[which].append(e.low <= p.measured_tok_s <= e.high)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    both = inside[0] + inside[1]
    what = ("known batch", "tuned engines", "both")
    return [
        (f"80 % intervals of new pairs that hold the measured value, {name}", len(rows), f"{np.mean(rows):.1%}")
        for name, rows in zip(what, (*inside, both), strict=True)
    ]


def _family(p: Point) -> str:
    return f"{p.setup.shape.name.split('/')[-1].split('-')[0]} {p.setup.shape.total_b:g}"


def _guessed(p: Point) -> Point:
    s = p.setup.shape
    form = shape.guess(s.name, s.total_b, s.active_b, recurrent=s.recurrent)
    return replace(p, setup=replace(p.setup, shape=form))


def _relative(errors: np.ndarray) -> np.ndarray:
    """Of predicted against measured, from logarithms of measured over predicted."""
    return np.abs(np.exp(-errors) - 1)


def _quantiles(relative: np.ndarray) -> str:
    return f"median {np.median(relative):.1%}, p90 {np.quantile(relative, 0.9):.1%}"


if __name__ == "__main__":
    main()
