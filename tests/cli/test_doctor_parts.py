"""What the doctor makes of what it sees, without a machine that has the trouble."""

from __future__ import annotations

import datetime
import errno
import ssl
from pathlib import Path

import msgspec
import pytest

from twintrack.cli.doctor import books, clock, files, listening, money, reach
from twintrack.cli.doctor.finding import Finding, size, span
from twintrack.cli.doctor.reading import what_is_right
from twintrack.config.settings import Settings
from twintrack.errors import UpstreamError, UpstreamTimeout

NOW = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC).timestamp()
MIB = 1024**2


def about(finding: Finding) -> tuple[str, str]:
    assert finding.fix or finding.state == "ok", "what is not right has a remedy"
    return finding.state, finding.what


@pytest.mark.parametrize(
    ("newest_s", "prices_of", "state", "what"),
    [
        (None, "2026-11-20", "ok", "2026-12-01 12:00:00 UTC"),
        (-3600, "2026-11-20", "ok", "no row of the ledger is newer"),
        (30, "2026-11-20", "ok", "no row"),
        (2 * 86_400, "2026-11-20", "problem", "the ledger's newest row is 2 days later"),
        (600, "2026-11-20", "problem", "newest row is 10 minutes later"),
        (None, "2027-05-01", "problem", "this program is newer than that"),
    ],
)
def test_a_clock_cannot_be_behind_what_was_written(newest_s: int | None, prices_of: str, state: str, what: str) -> None:
    newest_us = None if newest_s is None else int((NOW + newest_s) * 1e6)
    found = about(clock.said(NOW, newest_us, prices_of))
    assert found[0] == state
    assert what in found[1]


def test_a_zone_nobody_knows_is_noted() -> None:
    assert about(clock.zone("Europe/Nowhere")) == ("note", "TZ is 'Europe/Nowhere', which this machine does not know")
    for good in ("", "UTC", "Etc/UTC", ":/etc/localtime"):
        assert clock.zone(good).state == "ok"


@pytest.mark.parametrize(
    ("free", "inodes", "ledger", "workers", "state", "what"),
    [
        (50 * 1024 * MIB, 10_000, 0, 2, "ok", "50.0 GiB are left"),
        (20 * MIB, 10_000, 0, 2, "problem", "20.0 MiB are left at /data, and the journal may need 32.0 MiB"),
        (20 * MIB, 10_000, 0, 1, "note", "20.0 MiB are left"),
        (50 * 1024 * MIB, 12, 0, 1, "problem", "only 12 more files fit"),
        (50 * 1024 * MIB, 0, 0, 1, "ok", "50.0 GiB are left"),
        (3 * 1024 * MIB, 10_000, 4 * 1024 * MIB, 1, "note", "no room for a copy of the ledger, of 4.0 GiB"),
    ],
)
def test_room_is_needed_for_the_journal_and_for_a_copy(
    free: int, inodes: int, ledger: int, workers: int, state: str, what: str
) -> None:
    found = about(files.room(free, inodes, ledger, workers, Path("/data")))
    assert found[0] == state
    assert what in found[1]


@pytest.mark.parametrize(
    ("type_", "state"),
    [
        ("ext4", "ok"),
        ("xfs", "ok"),
        ("", "ok"),
        ("nfs4", "problem"),
        ("cifs", "problem"),
        ("tmpfs", "note"),
        ("overlay", "note"),
    ],
)
def test_the_ledger_wants_a_disk_of_its_own_machine(type_: str, state: str) -> None:
    assert about(files.kind(Path("/data"), type_))[0] == state


@pytest.mark.parametrize(("most", "state"), [(1_024, "note"), (20_000, "ok"), (-1, "ok")])
def test_few_open_files_are_noted(most: int, state: str) -> None:
    assert about(files.open_files(most))[0] == state


@pytest.mark.parametrize(
    ("segments", "workers", "pid", "state", "what"),
    [
        (0, 1, None, "ok", "nothing waits"),
        (2, 1, None, "note", "2 files of a gateway that has ended wait to be loaded"),
        (2, 1, 7, "ok", "the gateway (process 7) loads"),
        (9, 4, 7, "ok", "loads"),
        (9, 2, 7, "problem", "9 files wait to be loaded, and the gateway (process 7) does not get on"),
    ],
)
def test_a_journal_that_grows_is_found(segments: int, workers: int, pid: int | None, state: str, what: str) -> None:
    found = about(books.backlog(segments, workers, pid))
    assert found[0] == state
    assert what in found[1]


@pytest.mark.parametrize(
    ("as_of", "state"), [("2026-11-30", "ok"), ("2026-12-24", "ok"), ("2026-10-01", "note"), ("2026-01-01", "problem")]
)
def test_prices_age(as_of: str, state: str) -> None:
    assert about(money.age(as_of, datetime.date(2026, 12, 1)))[0] == state


@pytest.mark.parametrize(
    ("days", "state", "what"),
    [
        (90, "ok", "c.pem is valid for 90 days more"),
        (20, "note", "c.pem is valid for 20 days more"),
        (3, "problem", "c.pem is valid for 3 days more"),
        (-3, "problem", "c.pem ended 3 days ago"),
    ],
)
def test_a_certificate_is_renewed_in_time(days: int, state: str, what: str) -> None:
    assert about(listening.expiry(NOW + days * 86_400, NOW, "c.pem")) == (state, what)


@pytest.mark.parametrize(
    ("number", "what", "fix"),
    [
        (errno.EACCES, "may not be listened on by this user", "CAP_NET_BIND_SERVICE"),
        (errno.EADDRNOTAVAIL, "is no address of this machine", "ip address"),
        (errno.EAFNOSUPPORT, "cannot be listened on", "server.listen"),
    ],
)
def test_an_address_that_cannot_be_listened_on(number: int, what: str, fix: str) -> None:
    found = listening.impossible(OSError(number, "why"), "host:1")
    assert what in found.what
    assert fix in found.fix


def _caused(error: UpstreamError, cause: Exception) -> UpstreamError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "managed", "fix"),
    [
        (UpstreamTimeout("slow"), True, "A firewall may be in between"),
        (_caused(UpstreamError("x"), ConnectionRefusedError()), False, "Start the vllm server, or correct url of p."),
        (_caused(UpstreamError("x"), ConnectionRefusedError()), True, "Try again later"),
        (_caused(UpstreamError("x"), ssl.SSLCertVerificationError()), True, "name its authority in server.ca"),
        (_caused(UpstreamError("x"), ssl.SSLError()), True, "Does it speak TLS there?"),
        (_caused(UpstreamError("x"), ConnectionResetError()), True, "closes connections"),
        (_caused(UpstreamError("x"), OSError(-2, "Name or service not known")), True, "at DNS and at the network"),
        (UpstreamError("The proxy refused a connection"), True, "Look at server.proxy."),
    ],
)
def test_each_way_not_to_be_reached_has_its_remedy(error: UpstreamError, managed: bool, fix: str) -> None:
    class At:
        name, api = "p", "vllm"

    at = At()
    at.managed = managed  # type: ignore[attr-defined]
    assert fix in reach.remedy(error, at)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "date", "state", "what"),
    [
        (200, "Tue, 01 Dec 2026 12:00:05 GMT", "ok", "takes the key, and its clock agrees"),
        (200, "", "ok", "takes the key"),
        (200, "nonsense", "ok", "takes the key"),
        (200, "Tue, 01 Dec 2026 12:10:00 GMT", "problem", "its clock is 10 minutes ahead of ours"),
        (401, "", "problem", "refuses the key (401)"),
        (404, "", "note", "says 404 to GET /models"),
    ],
)
def test_an_answer_tells_of_the_key_and_of_the_clock(status: int, date: str, state: str, what: str) -> None:
    found = reach.judged("p", status, date, NOW)
    assert found.state == state
    assert what in found.what


def test_the_tables_that_are_right_are_read_without_the_others() -> None:
    found = what_is_right(
        {
            "server": {"listen": "127.0.0.1:1", "workers": "many", "nonsense": 1},
            "keys": [{"name": "a", "key": "env:A"}, {"name": 5}],
            "providers": "none",
            "deployments": [{"model": "m", "provider": "p"}, 7],
            "routes": {"r": {"tiers": []}, "s": 3},
            "other": {},
        }
    )
    assert (found.server.listen, found.server.workers) == ("127.0.0.1:1", 1)
    assert [key.name for key in found.keys] == ["a"]
    assert [each.model for each in found.deployments] == ["m"]
    assert (list(found.routes), found.providers) == (["r"], ())


def test_numbers_for_people() -> None:
    assert [size(each) for each in (0, 1023, 1536, 5 * MIB, 3 * 1024**4)] == [
        "0 bytes",
        "1023 bytes",
        "1.5 KiB",
        "5.0 MiB",
        "3.0 TiB",
    ]
    assert [span(each) for each in (3, -90, 7_200, 200_000)] == ["3 s", "90 s", "2 hours", "2 days"]


def test_a_router_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    assert list(files._router(tmp_path)) == []
    (tmp_path / "router.json").write_text("{")
    (found,) = files._router(tmp_path)
    state, what = about(found)
    assert state == "problem"
    assert what.startswith("the fitted router is not used: ")


def test_a_verifier_that_lacks_or_cannot_be_used_is_said(tmp_path: Path) -> None:
    tiers = 'tiers = [{ name = "a", deployments = ["small"] }, { name = "b", deployments = ["large"] }]'
    text = f'[routes.auto]\n{tiers}\ncascade = {{ check = ["verifier"] }}'
    asking = msgspec.toml.decode(text, type=Settings)
    assert list(files._verifier(Settings(), tmp_path)) == []
    (lacking,) = files._verifier(asking, tmp_path)
    assert about(lacking) == ("note", "nobody drafts for route auto, since no verifier is fitted to judge drafts")
    (tmp_path / "verifier.json").write_text("{")
    (broken,) = files._verifier(asking, tmp_path)
    assert about(broken)[0] == "problem"
