"""What a cell's author subclasses: pytest tests that prove a cell.

    class TestMyCell(CellConformance):
        cell = CELL

`rnn-parity conform-cell NAME` asks the same at once.
"""

from typing import ClassVar

import pytest

from rnn_parity.adapter_tools.cell_proof import NETWORKS, checks
from rnn_parity_core import CELLS, Cell


class CellConformance:
    """Proves one cell; subclass it with a name that pytest collects."""

    cell: ClassVar[Cell]
    """The cell."""
    networks: ClassVar[int] = NETWORKS
    """How many the bounds are tried on."""

    def _passes(self, name: str) -> None:
        CELLS.add(self.cell)
        check = checks(self.cell.name, self.networks)[name]()
        if check.troubles:
            pytest.fail("\n".join([check.said, *check.troubles]), pytrace=False)

    def test_both_forms_agree(self) -> None:
        """The step by hand, in NumPy, passes every case of the cell's suite."""
        self._passes("by hand")

    def test_bounds_hold(self) -> None:
        """No correct implementation is called wrong."""
        self._passes("bounds")

    def test_gradients_are_those_of_differences(self) -> None:
        """What the tape gives agrees with finite differences."""
        self._passes("gradients")

    def test_every_weight_shows(self) -> None:
        """A change of any weight shows in some case."""
        self._passes("weights")

    def test_known_mistakes_are_caught(self) -> None:
        """Each of the cell's mistakes fails some case."""
        self._passes("mistakes")
