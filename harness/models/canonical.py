"""Our own form: safetensors with the names of `Case.weight_shapes` and a cell."""

from collections.abc import Mapping

from harness.errors import FileError
from harness.models.layer import Recurrent, Saved
from harness.spec import Array
from harness.store.arrays import pack

FORMAT = "rnn-parity.weights/1"


def saved(arrays: Mapping[str, Array], cell: str, origin: str) -> Saved:
    """Give the layer of a file; its arrays are checked when it is settled."""
    passes: dict[tuple[int, str], dict[str, Array]] = {}
    for name, array in arrays.items():
        layer, _, rest = name.partition(".")
        way, _, short = rest.partition(".")
        number = layer.removeprefix("layer")
        at = int(number) if number.isdecimal() and len(number) < len("100") else -1
        native = passes.setdefault((at, way), {})
        if short in native:
            raise FileError(f"{origin}: {name[:100]!r} is there under two names")
        native[short] = array
    sizes = f"{len(passes)} passes"
    return Saved("canonical", origin, "canonical", (cell,), passes, _same, sizes)


def write(layer: Recurrent) -> bytes:
    """Give the bytes of a file."""
    return pack(layer.weights, {"format": FORMAT, "cell": layer.case.cell})


def _same(_cell: str, native: dict[str, Array]) -> dict[str, Array]:
    return native
