"""Mutations by structure reach what mutated bytes do not; what ends of them is told."""

import io
import sys

import h5py
import pytest

from fuzz import command, seeds_hdf5, structure_hdf5
from fuzz.parent import Found, fuzz

HARM = {
    "PAST_CHECKSUMS": "Error",
    "FOLLOWS": "reads /etc/passwd",
    "TAKES_EITHER": "it was read, and had to be refused",
    "UNGUARDED": "Error",
    "TRUSTS_SHAPE": "Error",
    "DIES_TWICE": "the process died: SIGABRT",
    "DIES_THEN_RAISES": "crashed, SIGABRT; then KeyError",
}


def planted(name: str, inputs: int) -> Found:
    return fuzz(f"fuzz.planted_structures:{name}", inputs)


@pytest.mark.parametrize("name", HARM)
def test_a_reader_with_a_fault_behind_the_first_checks_is_caught(name: str) -> None:
    found = planted(name, 100)
    assert any(HARM[name] in fault for fault, _ in found.faults), found


@pytest.mark.parametrize("name", ["DIES_WITHIN", "COMPUTES_WITHIN"])
def test_what_ends_the_reading_process_alone_is_counted_and_no_fault(name: str) -> None:
    found = planted(name, 2)
    assert not found.faults
    ended = found.hung if name == "COMPUTES_WITHIN" else found.crashed
    assert ended == [0, 1]


@pytest.mark.parametrize("at", range(10))
def test_the_checksums_of_all_structures_are_found(at: int) -> None:
    data = seeds_hdf5.seeds("latest")[at]
    found = structure_hdf5.structures(data)
    for letters in structure_hdf5.CHECKED:
        own = [of for of in found if data[of.start : of.start + 4] == letters]
        assert len(own) == data.count(letters)
        assert all(of.checksum for of in own)


def test_seeds_have_links_and_attributes_in_heaps_and_trees() -> None:
    letters = {"BTHD", "BTLF", "BTIN", "FRHP", "FHDB", "FHIB", "OCHK", "FADB", "EADB"}
    latest = b"".join(seeds_hdf5.seeds("latest"))
    assert all(of.encode() in latest for of in letters)
    earliest = b"".join(seeds_hdf5.seeds("earliest"))
    assert all(of in earliest for of in (b"TREE", b"HEAP", b"SNOD", b"GCOL"))
    for data in seeds_hdf5.seeds("earliest"):
        headers = [
            of
            for of in structure_hdf5.structures(data)
            if data[of.start : of.start + 4] == b"OHDR" or data[of.start] == 1
        ]
        with h5py.File(io.BytesIO(data)) as file:
            there: list[str] = []
            file.visit(there.append)
        assert len(headers) > len(there)  # the root has one, too


SAY = "import sys; sys.stderr.write"
SAMPLE = [".onnx", ".keras", ".npz"]


@pytest.mark.parametrize("suffix", SAMPLE)
def test_the_command_line_reads_or_refuses_in_one_line(suffix: str) -> None:
    assert not command.faults(f"{suffix}, by its structures", [1, 2], seed=1)


@pytest.mark.parametrize(
    ("words", "script"),
    [
        ("status 1, wrote [], said", "raise KeyError"),
        ("status -6", "import os; os.abort()"),
        ("status 2, wrote []", "import sys; sys.exit(2)"),
        ("said no line of ours", f"{SAY}('no line of ours'); sys.exit(2)"),
        ("said rnn-parity: a / b", f"{SAY}('rnn-parity: a\\nb'); sys.exit(2)"),
        ("status 0, wrote ['x']", "open('x', 'w')"),
        ("status 0, wrote []", ""),
        (" MiB", "import time; held = b'1' * 2**30; time.sleep(1)"),
    ],
)
def test_a_command_that_a_file_breaks_is_caught(words: str, script: str) -> None:
    broken = (sys.executable, "-c", script)
    ((said, data),) = command.faults(
        ".onnx, by its structures", [0], seed=1, command=broken
    )
    assert words in said
    assert data
