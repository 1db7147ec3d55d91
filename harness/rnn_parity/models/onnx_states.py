"""Initial states that an ONNX model itself states: constants, and what is made of them.

Exporters make a batch of a state by `Expand` or `ConstantOfShape`, whose shapes are the
inputs'; the numbers are the file's.
"""

from collections.abc import Callable, Mapping

import numpy as np
from onnx import NodeProto, TensorProto

from rnn_parity.models.onnx_graph import OWN_DOMAINS
from rnn_parity_core import Array, FileError

_MOST_NODES = 10_000  # that are gone through for one state
_MAX_DEPTH = 2  # of tensors that are put together
# What moves, cuts or repeats numbers; of equal ones nothing else comes out.
_MOVES = {
    *("Slice", "Unsqueeze", "Squeeze", "Reshape", "Tile", "Transpose", "Gather"),
    *("Expand", "Identity", "Cast", "Flatten"),
}

Tensors = Mapping[str, TensorProto]
Makers = Mapping[str, NodeProto]
ReadArray = Callable[[TensorProto, str], Array]


def stated(
    name: str, tensors: Tensors, made: Makers, read: ReadArray, depth: int = 0
) -> tuple[str, Array] | None:
    """Give the numbers of a tensor, of which its shape may be broadcast.

    Args:
        name: Of the tensor.
        tensors: The model's constants.
        made: The nodes that make all others.
        read: Reads a constant; its second argument says what it is.
        depth: How many tensors were put together on the way to it.

    Returns:
        The constant's name and them, or None if they come of the model's inputs.

    Raises:
        FileError: They are made of constants by more than is followed here.

    """
    at, alike = name, False
    for _ in range(_MOST_NODES):
        if at in tensors:
            return at, _one(read(tensors[at], f"initial state {name!r}"), alike, at)
        node = made.get(at)
        if node is None:
            return None
        if node.domain not in OWN_DOMAINS:
            break
        if node.op_type == "ConstantOfShape":
            return at, _filled(node, read)
        if node.op_type == "Concat" and depth < _MAX_DEPTH:
            parts = [stated(i, tensors, made, read, depth + 1) for i in node.input]
            whole = _joined(node, [part[1] for part in parts if part])
            return (at, _one(whole, alike, at)) if all(parts) else None
        if node.op_type not in _MOVES or not node.input:
            break
        alike = alike or node.op_type not in {"Expand", "Identity", "Cast"}
        at = node.input[0]
    if _of_inputs(at, tensors, made):
        return None
    raise FileError(f"{name!r} is made of constants in a way that is not followed")


def by_direction(array: Array, *, by_row: bool) -> Array:
    """Give initial states as `[d, B, H]`, each 1 where it is for all."""
    if by_row:  # layout 1 has [B, d, H]
        array = array[:, None] if array.ndim == len("dH") else array
        return array.swapaxes(0, 1) if array.ndim == len("BdH") else array[None, None]
    return array[(None,) * (len("dBH") - array.ndim)]


def _one(array: Array, alike: bool, name: str) -> Array:
    """Give numbers as they are, or the one that they all are if they are moved.

    Raises:
        FileError: They are moved, and not all the same.

    """
    if not alike:
        return array
    if array.size and (array != array.flat[0]).any():
        raise FileError(f"it is cut out of {name!r}, which is not followed")
    return array.reshape(-1)[:1]


def _joined(node: NodeProto, parts: list[Array]) -> Array:
    """Put the two directions' numbers together; a shape that is broadcast is none.

    Raises:
        FileError: They are not those of whole states.

    """
    first = parts[0].reshape(-1)[:1] if parts else np.zeros(1)
    if all(part.size and (part == first).all() for part in parts):
        return first
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    if axis or any(part.ndim != len("dBH") for part in parts):
        raise FileError("it is put together in a way that is not followed")
    return np.concatenate(parts)


def _filled(node: NodeProto, read: ReadArray) -> Array:
    values = [read(a.t, "value") for a in node.attribute if a.name == "value"]
    return values[0].reshape(-1)[:1] if values else np.zeros(1, np.float32)


def _of_inputs(name: str, tensors: Tensors, made: Makers) -> bool:
    """Whether numbers of the model's inputs go into a tensor, and not their shape."""
    waiting, seen = [name], {name}
    while waiting and len(seen) < _MOST_NODES:
        at = waiting.pop()
        if at in tensors or not at:
            continue
        node = made.get(at)
        if node is None:
            return True
        if node.op_type not in {"Shape", "Size", "Constant"}:
            new = [other for other in node.input if other not in seen]
            seen.update(new)
            waiting += new
    return False
