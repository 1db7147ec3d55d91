"""What tests of the harness share: a run to change, and the command line."""

import os
import shutil
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnn_parity import cli
from rnn_parity.store.folder import RunFolder
from rnn_parity.workers.host import CONFIG
from rnn_parity_core import BackendInfo
from sshd import ADAPTER, Sshd
from support import OURS

Snapshot = dict[str, bytes | None]

# Backends of an installed distribution, each with one thing wrong with it.
ACME = """
from msgspec.structs import replace
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_fixtures.faults import plant
from rnn_parity_core import Gap

gap = Gap("never", "no such thing", variants=("dynamic",))
WRONG = replace(plant(INFO, "one unit off by 1e-5"), name="wrong")
KILLED = replace(plant(INFO, "killed"), name="killed")
DECLARES = replace(plant(INFO, "declines"), name="declares", gaps=(gap,))
STALE = replace(INFO, name="stale", gaps=(gap,))
depends = replace(gap, depends_on_data=True)
SOMETIMES = replace(plant(INFO, "declines"), name="sometimes", gaps=(depends,))
off = Gap("wrong", "its first unit is off", variants=("dynamic",))
KNOWN = replace(plant(INFO, "one unit off by 1e-5"), name="known", gaps=(off,))
MENDED = replace(INFO, name="mended", gaps=(off,))
GONE = replace(INFO, name="gone", requires={"nonesuch_": "nonesuch"}, install="pip it")
"""


@pytest.fixture
def snapshot() -> Callable[[Path], Snapshot]:
    """Give a function that reads all files below a folder; None stands for a folder."""

    def taken(folder: Path) -> Snapshot:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in folder.rglob("*")
        }

    return taken


@pytest.fixture
def copy(saved_run: RunFolder, tmp_path: Path) -> Path:
    """Give a saved run that may be changed, as `saved` in the temporary folder."""
    return Path(shutil.copytree(saved_run.path, tmp_path / "saved"))


@pytest.fixture
def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Give a function that runs the command line in the temporary folder.

    It returns the exit status, and what was printed to stdout and stderr.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")  # with xdist it is 80, and lines are folded

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rnn-parity", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def only_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no framework be installed."""

    def missing(info: BackendInfo) -> list[str]:
        return [] if info.name == "numpy" else list(info.requires.values())

    monkeypatch.setattr("rnn_parity.runs.registry.missing", missing)


@pytest.fixture
def run_pytest(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Give a function that runs pytest where the distribution `acme` is installed."""
    names = (
        *("WRONG", "KILLED", "DECLARES", "STALE", "SOMETIMES"),
        *("KNOWN", "MENDED", "GONE"),
    )
    points = "\n".join(f"{name} = acme_rnn:{name}" for name in names)
    info = pytester.mkdir("site") / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[rnn_parity.backends]\n{points}\n")
    (info.parent / "acme_rnn.py").write_text(ACME)
    paths = (info.parent, OURS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(
            "-W", "error", "--strict-markers", *arguments
        )

    return run


@pytest.fixture
def refused(
    command_line: Callable[..., tuple[int, str, str]],
) -> Callable[..., str]:
    """Give a function that has a file refused, and gives what is said.

    Nothing may be printed but one line, nothing written, and little memory taken.
    """

    def check(data: bytes, name: str, words: str, *options: str) -> str:
        Path(name).write_bytes(data)
        before = set(Path.cwd().rglob("*"))
        tracemalloc.start()
        to = ("--to", "canonical", "-o", "o.safetensors")
        found = command_line("convert", name, *to, *options)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        status, out, said = found
        assert (status, out) == (2, ""), found
        assert words in said
        assert said.count("\n") == 1
        assert len(said) < 600
        assert set(Path.cwd().rglob("*")) == before
        assert peak < 2**25
        return said

    return check


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Give a machine that ssh logs in to."""
    started = Sshd(tmp_path_factory.mktemp("machine"))
    (started.site / "acme_far.py").write_text(ADAPTER)
    yield started
    started.stop()


@pytest.fixture
def ssh_config(machine: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ssh know that machine."""
    monkeypatch.setenv(CONFIG, str(machine.config))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """Give a machine to be changed and stopped."""
    folder = tmp_path / "own"
    folder.mkdir()
    started = Sshd(folder)
    monkeypatch.setenv(CONFIG, str(started.config))
    yield started
    started.stop()
