from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.processes import free_port
from twintrack.engines.start import Engine, EngineProcess, bundled

COMMAND = [sys.executable, "-m", "twintrack.engines.llama", "--alias", "demo-nano"]


def run(*arguments: str, command: list[str] = COMMAND) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_without_the_extra_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['xllamacpp'] = None; from twintrack.engines.llama import main; sys.exit(main())"
    model = str(bundled("demo-nano"))
    ended = run("--alias", "a", "--model", model, "--port", "1", command=[sys.executable, "-c", program])
    assert ended.returncode == 4
    assert ended.stderr == (
        "The local engine is not installed. Running a model in place needs the package xllamacpp. "
        "pip install 'twintrack[local]'.\n"
    )


def test_help_needs_no_extra() -> None:
    ended = run("--help")
    assert ended.returncode == 0
    assert "--parent-pid" in ended.stdout


@pytest.mark.engine
@pytest.mark.usefixtures("llama_installed")
def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    ended = run("--model", str(tmp_path / "none.gguf"), "--port", str(free_port()))
    assert ended.returncode == 3
    assert "There is no model file" in ended.stderr


@pytest.mark.engine
@pytest.mark.usefixtures("llama_installed")
def test_a_file_that_is_no_model_gives_one_line_and_the_rest_in_the_log(tmp_path: Path) -> None:
    model, log = tmp_path / "text.gguf", tmp_path / "engine.log"
    model.write_text("not a model")
    ended = run("--model", str(model), "--port", str(free_port()), "--log", str(log))
    assert ended.returncode == 4
    assert ended.stdout == ""
    assert ended.stderr.startswith("llama.cpp cannot serve text.gguf on 127.0.0.1:")
    assert ended.stderr.count("\n") == 1
    assert str(log) in ended.stderr
    assert "failed to load model" in log.read_text()


@pytest.mark.engine
@pytest.mark.usefixtures("llama_installed")
def test_a_taken_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("--model", str(bundled("demo-nano")), "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 4
    assert "the port is taken" in ended.stderr


@pytest.mark.engine
@pytest.mark.usefixtures("llama_installed")
def test_it_ends_cleanly_and_silently_on_sigterm() -> None:
    engine = Engine("demo-nano", bundled("demo-nano"), free_port())
    process = subprocess.Popen(
        [*COMMAND, "--model", str(engine.model), "--port", str(engine.port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until_served(engine)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10) == (b"", b"")
    assert process.returncode == 0


@pytest.mark.engine
@pytest.mark.usefixtures("llama_installed")
def test_it_does_not_outlive_a_parent_that_died_before_it_looked() -> None:
    ended = run("--model", str(bundled("demo-nano")), "--port", str(free_port()), "--parent-pid", "1073741824")
    assert ended.returncode == 0


@pytest.mark.engine
def test_it_dies_with_its_parent(own_engine: EngineProcess) -> None:
    engine = own_engine.engine
    program = (
        "import sys, time; from pathlib import Path; from twintrack.engines.start import Engine, EngineProcess\n"
        "process = EngineProcess(Engine('demo-nano', Path(sys.argv[1]), int(sys.argv[2])))\n"
        "process.start(); process.wait_ready(); print('ready', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(engine.model), str(engine.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        assert is_served(engine)
        parent.kill()
    wait_until_gone(engine)


def is_served(engine: Engine) -> bool:
    try:
        socket.create_connection((engine.host, engine.port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until_served(engine: Engine) -> None:
    _wait(lambda: is_served(engine))


def wait_until_gone(engine: Engine) -> None:
    _wait(lambda: not is_served(engine))


def _wait(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
