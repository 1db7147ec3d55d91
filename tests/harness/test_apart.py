"""A file that crashes what reads it, or keeps it at work for ever, is one line."""

import io
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from rnn_parity.models.apart import read_arrays, read_layer
from rnn_parity.models.read import read
from rnn_parity.runs.model_batches import problems_of
from rnn_parity_core import FileError, UsageError

Cli = Callable[..., tuple[int, str, str]]

FILES = Path(__file__).parent / "files"
KERNELS = [(3, 8), (2, 8), (8,)]
DENSE = 60  # links in a group, which `libver='latest'` keeps in a B-tree


@pytest.fixture(scope="module")
def dense() -> bytes:
    """Give Keras' weights beside a group of so many links."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="latest") as file:
        group = file.create_group("layers/lstm/cell/vars")
        for number, shape in enumerate(KERNELS):
            group[str(number)] = np.ones(shape, "f4")
        for number in range(DENSE):
            file.create_group(f"g{number:04}")
    return buffer.getvalue()


def flipped(data: bytes, bit: int) -> bytes:
    """Flip a bit of the leaf of the B-tree that has the links."""
    damaged = bytearray(data)
    damaged[damaged.index(b"BTLF") + 4 + bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def does_harm(words: list[str]) -> bool:
    """Whether a command is killed, or waits for a lock that it has overwritten."""
    try:
        done = subprocess.run(words, capture_output=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode < 0


def test_a_bit_that_makes_hdf5_crash_is_a_line(
    dense: bytes, tmp_path: Path, command_line: Cli
) -> None:
    path = tmp_path / "m.weights.h5"
    path.write_bytes(dense)
    assert read_layer(path, cell="lstm").case.units == 2
    path.write_bytes(flipped(dense, 8))
    crashes = [
        sys.executable,
        "-c",
        "import sys, pathlib; import rnn_parity.models.read",
    ]
    crashes[-1] += " as r; r.read(pathlib.Path(sys.argv[1]), cell='lstm')"
    assert does_harm([*crashes, str(path)]), "it does none any more: find another one"
    status, out, said = command_line("verify", str(path), "--cell", "lstm")
    assert (status, out, said.count("\n")) == (2, "", 1)
    assert "the process that read it was killed by SIG" in said


@pytest.mark.slow
def test_64_bits_that_make_hdf5_crash_are_64_lines(
    dense: bytes, tmp_path: Path
) -> None:
    path, said = tmp_path / "m.weights.h5", list[str]()
    for bit in range(64):
        path.write_bytes(flipped(dense, bit))
        try:
            read_layer(path, cell="lstm", timeout=10)
        except (FileError, UsageError) as error:
            said.append(str(error))
    assert not any("\n" in line for line in said)
    assert sum("killed by SIG" in line for line in said) > 32


def test_what_hdf5_reads_for_ever_is_left(command_line: Cli, tmp_path: Path) -> None:
    shutil.copy(FILES / "read_for_ever.hdf5", tmp_path / "m.weights.h5")
    ask = ("verify", "m.weights.h5", "--cell", "lstm", "--timeout", "2")
    status, _, said = command_line(*ask)
    assert (status, said.count("\n")) == (2, 1)
    assert "took over 2 s to read, and was left" in said


def test_what_hangs_in_c_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Cli
) -> None:
    (tmp_path / "h5py.py").write_text("import ctypes; ctypes.PyDLL(None).sleep(900)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    begun = time.monotonic()
    status, _, said = command_line("verify", "m.h5", "--timeout", "1.5")
    assert status == 2
    assert "m.h5 took over 1.5 s to read" in said
    assert "--timeout" in said
    assert time.monotonic() - begun < 30


def test_what_takes_too_much_memory_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "h5py.py").write_text("bytearray(2**31)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "m.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(FileError, match="takes over 8 times its 8 bytes to read"):
        read_layer(tmp_path / "m.h5")


def test_a_layer_is_what_is_read_here(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    state = {
        f"{name}_l0{way}": draw.normal(size=shape).astype("f4")
        for way in ("", "_reverse")
        for name, shape in (
            ("weight_ih", (20, 4)),
            ("weight_hh", (20, 5)),
            ("bias_ih", (20,)),
            ("bias_hh", (20,)),
        )
    }
    save_file(state, tmp_path / "m.safetensors")
    here, apart = (act(tmp_path / "m.safetensors") for act in (read, read_layer))
    assert (apart.name, apart.case, apart.notes) == (here.name, here.case, here.notes)
    assert apart.convention == here.convention
    for of in ("weights", "biases", "initial"):
        one, other = getattr(here, of), getattr(apart, of)
        assert one.keys() == other.keys()
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name], strict=True)
    assert [p.case for p in problems_of(here, None)] == [
        p.case for p in problems_of(apart, None)
    ]


def test_arrays_are_what_is_in_the_file(tmp_path: Path) -> None:
    arrays = {"inputs": np.arange(24.0).reshape(2, 3, 4), "lengths": np.array([1, 3])}
    np.savez(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type]
    found = read_arrays(tmp_path / "x.npz", "inputs")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, found[name], strict=True)


def test_names_that_are_no_text_are_read_and_said(
    tmp_path: Path, command_line: Cli
) -> None:
    name = b"caf\xe9.npy".decode("utf-8", "surrogateescape")
    np.save(tmp_path / name, np.ones((1, 2, 3)))
    assert read_arrays(tmp_path / name, "inputs")["inputs"].shape == (1, 2, 3)
    status, _, said = command_line("verify", str(tmp_path / name))
    assert status == 2
    assert "caf\N{REPLACEMENT CHARACTER}.npy" in said
