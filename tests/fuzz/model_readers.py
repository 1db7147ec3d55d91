"""Readers of models and arrays, whose files are mutated as bytes."""

import io
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

import hostile
from fuzz.reader import LAYERS, Reader, in_file
from rnn_parity.models.array_files import read_named
from rnn_parity.models.formats import writers
from rnn_parity.models.memory_limits import bounded
from rnn_parity.models.read import saved_layers
from rnn_parity.models.settle import settle
from rnn_parity_core import FileError, UsageError

FILES = Path(__file__).parents[1] / "harness" / "files"


def real(*endings: str) -> list[bytes]:
    """Give files that frameworks wrote."""
    paths = sorted(path for path in FILES.iterdir() if path.suffix in endings)
    return [path.read_bytes() for path in paths]


def written(*forms: str) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        found = []
        for case_id in LAYERS:
            for form in forms:
                try:
                    found.append(writers()[form].write(hostile.layer(case_id)))
                except FileError:
                    continue  # the form has no such layer
        return found

    return made


def in_bounds(
    name: str, read: Callable[[Path], object]
) -> Callable[[bytes, Path], object]:
    """Read bytes by what reads a file, in the memory that `apart` gives it."""

    def reads(path: Path) -> object:
        with bounded(path.stat().st_size, str(path)):
            return read(path)

    return in_file(name, reads)


def settled(path: Path) -> object:
    """Read all layers of a file, and make each of them ours that can be."""
    found = []
    for saved in saved_layers(path):
        for cell in saved.cells or ("",):
            try:
                found.append(settle(saved, cell))
            except (FileError, UsageError) as error:
                found.append(str(error))
    return found


@cache
def members(form: str) -> tuple[dict[str, bytes], ...]:
    made = []
    for data in written(form)():
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            made.append({name: file.read(name) for name in file.namelist()})
    return tuple(made)


def _member(form: str, name: str) -> Reader:
    """Read a zip's member: what is mutated outside of it, its checksum refuses."""

    def read(data: bytes, folder: Path) -> object:
        whole = hostile.zipped({**members(form)[0], name: data})
        return in_bounds(f"a.{form}", settled)(whole, folder)

    return Reader(lambda: [members(form)[0][name]], read)


def pickles() -> list[bytes]:
    return [hostile.torch_zip(PICKLE, **{"data/0": bytes(24)})]


# A state_dict of one tensor, as torch.save writes it: {"weight_hh_l0": [2, 3] float32}.
PICKLE = (
    b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x0c\x00\x00\x00weight_hh_l0q\x02"
    b"ctorch._utils\n_rebuild_tensor_v2\nq\x03((X\x07\x00\x00\x00storageq\x04"
    b"ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x000q\x06X\x03\x00\x00\x00cpuq\x07"
    b"K\x06tq\x08QK\x00K\x02K\x03\x86q\tK\x03K\x01\x86q\n\x89h\x00)Rq\x0btq\x0cRq\rs."
)


def _pickle(data: bytes, folder: Path) -> object:
    whole = hostile.torch_zip(data, **{"data/0": bytes(24)})
    return in_bounds("a.pt", settled)(whole, folder)


def arrays(name: str) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        here = np.arange(12, dtype="float32").reshape(2, 3, 2)
        one, several, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
        np.save(one, here)
        np.savez(several, inputs=here, lengths=np.array([1, 2], "int32"))
        np.savez_compressed(packed, inputs=here.T)
        files = {"npy": [one], "npz": [several, packed]}[name]
        return [file.getvalue() for file in files]

    return made


MODELS = {
    ".safetensors": Reader(
        written("canonical", "torch", "tensorflow-v1", "flax"),
        in_bounds("a.safetensors", settled),
    ),
    ".pt": Reader(
        lambda: [*pickles(), *real(".pt", ".pth")], in_bounds("a.pt", settled)
    ),
    ".pt, its pickle": Reader(lambda: [PICKLE], _pickle),
    ".keras": Reader(
        lambda: [*written("keras")(), *real(".keras")], in_bounds("a.keras", settled)
    ),
    ".keras, its config": _member("keras", "config.json"),
    ".keras, its weights": _member("keras", "model.weights.h5"),
    ".h5": Reader(
        lambda: [
            *(of["model.weights.h5"] for of in members("keras")),
            *real(".h5"),
        ],
        in_bounds("a.h5", settled),
    ),
    ".onnx": Reader(
        lambda: [*written("onnx")(), *real(".onnx")], in_bounds("a.onnx", settled)
    ),
    ".npy": Reader(
        arrays("npy"), in_bounds("a.npy", lambda p: read_named(p, "inputs"))
    ),
    ".npz": Reader(
        arrays("npz"), in_bounds("a.npz", lambda p: read_named(p, "inputs"))
    ),
}
