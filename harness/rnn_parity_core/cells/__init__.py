"""The cells that are built in, each in a module with what is alike, and all by name."""

from collections.abc import Iterator, Mapping

from rnn_parity_core.cell import Cell
from rnn_parity_core.cells import gru, lstm, minimal, rnn
from rnn_parity_core.plugins import registered

ENTRY_POINT_GROUP = "rnn_parity.cells"


class Cells(Mapping[str, Cell]):
    """Cells by name; after a dot follow other activations: `lstm.activation_relu`.

    Built-in ones come first, then those of installed packages and those that were added
    here. Iteration does not go through activations.
    """

    def __init__(self, in_suites: tuple[Cell, ...], more: tuple[Cell, ...]) -> None:
        self.in_suites = tuple(cell.name for cell in in_suites)
        """Those that suites go through which are named by no cell."""
        self.built_in = tuple(cell.name for cell in (*in_suites, *more))
        self._known = {cell.name: cell for cell in (*in_suites, *more)}
        self._is_complete = False

    def add(self, cell: Cell) -> None:
        """Make a cell known in this process, in place of one of its name."""
        self._known[cell.name] = cell

    def __getitem__(self, name: str) -> Cell:
        """Return the cell of a name.

        Raises:
            KeyError: There is none.

        """
        if name in self._known:
            return self._known[name]
        base, *activations = name.split(".")
        if base not in self._all():
            raise KeyError(name)
        cell = self._all()[base]
        if activations:
            cell = cell.with_activations(activations)
            self._known[name] = cell
        return cell

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._all() if "." not in name)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _all(self) -> dict[str, Cell]:
        """Return all that are known, those of packages too."""
        if not self._is_complete:
            self._is_complete = True
            for _, cell in registered(ENTRY_POINT_GROUP, Cell):
                self._known.setdefault(cell.name, cell)
        return self._known


CELLS = Cells((*rnn.CELLS, *lstm.CELLS, *gru.CELLS), minimal.CELLS)
"""`kernel` `[I, G]` reads the inputs, `recurrent_kernel` `[R, G]` the state, `bias`
`[G]` is added to both; gates stand side by side along `G` in the order of `gates`."""
