"""Counters in shared memory: read whole or not at all, by any process."""

from __future__ import annotations

import os
import time

import pytest

from twintrack.server.board import Board


def test_what_is_written_is_read() -> None:
    board = Board(2)
    assert board.read(0) == b""
    board.write(0, b"one")
    board.write(1, b"two")
    board.write(0, b"three")
    assert (board.read(0), board.read(1)) == (b"three", b"two")


def test_a_place_for_who_is_no_worker_is_no_standing() -> None:
    board = Board(2, 1)
    board.write(2, b"control plane")
    assert (board.slots, len(board.standings()), board.read(2)) == (3, 2, b"control plane")


def test_a_child_writes_and_the_parent_reads() -> None:
    board = Board(1)
    pid = os.fork()
    if not pid:
        board.write(0, b"from the child")
        os._exit(0)
    os.waitpid(pid, 0)
    assert board.read(0) == b"from the child"


def test_a_write_that_was_cut_off_reads_as_nothing_and_the_next_one_heals_it() -> None:
    board = Board(1)
    board.write(0, b"one")
    board._map[0] |= 1  # what a writer killed in the middle leaves
    assert board.read(0) == b""
    board.write(0, b"two")
    assert board.read(0) == b"two"


@pytest.mark.long
def test_a_reader_never_sees_half_of_a_write() -> None:
    board = Board(1)
    pid = os.fork()
    if not pid:
        for number in range(20_000):
            board.write(0, bytes([number % 256]) * (1_000 + number % 3_000))
        os._exit(0)
    late = time.monotonic() + 60
    while time.monotonic() < late and os.waitpid(pid, os.WNOHANG) == (0, 0):
        assert len(set(board.read(0))) <= 1


def test_what_the_control_plane_tells_is_no_counter() -> None:
    board = Board(2, 1)
    assert board.told() == b""
    board.tell(b"news")
    assert (board.told(), [board.read(slot) for slot in range(board.slots)]) == (b"news", [b"", b"", b""])
