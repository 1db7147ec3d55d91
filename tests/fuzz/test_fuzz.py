"""No file does harm: mutated ones, those that once did, and readers that let some."""

import warnings
from pathlib import Path

import pytest

from fuzz.parent import fuzz
from fuzz.reader import folder_name
from fuzz.readers import READERS

INPUTS = 320
HARM = {
    "KEY_ERROR": "KeyError: 'name'",
    "RECURSION": "RecursionError",
    "COMPUTES": "took over 5 s",
    "WAITS": "no answer within 2 s",
    "ALLOCATES": "MemoryError",
    "FILLS": " MiB",
    "WRITES": "writes /",
    "WRITES_UNHEARD": "files beside the folder: ['beside', 'escaped']",
    "READS": "reads /etc/passwd",
    "STARTS": "subprocess.Popen",
    "DIES": "the process died: SIGABRT",
}
SEEDS = sorted((Path(__file__).parent / "found").glob("*/*"))


@pytest.mark.parametrize("name", READERS)
def test_mutated_files_are_read_or_refused_and_nothing_else(name: str) -> None:
    inputs = INPUTS // READERS[name].costly
    found = fuzz(name, inputs)
    assert not found.faults
    ended = len(found.crashed) + len(found.hung)
    assert found.read + found.refused + ended == inputs
    fewest = found.refused if READERS[name].refuses else min(found.read, found.refused)
    assert fewest > inputs // 50, "mutations change too little"


@pytest.mark.parametrize("name", HARM)
def test_a_reader_that_lets_a_file_do_harm_is_caught(name: str) -> None:
    wall = 2 if name == "WAITS" else 60
    found = fuzz(f"fuzz.planted:{name}", 1, wall=wall)
    assert any(HARM[name] in fault for fault, _ in found.faults), found


def test_a_reader_that_does_no_harm_is_not() -> None:
    found = fuzz("fuzz.planted:HEALTHY", 30)
    assert not found.faults
    assert found.refused > 20


@pytest.mark.parametrize(
    "path", SEEDS, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_what_once_did_harm_is_read_or_refused(path: Path, tmp_path: Path) -> None:
    reader = {folder_name(name): of for name, of in READERS.items()}[path.parent.name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            reader.read(path.read_bytes(), tmp_path)
        except reader.said as error:
            assert str(error).strip()  # noqa: PT017 - either way is right


def test_what_whoever_starts_it_holds_does_not_hide_what_a_reader_takes() -> None:
    held = b"\1" * (7 * 2**27)  # more than is taken
    found = fuzz("fuzz.planted:FILLS", 1)
    assert any("took" in fault for fault, _ in found.faults), found
    assert len(held) > 2**20 * found.peak_mib
