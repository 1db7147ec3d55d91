"""A backend's worker runs on another machine, or is refused in one line."""

import os
import re
import shlex
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from rnn_parity.runs.registry import select_backends
from rnn_parity.workers.host import check_host
from rnn_parity.workers.process import Worker
from rnn_parity.workers.protocol import WorkerError
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import read_report_document
from sshd import Sshd, asked, wait_until

pytestmark = pytest.mark.usefixtures("ssh_config")

Cli = Callable[..., tuple[int, str, str]]
CASES = catalogue.select(["notebook"], ["basic", "dynamic"], ["float32"])


def refusal(machine: Sshd, python: str = "", backend: str = "numpy") -> str:
    """Give the line that refuses a backend on a machine."""
    chosen = [f"{backend}={python}"] if python else []
    with pytest.raises(UsageError) as caught:
        select_backends([backend], chosen, [f"{backend}={machine.address}"])
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_backend_there_gives_the_same_bits_as_here_and_the_report_says_where(
    backend: str, machine: Sshd, command_line: Cli, tmp_path: Path
) -> None:
    far = f"{backend}#far"
    chosen = ["--backends", f"{backend},{far}", *asked(machine, far)]
    status, out, err = command_line("run", "--cases", "notebook", *chosen)
    assert (status, err) == (0, ""), out
    report = read_report_document(tmp_path / "parity-report")
    here, there = report.backends[backend], report.backends[far]
    assert there == replace(here, host=machine.address)
    assert report.results[1].reproduce.endswith(shlex.join(asked(machine, far)))
    for view in ("report.html", "report.md"):
        text = (tmp_path / "parity-report" / view).read_text()
        assert f"{far} on {machine.address}" in text.replace("\\", "")
    between = ["parity-report", "--between", f"{backend},{far}"]
    status, out, _ = command_line("compare", *between)
    assert status == 0
    assert f"{far}: 4 equal to the last bit, 0 moved" in out
    assert f"host: none → {machine.address}" in out
    wait_until(machine.is_clean)


def test_what_is_missing_there_is_named_with_a_command_that_works(
    machine: Sshd, tmp_path: Path
) -> None:
    venv.create(tmp_path / "it's bare", symlinks=True)
    python = str(tmp_path / "it's bare/bin/python")
    said = refusal(machine, python, "jax")
    assert "ml_dtypes, msgspec, numpy, safetensors, jax, jaxlib, optax not inst" in said
    command = shlex.split(said.partition("install with: ")[2])
    assert command[:4] == ["ssh", "-F", str(machine.config), "-p"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip().endswith("No module named pip")


def test_an_adapter_of_another_package_must_be_installed_there(
    machine: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("acme_far", "acme_here"):
        info = f"replace(INFO, name={name!r}, adapter='{name}:Talkative')"
        (tmp_path / f"{name}_info.py").write_text(
            "from rnn_parity_backends.on_numpy import *\n"
            "from msgspec.structs import replace\n"
            f"INFO = {info}\n"
        )
        entry = tmp_path / f"{name}-1.dist-info"
        entry.mkdir()
        (entry / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
        points = f"[rnn_parity.backends]\nx = {name}_info:INFO\n"
        (entry / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = "acme_here not installed there; install with: ssh "
    assert words in refusal(machine, sys.executable, "acme_here")
    python, host = f"acme_far={sys.executable}", f"acme_far={machine.address}"
    (found,) = select_backends(["acme_far"], [python], [host])
    assert (found.host, found.interpreter) == (machine.address, sys.executable)


def test_who_cannot_log_in_hears_what_ssh_says(own: Sshd) -> None:
    words = f"cannot log in to {own.address}: ssh says '"
    own.believe("other")
    assert refusal(own).startswith(f"{words}Host key verification failed.'; this must")
    own.believe("host")
    own.log_in_with("other")
    said = refusal(own)
    assert said.startswith(words)
    assert "Permission denied (publickey)." in said
    own.log_in_with("user")
    own.stop()
    assert "Connection refused'" in refusal(own)
    own.config.write_text("Nonsense yes\n")
    assert "terminating, 1 bad configuration options'" in refusal(own)
    own.start()


def test_a_machine_that_nobody_has_seen_before_is_not_believed_and_nobody_is_asked(
    own: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = own.python("asking", f"touch {own.folder}/asked; echo yes")
    monkeypatch.setenv("SSH_ASKPASS", asking)
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    (own.folder / "known").unlink()
    assert "Host key verification failed." in refusal(own)
    assert not (own.folder / "known").exists()
    assert not (own.folder / "asked").exists()


def test_a_python_there_that_is_none_is_refused(machine: Sshd) -> None:
    words = f"no Python answers on {machine.address}, which says"
    said = refusal(machine, "/nowhere/python")
    assert said.startswith(words)
    missing = r"/nowhere/python: (not found|No such file or directory)'; give --python"
    assert re.search(missing, said)
    hello = machine.python("hello", f'echo Welcome; exec {sys.executable} "$@"')
    assert f"{words} 'rnn-parity 3" in refusal(machine, hello)
    old = machine.python("old", "echo rnn-parity 3 9")
    assert "is Python 3.9, expected 3.11 or later; give --python" in refusal(
        machine, old
    )
    assert f"{words} 'nothing'" in refusal(machine, "true")


def test_a_path_there_reaches_no_shell(machine: Sshd, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    for path in (
        f"python3; touch {planted};",
        f"$(touch {planted})",
        f"'`touch {planted}`",
    ):
        assert "no Python answers" in refusal(machine, path)
    for path in ("", "python3\ntouch x"):
        with pytest.raises(UsageError, match="is no path; give --python"):
            select_backends(["numpy"], [f"numpy={path}"], [f"numpy={machine.address}"])
    assert not planted.exists()


def test_a_path_there_may_begin_at_the_home_directory(machine: Sshd) -> None:
    home = subprocess.check_output(machine.run("pwd"), text=True).strip()
    path = os.path.relpath(sys.executable, home)
    chosen = [f"numpy=~/{path}"], [f"numpy={machine.address}"]
    assert select_backends(["numpy"], *chosen)[0].interpreter == f"~/{path}"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "box",
            "ssh:",
            "ssh://box",
            "ssh:@box",
            "ssh:me@",
            "ssh:a@b@c",
            "rsh:box",
        ),
        *("ssh:-oProxyCommand=true", "ssh:me@-F", "ssh:-me@box", "ssh:.", "ssh:~"),
        *("ssh:a b", "ssh:a;b", "ssh:a'b", 'ssh:a"b', "ssh:a\nb", "ssh:a\n", "ssh:a\0"),
        *("ssh:$(a)", "ssh:a`b`", "ssh:a%h", "ssh:a,b", "ssh:a/b", "ssh:bücher"),
        *("ssh:a:", "ssh:a:0", "ssh:a:65536", "ssh:a:-1", "ssh:a:22:23", "ssh:a:٢"),
        *("ssh:::1", "ssh:[::1", "ssh:[::1%lo]", "ssh:[]"),
    ],
)
def test_a_hostile_host_is_refused_in_one_line(host: str) -> None:
    with pytest.raises(UsageError, match="is no host, expected ssh:") as caught:
        check_host(host)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "host",
    ["ssh:box", "ssh:me@gpu-1.example.org:2222", "ssh:10.0.0.1", "ssh:me@[::1]:22"],
)
def test_a_host_is_taken_as_it_is_given(host: str) -> None:
    assert check_host(host) == host


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("numpy", "--host numpy names no backend; for example: --host 'jax=ssh:"),
        ("jax=ssh:box", "unknown backend of --host 'jax'"),
        ("numpy=box", "'box' is no host, expected ssh:"),
    ],
)
def test_an_option_that_names_no_backend_or_host_is_refused(
    given: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        select_backends(["numpy"], [], [given])


def test_without_ssh_there_is_no_other_machine(
    machine: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "cannot start ssh: No such file or directory" in refusal(machine)
    with pytest.raises(WorkerError, match="cannot start ssh: No such file"):
        Worker(tmp_path / "log", "", machine.address).load(INFO)


def test_nothing_that_lies_there_is_imported(machine: Sshd, tmp_path: Path) -> None:
    folder, imported = tmp_path / "there", tmp_path / "imported"
    folder.mkdir()
    for name in ("linecache", "queue", "socket", "tempfile", "zipfile", "numpy"):
        (folder / f"{name}.py").write_text(
            f"open({str(imported)!r}, 'a').write({name!r})"
        )
    script = f'cd {shlex.quote(str(folder))} && exec {sys.executable} "$@"'
    chosen = [f"numpy={machine.python('there', script)}"]
    (info,) = select_backends(["numpy"], chosen, [f"numpy={machine.address}"])
    worker = Worker(tmp_path / "log", info.interpreter, info.host)
    try:
        worker.load(info)
        assert worker.run("numpy", catalogue.build(CASES[0]), 60)[0] == "outcome"
    finally:
        worker.close()
    assert not imported.exists(), imported.read_text()
