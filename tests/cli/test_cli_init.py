"""`twintrack init`: a first configuration by five questions, or the one of another gateway."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.gateway import Served, question
from support.provider import Provider
from twintrack.cli import init
from twintrack.config.load import load
from twintrack.engines.identify import Found, FoundModel
from twintrack.providers.scripted import chat_answer, error_answer

OLLAMA = Found("ollama", "http://127.0.0.1:11434/v1", "0.13.0", (FoundModel("qwen3:8b"), FoundModel("llama3.3:70b")))
SAMPLES = Path(__file__).parents[1] / "config" / "moving" / "data"
TERMINAL_S = 30.0


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A machine with these model servers on it; without a call, with none."""

    def pretend(*servers: Found) -> None:
        async def find() -> list[Found]:
            return list(servers)

        monkeypatch.setattr(init, "find", find)

    pretend()
    return pretend


class Terminal:
    """A command with a person in front of it."""

    def __init__(self, *args: str, **environ: str) -> None:
        self.said = ""
        self._screen, theirs = pty.openpty()
        command = [sys.executable, "-m", "twintrack", *args]
        env = os.environ | environ
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
        os.close(theirs)

    def until(self, text: str) -> None:
        """Wait for a question."""
        late = time.monotonic() + TERMINAL_S
        while text not in self.said:
            self.said += self._read(late)
            assert time.monotonic() < late, f"it did not say {text!r} but: {self.said}"

    def answer(self, text: str) -> None:
        self.said = ""
        os.write(self._screen, text.encode() + b"\r")

    def leave(self) -> None:
        """Ctrl-D."""
        os.write(self._screen, b"\x04")

    def stop(self, number: signal.Signals) -> None:
        """As Ctrl-C does. Between the question and the wait for its answer Python notes a signal and waits all the
        same, so it is sent again."""
        for _ in range(10):
            self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
                return

    def ended(self) -> int:
        """Wait for its end; returns its exit status."""
        late = time.monotonic() + TERMINAL_S
        while self.process.poll() is None:
            self.said += self._read(late)
            assert time.monotonic() < late, f"it did not end but: {self.said}"
        self.said += self._read(time.monotonic())
        return self.process.returncode

    def close(self) -> None:
        """However it is, it is gone afterwards."""
        self.process.kill()
        self.process.wait()
        os.close(self._screen)

    def _read(self, late: float) -> str:
        """What it says next, within a tenth of a second."""
        if not select.select([self._screen], [], [], min(0.1, max(0.0, late - time.monotonic())))[0]:
            return ""
        try:
            return os.read(self._screen, 65536).decode()
        except OSError:  # the other side is closed
            return ""


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*args: str, **environ: str) -> Terminal:
        opened.append(Terminal(*args, **environ))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


# ---- questions


def test_enter_five_times_makes_a_configuration(cli, terminal, tmp_path):
    person = terminal("init", OPENAI_API_KEY="sk-not-used", COLUMNS="200")
    for asked in (
        "Which providers that cost money? openai, all or none [none]:",
        "Use the two bundled demo models, real but tiny? [Y/n]:",
        "What matters more where they conflict? quality, balanced or price [price]:",
        "What does a request without a label count as? public, internal, confidential or restricted [internal]:",
        "Where to listen? [127.0.0.1:",
    ):
        person.until(asked)
        person.answer("")
    assert person.ended() == 0
    assert "Wrote twintrack.toml: 2 deployments; clients can ask for auto." in person.said
    assert "twintrack serve" in person.said
    settings, _ = load(tmp_path / "twintrack.toml")
    assert [each.engine for each in settings.providers] == ["demo-nano", "demo-small"]
    assert cli("config", "check").code == 0
    assert "sk-not-used" not in (tmp_path / "twintrack.toml").read_text()


def test_other_answers_are_taken_and_wrong_ones_asked_again(terminal, tmp_path):
    person = terminal("init", OPENAI_API_KEY="x", GROQ_API_KEY="x", COLUMNS="200")
    person.until("[none]:")
    person.answer("opnai")
    person.until("Say openai, groq, several with commas, all or none.")
    person.until("[none]:")
    person.answer("openai")
    person.until("[quality]:")
    person.answer("p")
    person.until("[internal]:")
    person.answer("Confidential")
    person.until("[127.0.0.1:")
    person.answer("everywhere")
    person.until("Say HOST:PORT")
    person.until("[127.0.0.1:")
    person.answer("0.0.0.0:8080")
    assert person.ended() == 0
    assert "nobody in this file may see that" in person.said
    assert "TWINTRACK_KEY  (the key clients send" in person.said
    settings, _ = load(tmp_path / "twintrack.toml", environ=None)
    assert settings.server.listen == "0.0.0.0:8080"
    assert settings.keys[0].key == "env:TWINTRACK_KEY"
    assert (settings.routes["auto"].keep_quality, settings.routes["auto"].default_class) == (0.9, "confidential")
    assert [tier.name for tier in settings.routes["auto"].tiers] == ["small", "balanced", "premium"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, None], ids=["ctrl-c", "sigterm", "ctrl-d"])
def test_who_stops_leaves_nothing_behind(terminal, tmp_path, stop):
    person = terminal("init")
    person.until("[Y/n]:")
    person.answer("")
    person.until("[price]:")
    if stop is None:
        person.leave()
    else:
        person.stop(stop)
    assert person.ended() == (-signal.SIGTERM if stop == signal.SIGTERM else 130)
    assert list(tmp_path.iterdir()) == []


def test_refusing_every_model_is_said(terminal, tmp_path):
    person = terminal("init")
    person.until("[Y/n]:")
    person.answer("n")
    assert person.ended() == 3
    assert "There is no model to serve. Start a model server" in person.said
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_it_says_what_to_do(cli, tmp_path):
    ran = cli("init")
    assert ran.code == 2
    assert "Add --yes to take the answers it suggests" in ran.err
    assert list(tmp_path.iterdir()) == []


# ---- without questions


def test_servers_found_become_tiers_by_quality(cli, machine, tmp_path):
    machine(OLLAMA)
    ran = cli("init", "--yes")
    assert ran.code == 0
    assert ran.out == ""
    assert "Found ollama at http://127.0.0.1:11434/v1: qwen3:8b, llama3.3:70b" in ran.err
    settings, _ = load(tmp_path / "twintrack.toml")
    assert [(tier.name, tier.deployments) for tier in settings.routes["auto"].tiers] == [
        ("small", ("qwen3:8b@ollama",)),
        ("premium", ("llama3.3:70b@ollama",)),
    ]
    assert cli("config", "check").code == 0


def test_taking_the_demo_models_unasked_is_said(cli, machine, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    said = "No model server was found and --use names no provider, so the two bundled demo models are used.\n"
    assert said in cli("init", "--yes", "--dry-run").err
    assert said not in cli("init", "--yes", "--dry-run", "--use", "anthropic").err
    machine(OLLAMA)
    assert said not in cli("init", "--yes", "--dry-run").err


def test_a_cost_nobody_knows_is_said(cli, tmp_path):
    (tmp_path / "litellm.yaml").write_text("model_list: [{model_name: m, litellm_params: {model: cerebras/x}}]")
    assert "Check: Cost unknown: no list price for x@cerebras." in cli("init", "--from", "litellm.yaml").err


def test_a_key_is_used_only_if_somebody_names_its_provider(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    ran = cli("init", "--yes")
    assert "Found the key of anthropic in ANTHROPIC_API_KEY" in ran.err
    assert "anthropic" not in (tmp_path / "twintrack.toml").read_text()
    assert cli("init", "--yes", "--use", "anthropic", "--force").code == 0
    text = (tmp_path / "twintrack.toml").read_text()
    assert "# list price $" in text
    assert "secret" not in text.replace("secrets only by reference", "")
    assert len(load(tmp_path / "twintrack.toml")[0].routes["auto"].tiers) == 3


def test_one_model_of_a_provider_can_be_named(cli, tmp_path):
    ran = cli("init", "--yes", "--use", "openai:gpt-5.4-mini")
    assert "Set before it serves:\n  OPENAI_API_KEY  (the key of openai)" in ran.err
    settings, _ = load(tmp_path / "twintrack.toml", environ=None)
    assert [each.model for each in settings.deployments] == ["gpt-5.4-mini"]


def test_an_unknown_provider_is_an_error_and_nothing_is_written(cli, tmp_path):
    ran = cli("init", "--yes", "--use", "opnai")
    assert ran.code == 3
    assert "Did you mean openai?" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_the_comments_explain_every_table(cli):
    text = cli("init", "--yes", "--dry-run").out
    assert "Written by `twintrack init`" in text
    for header in ("[server]", "[[providers]]", "[[deployments]]", "[routes.auto]"):
        before = text[: text.index(f"\n{header}")].splitlines()
        assert any(line.startswith("#") for line in before[-2:]), header
    assert "# [privacy]" in text


def test_json_tells_programs_the_same(cli, tmp_path):
    ran = cli("init", "--yes", "--json", "--use", "openai:gpt-5.4-mini", "--output", "my gateway.toml")
    told = ran.json()
    assert told["written"] is True
    assert told["config"] == (tmp_path / "my gateway.toml").read_text()
    assert (told["routes"], told["providers"], told["deployments"]) == (["auto"], ["openai"], 1)
    assert told["variables"] == [{"name": "OPENAI_API_KEY", "set": False, "purpose": "the key of openai"}]
    assert told["next"] == ["twintrack config check 'my gateway.toml'", "twintrack serve --config 'my gateway.toml'"]


# ---- the file


def test_an_existing_file_is_kept_unless_forced(cli, tmp_path):
    mine = tmp_path / "twintrack.toml"
    mine.write_text("mine")
    for args in (("--yes",), ("--from", str(SAMPLES / "team.yaml")), ()):
        ran = cli("init", *args)
        assert ran.code == 1
        assert "twintrack.toml exists already. Replace it with --force" in ran.err
    assert mine.read_text() == "mine"
    assert cli("init", "--yes", "--force").code == 0
    assert mine.read_text() != "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["twintrack.toml"]


def test_a_dry_run_writes_nothing(cli, tmp_path):
    (tmp_path / "twintrack.toml").write_text("mine")
    ran = cli("init", "--yes", "--dry-run")
    assert ran.code == 0
    assert ran.out.startswith("# Written by `twintrack init`")
    assert cli("init", "--yes", "--dry-run", "--json").json()["written"] is False
    assert (tmp_path / "twintrack.toml").read_text() == "mine"


def test_a_file_that_cannot_be_written_is_said(cli):
    ran = cli("init", "--yes", "--output", "nowhere/twintrack.toml")
    assert ran.code == 4
    assert "nowhere/twintrack.toml cannot be written. No such file or directory." in ran.err


def test_a_disk_that_fills_up_leaves_nothing(cli, monkeypatch, tmp_path):
    opened = Path.open

    def full(self, mode="r", **more):
        file = opened(self, mode, **more)
        if "x" in mode:
            file.close()
            file = opened(Path("/dev/full"), "w", **more)
        return file

    monkeypatch.setattr(Path, "open", full)
    ran = cli("init", "--yes")
    assert ran.code == 4
    assert "No space left on device" in ran.err
    assert list(tmp_path.iterdir()) == []


# ---- from another gateway


def test_litellm_s_file_is_translated_and_what_is_lost_is_listed(cli, tmp_path):
    ran = cli("init", "--from", str(SAMPLES / "team.yaml"))
    assert ran.code == 0
    assert ran.out == ""
    assert f"{SAMPLES / 'team.yaml'}, lines 9 and 18: $.model_list[*].litellm_params.rpm" in ran.err
    assert "secret: The secret is not copied. Set OPENAI_API_KEY to it" in ran.err
    assert "  AZURE_WEU_KEY  (the key of acme-weu.openai.azure.com, line 7 of " in ran.err
    assert "Check: Who sees the data at" in ran.err
    settings, _ = load(tmp_path / "twintrack.toml", environ=None)
    assert list(settings.routes) == ["gpt-4o", "claude", "qwen-small", "embeddings", "gpt-4"]
    assert cli("config", "check", "--text-only").code == 0
    assert cli("config", "check").code == 3  # the keys are not set


def test_json_lists_each_value_with_line_path_and_reason(cli):
    told = cli("init", "--from", str(SAMPLES / "team.yaml"), "--json").json()
    assert {"line": 9, "path": "$.model_list[0].litellm_params.rpm"}.items() <= told["not_carried"][1].items()
    assert all(each["why"] and each["kind"] for each in told["not_carried"])
    assert {"line": 3, "path": "$.model_list[0].model_name", "to": "routes"} in told["carried"]
    assert "correct-horse" not in json.dumps(told)


def test_openrouter_s_request_is_translated(cli, tmp_path):
    ran = cli("init", "--from", str(SAMPLES / "support.json"))
    assert ran.code == 0
    assert "$.provider.data_collection" in ran.err
    assert list(load(tmp_path / "twintrack.toml", environ=None)[0].routes) == ["anthropic/claude-sonnet-4.6"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("broken.yaml", "model_list:\n- a: [\n", "broken.yaml:3:1: This is not YAML"),
        ("broken.json", '{"model": }', "broken.json:1:11: This is not JSON"),
        ("empty.yaml", "model_list: []", "No model of empty.yaml could be carried, so nothing is written"),
        ("other.yaml", "services: {web: 1}", "neither a configuration of LiteLLM"),
        ("absent.yaml", None, "absent.yaml cannot be read. No such file or directory"),
    ],
)
def test_what_cannot_be_translated_is_said_and_nothing_is_written(cli, tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text)
    ran = cli("init", "--from", name)
    assert ran.code == 3
    assert said in ran.err
    assert not (tmp_path / "twintrack.toml").exists()


def test_the_file_to_translate_is_never_overwritten(cli, tmp_path):
    (tmp_path / "litellm.yaml").write_text("model_list: []")
    ran = cli("init", "--from", "litellm.yaml", "--output", "litellm.yaml", "--force")
    assert ran.code == 1
    assert "litellm.yaml is the file to translate" in ran.err


def test_questions_and_translation_exclude_each_other(cli):
    assert cli("init", "--from", "x.yaml", "--use", "openai").code == 2


def test_a_moved_gateway_serves_and_falls_back(cli, tmp_path):
    with Provider() as main, Provider() as spare:
        main.scripts["chat-large"] = error_answer(500)
        spare.scripts["chat-spare"] = chat_answer("from the spare")
        (tmp_path / "litellm.yaml").write_text(
            f"""\
model_list:
  - model_name: support-bot
    litellm_params: {{model: openai/chat-large, api_base: "{main.url}", api_key: sk-literal}}
  - model_name: spare
    litellm_params: {{model: openai/chat-spare, api_base: "{spare.url}", api_key: os.environ/SPARE_KEY}}
litellm_settings:
  request_timeout: 30
router_settings:
  fallbacks: [{{support-bot: [spare]}}]
  model_group_alias: {{bot: support-bot}}
general_settings: {{master_key: os.environ/MASTER}}
"""
        )
        variables = cli("init", "--from", "litellm.yaml", "--json").json()["variables"]
        keys = {each["name"]: f"sk-test-{each['name']}".lower() for each in variables}
        config = (tmp_path / "twintrack.toml").read_text()
        with Served(tmp_path / "gateway", config, env=keys) as gateway:
            for name in ("support-bot", "bot"):
                headers = {"authorization": f"Bearer {keys['MASTER']}"}
                answer = gateway.ask(question(name), headers=headers)
                assert answer.status == 200, answer.body
                assert b"from the spare" in answer.body
                assert answer.headers["x-twintrack-route"] == name
                assert answer.headers["x-twintrack-tier"] == "fallback"
            assert gateway.chat("support-bot").status == 401
        assert [each for each in main.received if b"support-bot" in each.body] == []
        (secret,) = {dict(each.headers)["authorization"] for each in spare.received}
        assert secret == f"Bearer {keys['SPARE_KEY']}"
