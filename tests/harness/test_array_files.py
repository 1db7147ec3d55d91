"""Arrays out of users' files: read to the last bit, or refused at little cost."""

import io
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from hostile import LONE, layer
from rnn_parity.models import canonical
from rnn_parity.models.array_files import read_named
from rnn_parity_core import Array, FileError
from support import bits_equal

HERE = np.arange(24, dtype="float32").reshape(2, 3, 4)


def header(shape: str, dtype: object = "<f4", more: str = "") -> bytes:
    said = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, {more}}}"
    words = said.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(words).to_bytes(2, "little") + words.encode()


def saved(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def lying(data: bytes, size: int = 128 + 4) -> bytes:
    """Let a zip's directory say that a member unpacks to so much."""
    at = data.rindex(b"PK\x01\x02") + 24
    return data[:at] + size.to_bytes(4, "little") + data[at + 4 :]


@pytest.mark.parametrize(
    "array", [HERE, HERE.T, HERE[:, ::2], HERE[0, 0, 0], HERE.astype("float16")]
)
def test_arrays_come_back_to_the_last_bit(array: Array, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", array=array, other=HERE)
    np.savez_compressed(tmp_path / "b.npz", array=array)
    save_file({"array": np.asarray(array, order="C")}, tmp_path / "a.safetensors")
    for name in ("a.npy", "a.npz", "b.npz", "a.safetensors"):
        found = read_named(tmp_path / name, "array")
        assert bits_equal(found["array"], np.asarray(array)), name


WRONG: dict[str, tuple[Callable[[], bytes], str]] = {
    "objects.npy": (lambda: saved(np.array([{}])), "has dtype object, expected float"),
    "text.npy": (lambda: saved(np.array(["a"])), "has dtype <U1, expected float64"),
    "swapped.npy": (lambda: saved(HERE.astype(">f4")), "has dtype >f4, expected floa"),
    "bf16.npy": (lambda: header("(1,)", "|V2") + b"ab", "bfloat16 as .safetensors"),
    "giant.npy": (
        lambda: header("(99999999999, 9)"),
        "would take 3599999999964 byt",
    ),
    "absurd.npy": (lambda: header(f"({10**40},)"), "bytes, and has 0"),
    "open.npy": (lambda: header("((("), "its header cannot be read"),
    "minus.npy": (lambda: header("(-1, -1)") + b"abcd", "says that it has the shape"),
    "short.npy": (lambda: saved(HERE)[:-1], "would take 96 bytes, and has 95"),
    "long.npy": (lambda: saved(HERE) + b"a", "would take 96 bytes, and has 97"),
    "empty.npy": (lambda: b"", "is no whole .npy file"),
    "later.npy": (lambda: b"\x93NUMPY\x09\x00", "is no whole .npy file"),
    "code.npy": (lambda: header("__import__('os')"), "is no whole .npy file"),
    "bool.npy": (lambda: header("(True, 4, 3)") + bytes(48), "is not of whole num"),
    "float.npy": (lambda: header("(1.0,)") + bytes(4), "its header cannot be read"),
    "nested.npy": (lambda: header("((1,),)") + bytes(4), "its header cannot be read"),
    "wide.npy": (lambda: header(str((1,) * 65)) + bytes(4), "maximum supported dim"),
    "zero.npy": (lambda: header(f"(0, {2**70})"), "is no whole .npy file"),
    "fields.npy": (lambda: header("(1,)", [("a", "<f4")]) + bytes(4), "has dtype"),
    "part.npy": (lambda: header("(1,)", ("<f4", (1,))) + bytes(4), "has dtype"),
    "twice.npy": (
        lambda: header("(4, 6)", more="'shape': (6, 4)") + bytes(96),
        "does not say dtype, order and shape once each",
    ),
    "escaped.npy": (
        lambda: header("(4, 6)", more="'\\x73hape': (6, 4)") + bytes(96),
        "does not say dtype, order and shape once each",
    ),
    "endless.npy": (
        lambda: b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little"),
        "its header has 4294967295 bytes, more than 10000",
    ),
    "none.npz": (lambda: b"PK", "is no whole .npz file"),
    "cut.npz": (lambda: zipped({"a.npy": saved(HERE)})[:-30], "is no whole .npz file"),
    "lying.npz": (
        lambda: lying(zipped({"a.npy": header("(999999,)") + bytes(3999996)})),
        "is no whole .npz file: Bad CRC-32",
    ),
    "many.npz": (
        lambda: zipped({f"{n}.npy": b"" for n in range(65)}),
        "unpacks to 65 arrays of 0 bytes, expected at most 64",
    ),
    "directory.npz": (
        lambda: zipped({f"{n}": b"" for n in range(25_000)}),
        "is no whole .npz file: its directory has",
    ),
    "bzip.npz": (
        lambda: zipped({"a.npy": saved(HERE)}, zipfile.ZIP_BZIP2),
        "is not packed as numpy.savez does",
    ),
    "a.pickle": (lambda: b"", "expected .npy, .npz or .safetensors"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_array_of_numbers_is_refused(name: str, tmp_path: Path) -> None:
    make, words = WRONG[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(FileError) as caught:
        read_named(tmp_path / name, "inputs")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [".npy", ".npz"])
def test_a_mutated_file_is_read_or_refused_and_nothing_else(
    kind: str, tmp_path: Path
) -> None:
    path, draw = tmp_path / f"a{kind}", np.random.default_rng(5)
    whole = saved(HERE) if kind == ".npy" else zipped({"a.npy": saved(HERE)})
    refused = 0
    for _ in range(500):
        data = bytearray(whole)
        for at in draw.integers(len(data), size=3):
            data[at] = draw.integers(256)
        path.write_bytes(data)
        try:
            read_named(path, "inputs")
        except FileError:
            refused += 1
    assert refused > 100


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.npy", "b.npy", "c.npy"):
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(header("(268435424,)"))
                for _ in range(1024):
                    file.write(bytes(2**20))
    assert path.stat().st_size < 2**23
    tracemalloc.start()
    with pytest.raises(FileError, match="unpacks to 3 arrays of"):
        read_named(path, "inputs")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20


PEAK = """
import sys
from pathlib import Path
from rnn_parity_core import FileError
from rnn_parity.models.array_files import read_named
def most():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
before = most()
try:
    said = {n: a.nbytes for n, a in read_named(Path(sys.argv[1]), "inputs").items()}
except FileError as error:
    said = error
print(most() - before, said)
"""
MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is Linux' to say")
@pytest.mark.parametrize(
    ("claimed", "there", "words", "most"),
    [
        (256 * MIB, 256 * MIB, "{'a': 268435456}", 320 * MIB),
        (256 * MIB, MIB, "ends too early", 16 * MIB),
        (4, 256 * MIB, "is no whole .npz file: Bad CRC-32", 16 * MIB),
        (1024 * MIB, MIB, "unpacks to 1073741952 bytes, more than 8 times", 16 * MIB),
    ],
)
def test_a_packed_file_takes_what_its_size_allows_and_no_more(
    claimed: int, there: int, words: str, most: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as file,
    ):
        file.write(header(f"({claimed // 4},)"))
        for _ in range(there // MIB):
            file.write(bytes(MIB))
    path.write_bytes(lying(path.read_bytes(), claimed + 128))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, path], check=True, capture_output=True, text=True
    )
    grown, _, said = done.stdout.partition(" ")
    assert words in said
    assert int(grown) < most
    asked = "save it by numpy.savez instead of numpy.savez_compressed"
    assert (asked in said) == (claimed > 256 * MIB)


@pytest.mark.parametrize(
    ("name", "words"),
    [("bool.npy", "not of whole numbers"), ("huge.npz", "numpy.savez instead of")],
)
def test_inputs_that_are_refused_are_said_in_one_line(
    name: str,
    words: str,
    command_line: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    make = WRONG[name][0] if name in WRONG else lambda: lying(zipped({"a": b""}), 2**30)
    (tmp_path / name).write_bytes(make())
    (tmp_path / "m.safetensors").write_bytes(canonical.write(layer(LONE)))
    status, out, said = command_line("verify", "m.safetensors", "--inputs", name)
    assert (status, out) == (2, "")
    assert said.startswith(f"rnn-parity: {name} ")
    assert words in said
    assert said.count("\n") == 1


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        read_named(tmp_path / "a.npy", "inputs")
