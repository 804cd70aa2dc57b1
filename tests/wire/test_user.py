"""The name of a client's own user, where there is room for sixty-four characters."""

from __future__ import annotations

import hashlib

import pytest

from twintrack.wire.canonical.user import short_user


@pytest.mark.parametrize("user", ["", "u-1", "é🦊", "x" * 64, "🦊" * 64])
def test_one_that_fits_stays_as_it_is(user: str) -> None:
    assert short_user(user) == user


def test_a_longer_one_becomes_a_digest_that_fits() -> None:
    user = "user_0123_account_" + "x" * 47
    assert len(user) == 65
    assert short_user(user) == hashlib.sha256(user.encode()).hexdigest()
    assert len(short_user(user)) == 64


def test_the_same_user_stays_the_same_and_another_another() -> None:
    one, other = "a" * 100, "a" * 99 + "b"
    assert short_user(one) == short_user("a" * 100)
    assert short_user(one) != short_user(other)


def test_any_text_json_can_hold_is_taken() -> None:
    assert len(short_user("\ud83d" * 65)) == 64
