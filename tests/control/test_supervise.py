"""Processes come and go, configurations change, disks fill up: requests that run are finished and all are booked."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.processes import free_port
from support.provider import Provider
from support.raw import Answer, Raw, events, words
from support.waiting import eventually
from twintrack.providers.scripted import Script, chat_answer, chat_events, stream

SLOW = chat_events(["one", " two", " three"])


@pytest.fixture
def mine() -> Iterator[Provider]:
    with Provider() as provider_:
        yield provider_


def config(mine: Provider, *, server: str = "", more: str = "") -> str:
    return f"[server]\n{server}\n" + provider("mine", mine.url) + deployment("m", "mine") + more


class Running:
    """A streamed request that waits in the middle until the test lets it go on."""

    def __init__(self, gateway: Served, mine: Provider, model: str = "m", hold_s: float = 1.5) -> None:
        mine.scripts[model] = stream([*SLOW[:2], hold_s, *SLOW[2:]])
        self._client = gateway.connect()
        self._client.post("/v1/chat/completions", question(model, stream=True))
        head = self._client.until(b'"one"')
        self._client.held = head + self._client.held
        self._answer: list[Answer] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        mine.scripts[model] = chat_answer("hello")

    def _read(self) -> None:
        try:
            self._answer.append(self._client.answer())
        except (OSError, AssertionError):
            return

    def answer(self) -> Answer:
        self._thread.join(20)
        self._client.socket.close()
        assert self._answer, "the connection broke"
        return self._answer[0]


def whole(answer: Answer) -> bool:
    return answer.complete and words(answer.body) == "one two three" and events(answer.body)[-1] == "[DONE]"


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    return False


# Stopping


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_lets_a_running_stream_finish_and_takes_no_more(mine: Provider, tmp_path: Path, workers: int) -> None:
    with Served(tmp_path, config(mine), workers=workers) as gateway:
        running = Running(gateway, mine)
        idle = gateway.connect()
        idle.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert idle.answer().status == 200

        gateway.signal(signal.SIGTERM)

        eventually(lambda: refuses(gateway.port))
        assert idle.closed()
        idle.socket.close()
        answer = running.answer()
        assert whole(answer)
        assert gateway.stop() == 0
        # And its row is in the ledger, not in a journal that waits for the next start.
        (row,) = gateway.entries(answer.id)
        assert (row["outcome"], row["output_tokens"]) == ("ok", 7)


def test_ctrl_c_does_the_same(mine: Provider, tmp_path: Path) -> None:
    """A terminal sends it to every process at once."""
    with Served(tmp_path, config(mine)) as gateway:
        running = Running(gateway, mine)
        for pid in gateway.children().values():
            os.kill(pid, signal.SIGINT)
        gateway.signal(signal.SIGINT)
        answer = running.answer()
        assert whole(answer)
        assert gateway.stop() == 0
        assert gateway.entries(answer.id)[0]["outcome"] == "ok"


def test_what_does_not_finish_in_time_is_ended_as_an_error(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine, more="[server.deadlines]\ndrain_s = 0.5\n")) as gateway:
        running = Running(gateway, mine, hold_s=30.0)
        gateway.signal(signal.SIGTERM)
        answer = running.answer()
        assert not answer.complete
        assert events(answer.body)[-1]["error"]["code"] == "upstream_timeout"
        assert gateway.stop(5) == 0
        assert gateway.entries(answer.id)[0]["state"] == "unknown"


def test_asked_twice_it_stops_at_once(mine: Provider, tmp_path: Path) -> None:
    gateway = Served(tmp_path, config(mine))
    gateway.start()
    gateway.until_ready()
    running = Running(gateway, mine, hold_s=30.0)
    gateway.signal(signal.SIGTERM)
    eventually(lambda: refuses(gateway.port))
    time.sleep(0.1)
    gateway.signal(signal.SIGTERM)
    began = time.monotonic()
    assert gateway.stop(25) == 0
    assert time.monotonic() - began < 25  # of the 30 that the answer takes, and that a drain may take
    with pytest.raises(AssertionError):
        assert running.answer().complete


def test_a_client_in_the_middle_of_a_request_is_told_to_come_again(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine)) as gateway, gateway.connect() as client:
        client.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-le")
        running = Running(gateway, mine)
        gateway.signal(signal.SIGTERM)
        eventually(lambda: refuses(gateway.port))
        client.send(b"ngth: 2\r\n\r\n{}")
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert answer.headers["retry-after"] == "1"
        assert whole(running.answer())


def test_a_supervisor_that_is_killed_leaves_nobody_behind(mine: Provider, tmp_path: Path) -> None:
    gateway = Served(tmp_path, config(mine), workers=2)
    gateway.start()
    gateway.until_ready()
    children = list(gateway.children().values())
    gateway.signal(signal.SIGKILL)
    assert gateway.process is not None
    gateway.process.wait(5)
    eventually(lambda: not any(alive(pid) for pid in children), 8.0)
    assert refuses(gateway.port)


def alive(pid: int) -> bool:
    try:
        return not Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")
    except OSError:
        return False


# Starting


def start(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    (folder / "twintrack.toml").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "twintrack", "serve", "--config", str(folder / "twintrack.toml"), *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
    )


def test_beyond_loopback_a_key_is_needed_and_the_lines_to_add_are_shown(mine: Provider, tmp_path: Path) -> None:
    done = start(tmp_path, config(mine, server='listen = "0.0.0.0:0"'))
    assert done.returncode == 3
    assert "twintrack.toml:2: $.server.listen is '0.0.0.0:0', which other machines can reach" in done.stderr
    assert '[[keys]]\nname = "me"\nkey = "env:TWINTRACK_KEY"' in done.stderr
    assert start(tmp_path, config(mine), "--listen", f"0.0.0.0:{free_port()}").returncode == 3


def test_a_configuration_that_is_wrong_ends_the_start_with_its_line(tmp_path: Path) -> None:
    done = start(tmp_path, "[server]\nworkers = 1\nlisten_on = 5\n")
    assert done.returncode == 3
    assert re.search(r"twintrack\.toml:3: \$\.server\.listen_on .*", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken(mine: Provider, tmp_path: Path, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        done = start(tmp_path, config(mine), "--listen", where, "--workers", workers)
    assert done.returncode == 4
    assert done.stderr == (
        f"twintrack: {where} cannot be listened on: another program has it. "
        "Stop that program, or choose another address with --listen.\n"
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_two_gateways_do_not_share_a_port_or_a_folder(mine: Provider, tmp_path: Path, workers: str) -> None:
    with Served(tmp_path / "one", config(mine), workers=2) as gateway:
        other = start(tmp_path / "two", config(mine), "--listen", f"127.0.0.1:{gateway.port}", "--workers", workers)
        assert other.returncode == 4
        assert "another program has it" in other.stderr
        other = start(
            tmp_path / "two", config(mine), "--listen", f"127.0.0.1:{free_port()}", "--data", str(gateway.data)
        )
        assert other.returncode == 4
        assert f"Another gateway (process {gateway.process.pid}) uses" in other.stderr  # type: ignore[union-attr]


def test_a_folder_that_is_a_file(mine: Provider, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    done = start(tmp_path, config(mine, server='data = "data"'), "--listen", f"127.0.0.1:{free_port()}")
    assert done.returncode == 4
    assert "cannot be used" in done.stderr


def test_what_it_keeps_is_for_its_user_alone(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine)) as gateway:
        gateway.entries(gateway.chat("m").id)
        for path in ("journal", "run"):
            assert (gateway.data / path).stat().st_mode & 0o077 == 0
        files = [*gateway.data.glob("*"), *(gateway.data / "journal").glob("*")]
        assert [path.name for path in files if path.is_file() and path.stat().st_mode & 0o077] == []


# Changing


def served(gateway: Served) -> list[str]:
    return [model["id"] for model in gateway.get("/v1/models").json()["data"]]


def generation(gateway: Served) -> int:
    found = re.search(r"^twintrack_snapshot_generation (\d+)$", gateway.get("/metrics").body.decode(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("how", ["a changed file", "SIGHUP"])
def test_a_new_configuration_serves_while_old_streams_go_on(mine: Provider, tmp_path: Path, how: str) -> None:
    with Served(tmp_path, config(mine), workers=2) as gateway:
        before = gateway.chat("m")
        running = Running(gateway, mine, hold_s=2.5)
        gateway.file.write_text(config(mine, more=deployment("new", "mine").replace("2.0", "4.0")))
        if how == "SIGHUP":
            gateway.signal(signal.SIGHUP)

        eventually(lambda: generation(gateway) == 2, 5.0)

        assert served(gateway) == ["m", "new"]
        after = gateway.chat("new")
        assert after.status == 200
        answer = running.answer()
        assert whole(answer)
        rows = [gateway.entries(each.id)[0] for each in (before, answer, after)]
        assert len({row["policy_version"] for row in rows[:2]}) == 1
        assert rows[2]["policy_version"] != rows[0]["policy_version"]
        assert rows[2]["cost_nusd"] == 12 * 4_000 + 7 * 8_000
        assert "twintrack: configuration 2 is serving" in gateway.stderr()


def test_a_deployment_that_leaves_the_file_finishes_what_it_began(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine, more=deployment("old", "mine"))) as gateway:
        running = Running(gateway, mine, "old", hold_s=2.5)
        gateway.file.write_text(config(mine))
        eventually(lambda: served(gateway) == ["m"], 5.0)
        assert gateway.chat("old").status == 404
        answer = running.answer()
        assert whole(answer)
        assert gateway.entries(answer.id)[0]["deployment"] == "old"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[server]\nlisten = 5\n", r"twintrack\.toml:2: \$\.server\.listen"),
        ("[server\n", r"twintrack\.toml:1"),
        ("", r"twintrack\.toml"),
    ],
)
def test_a_bad_file_is_refused_and_the_old_one_serves(mine: Provider, tmp_path: Path, text: str, says: str) -> None:
    gateway = Served(tmp_path, config(mine), clean=False)
    with gateway:
        text = text or config(mine).replace('provider = "mine"', 'provider = "mien"')
        gateway.file.write_text(text)
        eventually(lambda: "configuration is refused" in gateway.stderr(), 5.0)
        refused = gateway.stderr().split("the new configuration is refused, the old one keeps serving: ")[1]
        assert re.search(says, refused)
        assert "Traceback" not in refused
        assert generation(gateway) == 1
        assert gateway.chat("m").status == 200
        gateway.file.write_text(config(mine, more=deployment("new", "mine")))
        eventually(lambda: served(gateway) == ["m", "new"], 5.0)


def test_a_file_that_is_gone_for_a_moment_changes_nothing(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), clean=False) as gateway:
        gateway.file.rename(tmp_path / "away.toml")
        eventually(lambda: "configuration is refused" in gateway.stderr(), 5.0)
        assert gateway.chat("m").status == 200


def test_what_can_only_change_at_a_start_waits_for_it(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine, server="workers = 1"), clean=False) as gateway:
        gateway.file.write_text(config(mine, server="workers = 3", more=deployment("new", "mine")))
        eventually(lambda: served(gateway) == ["m", "new"], 5.0)
        eventually(lambda: "waits for a restart" in gateway.stderr())
        os.kill(gateway.children()["worker 0"], signal.SIGKILL)
        eventually(lambda: gateway.chat("new").status == 200)


def test_a_secret_that_changes_is_read_again(mine: Provider, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text("sk-old\n")
    keyed = '[[keys]]\nname = "dev"\nkey = "file:key"\n'
    with Served(tmp_path, config(mine, more=keyed)) as gateway:
        assert gateway.ask(question("m"), headers={"x-api-key": "sk-old"}).status == 200
        key.write_text("sk-new\n")
        eventually(lambda: gateway.ask(question("m"), headers={"x-api-key": "sk-new"}).status == 200, 5.0)
        assert gateway.ask(question("m"), headers={"x-api-key": "sk-old"}).status == 401


# Dying


def test_a_worker_that_is_killed_is_replaced_and_what_it_ran_is_booked_as_lost(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), clean=False) as gateway:
        done = gateway.chat("m")
        time.sleep(1.2)  # counters are put where others see them once a second
        mine.scripts["m"] = Script(framing="raw", end="hang")
        requests, disconnects = mine.requests, mine.disconnects
        client = gateway.connect()
        client.post("/v1/chat/completions", question("m"))
        eventually(lambda: mine.requests == requests + 1)
        worker = gateway.children()["worker 0"]

        os.kill(worker, signal.SIGKILL)

        eventually(lambda: mine.disconnects > disconnects)
        client.socket.close()
        mine.scripts["m"] = chat_answer("again")
        assert gateway.chat("m").status == 200
        assert gateway.children()["worker 0"] != worker
        lost = eventually(lambda: gateway.query("SELECT * FROM entries WHERE outcome = 'lost'"))
        assert [(row["state"], row["cost_nusd"], row["detail"]) for row in lost] == [
            ("unknown", None, "the worker died")
        ]
        assert gateway.entries(done.id)[0]["outcome"] == "ok"
        assert "the worker 0 ended with signal 9 and is started again" in gateway.stderr()
        # Counters go on where the dead worker's ended.
        eventually(lambda: b'twintrack_attempts_total{deployment="m",outcome="ok"} 2' in gateway.get("/metrics").body)


def test_without_a_control_plane_traffic_goes_on(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), clean=False) as gateway:
        for _ in range(5):
            running = Running(gateway, mine, hold_s=0.2)
            os.kill(gateway.children()["control plane"], signal.SIGKILL)
            assert gateway.chat("m").status == 200
            assert whole(running.answer())
        answer = gateway.chat("m")
        assert gateway.entries(answer.id)[0]["outcome"] == "ok"
        assert gateway.query("SELECT count(*) n FROM entries") == [{"n": 11}]
        assert "the control plane ended with signal 9 and is started again" in gateway.stderr()


def test_one_worker_of_two_that_dies_takes_nobody_elses_stream_with_it(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), workers=2, clean=False) as gateway:
        streams = [Running(gateway, mine) for _ in range(12)]
        os.kill(gateway.children()["worker 0"], signal.SIGKILL)
        ended = [_quietly(each) for each in streams]
        assert 0 < sum(answer is not None and whole(answer) for answer in ended) < 12
        eventually(
            lambda: gateway.query("SELECT count(*) n FROM entries WHERE outcome IN ('ok', 'lost')") == [{"n": 12}]
        )
        assert all(gateway.chat("m").status == 200 for _ in range(8))


def _quietly(running: Running) -> Answer | None:
    try:
        return running.answer()
    except AssertionError:
        return None


def test_any_worker_answers_for_all_of_them(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), workers=2) as gateway:
        for _ in range(20):
            gateway.chat("m")
            gateway.chat("nobody")

        def told() -> bool:
            texts = [gateway.get("/metrics").body.decode() for _ in range(6)]
            return all(
                'twintrack_attempts_total{deployment="m",outcome="ok"} 20' in text
                and 'twintrack_refusals_total{code="model_not_found"} 20' in text
                and 'twintrack_tokens_total{deployment="m",kind="input"} 240' in text
                for text in texts
            )

        eventually(told, 5.0, 0.1)


def test_every_worker_takes_its_part(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), workers=2) as gateway:
        ids = [gateway.chat("m").id for _ in range(30)]
        assert len({each.rsplit("-", 1)[0] for each in ids}) == 2


# No files


def files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_it_takes_as_many_files_as_the_system_gives(mine: Provider, tmp_path: Path) -> None:
    few = "import os, resource, sys; _, most = resource.getrlimit(resource.RLIMIT_NOFILE); "
    few += "resource.setrlimit(resource.RLIMIT_NOFILE, (64, most)); os.execv(sys.argv[1], sys.argv[1:])"
    with Served(tmp_path, config(mine), wrap=(sys.executable, "-c", few)) as gateway:
        allowed = resource.prlimit(gateway.children()["worker 0"], resource.RLIMIT_NOFILE)
        assert allowed == (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2


def test_without_files_left_it_refuses_and_recovers(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), clean=False) as gateway:
        worker = gateway.children()["worker 0"]
        assert gateway.chat("m").status == 200
        held = [gateway.connect() for _ in range(10)]
        eventually(lambda: files(worker) > 20)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (files(worker) + 3, 4096))
        more = [gateway.connect() for _ in range(20)]
        for client in [*held, *more]:
            try:
                client.post("/v1/chat/completions", question("m"))
            except OSError:
                continue  # it was let go at once
        answers = [_quiet_answer(client) for client in held]
        assert {answer.status for answer in answers if answer} <= {200, 502}
        for client in [*held, *more]:
            client.socket.close()
        eventually(lambda: _answers(gateway), 5.0, 0.1)


def _answers(gateway: Served) -> bool:
    try:
        return gateway.chat("m").status == 200
    except (OSError, AssertionError):
        return False


def _quiet_answer(client: Raw) -> Answer | None:
    try:
        return client.answer()
    except (OSError, AssertionError):
        return None


# No space


def limited() -> tuple[str, ...]:
    """Files of this process and its children end after 3 MB, a little less than a journal's segment."""
    code = (
        "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({3 * 1024 * 1024}, {resource.RLIM_INFINITY})); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return (sys.executable, "-c", code)


def test_without_space_for_the_journal_nothing_is_sent(mine: Provider, tmp_path: Path) -> None:
    """A journal that cannot grow refuses before a byte goes out; it comes back when there is space."""
    gateway = Served(tmp_path, config(mine, more=route("auto", "m")), clean=False)
    with gateway:
        worker = gateway.children()["worker 0"]
        assert gateway.chat("m").status == 200
        no_more = 1024
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (no_more, resource.RLIM_INFINITY))
        # What was reserved before still takes some thousand requests, so that none that runs is ever unbooked.
        answer = fill(gateway)
        assert answer.status == 503
        assert answer.json()["error"]["code"] == "journal_full"
        assert answer.headers["retry-after"] == "1"
        before = mine.bytes_in
        for path, more in (("/v1/chat/completions", {}), ("/v1/chat/completions", {"stream": True})):
            refused = gateway.ask(question("auto") | more, path)
            assert refused.status == 503
        assert mine.bytes_in == before
        unready = b"not ready: worker 0 cannot write its journal: free disk space\n"
        eventually(lambda: gateway.get("/readyz").body == unready)
        assert gateway.get("/healthz").status == 200
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        eventually(lambda: gateway.chat("m").status == 200, 4.0, 0.2)
        eventually(lambda: gateway.get("/readyz").status == 200)
    assert gateway.query("SELECT count(*) n FROM entries") == [{"n": mine.requests}]
    assert gateway.query("SELECT count(*) n FROM entries WHERE outcome != 'ok'") == [{"n": 0}]


def fill(gateway: Served) -> Answer:
    """The first answer that is not 200."""
    with Raw(gateway.port) as client:
        for _ in range(600):
            for _ in range(50):
                client.post("/v1/chat/completions", question("m"))
            for _ in range(50):
                answer = client.answer()
                if answer.status != 200:
                    return answer
    raise AssertionError("the journal never filled up")


def test_without_space_at_the_start_it_says_so(mine: Provider, tmp_path: Path) -> None:
    gateway = Served(tmp_path, config(mine), clean=False, wrap=limited())
    gateway.start()
    try:
        eventually(lambda: "No space to record a dispatch" in gateway.stderr(), 10.0)
        assert "Traceback" not in gateway.stderr()
    finally:
        gateway.stop()
