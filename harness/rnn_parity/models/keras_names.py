"""Which arrays of Keras' files are of which recurrent layer, by their paths.

A `.keras` and a `.weights.h5` of Keras 3 number arrays: `layers/lstm/cell/vars/0`. The
older `.h5` names them after the model's layer, and whatever else they are in:
`model_weights/lstm/lstm/lstm_cell/kernel:0`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rnn_parity_core import Array, FileError

ARRAYS = ("kernel", "recurrent_kernel", "bias")
_NUMBERED = re.compile(
    r"(?P<layer>.+?)(?:/(?P<way>forward|backward)_layer)?/cell/vars/(?P<at>[0-9])",
    re.DOTALL,
)
_CELL = re.compile(r"(?:.+_)?cell(?:_[0-9]{1,9})?", re.DOTALL)
_WAY = re.compile(r"(?P<way>forward|backward)_.+", re.DOTALL)
_TWIN = {"forward": "backward", "backward": "forward"}
_GATEWISE = re.compile(r"(?P<layer>.+)/[^/]*_[UW]_[cfhiorz](?::0)?", re.DOTALL)
WHOLE = "model_weights/"


@dataclass
class Found:
    """The arrays of a recurrent layer."""

    path: str
    scopes: list[str] = field(default_factory=list)
    """Beginnings of all names in it."""
    passes: dict[tuple[int, str], dict[str, Array]] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def put(self, way: str, name: str, array: Array, path: str, origin: str) -> None:
        """Add an array.

        Raises:
            FileError: It is there already.

        """
        at = 0, "reverse" if way == "backward" else "forward"
        native = self.passes.setdefault(at, {})
        if name in native:
            raise FileError(f"{origin}: {path[:100]!r} is there under two names")
        native[name] = array
        self.read.append(path)


def numbered(arrays: Mapping[str, Array], origin: str) -> dict[str, Found]:
    """Find layers of the newer files, by their paths."""
    found: dict[str, Found] = {}
    for path, array in arrays.items():
        if (match := _NUMBERED.fullmatch(path)) and int(match["at"]) < len(ARRAYS):
            layer = match["layer"]
            one = found.setdefault(layer, Found(layer, [f"{layer}/"]))
            one.put(match["way"], ARRAYS[int(match["at"])], array, path, origin)
    return found


def named(arrays: Mapping[str, Array], origin: str) -> dict[str, Found]:
    """Find layers of the older files: groups of arrays with a recurrent kernel."""
    whole = any(path.startswith(WHOLE) for path in arrays)
    groups: dict[str, dict[str, list[str]]] = {}
    for path in arrays:
        group, _, name = path.rpartition("/")
        if group and (path.startswith(WHOLE) or not whole):
            short = name.removesuffix(":0")
            groups.setdefault(group, {}).setdefault(short, []).append(path)
    cells = {group for group, of in groups.items() if "recurrent_kernel" in of}
    halves = {group: _half(group) for group in cells}
    cells_in = Counter(_layer(group) for group in cells)
    there = {half for half in halves.values() if half}
    found: dict[str, Found] = {}
    for group, of in groups.items():
        if group not in cells:
            continue
        scope = _layer(group) if cells_in[_layer(group)] == 1 else group
        layer, way = scope, "forward"
        if (half := halves[group]) and (half[0], _TWIN[half[1]]) in there:
            layer, way = half
        one = found.setdefault(layer, Found(layer))
        one.scopes += [f"{scope}/"]
        for name in ARRAYS:
            for path in of.get(name, ()):
                one.put(way, name, arrays[path], path, origin)
    return found


def gatewise(paths: Iterable[str]) -> list[str]:
    """Give the layers whose arrays are one for each gate, as Keras 1 keeps them."""
    matches = (_GATEWISE.fullmatch(path) for path in paths)
    return list(dict.fromkeys(match["layer"] for match in matches if match))


def _layer(group: str) -> str:
    """Give the layer of a cell's group: without the cell, or what was said twice."""
    *above, last = group.split("/")
    twice = len(above) > 0 and above[-1] == last
    cell = _CELL.fullmatch(last) or (above and _WAY.fullmatch(above[-1]))
    return "/".join(above) if above and (cell or twice) else group


def _half(group: str) -> tuple[str, str] | None:
    """Give the layer of a cell's group and its way, if it may be one of two."""
    layer, _, last = _layer(group).rpartition("/")
    match = _WAY.fullmatch(last)
    return (layer, match["way"]) if match and layer else None
