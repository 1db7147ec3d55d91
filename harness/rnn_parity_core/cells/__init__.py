"""The cells that are built in, each in a module with what is alike, and all by name."""

from collections.abc import Iterator, Mapping

from rnn_parity_core.cell import Cell
from rnn_parity_core.cells import gru, lstm, minimal, rnn
from rnn_parity_core.cells.soundness import check_cell
from rnn_parity_core.errors import ParityError
from rnn_parity_core.plugins import registered

ENTRY_POINT_GROUP = "rnn_parity.cells"

_HERE = "what was added here"


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
        self._origins = dict.fromkeys(self.built_in, "rnn-parity itself")
        self._is_complete = self._is_loading = False

    def add(self, cell: Cell) -> None:
        """Make a cell known in this process, in place of one of its name.

        Raises:
            ParityError: It is none, or a built-in one or another package's has its
                name.

        """
        check_cell(cell, _HERE)
        self._take(cell, _HERE)

    def is_registered(self, name: str) -> bool:
        """Whether other processes know a cell, too: built in, or a package's."""
        self._all()
        return self._origins.get(name, _HERE) != _HERE

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

    def with_functions(self, base: str, chosen: Mapping[str, str]) -> str:
        """Return the name of a cell with functions, by name, at some of its places.

        Those that it has there anyway are not part of the name.
        """
        own = self[base].chosen
        others = [
            f"{place.removesuffix('_activation')}_{chosen[place]}"
            for place in own
            if chosen.get(place, own[place]) != own[place]
        ]
        return ".".join([base, *others])

    def usual_name(self, cell: Cell) -> str:
        """Return the one name of a cell: `rnn_relu` of `rnn_tanh.activation_relu`."""

        def of(one: Cell) -> tuple[object, ...]:
            return one.step, one.weights, one.chosen

        others = self.values() if cell.name != cell.base else ()
        own = self.with_functions(cell.base, cell.chosen)
        return next((one.name for one in others if of(one) == of(cell)), own)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._all() if "." not in name)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _all(self) -> dict[str, Cell]:
        """Return all that are known, those of packages too.

        Raises:
            ParityError: What a package registers is no cell, or its name is taken.

        """
        # A package may ask for cells while it is imported.
        if not (self._is_complete or self._is_loading):
            self._is_loading = True
            try:
                for origin, cell in registered(ENTRY_POINT_GROUP, Cell):
                    check_cell(cell, origin)
                    self._take(cell, origin)
            finally:
                self._is_loading = False
            self._is_complete = True
        return self._known

    def _take(self, cell: Cell, origin: str) -> None:
        name = cell.name
        other = self._origins.get(name, origin)
        if other != origin and self._known[name] != cell:
            raise ParityError(
                f"{origin} takes the name {name!r} of a cell, which {other} has; give "
                "it another name, or uninstall one of the two"
            )
        # Of an earlier one there may be some with other activations.
        for known in [n for n in self._known if n.startswith(f"{name}.")]:
            del self._known[known]
        self._known[name] = cell
        if self._origins.get(name, _HERE) == _HERE:
            self._origins[name] = origin


CELLS = Cells((*rnn.CELLS, *lstm.CELLS, *gru.CELLS), minimal.CELLS)
"""`kernel` `[I, G]` reads the inputs, `recurrent_kernel` `[R, G]` the state, `bias`
`[G]` is added to both; gates stand side by side along `G` in the order of `gates`."""
