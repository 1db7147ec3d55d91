"""Our own form: safetensors with the names of `Case.weight_shapes` and a cell."""

from collections.abc import Mapping
from functools import partial

from rnn_parity.models.account import account
from rnn_parity.models.layer import Recurrent, Saved
from rnn_parity_core import CELLS, Array, FileError
from rnn_parity_core.arrays import pack

FORMAT = "rnn-parity.weights/1"
_WAYS = ("forward", "reverse")


def saved(arrays: Mapping[str, Array], cell: str, origin: str) -> Saved:
    """Give the layer of a file; its arrays are checked when it is settled."""
    passes: dict[tuple[int, str], dict[str, Array]] = {}
    known = CELLS[cell].weights if cell in CELLS else None
    read = []
    for name, array in arrays.items():
        layer, _, rest = name.partition(".")
        way, _, short = rest.partition(".")
        number = layer.removeprefix("layer")
        numbered = number.isdecimal() and len(number) < len("100")
        if not numbered or way not in _WAYS or (known and short not in known):
            continue
        read.append(name)
        at = int(number)
        native = passes.setdefault((at, way), {})
        if short in native:
            raise FileError(f"{origin}: {name[:100]!r} is there under two names")
        native[short] = array
    sizes = f"{len(passes)} passes"
    return Saved(
        "canonical",
        origin,
        "canonical",
        (cell,),
        passes,
        _same,
        sizes,
        account=partial(account, arrays, read, [""], "."),
    )


def write(layer: Recurrent) -> bytes:
    """Give the bytes of a file."""
    return pack(layer.weights, {"format": FORMAT, "cell": layer.case.cell})


def _same(_cell: str, native: dict[str, Array]) -> dict[str, Array]:
    return native
