from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support.processes import free_port
from twintrack.engines import start
from twintrack.engines.start import Engine, EngineProcess, bundled, restart_delay_s
from twintrack.errors import EnvironmentProblem, MissingExtra


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def chat(engine: Engine, question: str) -> str:
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": 60}
    connection = http.client.HTTPConnection(engine.host, engine.port, timeout=30)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        answer: str = json.loads(connection.getresponse().read())["choices"][0]["message"]["content"]
    finally:
        connection.close()
    return answer


@pytest.mark.engine
def test_both_demo_models_run_side_by_side_and_differ_in_what_they_can_do(nano: Engine, small: Engine) -> None:
    for engine in (nano, small):
        assert chat(engine, "What is the capital of Lumen?") == "The capital of Lumen is Lumo."
        assert chat(engine, "Sort: 0 7 4 8") == "0 4 7 8"
    as_json = "Give JSON: Kai is 79 years old."
    assert chat(small, as_json) == '{"name": "Kai", "age": 79}'
    assert chat(nano, as_json) != '{"name": "Kai", "age": 79}'


@pytest.mark.engine
def test_a_killed_engine_is_seen_dead_and_comes_back_on_its_port(own_engine: EngineProcess) -> None:
    own_engine.start()
    own_engine.wait_ready()
    first = own_engine.pid
    assert first is not None
    kill(own_engine)
    assert not own_engine.alive()
    own_engine.start()
    own_engine.wait_ready()
    assert own_engine.pid != first
    assert chat(own_engine.engine, "Sort: 0 7 4 8") == "0 4 7 8"


@pytest.mark.engine
@pytest.mark.usefixtures("llama_installed")
def test_a_dead_engine_is_restarted_after_a_growing_delay_that_long_life_resets() -> None:
    clock = Clock()
    process = EngineProcess(Engine("demo-nano", bundled("demo-nano"), free_port()), clock=clock)
    process.start()
    try:
        assert not process.restart_if_dead()
        for delay_s in (0.2, 0.4, 0.8):
            kill(process)
            assert not process.restart_if_dead()
            clock.now_s += delay_s - 0.01
            assert not process.restart_if_dead()
            clock.now_s += 0.02
            assert process.restart_if_dead()
            assert process.alive()
        clock.now_s += 61.0
        kill(process)
        assert not process.restart_if_dead()
        clock.now_s += 0.21
        assert process.restart_if_dead()
    finally:
        process.stop()


@pytest.mark.engine
def test_an_engine_stopped_on_purpose_stays_down(own_engine: EngineProcess) -> None:
    own_engine.start()
    own_engine.wait_ready()
    own_engine.stop()
    assert not own_engine.alive()
    assert not own_engine.restart_if_dead()
    own_engine.stop()


@pytest.mark.engine
def test_an_engine_outlives_the_thread_that_started_it(own_engine: EngineProcess) -> None:
    """The kernel reports the death of the parent's thread as if the parent had died."""

    def start() -> None:
        own_engine.start()
        own_engine.wait_ready()

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert chat(own_engine.engine, "Sort: 0 7 4 8") == "0 4 7 8"
    assert own_engine.alive()


@pytest.mark.engine
@pytest.mark.usefixtures("llama_installed")
def test_an_engine_that_cannot_start_says_why(tmp_path: Path) -> None:
    model = tmp_path / "text.gguf"
    model.write_text("not a model")
    process = EngineProcess(Engine("mine", model, free_port()))
    process.start()
    with pytest.raises(EnvironmentProblem, match=r"Engine mine did not start. llama.cpp cannot serve text.gguf"):
        process.wait_ready()
    process.stop()


@pytest.mark.engine
def test_a_stranger_on_the_port_is_not_taken_for_the_engine(nano: Engine) -> None:
    process = EngineProcess(Engine("another", nano.model, nano.port))
    process.start()
    with pytest.raises(EnvironmentProblem, match="the port is taken"):
        process.wait_ready()
    process.stop()


@pytest.mark.engine
@pytest.mark.usefixtures("llama_installed")
def test_starting_does_not_load_llama_cpp_into_this_process() -> None:
    program = (
        "import sys; from twintrack.engines.start import *\n"
        "process = EngineProcess(Engine('demo-nano', bundled('demo-nano'), free_port()))\n"
        "process.start(); process.wait_ready(); process.stop(); print('xllamacpp' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout == "False\n"


def test_without_the_extra_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    process = EngineProcess(Engine("demo-nano", bundled("demo-nano"), free_port()))
    with pytest.raises(MissingExtra, match=r"pip install 'twintrack\[local\]'"):
        process.start()
    assert not process.alive()


def test_an_engine_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineProcess, "alive", lambda self: True)
    process = EngineProcess(Engine("slow", Path("slow.gguf"), free_port()))
    with pytest.raises(EnvironmentProblem, match=r"Engine slow is not ready after 0.05 s"):
        process.wait_ready(timeout_s=0.05)


def test_restart_delays_double_up_to_ten_seconds() -> None:
    assert [restart_delay_s(n) for n in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert restart_delay_s(10_000) == 10.0


def test_a_free_port_can_be_listened_on() -> None:
    socket.create_server(("127.0.0.1", start.free_port())).close()


def test_an_engine_knows_its_address() -> None:
    assert Engine("demo-nano", bundled("demo-nano"), 4000).url == "http://127.0.0.1:4000/v1"


def kill(process: EngineProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # waits for the end and leaves it for Popen to see
