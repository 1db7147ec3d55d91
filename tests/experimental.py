"""The cells of `files/cells`, which are not built in: of layer norm, and a matrix."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from rnn_parity_core import CELLS, Cell

_FILES = Path(__file__).parent / "files/cells"


def of_file(cell: str, module: str) -> dict[str, Any]:
    """Give what a module of a cell defines: `cell`, `torch_layer` or `jax_layer`."""
    return runpy.run_path(str(_FILES / cell / f"{module}.py"))


NORMED: Cell = of_file("layer_norm_lstm", "cell")["CELL"]
"""Layer norm of what comes from x, from h, and of c."""
MATRIX: Cell = of_file("matrix_memory", "cell")["CELL"]
"""`C' = f C + i v k^T`, of which a step returns `o (C' q)`: h is no state."""


@pytest.fixture
def experimental(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make both known by name, for one test."""
    for cell in (NORMED, MATRIX):
        monkeypatch.setitem(CELLS._known, cell.name, cell)
