"""Valid HDF5 files of layers, with every structure that the library writes."""

import io
import json
from collections.abc import Callable

import h5py
import numpy as np

from fuzz.model_readers import members

LINKS, ATTRIBUTES = 70, 60
"""So many that they lie in heaps and trees of their own."""
_ARRAYS = ("kernel:0", "recurrent_kernel:0", "bias:0")
Fill = Callable[[h5py.File, h5py.File], object]


def seeds(version: str) -> list[bytes]:
    """Give files as h5py's `libver` writes them: "earliest" or "latest"."""
    return [
        _made(member, fill, version)
        for fill in (_plain, _dense, _ordered, _legacy, _filtered)
        for member in members("keras")[:2]
    ]


def _made(model: dict[str, bytes], fill: Fill, version: str) -> bytes:
    buffer, weights = io.BytesIO(), io.BytesIO(model["model.weights.h5"])
    with h5py.File(buffer, "w", libver=version) as file, h5py.File(weights) as own:
        if fill is _legacy:
            file.attrs["model_config"] = model["config.json"].decode()
        fill(file, own)
    return buffer.getvalue()


def _plain(file: h5py.File, own: h5py.File) -> None:
    """Write the arrays anew: a copy of groups would be of the old version."""

    def write(name: str, found: h5py.Dataset | h5py.Group) -> None:
        if isinstance(found, h5py.Dataset):
            file[name] = found[()]

    own.visititems(write)


def _dense(file: h5py.File, own: h5py.File) -> None:
    """Put many groups and attributes beside, and what Keras says of its layers."""
    _plain(file, own)
    for number in range(LINKS):
        file.create_group(f"layers/beside_{number:03}")
    for number in range(ATTRIBUTES):
        file["layers"].attrs[f"said_{number:03}"] = f"{number} of these"
    for at, group in enumerate(file["layers"].values()):
        group.attrs["name"] = f"of_{at}"
    file.create_group("a/b/c/d/e").attrs["sizes"] = np.arange(9)
    file["optimizer/vars/0"] = np.int64(3)


def _ordered(file: h5py.File, own: h5py.File) -> None:
    """Keep the order of links and attributes, which has trees of its own."""
    _plain(file, own)
    group = file.create_group("beside", track_order=True)
    for number in range(LINKS):
        group.create_group(f"g{number}", track_order=True)
        group.attrs[f"a{number}"] = number
    words = np.array(["of", "any", "length"] * 5, h5py.string_dtype())
    file.attrs["words"], file["layers"].attrs["words"] = words, words[:2]
    file.attrs["keras_version"] = "2.15.0"


def _legacy(file: h5py.File, own: h5py.File) -> None:
    """Name arrays as Keras did before it numbered them."""
    for name, layer in own["layers"].items():
        cell = layer["cell"] if "cell" in layer else layer["forward_layer/cell"]
        group = file.create_group(f"model_weights/{name}")
        for array, value in zip(_ARRAYS, cell["vars"].values(), strict=True):
            group[f"{name}/{name}_cell/{array}"] = value[()]
        group.attrs["weight_names"] = [f"{name}/{name}_cell/{of}" for of in _ARRAYS]
    file["model_weights"].attrs["layer_names"] = [*own["layers"]]
    file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
    file.attrs["training_config"] = json.dumps({"loss": "mse"})


def _filtered(file: h5py.File, own: h5py.File) -> None:
    """Put arrays in chunks beside, to be refused: in a group that comes last."""
    _plain(file, own)
    shape, numbers = (40, 30), np.arange(1200, dtype="f4").reshape(40, 30)
    for limits in (shape, (None, 30), (None, None)):  # each has an index of its own
        file.create_dataset(
            f"a/{sum(limit is None for limit in limits)}",
            data=numbers,
            chunks=(4, 30),
            maxshape=limits,
            compression="gzip",
            shuffle=True,
            fletcher32=True,
        )
    file.create_dataset("a/plain", data=numbers, chunks=(7, 7))
    file["a/words"] = np.array(["of", "any", "length"] * 5, h5py.string_dtype())
