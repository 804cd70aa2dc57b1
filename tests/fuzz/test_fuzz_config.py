"""Whatever a configuration file holds: it serves, or it is refused with file, line and remedy, and no secret in it."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from pathlib import Path

import pytest

from support.fuzzing.campaign import Campaign
from support.fuzzing.files import PASTED, environ, right_files, some_file
from support.fuzzing.secrets import ENVIRON, SECRETS
from twintrack.catalog import prices
from twintrack.config.compile import compile_snapshot
from twintrack.config.effective import listen_address
from twintrack.config.load import load
from twintrack.errors import ConfigError, TwintrackError
from twintrack.gateway.open import dialing
from twintrack.gateway.pulse import Pulse
from twintrack.gateway.serving import Serving

SHORT, LONG = 500, 60_000
ROOT = Path(__file__).parents[2]
_PLACED = re.compile(r"twintrack\.toml(?::\d+(?::\d+)?|: at the end)?: ")
"""How each line of what is wrong begins; `at the end` is a place too."""


def configurations(folder: Path, seed: int) -> Campaign:
    right = right_files(ROOT)
    variables = environ(right) | ENVIRON

    def secret(reference: str) -> str | None:
        return variables.get(reference.removeprefix("env:"))

    listed = prices.load(None, on=datetime.date(2026, 11, 20))
    file = folder / "twintrack.toml"

    def check(case: bytes) -> str:
        file.write_bytes(case)
        try:
            settings, source = load(file, environ=variables)
            assert listen_address(settings.server.listen) is not None
            snapshot = compile_snapshot(settings, source, generation=1, prices=listed, secrets=secret)
            Serving(snapshot, dict[str, Pulse](), secret, today=0).close()
        except ConfigError as error:
            said = str(error)
            lines = [line.removeprefix(f"{folder}/") for line in said.split("\n") if line.startswith(str(folder))]
            assert lines, said
            assert all(_PLACED.match(line) for line in lines), said
            for word in (PASTED, *(each.decode() for each in SECRETS)):
                assert word not in said, said
            return "refused"
        try:
            dialing(snapshot, secret)
        except TwintrackError as error:  # a file that is not there, an extra that is not installed
            said = str(error)
            kind = f"not ready: {type(error).__name__}"
        else:
            return "serves"
        assert PASTED not in said, said
        return kind

    return Campaign("configurations", seed, lambda random: some_file(random, right), check)


def test_what_is_documented_serves(tmp_path: Path) -> None:
    campaign = configurations(tmp_path, 0)
    outcomes = Counter(campaign.check(text.encode()) for text in right_files(ROOT))
    assert outcomes["serves"] > 2


def test_files(tmp_path: Path) -> None:
    outcomes = configurations(tmp_path, 1).run(SHORT)
    assert outcomes["refused"] > SHORT / 5
    assert outcomes["serves"] > SHORT / 20


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 5))
def test_sixty_thousand_files(tmp_path: Path, seed: int) -> None:
    configurations(tmp_path, seed).run(LONG // 3)


@pytest.mark.parametrize(
    "text", ["a=" * 100_000, "[" * 100_000, "[a" + ".a" * 2_000 + "]", "a = " + "[" * 50_000, "a.b = 1\n" * 20_000]
)
def test_heavy_files(tmp_path: Path, text: str) -> None:
    campaign = configurations(tmp_path, 0)
    campaign.make = lambda random: text.encode()
    assert campaign.run(1)["refused"] == 1
