"""`make fuzz`: mutated files for every reader, or for those that are named."""

import argparse
import sys
from pathlib import Path

from fuzz.command import faults
from fuzz.parent import Found, fuzz
from fuzz.reader import folder_name
from fuzz.readers import READERS
from fuzz.structured import STRUCTURED

FEWER = 50
"""So many times fewer files are mutated by their structures, which takes longer."""
COMMANDS = 20
"""Of those, so many are read by the command line, too."""


def _found(name: str, inputs: int, seed: int) -> Found:
    """Read mutated files; some, those that ended a process first, as users do."""
    if name not in STRUCTURED:
        return fuzz(name, inputs, seed)
    found = fuzz(name, inputs // FEWER, seed)
    if not READERS[name].refuses:
        ended = [*found.crashed, *found.hung]
        some = [*ended[: COMMANDS // 2], *range(COMMANDS // 2)]
        found.faults += faults(name, some, seed)
    return found


def _inside(found: Found) -> str:
    """Say what ended in the reading process alone."""
    if not found.crashed and not found.hung:
        return ""
    return (
        f" (crashed {len(found.crashed)}, hung {len(found.hung)} inside the reading "
        "process)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", help="all by default")
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for files that did harm")
    asked = parser.parse_args()
    failed = False
    for name in asked.readers or READERS:
        found = _found(name, asked.inputs, asked.seed)
        print(
            f"{name:<33} {found.read:>7} read {found.refused:>7} refused "
            f"{len(found.faults)} faults {found.seconds:6.0f} s {found.peak_mib} MiB"
            f"{_inside(found)}",
            flush=True,
        )
        for number, (fault, data) in enumerate(found.faults):
            failed = True
            print(f"    {fault}", flush=True)
            if asked.out:
                asked.out.mkdir(parents=True, exist_ok=True)
                (asked.out / f"{folder_name(name)}-{number}").write_bytes(data)
    sys.exit(failed)
