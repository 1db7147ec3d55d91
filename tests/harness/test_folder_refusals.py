"""Whatever stands in a run's files, it is read or refused in one line."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_parity.store.folder import RunFolder
from rnn_parity.store.record import RunRecord
from rnn_parity_core import FileError, Problem
from rnn_parity_core.arrays import pack
from rnn_parity_fixtures import catalogue
from support import with_arrays


def refusal(act: Callable[[], object]) -> str:
    """Give the text of the FileError, which must be one line."""
    with pytest.raises(FileError) as caught:
        act()
    text = str(caught.value)
    assert text
    assert len(text.splitlines()) == 1
    return text


def header(**entries: object) -> bytes:
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def test_files_that_hold_no_problem_of_the_case_are_refused_in_one_line(
    problem: Problem, tmp_path: Path
) -> None:
    folder, case = RunFolder(tmp_path), problem.case
    folder.write_problem(problem)
    path = tmp_path / "problems" / f"{case.id}.safetensors"
    whole = path.read_bytes()
    own, said = dict(problem.arrays), {"case": case.id}
    kernel, bias = "layer0.forward.kernel", "layer0.forward.bias"
    wide = own[kernel].astype(np.float64)
    nan = np.full_like(own[bias], np.nan)
    tensor = {"dtype": "I16", "shape": [1], "data_offsets": [0, 2]}
    files = {
        b"": "is not a whole safetensors file",
        whole[:7]: "is not a whole safetensors file",
        whole[:-1]: "is not a whole safetensors file",
        whole + b"\0": "is not a whole safetensors file",
        b"\xff" * 64: "is not a whole safetensors file",
        b"PK\x03\x04" + whole: "is not a whole safetensors file",
        header(__metadata__=said, x=tensor) + b"\0\0": "'x' has dtype I16, unknown",
        header(): f"holds case None, expected '{case.id}'",
        pack(own, {"case": "other"}): "holds case 'other', expected",
        pack({**own, kernel: wide}, said): f"{kernel} has dtype float64, expected",
        pack({**own, bias: nan}, said): f"{bias} has 5 of 5 elements NaN",
        pack({bias: own[bias]}, said): "inputs is missing",
        pack({**own, "published.x": wide}, said): "x is not asked for",
        pack({**own, "published.outputs": wide}, said): "outputs has shape [4, 5]",
    }
    for data, words in files.items():
        path.write_bytes(data)
        assert words in refusal(lambda: folder.problem(case)), data[:99]
    path.unlink()
    assert "cannot read" in refusal(lambda: folder.problem(case))


@pytest.mark.parametrize("length", [-1, 8, 2**31 - 1])
def test_a_problem_whose_lengths_are_not_within_the_steps_is_refused(
    length: int, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    name = "rnn_tanh-variable_input-B3-T7-D4-H5-reverse-f32-s1"
    problem = catalogue.build(catalogue.case_from_id(name))
    lengths = np.array([7, length, 3], np.int32)
    folder.write_problem(with_arrays(problem, lengths=lengths))
    assert "lengths" in refusal(lambda: folder.problem(problem.case))


def test_a_file_whose_metadata_is_null_is_refused(copy: Path) -> None:
    case = RunFolder(copy).record().cases[0]
    path = copy / "problems" / f"{case.id}.safetensors"
    path.write_bytes(header(__metadata__=None))
    assert "holds case None, expected" in refusal(lambda: RunFolder(copy).problem(case))


def _set(*keys: str | int, value: object) -> Callable[[dict], None]:
    def change(record: dict) -> None:
        place = record
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def test_records_that_do_not_hang_together_are_refused(copy: Path) -> None:
    path = copy / "run.json"
    whole = path.read_bytes()
    changes = {
        "unknown field": _set("cases", 0, "sparse", value=True),
        "Invalid enum value": _set("schema", value="rnn-parity.run/3"),
        "Expected `int`": _set("cases", 0, "units", value="5"),
        "unknown cell 'lstn'": _set("cases", 0, "cell", value="lstn"),
        "unknown variant '../../x'": _set("cases", 0, "variant", value="../../x"),
        "unknown dtype 'float8'": _set("cases", 0, "dtype", value="float8"),
        "unknown direction '../x'": _set("cases", 0, "direction", value="../x"),
        "T, D, H and L must each": _set("cases", 0, "steps", value=0),
        "B, T, D, H and L": _set("cases", 0, "batch", value=-4),
        "and L at most 64": _set("cases", 0, "layers", value=65),
        "P goes with cells": _set("cases", 0, "projection", value=2),
        "zerolength goes with": _set("cases", 0, "zero_length", value=True),
        "timemajor goes with": _set("cases", 0, "time_major", value=True),
        "an entry names 'x'": _set("entries", 0, "case", value="x"),
        "on '../torch'": _set("entries", 0, "backend", value="../torch"),
        "an entry names 'y'": _set("left_out", value=[["y", "numpy"]]),
        "('notebook-basic-f32', 'numpy') is left out, and yet computed": _set(
            "left_out", value=[["notebook-basic-f32", "numpy"]]
        ),
        "is of outputs, x, which is no part of": _set(
            "entries", 0, "arrays", value=["outputs", "x"]
        ),
    }
    for words, change in changes.items():
        record = json.loads(whole)
        change(record)
        path.write_text(json.dumps(record))
        assert words in refusal(RunFolder(copy).record)
    for data in (b"", whole[:-9], b"[]", b"\xff\xfe", b"[" * 100_000, b"null"):
        path.write_bytes(data)
        assert "is not a whole runrecord of rnn-parity" in refusal(
            RunFolder(copy).record
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["entries"][0].update(seconds=-1.0),
        lambda record: record["infos"].append(record["infos"][0]),
        lambda record: record["cases"].append(record["cases"][0]),
    ],
    ids=["negative seconds", "backend twice", "case twice"],
)
def test_a_record_of_which_no_sound_report_can_come_is_refused(
    change: Callable[[dict], None], copy: Path
) -> None:
    record = json.loads((copy / "run.json").read_bytes())
    change(record)
    (copy / "run.json").write_text(json.dumps(record))
    refusal(RunFolder(copy).record)


@pytest.mark.parametrize(
    "size", [10**9, 10**18, 10**400, 10**4000], ids=lambda n: f"{len(str(n))} digits"
)
def test_a_case_of_an_absurd_size_is_refused_and_not_attempted(
    size: int, copy: Path
) -> None:
    record = json.loads((copy / "run.json").read_bytes())
    for seed in (None, 1):
        record["cases"][0] |= {"batch": size, "steps": size, "seed": seed}
        record["entries"] = []
        (copy / "run.json").write_text(json.dumps(record))
        refusal(lambda: RunFolder(copy).problem(RunFolder(copy).record().cases[0]))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_mutated_record_is_read_or_refused_and_nothing_else(
    saved_run: RunFolder, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray((saved_run.path / "run.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(whole)))
        end = start + data.draw(st.integers(0, 20))
        tokens = st.sampled_from([b"null", b"-1", b"1e999", b'"\\u0000"', b"{}", b"[]"])
        whole[start:end] = data.draw(st.binary(max_size=8) | tokens)
    folder = RunFolder(tmp_path_factory.getbasetemp() / "mutated")
    folder.path.mkdir(exist_ok=True)
    (folder.path / "run.json").write_bytes(whole)
    try:
        record = folder.record()
    except FileError as error:
        assert str(folder.path) in str(error)  # noqa: PT017 - either way is right
    else:
        assert (
            msgspec.json.decode(msgspec.json.encode(record), type=RunRecord) == record
        )
