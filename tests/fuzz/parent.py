"""Starts the process that reads mutated files, and outlives whatever it dies of."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.readers import READERS
from support import OURS

WALL_SECONDS = 60.0
"""That one input may take where it waits and computes nothing."""
_MEMORY = "/dev/shm"  # noqa: S108 - a folder is made in it
MOST_FAULTS = 5
_ROOT = Path(__file__).parents[2]


@dataclass
class Found:
    """What came of one reader's mutated files."""

    read: int = 0
    refused: int = 0
    crashed: list[int] = field(default_factory=list)
    """Numbers of those that the reading process died of: its user sees a refusal."""
    hung: list[int] = field(default_factory=list)
    """Likewise."""
    peak_mib: int = 0
    seconds: float = 0.0
    faults: list[tuple[str, bytes]] = field(default_factory=list)
    """What was wrong, and with which file."""


def fuzz(reader: str, count: int, seed: int = 1, wall: float = WALL_SECONDS) -> Found:
    """Read so many mutated files; a process that dies is started again behind it.

    Args:
        reader: Of `READERS`, or MODULE:NAME.
        count: Mutated files.
        seed: Of the mutations.
        wall: Seconds that one file may take.

    """
    found, first = Found(), 0
    memory = _MEMORY if Path(_MEMORY).is_dir() else None  # a disk is slower
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as made:
        folder = Path(made)
        (folder / "beside").write_bytes(b"as it was")
        while first < count and len(found.faults) < MOST_FAULTS:
            first = _from(reader, first, count, seed, folder, wall, found)
        _look_beside(folder, found)
    return found


def _look_beside(folder: Path, found: Found) -> None:
    """See that only `inside` was written to, by whatever wrote."""
    beside = {path.name for path in folder.iterdir()} - {"inside", "now", "said"}
    if beside != {"beside"} or (folder / "beside").read_bytes() != b"as it was":
        found.faults.append((f"files beside the folder: {sorted(beside)}", b""))


def _from(  # noqa: PLR0913, PLR0917 - all that is told to a process
    reader: str,
    first: int,
    end: int,
    seed: int,
    folder: Path,
    wall: float,
    found: Found,
) -> int:
    """Run one process; give the number of the file to go on from."""
    now = folder / "now"
    now.unlink(missing_ok=True)
    words = [reader, str(first), str(end), str(seed), str(folder)]
    paths = os.pathsep.join([str(_ROOT / "tests"), OURS])
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "fuzz.child", *words],
            stdout=said,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
            cwd=_ROOT,
        )
        hung = _waited(process, now, wall)
        said.seek(0)
        lines = [json.loads(line) for line in said.read().splitlines()]
    data = now.read_bytes() if now.exists() else b""
    at, data = int.from_bytes(data[:8], "little"), data[8:]
    for line in lines:
        if "fault" in line:
            said = f"{line['index']}: {line['fault']}"
            found.faults.append((said, _input(reader, seed, line["index"])))
        elif "ended" in line:
            (found.hung if line["ended"] == "hung" else found.crashed).append(
                line["index"]
            )
        else:
            found.read += line["read"]
            found.refused += line["refused"]
            found.seconds += line["seconds"]
            found.peak_mib = max(found.peak_mib, line["peak_mib"])
            return end
    status = process.returncode
    name = signal.Signals(-status).name if status < 0 else f"status {status}"
    why = f"no answer within {wall:g} s" if hung else f"the process died: {name}"
    found.faults.append((f"{at}: {why}", data))
    return at + 1


def _input(reader: str, seed: int, index: int) -> bytes:
    """Make the file again that a fault is of; none of one that was valid."""
    known = index >= 0 and reader in READERS
    if not known:
        return b""
    return READERS[reader].mutated(READERS[reader].seeds(), (seed, reader, index))


def _waited(process: subprocess.Popen[bytes], now: Path, wall: float) -> bool:
    """Wait for a process; kill it once it reads one file for too long."""
    begun = time.monotonic()
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        with contextlib.suppress(OSError):
            begun = max(begun, time.monotonic() - (time.time() - now.stat().st_mtime))
        if now.exists() and time.monotonic() - begun > wall:
            process.kill()
            process.wait()
            return True
    return False
