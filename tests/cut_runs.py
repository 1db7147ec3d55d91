"""Runs that were cut short, and what is the same of two runs."""

import json
import sys
from pathlib import Path

from msgspec.structs import replace

from rnn_parity.runs.run import (
    compute,
)
from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import JournalLine
from rnn_parity_core import BackendInfo
from rnn_parity_fixtures import catalogue

CASES = catalogue.select(["notebook"], [], ["float32"])
SUITE = ["--cases", "random:16:3", "--backends", "numpy,numpy#twin", "--jobs", "2"]


def run_command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "rnn_parity", "run", *map(str, arguments)]


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
        folder.journal.append(JournalLine(said=(name, said)))
    for entry in record.entries[:keep]:
        folder.journal.append(JournalLine(entry=entry))
    return folder
