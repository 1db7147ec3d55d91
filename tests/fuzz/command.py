"""Mutated files by way of the command line, as their user reads them.

`python -m fuzz.command READER COUNT [SEED]`: of each it must say what it wrote, or why
not in one line; nothing else may be there afterwards.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import hostile
from fuzz.child import peak
from fuzz.readers import READERS
from rnn_parity.models import memory_limits, torch_state
from support import OURS

SECONDS = 60.0
"""That a command may take, with all that it imports."""
BESIDE = 2**29
"""Bytes that it holds with the smallest file."""
COMMAND = (sys.executable, "-m", "rnn_parity")
_ROOT = Path(__file__).parents[2]
_MODEL = "lstm-dynamic-B1-T1-D2-H3-f32-s1"


def faults(
    reader: str, indices: Iterable[int], seed: int, command: Sequence[str] = COMMAND
) -> list[tuple[str, bytes]]:
    """Say what is wrong with how mutated files of a reader are read, and with which.

    Args:
        reader: Of `READERS`, of models or of arrays.
        indices: Numbers of the mutations.
        seed: Of the mutations.
        command: What is tried.

    """
    of, found = READERS[reader], []
    seeds = of.seeds()
    for index in indices:
        data = of.mutated(seeds, (seed, reader, index))
        with tempfile.TemporaryDirectory(prefix="fuzz-command-") as folder:
            if said := _fault(reader.partition(",")[0], data, Path(folder), command):
                found.append((f"{index}, by the command line: {said}", data))
    return found


def _fault(
    suffix: str, data: bytes, folder: Path, command: Sequence[str]
) -> str | None:
    file, out = folder / f"a{suffix}", folder / "out.npz"
    words = [file]
    if suffix.startswith(".np"):
        model = folder / "model.safetensors"
        model.write_bytes(torch_state.write(hostile.layer(_MODEL)))
        words = [model, "--inputs", file]
    file.write_bytes(data)
    before = {path.name for path in folder.iterdir()}
    begun = time.monotonic()
    with (folder / "said").open("w+b") as said:
        process = subprocess.Popen(
            [*command, "verify", *words, "--write-inputs", out],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, "PYTHONPATH": OURS},
            cwd=folder,
        )
        most = 0
        while process.poll() is None:
            most = max(most, *map(_held, _family(process.pid)))
            if time.monotonic() - begun > SECONDS:
                process.kill()
                process.wait()
                return f"no end within {SECONDS:g} s"
            time.sleep(0.02)
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    beside = {path.name for path in folder.iterdir()} - before - {"said"}
    if most > BESIDE + memory_limits.TIMES * len(data) + memory_limits.BESIDE:
        return f"took {most // 2**20} MiB"
    return _wrong(process.returncode, lines, beside)


def _held(process: int) -> int:
    """Give the most bytes that a process held; 0 if it has ended meanwhile."""
    with contextlib.suppress(OSError, IndexError):
        return peak(process)
    return 0


def _family(process: int) -> list[int]:
    """Give a process and all that it started."""
    try:
        told = Path(f"/proc/{process}/task/{process}/children").read_text("ascii")
    except OSError:  # it has ended
        told = ""
    return [process, *(one for child in told.split() for one in _family(int(child)))]


def _wrong(status: int, lines: list[str], beside: set[str]) -> str | None:
    """Say what should not have been said or left; None of what is right."""
    one = len(lines) == 1 and lines[0].startswith("rnn-parity: ")
    if (status, beside) == (0, {"out.npz"}) or ((status, beside) == (2, set()) and one):
        return None
    return f"status {status}, wrote {sorted(beside)}, said {' / '.join(lines)[-300:]}"


if __name__ == "__main__":
    name, count, *told = sys.argv[1:]
    wrong = faults(name, range(int(count)), int(told[0]) if told else 1)
    for line, _ in wrong:
        print(line)
    print(f"{count} commands, {len(wrong)} faults")
    sys.exit(bool(wrong))
