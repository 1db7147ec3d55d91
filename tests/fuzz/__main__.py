"""`make fuzz`: mutated files for every reader, or for those that are named."""

import argparse
import sys
from pathlib import Path

from fuzz.parent import fuzz
from fuzz.readers import READERS, folder_name

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", help="all by default")
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for files that did harm")
    asked = parser.parse_args()
    failed = False
    for name in asked.readers or READERS:
        found = fuzz(name, asked.inputs, asked.seed)
        print(
            f"{name:<20} {found.read:>7} read {found.refused:>7} refused "
            f"{len(found.faults)} faults {found.seconds:6.0f} s {found.peak_mib} MiB",
            flush=True,
        )
        for number, (fault, data) in enumerate(found.faults):
            failed = True
            print(f"    {fault}", flush=True)
            if asked.out:
                asked.out.mkdir(parents=True, exist_ok=True)
                (asked.out / f"{folder_name(name)}-{number}").write_bytes(data)
    sys.exit(failed)
