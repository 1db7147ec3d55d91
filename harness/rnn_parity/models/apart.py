"""Files from anyone, read in a process of its own: what harms that harms no other.

Libraries in C and Rust parse most formats, and a file can be made to crash them, or to
keep them at work for ever. Here that is one line.
"""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from rnn_parity.models.array_files import read_named
from rnn_parity.models.layer import Recurrent
from rnn_parity.models.memory_limits import BESIDE, TIMES, bounded
from rnn_parity.models.read import MAX_BYTES, read
from rnn_parity.processes.guard import HUNG
from rnn_parity.workers.child import Child
from rnn_parity.workers.protocol import WorkerError
from rnn_parity_core import Array, Case, FileError, ParityError, UsageError, clean
from rnn_parity_core.arrays import pack, unpack
from rnn_parity_core.files import checked_size
from rnn_parity_core.limits import TIMEOUT

_ANY_TEXT = ("utf-8", "surrogatepass")  # names of files may be no text at all


class _Said(msgspec.Struct, frozen=True):
    """What a `Recurrent` has beside its arrays."""

    name: str
    convention: str
    case: Case
    notes: list[str]
    stated: list[str]


def read_layer(
    path: Path,
    layer: str = "",
    cell: str = "",
    ignore: Collection[str] = (),
    timeout: float = TIMEOUT,
) -> Recurrent:
    """Read a recurrent layer, as `read` does.

    Raises:
        FileError: As `read`; or it takes too much time or memory, or ended the process
            that read it.
        UsageError: As `read`.

    """
    data = _asked(path, timeout, "layer", layer, cell, *ignore)
    arrays, metadata = unpack(data, str(path))
    said = msgspec.json.decode(metadata["said"], type=_Said)
    of: dict[str, dict[str, Array]] = {"weights": {}, "biases": {}, "initial": {}}
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        of[kind][rest] = array
    passes = ((name.partition("."), array) for name, array in of["biases"].items())
    return Recurrent(
        *(said.name, said.convention, said.case, of["weights"], tuple(said.notes)),
        biases={(int(n), way): array for (n, _, way), array in passes},
        initial=of["initial"],
        stated=tuple(said.stated),
    )


def read_arrays(path: Path, alone: str, timeout: float = TIMEOUT) -> dict[str, Array]:
    """Read named arrays, as `read_named` does.

    Raises:
        FileError: As `read_named`; or it takes too much time or memory, or ended the
            process that read it.

    """
    return unpack(_asked(path, timeout, "arrays", alone), str(path))[0]


def _asked(path: Path, timeout: float, *question: str) -> bytes:
    """Have a file read, and give what it holds as safetensors."""
    size = checked_size(path, MAX_BYTES)
    # On Linux the process limits itself; elsewhere what it holds is watched.
    most = 0 if sys.platform == "linux" else TIMES * size + 2 * BESIDE
    words = [word.encode(*_ANY_TEXT) for word in (str(path), *question[1:])]
    child = Child(
        "rnn_parity.models.apart", called="the process that read it", memory=most
    )
    try:
        kind, found = child.ask(timeout, question[0], *words)
    except WorkerError as death:
        if str(death).startswith(HUNG):
            raise FileError(
                f"{path} took over {timeout:g} s to read, and was left; if it is sound,"
                " give it longer by --timeout"
            ) from None
        raise FileError(
            f"{path} cannot be read: {death}; the file was damaged, or made to do harm"
        ) from None
    finally:
        child.kill()  # it has nothing to finish, and may hang where a signal ended this
        child.close()
    if kind == "read":
        return bytes(found)
    raise (UsageError if kind == "usage" else FileError)(found)


def serve(channel: Any) -> None:
    """Answer questions about files until there are no more."""
    for number, kind, *question in channel:
        path, *words = (word.decode(*_ANY_TEXT) for word in question)
        channel.send((number, _answer(kind, Path(path), words)))


def _answer(kind: str, path: Path, words: list[str]) -> tuple[str, str | bytes]:
    try:
        with bounded(checked_size(path, MAX_BYTES), str(path)):
            if kind == "arrays":
                return "read", pack(read_named(path, *words), {})
            layer, cell, *ignore = words
            return "read", _packed(read(path, layer, cell, ignore))
    except ParityError as error:
        kind = "usage" if isinstance(error, UsageError) else "file"
        return kind, clean(" ".join(str(error).split()))


def _packed(layer: Recurrent) -> bytes:
    said = _Said(
        *(layer.name, layer.convention, layer.case),
        list(layer.notes),
        list(layer.stated),
    )
    arrays = {f"weights/{name}": array for name, array in layer.weights.items()}
    arrays |= {f"biases/{n}.{way}": a for (n, way), a in layer.biases.items()}
    arrays |= {f"initial/{name}": array for name, array in layer.initial.items()}
    return pack(arrays, {"said": msgspec.json.encode(said).decode()})
