"""Readers with a fault each that only mutations of a format's structures come by."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.lib import format as npy
from onnx import ModelProto

from fuzz import (
    seeds_hdf5,
    structure_hdf5,
    structure_json,
    structure_onnx,
    structure_pickle,
)
from fuzz.model_readers import PICKLE, arrays, written
from fuzz.reader import Reader
from fuzz.structured import by, once
from rnn_parity.models import torch_pickle
from rnn_parity_core import FileError


def _refuses(*_: Any) -> None:
    raise FileError("it is no such file")


def _past_checksums(data: bytes, _: Path) -> None:
    """Fail at damage that HDF5 sees only behind the checksum of what has it."""
    try:
        with h5py.File(h5py.h5f.open_file_image(data)) as file:
            file.visititems(lambda *_: None)
    except Exception as error:
        if "checksum" in str(error):
            raise FileError("it is damaged") from None
        raise


def _follows(data: bytes, _: Path) -> None:
    """Open the files that tensors say to be in, as onnx.load does."""
    try:
        model = ModelProto.FromString(data)
    except Exception as error:
        raise FileError("it is no model") from error
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value.startswith("/"):
                Path(entry.value).read_bytes()


def _takes_either(data: bytes, _: Path) -> object:
    """Take the last of two values of one name, as `json` does."""
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def _unguarded(data: bytes, _: Path) -> object:
    return torch_pickle._Stack(lambda *_: np.zeros(1), "it").run(data)


def _trusts_shape(data: bytes, _: Path) -> object:
    file = io.BytesIO(data)
    try:
        npy.read_magic(file)
        shape = npy.read_array_header_1_0(file)[0]
    except Exception as error:
        raise FileError("it is no .npy") from error
    return np.ones(shape)


def _dies(data: bytes, _: Path) -> None:
    if data != b"valid":
        os.abort()


def _computes(data: bytes, _: Path) -> None:
    while data != b"valid":
        pass


def _key_error(*_: Any) -> None:
    raise KeyError("name")


def _in_forks(
    read: Callable[[bytes, Path], object], again: Callable[[bytes, Path], object]
) -> Reader:
    return Reader(lambda: [b"valid"], read, again=again)


PAST_CHECKSUMS = Reader(
    lambda: seeds_hdf5.seeds("latest")[:1],
    _past_checksums,
    mutated=by(structure_hdf5.mutated, more=False),
)
FOLLOWS = Reader(written("onnx"), _follows, mutated=by(structure_onnx.mutated))
TAKES_EITHER = Reader(
    written("canonical"),
    _takes_either,
    mutated=once(structure_json.safetensors_twice),
    refuses=True,
)
UNGUARDED = Reader(lambda: [PICKLE], _unguarded, mutated=by(structure_pickle.mutated))
TRUSTS_SHAPE = Reader(arrays("npy"), _trusts_shape, mutated=by(structure_pickle.npy))
DIES_TWICE = _in_forks(_dies, _dies)
DIES_THEN_RAISES = _in_forks(_dies, _key_error)
DIES_WITHIN = _in_forks(_dies, _refuses)
COMPUTES_WITHIN = _in_forks(_computes, _refuses)
