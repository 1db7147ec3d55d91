"""Runs that were cut short, and what is the same of two runs."""

import json
import sys
from pathlib import Path

from msgspec.structs import replace

from fixtures import catalogue
from harness.backend import BackendInfo
from harness.session import (
    compute,
)
from harness.store.folder import RunFolder
from harness.store.record import Line

CASES = catalogue.select(["notebook"], [], ["float32"])
SUITE = ["--cases", "random:16:3", "--backends", "numpy,numpy#twin", "--jobs", "2"]


def run_command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "harness.cli", "run", *map(str, arguments)]


def report(out: Path) -> str:
    """Give report.json but for what may differ: times, and when it began."""
    document = json.loads((out / "report.json").read_bytes())
    document["environment"].pop("started")
    for result in document["results"]:
        result.pop("seconds")
    return json.dumps(document, indent=1)


def files(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*")}


def cut(out: Path, infos: list[BackendInfo], keep: int) -> RunFolder:
    """Give a run that ended when so many entries were in its journal."""
    folder = compute(CASES, infos, out, jobs=1, timeout=60)
    record = folder.record()
    folder.write_record(replace(record, entries=[], backends={}))
    for name, said in record.backends.items():
        folder.journal.append(Line(said=(name, said)))
    for entry in record.entries[:keep]:
        folder.journal.append(Line(entry=entry))
    return folder
