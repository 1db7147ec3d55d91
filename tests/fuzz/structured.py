"""Readers of models and arrays, whose files are mutated as what their formats know."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import hostile
from fuzz import (
    mutate,
    seeds_hdf5,
    structure_hdf5,
    structure_json,
    structure_onnx,
    structure_pickle,
    structure_zip,
)
from fuzz.model_readers import (
    arrays,
    in_bounds,
    members,
    pickles,
    real,
    settled,
    written,
)
from fuzz.reader import Reader, in_file
from rnn_parity.models.apart import read_layer
from rnn_parity.models.array_files import read_named
from rnn_parity.models.read import read

Way = Callable[[bytes, random.Random], bytes]
TIMEOUT = 10.0
"""Seconds that a file may take, read in a process of its own."""
_LARGE = 2**20
"""Bytes that are not taken apart again."""


def by(way: Way, *, more: bool = True) -> Callable[..., bytes]:
    """Mutate by a format's own way, sometimes again, and sometimes as bytes, too."""

    def mutated(seeds: list[bytes], at: tuple[int, str, int]) -> bytes:
        draw = random.Random(repr(at))  # noqa: S311 - nobody is to be kept from guessing
        data = way(draw.choice(seeds), draw)
        if more and len(data) < _LARGE and not draw.randrange(4):
            try:
                data = way(data, draw)
            except Exception:  # noqa: BLE001 - it may be broken already
                return data
        return data if draw.randrange(20) else mutate.mutated([data], at)

    return mutated


def once(way: Way) -> Callable[..., bytes]:
    """Mutate by a way that says something twice, and nothing else."""

    def mutated(seeds: list[bytes], at: tuple[int, str, int]) -> bytes:
        draw = random.Random(repr(at))  # noqa: S311
        return way(draw.choice(seeds), draw)

    return mutated


@cache
def _keras() -> tuple[bytes, ...]:
    """Give models, with weights as two versions of HDF5 have them."""
    version = {name: seeds_hdf5.seeds(name) for name in ("earliest", "latest")}
    return tuple(
        hostile.zipped({**model, "model.weights.h5": weights})
        for of in version.values()
        for at, model in enumerate(members("keras")[:2])
        for weights in (of[at], of[2 + at])
    )


def _named(path: Path) -> object:
    return read_named(path, "inputs")


def _model(
    suffix: str, seeds: Callable[[], list[bytes]], way: Way, *, more: bool = True
) -> Reader:
    name = f"a{suffix}"
    again = in_file(name, lambda path: read_layer(path, timeout=TIMEOUT))
    mutated = by(way, more=more)
    return Reader(
        seeds, in_bounds(name, settled), mutated=mutated, again=again, costly=4
    )


def _twice(suffix: str, seeds: Callable[[], list[bytes]], way: Way) -> Reader:
    reads = in_bounds(f"a{suffix}", read)
    return Reader(seeds, reads, mutated=once(way), costly=4, refuses=True)


_safetensors = written("canonical", "torch", "tensorflow-v1", "flax")
_BY = "by its structures"
STRUCTURED = {
    f".h5, earliest, {_BY}": _model(
        ".h5", lambda: seeds_hdf5.seeds("earliest"), structure_hdf5.mutated, more=False
    ),
    f".h5, latest, {_BY}": _model(
        ".h5", lambda: seeds_hdf5.seeds("latest"), structure_hdf5.mutated, more=False
    ),
    f".onnx, {_BY}": _model(".onnx", written("onnx"), structure_onnx.mutated),
    f".keras, {_BY}": _model(".keras", lambda: [*_keras()], structure_zip.mutated),
    f".pt, {_BY}": _model(
        ".pt", lambda: [*pickles(), *real(".pt", ".pth")], structure_zip.mutated
    ),
    f".safetensors, {_BY}": _model(
        ".safetensors", _safetensors, structure_json.safetensors
    ),
    f".npy, {_BY}": Reader(
        arrays("npy"), in_bounds("a.npy", _named), mutated=by(structure_pickle.npy)
    ),
    f".npz, {_BY}": Reader(
        arrays("npz"), in_bounds("a.npz", _named), mutated=by(structure_zip.mutated)
    ),
    ".onnx, said twice": _twice(
        ".onnx", lambda: written("onnx")()[1:], structure_onnx.twice
    ),
    ".keras, said twice": _twice(
        ".keras", lambda: written("keras")()[1:], structure_zip.twice
    ),
    ".safetensors, said twice": _twice(
        ".safetensors",
        lambda: written("canonical")()[1:],
        structure_json.safetensors_twice,
    ),
}
