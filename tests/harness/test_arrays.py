"""Arrays as bytes: nothing is lost, and no bytes do worse than a `FileError`."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnn_parity.store.stored import open_stored
from rnn_parity_core import Array, FileError
from rnn_parity_core.arrays import DTYPE_NAMES, MAX_HEADER_BYTES, pack, unpack
from support import OURS, bits_equal

WHOLE = pack(
    {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False])},
    {"case": "x"},
)


def by_hand(header: object, data: bytes = b"") -> bytes:
    """Lay out a safetensors file without the help of its library."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype: str, shape: list[int], size: int) -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}


def refusal(data: bytes) -> str:
    with pytest.raises(FileError) as caught:
        unpack(data, "some/file")
    return str(caught.value)


@pytest.mark.parametrize("dtype", DTYPE_NAMES)
def test_every_dtype_comes_back_with_its_bits(dtype: str) -> None:
    whole = np.arange(-12, 12).reshape(2, 3, 4).astype(dtype)
    arrays = {
        "contiguous": whole,
        "transposed": whole.T,
        "strided": whole[:, ::2, ::-1],
        "broadcast": np.broadcast_to(whole[0, 0], (5, 4)),
        "zero-d": whole[1, 2, 3],
        "empty": whole[:, :0],
        "of no size at all": np.zeros((0,), dtype),
        "named, \n wildly 测": whole[:, 1],
    }
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    found, metadata = unpack(pack(arrays, {"case": "é\n", "other": ""}), "o")
    assert metadata == {"case": "é\n", "other": ""}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert bits_equal(found[name], array), name


def test_arrays_come_in_the_order_of_their_names_however_they_went() -> None:
    names = ["kernel", "bias", "inputs", "recurrent_kernel", "initial_h", "lengths"]
    for order in (names, names[::-1]):
        data = pack({name: np.zeros(1, np.float32) for name in order}, {})
        for _ in range(5):  # safetensors gives another order each time
            assert [*unpack(data, "o")[0]] == sorted(names)


def test_special_values_come_back_with_their_bits() -> None:
    words = np.array([0x7FC00001, 0xFFC12345, 0x80000000, 0x1, 0x7F800000], np.uint32)
    found, _ = unpack(pack({"a": words.view(np.float32)}, {}), "o")
    assert found["a"].view(np.uint32).tolist() == words.tolist()


def test_other_byte_orders_come_back_as_numbers() -> None:
    found, _ = unpack(pack({"a": np.array([1.5, -2.0], dtype=">f4")}, {}), "o")
    assert bits_equal(found["a"], np.array([1.5, -2.0], np.float32))


def test_what_is_laid_out_by_hand_is_read() -> None:
    data = struct.pack("<3d", 1.0, -0.5, 3.0)
    found, metadata = unpack(by_hand(tensor("F64", [3, 1], 24), data), "o")
    assert bits_equal(found["a"], np.array([[1.0], [-0.5], [3.0]]))
    assert metadata == {}


def test_arrays_that_were_read_are_read_only() -> None:
    found, _ = unpack(WHOLE, "o")
    for array in found.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def test_packing_leaves_the_arrays_alone() -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(">f8"))
    words, strides = array.tobytes("A"), array.strides
    pack({"a": array}, {})
    assert (array.tobytes("A"), array.strides) == (words, strides)


@pytest.mark.parametrize("dtype", ["complex64", "uint8", "object", "U3", "longdouble"])
def test_a_dtype_that_cannot_travel_is_refused_by_name(dtype: str) -> None:
    array = np.zeros(2).astype(dtype)
    with pytest.raises(FileError, match=f"^weird has dtype {array.dtype}; only float"):
        pack({"fine": np.zeros(1), "weird": array}, {})


def test_every_truncation_is_refused_in_one_line() -> None:
    for size in range(len(WHOLE)):
        said = refusal(WHOLE[:size])
        assert said.startswith("some/file is not a whole safetensors file ("), size
        assert said.endswith("it was truncated, or written by something else")
        assert "\n" not in said


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 a zip file, or so it says",
        b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False}",
        b"\x80\x04\x95 a pickle",
        b"{}",
        WHOLE + b"\0",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        struct.pack("<Q", 99_000_000) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"\xff\xfe",
        struct.pack("<Q", 1_500) + b'{"a":' * 300,
        by_hand({"__metadata__": {"case": 1}}),
        by_hand(tensor("F32", [2**40, 2**40], 4), b"\0" * 4),
    ],
)
def test_foreign_bytes_are_refused_in_one_line(data: bytes) -> None:
    said = refusal(data)
    assert said.startswith("some/file is not a whole safetensors file (")
    assert "\n" not in said


def many(names: Iterator[str], size: int) -> bytes:
    """Lay out a file of empty tensors, with a header of so many bytes."""
    said, left = [], size - 2
    one = ':{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    for name in names:
        said.append(f'"{name}"{one}')
        left -= len(said[-1]) + 1
        if left < 100:
            break
    text = "{" + ",".join(said) + "}"
    return struct.pack("<Q", size) + text.ljust(size).encode()


@pytest.mark.parametrize("reader", ["unpack", "open_stored"])
def test_a_header_is_known_to_be_short_before_it_is_parsed(
    reader: str, tmp_path: Path
) -> None:
    def read(data: bytes) -> object:
        (tmp_path / "a").write_bytes(data)
        if reader == "unpack":
            return unpack(data, "a")
        return open_stored(tmp_path / "a", 2**31)

    read(struct.pack("<Q", MAX_HEADER_BYTES) + b"{}".ljust(MAX_HEADER_BYTES))
    long = struct.pack("<Q", MAX_HEADER_BYTES + 1) + bytes(MAX_HEADER_BYTES + 1)
    with pytest.raises(FileError) as caught:
        read(long)
    said = "a has a header of 8388609 bytes, more than 8388608"
    assert str(caught.value).endswith(said)
    with pytest.raises(FileError, match="is not a whole safetensors file"):
        read(long[:-1])


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
@pytest.mark.parametrize(
    ("size", "words"),
    [(38 * 10**6, "has a header of 38000000 bytes"), (2**23, "no recurrent layer")],
)
def test_a_file_of_empty_tensors_does_not_end_the_process(
    size: int, words: str, tmp_path: Path
) -> None:
    (tmp_path / "a.safetensors").write_bytes(many(map(hex, count()), size))
    done = subprocess.run(
        [sys.executable, "-m", "rnn_parity", "verify", "a.safetensors"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": OURS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rnn-parity: a.safetensors ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("dtype", "size"), [("I16", 4), ("U8", 2), ("F8_E4M3", 2)])
def test_a_dtype_unknown_here_is_refused_by_name(dtype: str, size: int) -> None:
    said = refusal(by_hand(tensor(dtype, [2], size), b"\1" * size))
    assert said == f"some/file: 'a' has dtype {dtype}, unknown"


@pytest.mark.parametrize("shape", [[0, 2**63], [0, 2**62, 2], [1] * 65])
def test_a_shape_that_numpy_cannot_hold_is_refused(shape: list[int]) -> None:
    size = 0 if 0 in shape else 4
    assert "some/file" in refusal(by_hand(tensor("F32", shape, size), b"\0" * size))


def test_metadata_that_are_null_are_none_or_refused() -> None:
    assert unpack(by_hand({"__metadata__": None}), "o") == ({}, {})


def test_a_dtype_of_two_lines_is_refused_in_one() -> None:
    assert "\n" not in refusal(by_hand(tensor("F\n32", [1], 4), b"\0" * 4))


def arrays_or_file_error(data: bytes) -> dict[str, Array]:
    """Read bytes; any exception but `FileError` escapes and fails the test."""
    try:
        found, _ = unpack(data, "o")
    except FileError:
        return {}
    return found


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 3), st.binary(max_size=3)),
        min_size=1,
        max_size=4,
    )
)
@example(edits=[(0, 8, struct.pack("<Q", 2**62))])
def test_mutated_bytes_are_arrays_or_a_file_error(
    edits: list[tuple[int, int, bytes]],
) -> None:
    data = WHOLE
    for at, cut, put in edits:
        data = data[:at] + put + data[at + cut :]
    for array in arrays_or_file_error(data).values():
        assert array.nbytes <= len(data)
        assert array.dtype.name in DTYPE_NAMES


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.binary(max_size=64))
def test_arbitrary_bytes_are_arrays_or_a_file_error(data: bytes) -> None:
    framed = struct.pack("<Q", len(data)) + data
    assert arrays_or_file_error(data) == {}
    assert all(array.size == 0 for array in arrays_or_file_error(framed).values())
