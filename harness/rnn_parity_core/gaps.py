"""What an adapter calls for which cells and variants, and the cases it does not do."""

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from rnn_parity_core.activations import COMPOSED
from rnn_parity_core.cell import Cell
from rnn_parity_core.cells import CELLS
from rnn_parity_core.spec import Case


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An argument of a framework's layer, by which it takes other activations."""

    places: tuple[str, ...]
    """What of a cell it is: `("activation", "output_activation")` of Keras' LSTM, which
    takes one function for both."""
    functions: tuple[str, ...]
    """Names of the functions that it may be, beside the cell's own."""


ANY_ACTIVATION = tuple(
    Choice((place,), COMPOSED)
    # Of built-in cells: those of packages cannot be imported while this is.
    for place in dict.fromkeys(p for n in CELLS.built_in for p in CELLS[n].activations)
)
"""Of a framework's loop over cells that are by hand: every function, anywhere."""


class Implementation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an adapter calls for some variants.

    An empty list of cells matches all that are built in. With other activations it
    matches a cell of which `choices` has them; what is by hand takes every function
    that is made of arithmetic, tanh and the logistic one, anywhere.
    """

    api: str
    """The framework's own names: `nn.RNNCell over a list`."""
    variants: tuple[str, ...]
    cells: tuple[str, ...] = ()
    by_hand: bool = False
    """Whether the equations are written out, and not the framework's."""
    every_cell: bool = False
    """Whether cells of other packages run as well, by what they are written in."""
    choices: tuple[Choice, ...] = ()
    """The activations that it takes."""

    def covers(self, cell: str, variant: str) -> bool:
        """Whether this is called for a cell in a variant."""
        if variant not in self.variants:
            return False
        if cell in self.cells:
            return True
        base, _, activations = cell.partition(".")
        if not (self.every_cell or base in (self.cells or CELLS.built_in)):
            return False
        return not activations or self._takes(CELLS[cell])

    def _takes(self, cell: Cell) -> bool:
        """Whether it takes a cell's functions, wherever they are not the usual ones."""
        usual, chosen = CELLS[cell.base].chosen, cell.chosen
        left = {place for place in chosen if chosen[place] != usual[place]}
        if self.by_hand:
            return all(chosen[place] in COMPOSED for place in left)
        for choice in self.choices:
            there = {chosen[place] for place in choice.places if place in chosen}
            if len(there) == 1 and there <= {*choice.functions}:
                left -= {*choice.places}
        return not left


class Gap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cases that a backend does not do right, declared ahead.

    It covers the cases that all of its fields match; an empty list, and None, match
    any.
    """

    kind: Literal["never", "notyet", "wrong"]
    """`never`: the framework has no such thing; `notyet`: the adapter lacks it;
    `wrong`: the framework computes it wrongly."""
    reason: str
    """Said to whoever runs a network that is declined; nothing: what the adapter says
    as it declines."""
    cells: tuple[str, ...] = ()
    """A cell stands for itself with other activations, too."""
    variants: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    """Patterns of case IDs, as a shell has them: `lstm-*-probe-*`."""
    functions: tuple[str, ...] = ()
    """Names of functions: it speaks of cells that are made of one of them."""
    activations: bool | None = None
    """Whether a cell has other activations than its own: `lstm.output_relu`."""
    biases: bool | None = None
    """Whether there are biases."""
    time_major: bool | None = None
    """Whether the framework is fed `[T, B, D]`."""
    zero_length: bool | None = None
    """Whether a row has no valid step."""
    probe: bool | None = None
    """Whether it is a probe."""
    stacked: bool | None = None
    """Whether there is more than one layer."""
    full_projection: bool | None = None
    """Whether there is a projection that is no smaller than the units."""
    depends_on_data: bool = False
    """Whether weights, inputs or sizes decide: these cases may be declined or not."""
    link: str = ""

    def __post_init__(self) -> None:
        """Refuse to call a framework wrong and not say why.

        Raises:
            ValueError: There is neither a reason nor a link.

        """
        if self.kind == "wrong" and not (self.reason or self.link):
            raise ValueError("a gap of kind wrong has neither a reason nor a link")

    @property
    def why(self) -> str:
        """What is said of the gap in one line: its kind, and the reason or link."""
        return f"{self.kind}: {self.reason or self.link}"

    @property
    def is_partial(self) -> bool:
        """Whether it is about some of the cases of these cells and variants alone."""
        whole = Gap(
            self.kind,
            self.reason,
            cells=self.cells,
            variants=self.variants,
            link=self.link,
        )
        return self != whole

    def covers(self, case: Case) -> bool:
        """Whether this gap speaks of the case."""
        lists = (
            (self.variants, case.variant),
            (self.directions, case.direction),
            (self.dtypes, case.dtype),
            (self.tasks, case.task),
        )
        cell = CELLS[case.cell]
        made_of = {*cell.chosen.values()}
        switches = (
            (self.activations, cell.name != cell.base),
            (self.biases, case.bias),
            (self.time_major, case.time_major),
            (self.zero_length, case.zero_length),
            (self.probe, case.probe),
            (self.stacked, case.layers > 1),
            (self.full_projection, case.projection >= case.units),
        )
        return (
            all(not names or got in names for names, got in lists)
            and (not self.cells or bool({case.cell, cell.base} & {*self.cells}))
            and (not self.functions or bool(made_of & {*self.functions}))
            and all(wanted in {None, got} for wanted, got in switches)
            and (not self.ids or any(fnmatchcase(case.id, by) for by in self.ids))
        )
