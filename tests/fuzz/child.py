"""In a process of its own: reads mutated files, and says what should not have been.

`python -m fuzz.child READER FIRST END SEED FOLDER`; a planted reader is MODULE:NAME.
What is read at the moment lies in FOLDER/now, should this process die of it. What is
printed is JSON, a line for each fault and one at the end.
"""

import contextlib
import dataclasses
import importlib
import json
import os
import resource
import signal
import sys
import sysconfig
import time
import warnings
from pathlib import Path
from typing import Any

from fuzz.forked import in_fork
from fuzz.reader import Reader, folder_name
from fuzz.readers import READERS
from rnn_parity.models import memory_limits

CPU_SECONDS = 5.0
"""That one input may take."""
ADDRESSES = 2**30
"""Bytes of addresses that may be asked for beside those."""
AGAIN_SECONDS = 30.0
"""That it may take to refuse what a reader crashed of, or hung in."""
EVERY = 50
"""How many files are read by a fork alone, of those that do not end it."""
MOST_FAULTS = 5

_FOUND = Path(__file__).parent / "found"
_ROOTS = [
    str(Path(root).resolve())
    for root in (
        Path(__file__).parents[2],
        *(sys.prefix, sys.base_prefix, sysconfig.get_path("purelib")),
        *("/proc", "/sys", "/dev/null"),
    )
]
_NEVER = (
    *("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"),
    *("socket.connect", "os.putenv", "pickle.find_class"),
)
_CHANGES = (
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink"),
    *("os.chmod", "os.truncate", "shutil."),
)


class Hang(BaseException):
    """An input took too long."""


class _Watch:
    """Hears of files, processes and connections as they are opened."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.resolve())
        self.reading, self.heard = False, ""
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.reading:
            return
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            self._check("writes" if writes else "reads", arguments[0], bool(writes))
        elif event.startswith(_CHANGES):
            for path in arguments:
                if isinstance(path, str | bytes | os.PathLike):
                    self._check(event, path, writes=True)
        elif event.startswith(_NEVER):
            self.heard = self.heard or f"{event} {str(arguments)[:100]}"

    def _check(self, what: str, path: Any, writes: bool) -> None:
        self.reading = False  # realpath is heard, too
        real = os.path.realpath(os.fsdecode(path))
        allowed = [self._folder] if writes else [self._folder, *_ROOTS]
        if not any(real == root or real.startswith(f"{root}/") for root in allowed):
            self.heard = f"{what} {real[:200]}"
        self.reading = True


def peak(process: int | str = "self") -> int:
    """Give the most bytes that a process was seen to hold.

    Not by `getrusage`, which counts those of the process that started it, too.
    """
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def fault(reader: Reader, data: bytes, folder: Path, watch: _Watch) -> str | None:
    """Say what is wrong with how bytes are read; None if they are refused rightly."""
    before = peak()
    watch.heard, watch.reading = "", True
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    said: str | None = ""
    try:
        reader.read(data, folder)
    except reader.said:
        said = None
    except Hang:
        said = f"took over {CPU_SECONDS:g} s"
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        said = f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        watch.reading = False
    taken = peak() - before
    if taken > memory_limits.TIMES * len(data) + memory_limits.BESIDE:
        return f"took {taken // 2**20} MiB"
    if reader.refuses and said == "":
        said = "it was read, and had to be refused"
    return watch.heard or said


def ended(
    reader: Reader, data: bytes, folder: Path, watch: _Watch, *, both: bool = False
) -> tuple[str, str | None]:
    """Read bytes, in a fork if they may end it: ("", fault), or how it ended first.

    What ends it is read as its user does, too; and what does not if `both` is said.
    """
    if reader.again is None:
        return "", fault(reader, data, folder, watch)
    how, said = in_fork(lambda: json.dumps(fault(reader, data, folder, watch)))
    found = None if how else json.loads(said)
    if found or not (how or both):
        return how, found
    before, begun = peak(), time.monotonic()
    wrong = ""
    try:
        reader.again(data, folder)  # chance has it that what crashed is read this time
    except reader.said:
        pass
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        wrong = f"{type(error).__name__}: {error}"[:300]
    taken, seconds = peak() - before, time.monotonic() - begun
    if taken > memory_limits.TIMES * len(data) + memory_limits.BESIDE:
        wrong = f"took {taken // 2**20} MiB"
    if seconds > AGAIN_SECONDS:
        wrong = f"took {seconds:.0f} s"
    if not wrong:
        return how, found
    return how, f"{how or 'read'}, {said}; then {wrong}"


def _hung(*_: object) -> None:
    raise Hang


def _limit_addresses() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _sound(
    name: str, of: Reader, seeds: list[bytes], folder: Path, watch: _Watch
) -> None:
    """See that valid files, and those that did harm once, do none."""
    for data in seeds:
        with contextlib.suppress(of.said):
            of.read(data, folder)  # what is imported late counts for none of them
    sound = dataclasses.replace(of, refuses=False)
    for data in seeds:
        if said := fault(sound, data, folder, watch):
            print(json.dumps({"index": -1, "fault": f"a valid file: {said}"}))
    for path in sorted((_FOUND / folder_name(name)).glob("*")):
        if said := ended(of, path.read_bytes(), folder, watch)[1]:
            print(json.dumps({"index": -1, "fault": f"{path.name}, again: {said}"}))


def main(name: str, first: int, end: int, seed: int, folder: Path) -> None:
    """Read mutated files of a reader."""
    module, _, attribute = name.partition(":")
    found = READERS.get(name) or getattr(importlib.import_module(module), attribute)
    seeds, now, inside = found.seeds(), folder / "now", folder / "inside"
    inside.mkdir(exist_ok=True)
    os.chdir(inside)
    warnings.simplefilter("error")
    signal.signal(signal.SIGPROF, _hung)
    watch = _Watch(inside)
    _sound(name, found, seeds, inside, watch)
    _limit_addresses()
    counts = dict.fromkeys(("read", "refused", "crashed", "hung"), 0)
    faults, begun = 0, time.perf_counter()
    parent = os.getppid()
    for index in range(first, end):
        if os.getppid() != parent:
            sys.exit("nobody waits for this any more")
        data = found.mutated(seeds, (seed, name, index))
        now.write_bytes(index.to_bytes(8, "little") + data)
        both = index % EVERY == 0
        how, said = ended(found, data, inside, watch, both=both)
        if how:
            print(json.dumps({"index": index, "ended": how}), flush=True)
        counts[how or ("refused" if said is None else "read")] += 1
        if said:
            print(json.dumps({"index": index, "fault": said}), flush=True)
            faults += 1
            if faults == MOST_FAULTS:
                break
    seconds = time.perf_counter() - begun
    print(json.dumps({**counts, "peak_mib": peak() // 2**20, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), Path(sys.argv[5]))
