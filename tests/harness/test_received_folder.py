"""In a folder that somebody sent, nothing that lies there is run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from support import installed

STANDARD = (
    *("linecache", "queue", "socket", "selectors", "random", "tempfile", "shutil"),
    *("zipfile", "tokenize", "inspect", "pickle", "bisect", "hashlib", "hmac", "uuid"),
    *("json", "logging", "traceback", "subprocess", "signal", "threading", "weakref"),
    *("copy", "glob", "ctypes", "multiprocessing", "concurrent", "asyncio", "csv"),
    *("difflib", "statistics", "string", "struct", "contextlib", "heapq", "gzip"),
)
OTHERS = ("numpy", "torch", "execnet", "psutil", "distributed", "rnn_parity")
SUITE = "random:70:3"  # so many that processes of their own judge them
CASE = "lstm-dynamic-B2-T3-D2-H3-f32-s1"

COMMANDS = {
    "run": f"run --cases {SUITE} --backends numpy --jobs 2 --out r",
    "compare": "compare r --jobs 2",
    "report": "report r --format markdown",
    "verify": "verify m.safetensors --backends numpy --out v",
    "convert": "convert m.safetensors --to canonical --out c.safetensors",
    "sweep": "sweep random:10:1 --backends numpy --out s",
    "graph": f"graph {CASE} --backends torch",
    "mutation-test": f"mutation-test --cases {CASE} --backends numpy,torch "
    "--each 1 --jobs 2",
    "measure": "measure --backends numpy --dtypes float32 --samples 1000",
    "python": f"run --cases {CASE} --backends numpy --python numpy={sys.executable}",
}


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder; whatever is imported from it says so in a file beside."""
    folder = tmp_path_factory.mktemp("received") / "folder"
    folder.mkdir()
    imported = folder.parent / "imported"
    for name in (*STANDARD, *OTHERS):
        (folder / f"{name}.py").write_text(
            f"open({str(imported)!r}, 'a').write('{name} ')\n"
        )
    sizes = {"weight_ih_l0": (20, 4), "weight_hh_l0": (20, 5)}
    draw = np.random.default_rng(1)
    state = {n: draw.normal(size=size).astype("f4") for n, size in sizes.items()}
    save_file(state, folder / "m.safetensors")
    # As an installed command, which has its own folder on its path, and not this one.
    programs = {
        "rnn-parity": "from rnn_parity.cli import main",
        "pytest": "from pytest import console_main as main",
    }
    for name, imports in programs.items():
        program = (
            f"{imports}\nif __name__ == '__main__':\n    raise SystemExit(main())\n"
        )
        (folder.parent / name).write_text(program)
    return folder


def run(received: Path, *arguments: str) -> list[str]:
    """Run a program in the folder; give what was imported from there."""
    (received.parent / "imported").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=received, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    imported = received.parent / "imported"
    return imported.read_text().split() if imported.exists() else []


def test_what_lies_there_would_be_run_by_a_plain_child(received: Path) -> None:
    assert len(STANDARD) >= 30
    # Not by `-c`, for which Python 3.13 itself imports `linecache`.
    child = (
        "import subprocess, sys; subprocess.run([sys.executable], input=b'import csv')"
    )
    (received.parent / "plain").write_text(child)
    assert run(received, str(received.parent / "plain")) == ["csv"]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_runs_it(name: str, received: Path) -> None:
    program = str(received.parent / "rnn-parity")
    if "torch" in COMMANDS[name]:
        installed("torch")
    assert run(received, program, *COMMANDS[name].split()) == []


def test_pytest_does_not_run_it(received: Path) -> None:
    asked = f"--parity-backends numpy --parity-cases {CASE} -p no:cacheprovider"
    assert run(received, str(received.parent / "pytest"), *asked.split()) == []
