"""What `deploy/` holds: read as the programs that take it would, and its commands run where no container engine is."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from support.processes import free_port
from twintrack.cli import command as root_command

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


# ---- Containerfile


@dataclass(frozen=True)
class Instruction:
    stage: int
    word: str
    text: str

    @property
    def list(self) -> list[str]:
        """Its exec form."""
        found = json.loads(self.text)
        assert isinstance(found, list)
        return found


def instructions() -> list[Instruction]:
    found = []
    stage = -1
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            stage += word == "FROM"
            found.append(Instruction(stage, word, rest.strip()))
    return found


def of(word: str, stage: int = 1) -> list[Instruction]:
    return [each for each in instructions() if each.word == word and each.stage == stage]


def argument(name: str) -> str:
    (found,) = [each.text.partition("=")[2] for each in instructions() if each.word == "ARG" and name in each.text]
    return found


def expanded(text: str) -> str:
    for name in ("PYTHON_IMAGE", "REQUIREMENTS"):
        text = text.replace(f"${{{name}}}", argument(name))
    return text


def healthcheck() -> list[str]:
    (check,) = of("HEALTHCHECK")
    found: list[str] = json.loads(check.text.partition(" CMD ")[2])
    return found


def test_every_instruction_is_one_and_every_image_has_a_version():
    known = {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"}
    known |= {"HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {each.word for each in instructions()} <= known
    images = [expanded(each.text.partition(" AS ")[0]) for each in instructions() if each.word == "FROM"]
    assert len(images) == 2, "what builds it is not in it"
    assert all(re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", image) for image in images)


def test_what_is_copied_is_there_and_reaches_the_builder(tracked):
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*", "nothing goes that is not named"
    for each in instructions():
        if each.word != "COPY" or each.text.startswith("--from="):
            continue
        *sources, _ = each.text.split()
        for source in sources:
            inside = [path for path in tracked if path == Path(source) or path.is_relative_to(source)]
            assert inside, f"{source} is not in the repository"
            allowed = [line[1:] for line in ignored if line.startswith("!")]
            assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed), f"{source} is not sent"


def test_what_is_copied_suffices_for_a_wheel():
    """What pyproject.toml names must be copied too, or the wheel cannot be built."""
    copied = " ".join(each.text for each in of("COPY", stage=0)).split()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"pyproject.toml", project["readme"], *project["license-files"], "src"} <= set(copied)


def test_it_runs_without_root_and_everything_it_installs_has_a_hash():
    (user,) = of("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user.text), "by number: an orchestrator checks that it is not 0"
    (made,) = [each.text for each in of("RUN")]
    assert f"--uid {user.text.partition(':')[0]}" in made
    for each in instructions():
        for install in re.findall(r"pip install ([^&]*)", each.text):
            assert "--require-hashes" in install or "--no-index" in install


def test_signals_reach_the_gateway_and_not_a_shell():
    assert of("ENTRYPOINT")[0].list == ["twintrack"]
    assert of("STOPSIGNAL")[0].text == "SIGTERM"
    arguments(of("CMD")[0].list)
    assert healthcheck()[0] == "python"


def arguments(words: list[str]) -> click.Context:
    """Words as the command line takes them. Raises click.UsageError."""
    group = click.Context(root_command, info_name="twintrack")
    name, command, rest = root_command.resolve_command(group, words)
    assert command is not None
    return command.make_context(name, rest, parent=group, resilient_parsing=False)


@pytest.mark.long
def test_its_commands_make_an_environment_that_serves(tmp_path):
    """Those of the build, in folders of their own; then what it starts, and how it is looked after."""
    build, home = tmp_path / "build", tmp_path / "opt"
    build.mkdir()
    for each in of("COPY", stage=0):
        *sources, to = each.text.split()
        for source in sources:
            target = build / to / Path(source).name if to.endswith("/") else build / to
            if to == "./":
                target = build / source
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, target)
    environ = {"PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environ |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTPS_"))}
    for each in of("RUN", stage=0):
        script = expanded(each.text).replace("/opt/", f"{home}/").replace("python -m venv", f"{sys.executable} -m venv")
        done = subprocess.run(
            ["sh", "-ec", script], cwd=build, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
    twintrack = home / "twintrack" / "bin"
    assert not (twintrack / "pip").exists()

    port = free_port()
    config = tmp_path / "twintrack.toml"
    config.write_text((DEPLOY / "twintrack.toml").read_text().replace("/var/lib/twintrack", str(tmp_path / "data")))
    words = of("CMD")[0].list
    words[words.index("/etc/twintrack/twintrack.toml")] = str(config)
    environ = {"PATH": f"{twintrack}:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    environ |= dict.fromkeys(("OPENAI_API_KEY",), "sk-x") | {"TWINTRACK_KEY": "a-key", "TWINTRACK_METRICS_KEY": "b-key"}
    check = [each.replace(":8080", f":{port}") for each in healthcheck()]
    command = [str(twintrack / of("ENTRYPOINT")[0].list[0]), *words, "--listen", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert process.stderr.readline().startswith("twintrack: serving auto over 2 deployments")
            assert subprocess.run(check, env=environ, check=False).returncode == 0
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert subprocess.run(check, env=environ, capture_output=True, check=False).returncode != 0


def test_as_the_first_process_of_its_namespace_it_stops_when_it_is_told(tmp_path):
    """The kernel keeps signals from a process 1 that has no handler for them."""
    alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = []  # then at least as an ordinary one
    config = tmp_path / "twintrack.toml"
    config.write_text('[[providers]]\nname = "here"\napi = "vllm"\nurl = "http://127.0.0.1:9/v1"\nzone = "own"\n')
    command = [*alone, sys.executable, "-m", "twintrack", "serve", "--config", str(config)]
    command += ["--listen", f"127.0.0.1:{free_port()}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        pid = process.pid
        try:
            assert process.stderr.readline().startswith("twintrack: serving 0 deployments")
            if alone:
                pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        finally:
            os.kill(pid, signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


# ---- compose.yaml


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def test_compose_builds_what_is_here_and_mounts_what_is_there(compose):
    gateway = compose["services"]["gateway"]
    assert (DEPLOY / gateway["build"]["context"]).resolve() == ROOT
    assert (ROOT / gateway["build"]["dockerfile"]).is_file()
    for service in compose["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"], volume
            assert not source.startswith(".") or volume.endswith(":ro")


def test_compose_gives_no_service_more_than_it_needs(compose):
    for service in compose["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    gateway = compose["services"]["gateway"]
    assert gateway["read_only"]
    assert gateway["init"], "somebody has to reap what an engine leaves"
    assert int(gateway["stop_grace_period"].removesuffix("s")) >= 30 + 15
    assert all(service.get("profiles") for name, service in compose["services"].items() if name != "gateway")


def test_compose_holds_no_secret_and_says_what_is_missing(compose):
    for value in compose["services"]["gateway"]["environment"].values():
        assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value)
    config = (DEPLOY / "twintrack.toml").read_text()
    assert set(re.findall(r"env:(\w+)", config)) <= set(compose["services"]["gateway"]["environment"])


def test_the_example_configuration_is_right(tmp_path):
    check = [sys.executable, "-m", "twintrack", "config", "check", str(DEPLOY / "twintrack.toml")]
    environ = dict(os.environ) | {"TWINTRACK_KEY": "a-key", "TWINTRACK_METRICS_KEY": "b-key", "OPENAI_API_KEY": "sk-x"}
    done = subprocess.run(check, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_prometheus_asks_the_gateway_with_its_key_and_grafana_asks_prometheus(compose):
    asked = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    (target,) = asked["static_configs"][0]["targets"]
    assert target.split(":")[0] in compose["services"]
    secret = Path(asked["authorization"]["credentials_file"])
    assert secret.parent == Path("/run/secrets")
    assert secret.name in compose["services"]["prometheus"]["secrets"]
    assert secret.name in compose["secrets"]
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "twintrack.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (shown,) = yaml.safe_load((provisioning / "dashboards" / "twintrack.yml").read_text())["providers"]
    assert f"./grafana:{shown['options']['path']}:ro" in compose["services"]["grafana"]["volumes"]


def test_prometheus_and_grafana_find_the_files_that_ship():
    (patterns,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["rule_files"]
    assert fnmatch.filter(["/etc/prometheus/" + path.name for path in (DEPLOY / "prometheus").iterdir()], patterns)
    assert list((DEPLOY / "grafana").glob("*.json"))


@pytest.mark.needs("promtool", reason="reads the configuration as Prometheus does")
def test_prometheus_takes_its_configuration():
    check = ["promtool", "check", "config", "--syntax-only", str(DEPLOY / "prometheus" / "prometheus.yml")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- the unit


@pytest.fixture(scope="module")
def unit() -> dict[str, dict[str, list[str]]]:
    """By section and word; a word may stand several times."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in (DEPLOY / "twintrack.service").read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            word, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(section, {}).setdefault(word, []).append(value)
    return found


def test_the_unit_starts_and_reloads_what_there_is(unit):
    service = unit["Service"]
    program, *words = shlex.split(service["ExecStart"][0])
    assert Path(program).name == "twintrack"
    assert arguments(words).params["config"] == Path("/etc/twintrack/twintrack.toml")
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert service["Type"] == ["notify"]
    assert service["KillMode"] == ["mixed"], "workers are told by the supervisor, after clients"
    assert int(service["TimeoutStopSec"][0]) >= 30 + 15
    assert service["RestartPreventExitStatus"] == ["2 3"]


def test_the_unit_lets_it_write_where_its_configuration_says(unit):
    config = tomllib.loads((DEPLOY / "twintrack.toml").read_text())
    assert config["server"]["data"] == f"/var/lib/{unit['Service']['StateDirectory'][0]}"
    assert unit["Service"]["ProtectSystem"] == ["strict"]
    assert unit["Service"]["User"] != ["root"]


@pytest.mark.needs("systemd-analyze", reason="reads the unit")
def test_systemd_takes_the_unit_and_calls_it_safe(tmp_path):
    unit = tmp_path / "twintrack.service"
    program = shutil.which("true")
    assert program is not None
    text = (DEPLOY / "twintrack.service").read_text()
    unit.write_text(text.replace("/opt/twintrack/bin/twintrack", program))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    ours = [line for line in verified.stderr.splitlines() if "twintrack" in line]
    assert (verified.returncode, ours) == (0, [])
    judge = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    judged = subprocess.run(judge, capture_output=True, text=True, check=False)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", judged.stdout)
    assert exposure is not None, judged.stderr
    assert float(exposure[1]) <= 1.5
