"""Conversations stick to a deployment, in every process, and move only if they must."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from zlib import crc32

import pytest

from twintrack.policy.affinity import seed, weight

CONVERSATIONS = [crc32(b"%d hello, number %d" % (each % 7, each)) for each in range(4_000)]


def winner(conversation, names):
    return max(names, key=lambda name: weight(conversation, seed(name)))


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_every_deployment_gets_its_share(count):
    names = [f"llama@gpu{each}" for each in range(count)]
    shares = Counter(winner(each, names) for each in CONVERSATIONS)
    for name in names:
        assert shares[name] == pytest.approx(len(CONVERSATIONS) / count, rel=0.15)


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_when_one_goes_away_only_its_conversations_move(count):
    names = [f"llama@gpu{each}" for each in range(count)]
    moved = 0
    for conversation in CONVERSATIONS:
        before, after = winner(conversation, names), winner(conversation, names[1:])
        moved += before != after
        assert before == after or before == names[0]
    kept = 1 - moved / len(CONVERSATIONS)
    assert kept >= (count - 1) / count - 0.03


def test_a_place_does_not_depend_on_what_else_is_configured(make):
    alone = make.house([make.deployment(0, name="a"), make.deployment(1, name="b")])
    moved = make.house([make.deployment(0, name="b"), make.deployment(1, name="a")])
    for conversation in range(50):
        names = {home.decide(affinity=b"%d" % conversation).order[0].deployment.name for home in (alone, moved)}
        assert len(names) == 1


SCRIPT = """
from twintrack.policy.affinity import seed, weight
from twintrack.signals.evidence import of_text
from twintrack.signals.language import language
from twintrack.signals.task import task
from zlib import crc32
print([max("abcd", key=lambda name: weight(crc32(b"%d" % each), seed(name))) for each in range(64)])
print(task(of_text("Write code that explains why, and classify it")), language(of_text("der die the les")))
from twintrack.signals.vocabulary import CODES
print(sorted(CODES.items()))
"""


def test_every_process_decides_alike():
    answers = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "1", "4242")
    }
    assert len(answers) == 1
