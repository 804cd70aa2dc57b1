"""Write the shipped prior again, `src/twintrack/signals/prior.json`, from public outcomes.

    TWINTRACK_DATA=/path/to/data python tools/fit_prior.py

Reads those sets below TWINTRACK_DATA/routing whose licence allows weights to be shipped. Needs pyarrow.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from twintrack.signals import features
from twintrack.signals.weights import FORMAT, Card, Prior
from twintrack.training.files import read_outcomes
from twintrack.training.prior import source

SETS = (
    ("routellm_mmlu", "Apache-2.0", "lm-sys/RouteLLM, routellm/evals/mmlu"),
    ("routellm_gsm8k", "Apache-2.0", "lm-sys/RouteLLM, routellm/evals/gsm8k"),
    ("routellm_mtbench", "Apache-2.0", "lm-sys/RouteLLM, routellm/evals/mt_bench"),
    ("zeroeval_gsm8k", "Apache-2.0", "WildEval/ZeroEval, result_dirs/gsm"),
    ("mmlupro", "Apache-2.0, questions MIT", "TIGER-AI-Lab/MMLU-Pro, eval_results"),
    ("llmrouter_ulab", "MIT", "ulab-uiuc/LLMRouter, data/dcrouter_preprocessed"),
)
WRITTEN = Path(__file__).parent.parent / "src" / "twintrack" / "signals" / "prior.json"


def main() -> int:
    folder = os.environ.get("TWINTRACK_DATA")
    if not folder:
        print("TWINTRACK_DATA does not name a folder.", file=sys.stderr)
        return 4
    sources = []
    for name, licence, where in SETS:
        each = source(read_outcomes(Path(folder) / "routing" / f"{name}.parquet"), licence, where)
        sources.append(each)
        print(
            f"{name:18} {each.rows:6} rows {each.models:3} models  level {each.level_slope:+.3f}  "
            f"sum {each.sum_slope:+.3f}  contrast {each.contrast_slope:+.3f}"
        )
    card = Card(
        "Prior of the router: what a standard deviation of difficulty is worth, set by set",
        "2026-11-30",
        "Public results of language models on shared questions, Apache-2.0 and MIT",
        notes=(
            "The direction of difficulty is set by hand: signals/difficulty.py; how it ranks: docs/routing-measured.md",
        ),
    )
    WRITTEN.write_bytes(
        msgspec.json.format(msgspec.json.encode(Prior(FORMAT, features.VERSION, card, tuple(sources)))) + b"\n"
    )
    print(f"{WRITTEN.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
