"""What an adapter calls for which cells and variants, and the cases it does not do."""

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from rnn_parity_core.cells import CELLS
from rnn_parity_core.spec import Case


class Implementation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an adapter calls for some variants.

    An empty list of cells matches all that are built in; what is by hand matches them
    with other activations, too.
    """

    api: str
    """The framework's own names: `nn.RNNCell over a list`."""
    variants: tuple[str, ...]
    cells: tuple[str, ...] = ()
    by_hand: bool = False
    """Whether the equations are written out, and not the framework's."""
    every_cell: bool = False
    """Whether cells of other packages run as well, by what they are written in."""

    def covers(self, cell: str, variant: str) -> bool:
        """Whether this is called for a cell in a variant."""
        if self.cells or self.every_cell:
            named = self.every_cell or cell in self.cells
        else:
            base, _, activations = cell.partition(".")
            named = base in CELLS.built_in and (self.by_hand or not activations)
        return named and variant in self.variants


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
    variants: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    """Patterns of case IDs, as a shell has them: `lstm-*-probe-*`."""
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
            (self.cells, case.cell),
            (self.variants, case.variant),
            (self.directions, case.direction),
            (self.dtypes, case.dtype),
            (self.tasks, case.task),
        )
        switches = (
            (self.biases, case.bias),
            (self.time_major, case.time_major),
            (self.zero_length, case.zero_length),
            (self.probe, case.probe),
            (self.stacked, case.layers > 1),
            (self.full_projection, case.projection >= case.units),
        )
        return (
            all(not names or got in names for names, got in lists)
            and all(wanted in {None, got} for wanted, got in switches)
            and (not self.ids or any(fnmatchcase(case.id, by) for by in self.ids))
        )
