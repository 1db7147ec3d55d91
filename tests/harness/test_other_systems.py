"""Other systems: all but adapters imports without what Unix or Linux alone has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import OURS

ROOT = Path(__file__).parents[2]

# These know each system, and bring what is for it: imported before anything is hidden.
FIRST = ("psutil", "filelock", "distributed")
# To be emptied: imported as early, as these still need what is hidden.
STILL_UNIX: tuple[str, ...] = ()
MODULES = ("resource", "fcntl", "pwd", "grp", "termios", "tty", "pty", "syslog")
NAMES = {
    "signal": (
        *("SIGHUP", "SIGKILL", "SIGALRM", "SIGCHLD", "SIGUSR1", "SIGSTOP", "SIGCONT"),
        *("alarm", "setitimer", "pthread_sigmask", "pthread_kill", "sigwait"),
    ),
    "os": (
        *("killpg", "setsid", "fork", "forkpty", "nice", "getpgid", "setpgid", "wait"),
        *("getuid", "geteuid", "getgid", "mkfifo", "statvfs", "register_at_fork"),
        *("sched_getaffinity", "sched_setaffinity", "posix_fallocate", "pipe2"),
        *("O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK", "O_CLOEXEC"),
    ),
    "select": ("poll", "epoll"),
    "socket": ("AF_UNIX",),
}
WALK = """
import importlib, json, pkgutil, sys
first, modules, names, packages = json.loads(sys.argv[1])
for name in first:
    importlib.import_module(name)
for name in modules:
    sys.modules[name] = None
for owner, hidden in names.items():
    for name in hidden:
        delattr(importlib.import_module(owner), name)
seen, broken = [], {}
for package in packages:
    path = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(path, package + "."):
        if not module.name.endswith("__main__"):
            seen.append(module.name)
            try:
                importlib.import_module(module.name)
            except Exception as error:
                broken[module.name] = repr(error)
print(json.dumps([seen, broken]))
"""


def _imported(*packages: str) -> tuple[list[str], dict[str, str]]:
    given = json.dumps([FIRST + STILL_UNIX, MODULES, NAMES, packages])
    done = subprocess.run(
        [sys.executable, "-c", WALK, given], stdout=subprocess.PIPE, check=True
    )
    seen, broken = json.loads(done.stdout)
    return seen, broken


@pytest.mark.skipif(os.name == "nt", reason="nothing is there to be hidden")
def test_every_module_imports_without_what_unix_alone_has() -> None:
    seen, broken = _imported(
        "rnn_parity", "rnn_parity_core", "rnn_parity_reports", "rnn_parity_fixtures"
    )
    assert {"rnn_parity.runs.engine", "rnn_parity.cli", "rnn_parity.sweep.work"} < set(
        seen
    )
    assert broken == {}


@pytest.mark.skipif(os.name == "nt", reason="nothing is there to be hidden")
@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("import resource", "resource halted"),
        ("from os import killpg", "cannot import name 'killpg'"),
        ("import signal; WHEN = signal.SIGHUP", "no attribute 'SIGHUP'"),
        ("import select; LOOK = select.poll", "no attribute 'poll'"),
    ],
)
def test_a_module_that_needs_unix_is_found(
    line: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "planted"
    package.mkdir()
    for name, text in (("__init__", ""), ("needs_unix", line), ("plain", "")):
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{OURS}")
    seen, broken = _imported("planted")
    assert sorted(seen) == ["planted.needs_unix", "planted.plain"]
    assert list(broken) == ["planted.needs_unix"]
    assert error in broken["planted.needs_unix"]
