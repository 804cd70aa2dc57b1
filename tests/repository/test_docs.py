"""Commands shown in README.md and docs/*.md run as they stand, in order, in an empty folder.

    ```console run               commands after `$ `, continued after `> `; the lines between are output that must
                                 appear in this order, where `…` stands for anything
    ```console shown: REASON     not run
    ```python run                a program that must end with status 0
    ```toml file=NAME            written to NAME before what follows

A command that ends in `&` is a server: the next command waits until it answers. 127.0.0.1:8080 becomes a free port.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.processes import LEASH, free_port

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
COMMAND_S = 120.0
READER_S = 0.5
"""What even a fast reader needs between two commands; the ledger of a running gateway is a quarter second behind."""
READY_S = 30.0
_SHOWN_CHARS = 2000


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    language: str
    info: str
    """What stands behind the language."""
    text: str
    line: int

    @property
    def runs(self) -> bool:
        return self.info == "run" or self.info.startswith("file=")


@dataclass
class Step:
    """A command, and the lines shown below it."""

    command: str
    shown: list[str] = field(default_factory=list)


def blocks(markdown: str) -> list[Block]:
    fences = re.finditer(r"^```(\w+)([^\n]*)\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)
    return [Block(each[1], each[2].strip(), each[3], markdown.count("\n", 0, each.start()) + 1) for each in fences]


def steps(console: str) -> list[Step]:
    found: list[Step] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:]))
        elif line.startswith("> ") and found and not found[-1].shown:
            found[-1].command += "\n" + line[2:]
        elif line.strip() and found:
            found[-1].shown.append(line)
    return found


def missing(shown: list[str], output: str) -> str | None:
    """The first shown line that does not appear in `output` after the ones before it."""
    lines = iter([" ".join(line.split()) for line in output.splitlines()])
    for line in shown:
        parts = [re.escape(part) for part in " ".join(line.split()).split("…")]
        pattern = re.compile(".*".join(parts))
        if not any(pattern.fullmatch(actual) for actual in lines):
            return line
    return None


class Shell:
    """One bash for a whole document, so that variables and folders carry over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "LC_ALL", "TMPDIR"}}
        environment = kept | {
            "PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', os.defpath)}",
            "HOME": str(folder),
            "TWINTRACK_HOME": str(folder / "twintrack-home"),
            "NO_PROXY": "127.0.0.1,localhost",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "PYTHONUNBUFFERED": "1",
        }
        self._bash = subprocess.Popen(
            [*LEASH, "bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        self._ends = 0
        self.serving = False

    def local(self, text: str) -> str:
        return text.replace("127.0.0.1:8080", self.address).replace("localhost:8080", self.address)

    def run(self, command: str) -> tuple[int, str]:
        """Exit status and output."""
        command = self.local(command.rstrip())
        if command.endswith("&"):
            return self._serve(command.removesuffix("&").rstrip())
        return self._read(f"{{ {command}\n}} < /dev/null")

    def stop(self) -> None:
        """End the shell and every server it started; they get some seconds to do so themselves."""
        group = self._bash.pid
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(group, number)
                if number == signal.SIGTERM:
                    self._bash.kill()  # a waiting bash heeds no SIGTERM
                    self._bash.wait()
                    late = time.monotonic() + 15
                    while time.monotonic() < late:
                        os.killpg(group, 0)
                        time.sleep(0.05)
            except ProcessLookupError:
                break
        for pipe in (self._bash.stdin, self._bash.stdout):
            assert pipe is not None
            pipe.close()

    def _serve(self, command: str) -> tuple[int, str]:
        if "--listen" not in command:
            command += f" --listen {self.address}"
        log = self.folder / f"server-{self._ends}.log"
        status, _ = self._read(f"{' '.join(LEASH)} {command} < /dev/null > {log} 2>&1 &")
        self.serving = True
        late = time.monotonic() + READY_S
        while time.monotonic() < late:
            said = log.read_text() if log.exists() else ""
            if self.address in said and self._answers():
                return status, said
            if self._read("jobs -r")[1].strip() == "":
                return 1, f"the server ended: {said[-_SHOWN_CHARS:]}"
            time.sleep(0.1)
        return 1, f"not ready after {READY_S} s: {log.read_text()[-_SHOWN_CHARS:]}"

    def _answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://{self.address}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _read(self, script: str) -> tuple[int, str]:
        self._ends += 1
        end = f"-end-{self._ends}-"
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{script}\nprintf '\\n{end}%s\\n' \"$?\"\n".encode())
        self._bash.stdin.flush()
        output = b""
        late = time.monotonic() + COMMAND_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._bash.stdout, selectors.EVENT_READ)
            while not re.search(rb"\n%b(\d+)\n$" % end.encode(), output):
                ready = selector.select(max(0.0, late - time.monotonic()))
                data = os.read(self._bash.stdout.fileno(), 65536) if ready else b""
                if not data:
                    return (124 if not ready else 1), output.decode(errors="replace")
                output += data
        text, _, status = output.decode(errors="replace").rpartition(f"\n{end}")
        return int(status), text


def run_document(name: str, markdown: str, folder: Path) -> None:
    """Run what `markdown` says runs.

    Raises:
        AssertionError: a command failed, or did not print what is shown below it.
    """
    shell = Shell(folder)
    try:
        for block in blocks(markdown):
            place = f"{name}:{block.line}"
            if block.info.startswith("file="):
                (folder / block.info.removeprefix("file=")).write_text(shell.local(block.text))
            elif block.language == "python" and block.runs:
                program = folder / f"line-{block.line}.py"
                program.write_text(shell.local(block.text))
                status, output = shell.run(f"python {program}")
                assert status == 0, f"{place}: the program ended with {status}:\n{output}"
            elif block.language == "console" and block.runs:
                for step in steps(block.text):
                    time.sleep(READER_S if shell.serving else 0)
                    status, output = shell.run(step.command)
                    assert status == 0, f"{place}: `{step.command}` ended with {status}:\n{output}"
                    absent = missing([shell.local(line) for line in step.shown], output)
                    assert absent is None, f"{place}: `{step.command}` did not print {absent!r} but:\n{output}"
    finally:
        shell.stop()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_shows_works(needs, document, tmp_path):
    markdown = document.read_text()
    if not any(block.runs for block in blocks(markdown)):
        return
    if "twintrack up" in markdown or "twintrack demo" in markdown:
        needs("xllamacpp", f"{document.name} starts the bundled models")
    if "$ curl" in markdown:
        needs("curl", f"{document.name} calls it")
    run_document(document.name, markdown, tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_shown_either_runs_or_says_why_not(document):
    unclear = [
        f"{document.name}:{block.line}"
        for block in blocks(document.read_text())
        if block.language in {"console", "sh", "bash", "shell"}
        and not (block.language == "console" and (block.runs or re.match(r"shown: \S", block.info)))
    ]
    assert unclear == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document):
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


# ---- the runner itself

_SAMPLE = """
```toml file=settings.toml
listen = "127.0.0.1:8080"
```

```console run
$ export WORD=twin
$ echo ${WORD}track is 42 ms \\
> fast; echo second line
twintrack is … fast
second  line
$ grep -c 8080 settings.toml || true
0
$ cat <<EOF
> one
> EOF
one
```

```console shown: it needs a key
$ false
```

```python run
import sys
sys.exit(0)
```
"""


def test_a_document_that_is_right_passes(tmp_path):
    run_document("sample.md", _SAMPLE, tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```console run\n$ false\n```\n", "sample.md:1: `false` ended with 1"),
        ("```console run\n$ echo a\nb\n```\n", "did not print 'b'"),
        ("```console run\n$ printf 'a\\nb\\n'\nb\na\n```\n", "did not print 'a'"),
        ("```python run\nraise SystemExit(3)\n```\n", "the program ended with 3"),
        ("```console run\n$ true &\n```\n", "the server ended"),
    ],
)
def test_a_document_that_is_wrong_fails(tmp_path, text, complaint):
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        run_document("sample.md", text, tmp_path)


def test_a_server_is_awaited_and_ended(tmp_path):
    (tmp_path / "serve.py").write_text(
        "import http.server, sys\n"
        "host, port = sys.argv[2].split(':')\n"
        "class Ready(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200)\n"
        "        self.send_header('content-length', '0')\n"
        "        self.end_headers()\n"
        "server = http.server.HTTPServer((host, int(port)), Ready)\n"
        "print('serving', sys.argv[2], flush=True)\n"
        "open('pid', 'w').write(str(__import__('os').getpid()))\n"
        "server.serve_forever()\n"
    )
    run_document(
        "sample.md", "```console run\n$ python serve.py &\nserving 127.0.0.1:8080\n$ test -s pid\n```\n", tmp_path
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
