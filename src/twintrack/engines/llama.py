"""The program behind a local engine: serves one GGUF file with llama.cpp until it is told to stop.

    python -m twintrack.engines.llama --model FILE --alias NAME --port N

llama.cpp runs inside this process (package `xllamacpp`), so a fault in it ends this process and no other. It answers
OpenAI chat, completions and responses and Anthropic messages, and `/health` once the model is loaded.

Ends with exit code 0 on SIGTERM, on Ctrl-C and when the process named by --parent-pid is gone; 3 if the model file is
missing; 4 if llama.cpp is not installed or cannot serve the file.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twintrack.errors import ConfigError, EnvironmentProblem, MissingExtra, TwintrackError

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_PARENT_DIED = signal.SIGHUP
_WAITED_FOR = (signal.SIGTERM, signal.SIGINT, _PARENT_DIED)

_PROMPT_CACHE_MIB = 256
"""llama.cpp would keep up to 8 GiB of past prompts in memory."""


@dataclass(frozen=True)
class Options:
    model: Path
    alias: str
    """What the engine calls the model."""
    port: int
    host: str = "127.0.0.1"
    parallel: int = 4
    """Requests served at a time."""
    context_tokens: int = 2048
    """Shared out: one request has `context_tokens / parallel`, and never more than the model was trained for."""
    threads: int = 1
    parent_pid: int = 0
    """End when this process does; 0: never mind."""
    log: Path | None = None
    verbose: bool = False
    """Leave llama.cpp's own lines on stderr."""


def require_llama() -> None:
    """Look for xllamacpp without importing it.

    Raises:
        MissingExtra: it is not installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra(
            "The local engine is not installed",
            why="Running a model in place needs the package xllamacpp",
            fix="pip install 'twintrack[local]'",
        )


def serve(options: Options) -> None:
    """Serve until a signal says stop, then end this process with code 0.

    Call it on the main thread, before any other thread is started.

    Raises:
        MissingExtra: xllamacpp is not installed.
        ConfigError: there is no such model file.
        EnvironmentProblem: llama.cpp cannot read the file or have the port.
    """
    require_llama()
    if not options.model.is_file():
        raise ConfigError(f"There is no model file {options.model}", fix="Check the path; it must name a GGUF file")
    # Blocked before llama.cpp starts its threads: they inherit the mask, so a signal waits for `_wait` below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    if options.parent_pid and not _watch_parent(options.parent_pid):
        return
    if not options.verbose:
        _quiet(options.log)
    _server = _start(options)  # kept: it serves as long as it is referenced
    _wait(options.parent_pid)
    # Not by letting go of the server: that waits for ever if its loop has not begun yet, as when SIGTERM follows the
    # start at once (xllamacpp 2026.10). There is nothing to save.
    os._exit(0)


def _start(options: Options) -> object:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.model_alias = {options.alias}
    params.hostnames = [options.host]
    params.port = options.port
    params.n_ctx = options.context_tokens
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.use_jinja = True  # chat templates with tools
    params.endpoint_metrics = True
    # The gateway is this engine's only client: no page, no view into other requests, no calls from browser pages.
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = ""
    more = f"Look into {options.log}" if options.log else "`python -m twintrack.engines.llama --verbose` says more"
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise EnvironmentProblem(
            f"llama.cpp cannot serve {options.model.name} on {options.host}:{options.port}",
            why="It is not a GGUF file llama.cpp can read, the port is taken, or memory ran out",
            fix=more,
        ) from error


def _watch_parent(parent_pid: int) -> bool:
    """Ask the kernel to signal us when our parent dies; False if it already has.

    The kernel means the parent's *thread* that started us, so the signal only says "look": see `_wait`.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(_PARENT_DIED)) != 0:
            number = ctypes.get_errno()
            raise EnvironmentProblem("Cannot watch the parent process", why=os.strerror(number))
    # Asked after the call above, or a parent that died just before it would go unnoticed.
    return os.getppid() == parent_pid


def _wait(parent_pid: int) -> None:
    while signal.sigwait(_WAITED_FOR) == _PARENT_DIED:
        if os.getppid() != parent_pid:
            return


def _quiet(log: Path | None) -> None:
    """From now on send what C++ writes to stdout and stderr to the log, or nowhere; `sys.stderr` stays where it was.

    For good: llama.cpp logs from a thread of its own, which may still write when the failure it tells of is known.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    target = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)


def _options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m twintrack.engines.llama", description="Serve one GGUF file with llama.cpp."
    )
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file")
    parser.add_argument("--alias", required=True, help="what clients call the model")
    parser.add_argument("--port", type=int, required=True, help="a free port")
    parser.add_argument("--host", default=Options.host, help="default: %(default)s")
    parser.add_argument("--parallel", type=int, default=Options.parallel, help="requests at a time; default: 4")
    parser.add_argument(
        "--context",
        dest="context_tokens",
        type=int,
        default=Options.context_tokens,
        help="tokens, shared out among the parallel requests; default: 2048",
    )
    parser.add_argument("--threads", type=int, default=Options.threads, help="CPU threads; default: 1")
    parser.add_argument("--parent-pid", type=int, default=0, help="end when this process does")
    parser.add_argument("--log", type=Path, help="append llama.cpp's lines to this file; default: drop them")
    parser.add_argument("--verbose", action="store_true", help="leave llama.cpp's lines on stderr")
    return Options(**vars(parser.parse_args(argv)))


def main(argv: Sequence[str] | None = None) -> int:
    try:
        serve(_options(argv))
    except TwintrackError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
