"""SECURITY.md says what is so: its tests are there, its limits are in the code."""

import re
from pathlib import Path

from fuzz import child, parent
from rnn_parity.models import array_files, hdf5, memory_limits, read, torch_pickle
from rnn_parity.processes import logs
from rnn_parity.store import folder, journal
from rnn_parity.sweep import messages, parquet, shrink
from rnn_parity.workers import process
from rnn_parity_core import arrays, cases
from rnn_parity_reports import results

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
UNWRAPPED = " ".join(PAGE.split())
LIMITS = {
    "1 GiB": results.MAX_REPORT_BYTES / 2**30,
    "16 GiB": folder.MAX_ARRAYS_BYTES / 2**34 * 16,
    "2 GiB; while": read.MAX_BYTES / 2**30,
    "8 times its size": memory_limits.TIMES,
    "256 MiB of memory": memory_limits.BESIDE / 2**20,
    "8 MiB": torch_pickle.MAX_BYTES / 2**20,
    "100,000; 64 deep": hdf5.MAX_OBJECTS,
    "2 GiB; 64": array_files.MAX_BYTES / 2**30,
    "16 MiB, on": parquet.MAX_PART_BYTES / 2**20,
    "100 |\n| failing": messages.MOST_CASES,
    "20, 200, 600 s": shrink.MOST_SHRUNK,
    "200, 600 s": shrink.MOST_TRIED,
    "600 s |": shrink.MOST_SECONDS,
    "300 s |": process.START_TIMEOUT,
    "64 MiB, its begin": logs.MAX_BYTES / 2**20,
    "5 s of a processor": child.CPU_SECONDS,
    "60 s in all": parent.WALL_SECONDS,
}


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:tests/)?[\w/*]*test_[\w*]+\.py)`", PAGE))
    assert len(named) > 5
    for name in named:
        assert list(ROOT.glob(name) if "/" in name else ROOT.rglob(f"tests/**/{name}"))


def test_the_limits_are_those_of_the_code() -> None:
    for words, limit in LIMITS.items():
        number = float(words.split()[0].rstrip(";,").replace(",", ""))
        assert " ".join(words.split()) in UNWRAPPED
        assert number == limit, words
    assert journal.MAX_BYTES == results.MAX_REPORT_BYTES
    assert "2^28 elements; 64" in PAGE
    assert (cases.MAX_ELEMENTS, cases.MAX_LAYERS) == (2**28, 64)
    assert array_files._MOST_MEMBERS == 64
    assert arrays.MAX_HEADER_BYTES == torch_pickle.MAX_BYTES
