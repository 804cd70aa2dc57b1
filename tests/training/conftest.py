"""A router fitted to the made-up world of `made_up_world.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_up_world import world


@pytest.fixture(scope="session")
def rows():
    prompts, weak, strong = world()
    return [
        {"id": str(place), "task": "made/up", "prompt": prompt, "s:small": a, "s:large": b}
        for place, (prompt, a, b) in enumerate(zip(prompts, weak, strong, strict=True))
    ]


@pytest.fixture(scope="session")
def outcomes_file(rows, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("outcomes") / "made_up.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="session")
def fitted(rows):
    from twintrack.signals.weights import Card, shipped_prior
    from twintrack.training.fit import as_examples, fit, router

    examples = as_examples([row["prompt"] for row in rows])
    scores = {name: np.array([row[f"s:{name}"] for row in rows]) for name in ("small", "large")}
    found = fit(examples, scores, shipped_prior())
    return found, router(found, Card("test", "2026-11-30", "made up"))


@pytest.fixture
def run():
    """The command line, as a program sees it."""

    def call(*arguments: str):
        import io
        from contextlib import redirect_stderr, redirect_stdout
        from types import SimpleNamespace

        from twintrack.cli import main

        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main(list(arguments))
        return SimpleNamespace(exit_code=left.value.code, output=out.getvalue(), stderr=err.getvalue())

    return call
