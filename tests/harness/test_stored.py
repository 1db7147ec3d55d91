"""Arrays read piece by piece from files that may be anyone's."""

import struct
from pathlib import Path

import ml_dtypes  # noqa: F401 - gives NumPy the name bfloat16
import numpy as np
import pytest

from benchmarks.large_runs import compared, write_run
from rnn_parity.store.stored import Stored, in_pairs, open_stored, same_bytes
from rnn_parity_core import Array, FileError
from rnn_parity_core.arrays import DTYPE_NAMES, pack
from rnn_parity_fixtures import catalogue

MOST = 2**30
MIB = 2**20
ONE = b'"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}'
TWICE = b"{" + ONE + b"," + ONE + b"}"


def stored(path: Path, array: Array) -> Stored:
    path.write_bytes(pack({"outputs": array}, {}))
    return open_stored(path, MOST)[0]["outputs"]


@pytest.mark.parametrize("dtype", DTYPE_NAMES)
@pytest.mark.parametrize("shape", [(), (0, 3), (5, 7), (1, 300)])
def test_pieces_put_together_are_the_array(
    tmp_path: Path, dtype: str, shape: tuple[int, ...]
) -> None:
    size = int(np.prod(shape))
    array = (np.arange(size) % 2).astype(dtype).reshape(shape)
    found = stored(tmp_path / "a", array)
    assert (found.dtype, found.shape) == (array.dtype, shape)
    pieces = [piece.copy() for piece in found.blocks(16)]
    assert [piece.size for piece in pieces[:-1]] == [16] * max(0, len(pieces) - 1)
    joined = np.concatenate(pieces) if pieces else np.empty(0, dtype)
    assert joined.tobytes() == array.tobytes()


def test_arrays_of_one_file_are_each_at_their_place(tmp_path: Path) -> None:
    arrays = {"b": np.arange(3.0), "a": np.arange(4, dtype=np.int32)}
    (tmp_path / "two").write_bytes(pack(arrays, {"case": "c"}))
    found, metadata = open_stored(tmp_path / "two", MOST)
    assert metadata == {"case": "c"}
    assert list(found) == ["a", "b"]
    for name, array in arrays.items():
        assert np.array_equal(next(found[name].blocks(8)), array)


def test_one_bit_is_seen_wherever_it_is(tmp_path: Path) -> None:
    array = np.zeros(200_000, np.float32)
    first = stored(tmp_path / "first", array)
    assert same_bytes(first, stored(tmp_path / "second", array))
    for at in (0, 65_535, 65_536, 199_999):
        other = array.copy()
        other[at] = -0.0
        assert not same_bytes(first, stored(tmp_path / "other", other)), at


def test_other_dtypes_and_shapes_are_not_the_same(tmp_path: Path) -> None:
    array = np.zeros((2, 3), np.float32)
    first = stored(tmp_path / "first", array)
    for number, other in enumerate((array.T, array.view(np.int32))):
        assert not same_bytes(first, stored(tmp_path / f"{number}", other))


def test_a_file_that_is_cut_short_meanwhile_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    found = stored(path, np.zeros(100_000))
    with path.open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(FileError, match="cut was cut short while it was read"):
        list(in_pairs(found, found, 1000))
    path.unlink()
    with pytest.raises(FileError, match=r"cannot read .*cut: No such file"):
        list(found.blocks(1000))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a whole safetensors file"),
        (pack({"a": np.ones(9)}, {})[:-1], "is not a whole safetensors file"),
        (pack({"a": np.ones(9)}, {}).replace(b"F64", b"U64"), "has dtype U64, unknown"),
        (pack({"a": np.ones(9)}, {}).replace(b"[0,72]", b"[8,80]"), "is not a whole"),
        (struct.pack("<Q", len(TWICE)) + TWICE + bytes(8), "two values of one name"),
    ],
)
def test_broken_files_are_refused_in_a_line(
    tmp_path: Path, data: bytes, said: str
) -> None:
    (tmp_path / "broken").write_bytes(data)
    with pytest.raises(FileError, match=said):
        open_stored(tmp_path / "broken", MOST)


def test_a_file_above_the_limit_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(pack({"a": np.ones(9)}, {}))
    with pytest.raises(FileError, match="more than 64"):
        open_stored(tmp_path / "large", 64)


def test_runs_are_compared_in_less_memory_than_they_have(tmp_path: Path) -> None:
    large = catalogue.case_from_id("rnn_tanh-dynamic-B64-T512-D1-H1024-f32-s1")
    for name, moved in (("old", 0), ("new", 1)):
        write_run(tmp_path / name, [large], moved=moved)
    (outcome,) = tmp_path.glob("new/outcomes/*/*")
    size = outcome.stat().st_size
    most, said = compared(tmp_path / "old", tmp_path / "new")
    assert size > 128 * MIB > most
    words = "outputs: 1 of 33554432 elements, by up to 1 at (63, 511, 1023)"
    assert words in " ".join(said.split())
