"""A real sshd on the loopback address: another machine, as far as ssh can tell."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from rnn_parity_core import BackendInfo

_PATIENCE = 20.0  # seconds
_PROGRAM = shutil.which("sshd", path=f"{os.defpath}:/usr/sbin:/sbin")

# What is installed over there.
ADAPTER = """
import os, subprocess, sys
import rnn_parity
from rnn_parity_backends.on_numpy.adapter import NumpyBackend

class Talkative(NumpyBackend):
    def run(self, problem):
        print("famous \\x1b[31m last words")
        os.kill(os.getpid(), 11)

class Parent(NumpyBackend):
    def run(self, problem):
        sleep = "import time; time.sleep(3600)"
        subprocess.run([sys.executable, "-c", sleep, rnn_parity.__file__])
"""


class Sshd:
    """One sshd with keys of its own, and ssh's configuration to log in to it.

    What a worker keeps in a temporary folder over there is below `far`; what lies in
    `site`, Python finds over there and not here.
    """

    def __init__(self, folder: Path) -> None:
        if not (_PROGRAM and shutil.which("ssh") and shutil.which("ssh-keygen")):
            pytest.skip("needs OpenSSH: apt-get install openssh-server")
        if not Path("/proc/self/cmdline").exists():
            pytest.skip("sees by /proc what is left of workers")
        if os.geteuid() == 0:  # then it looks for this, which its service makes
            Path("/run/sshd").mkdir(exist_ok=True)
        self.folder = folder
        self.far, self.site = folder / "far", folder / "site"
        self.config = folder / "config"
        for path in (self.far, self.site):
            path.mkdir()
        for name in ("host", "user", "other"):
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name]
            subprocess.run(keygen, cwd=folder, check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"ssh:127.0.0.1:{self.port}"
        self.believe("host")
        self.log_in_with("user")
        self.start()

    def believe(self, name: str) -> None:
        """Let ssh know a key as that of this host."""
        key = (self.folder / f"{name}.pub").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {key}")

    def log_in_with(self, name: str) -> None:
        """Let ssh show a key."""
        known, key = self.folder / "known", self.folder / name
        self.config.write_text(
            f"UserKnownHostsFile {known}\nIdentityFile {key}\nIdentitiesOnly yes\n"
        )

    def start(self) -> None:
        """Start it, and wait until it listens."""
        (self.folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.folder}/host\n"
            f"AuthorizedKeysFile {self.folder}/user.pub\nPidFile none\n"
            "StrictModes no\nPermitRootLogin prohibit-password\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"SetEnv TMPDIR={self.far} PYTHONPATH={self.site}\n"
        )
        arguments = ["-D", "-f", self.folder / "sshd_config", "-E", self.folder / "log"]
        self.process = subprocess.Popen([str(_PROGRAM), *arguments])
        wait_until(self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as found:
            return found.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Kill it, and whatever it does for clients."""
        sessions = self.sessions()
        self.process.kill()
        self.process.wait()
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)

    def sessions(self) -> list[int]:
        """Give what serves a client: its processes."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(pid) for pid in Path(children).read_text().split()]

    def workers(self) -> list[int]:
        """Give the workers over there, by the folders they were given."""
        return [pid for pid in _pids() if str(self.far) in _command(pid)]

    def keepers(self) -> list[int]:
        """Give those who keep the workers."""
        stats = [Path(f"/proc/{pid}/stat").read_text() for pid in self.workers()]
        return [int(stat.rpartition(")")[2].split()[1]) for stat in stats]

    def is_clean(self) -> bool:
        """Whether no process and no file of a worker is there."""
        return not self.workers() and not list(self.far.iterdir())

    def python(self, name: str, script: str) -> str:
        """Put a program in place of a Python over there."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    def run(self, python: str, *words: str) -> list[str]:
        """Give the command that a user would type for it."""
        far = shlex.join([python, *words])
        config = ["-F", str(self.config)]
        return ["ssh", *config, "-p", str(self.port), "127.0.0.1", far]


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:  # it has ended
        return ""


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until something holds, for as long as a slow machine may take."""
    end = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < end, f"{true} does not come true"
        time.sleep(0.02)


def on(machine: Sshd, info: BackendInfo, **changes: str) -> BackendInfo:
    """Give a backend that runs there."""
    return replace(info, host=machine.address, interpreter=sys.executable, **changes)


def asked(machine: Sshd, name: str, python: str = sys.executable) -> list[str]:
    """Give the options that send a backend there."""
    return ["--host", f"{name}={machine.address}", "--python", f"{name}={python}"]
