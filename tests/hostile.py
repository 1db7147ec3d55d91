"""Files made to harm, and what makes them."""

import zipfile
from collections.abc import Callable
from io import BytesIO

import h5py

from rnn_parity.models.layer import Recurrent
from rnn_parity_core.cases import parse_id
from rnn_parity_fixtures import seeded

LONE = "lstm-dynamic-B1-T1-D4-H5-bidirectional-f32-s1"
STACK = "lstm-dynamic-B1-T1-D4-H5-L2-bidirectional-f32-s1"


def layer(case_id: str = STACK) -> Recurrent:
    """Give a seeded layer."""
    case = parse_id(case_id)
    assert case
    arrays = seeded.problem(case).arrays
    weights = {name: arrays[name] for name in case.weight_shapes()}
    return Recurrent("x", "canonical", case, weights)


def zipped(members: dict[str, bytes], packed: int = zipfile.ZIP_STORED) -> bytes:
    """Give the bytes of a file."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return buffer.getvalue()


def hdf5(make: Callable[[h5py.File], object]) -> bytes:
    """Give the bytes of a file."""
    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        make(file)
    return buffer.getvalue()


def torch_zip(pickled: bytes, **members: bytes) -> bytes:
    """Give a file as torch.save writes it."""
    return zipped({"a/data.pkl": pickled, **{f"a/{n}": d for n, d in members.items()}})
