"""What an adapter is: a `BackendInfo` that imports nothing, and a `Backend` class.

An adapter calls its framework's own layers and loops, never falls back to another path
(it raises `Unsupported`), copies what it returns, and leaves its inputs alone.
"""

from typing import Annotated, Protocol

import msgspec
from msgspec.structs import replace

from rnn_parity_core.accuracy import Accuracy, Arithmetic, Error
from rnn_parity_core.cells import CELLS
from rnn_parity_core.errors import ParityError
from rnn_parity_core.gaps import Gap, Implementation
from rnn_parity_core.spec import Case, Outcome, Problem

Scalar = str | int | float | bool | None


class Unsupported(Exception):  # noqa: N818 - an answer, not a fault
    """Raised by an adapter that declines a problem; the text is the reason."""


class Absent(Exception):  # noqa: N818 - an answer, not a fault
    """Raised by an adapter's constructor where what it runs on is not here: a GPU."""


class BackendInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is known of a backend before its framework is imported."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    """`torch`; a mode follows a colon, a device an at sign: `jax:eager`, `jax@cuda`;
    settings other than the usual follow a plus sign each, and a label of whoever wants
    a second copy comes last: `torch@cuda+tf32=on`, `jax#old`."""
    adapter: str
    """`module:Class` of the adapter, imported in the worker only."""
    requires: dict[str, str]
    """Import name → distribution, of everything that must be installed."""
    install: str
    """The command that installs it."""
    implementations: tuple[Implementation, ...]
    """What the adapter calls; the first that matches a cell and a variant counts."""
    accuracy: dict[str, dict[str, Error]]
    """Dtype → function → what it may err by; the verdict's bound rests on it."""
    arithmetic: Arithmetic = Arithmetic()
    options: dict[str, Scalar] = {}
    """Keyword arguments of the adapter class."""
    settings: tuple[str, ...] = ()
    """Options that whoever names the backend may give other values of their types."""
    on_request: str = ""
    """Why it runs only if it is named; nothing if it always does."""
    gaps: tuple[Gap, ...] = ()
    """What it does not do of the cells and variants that an implementation names."""
    otherwise: tuple[Gap, ...] = ()
    """What is said of cells and variants that no implementation names, which are gaps
    without it too: the first that covers a case counts."""
    interpreter: str = ""
    """Path of another Python that its worker is started with; nothing: of this one."""
    host: str = ""
    """Another machine that its worker runs on: `ssh:[USER@]HOST[:PORT]`."""

    def accuracy_for(self, case: Case) -> Accuracy:
        """Return what the backend may err by in a case.

        Raises:
            ParityError: The backend does not state it for a function of the cell.

        """
        dtype, functions = case.dtype, CELLS[case.cell].functions
        stated = self.accuracy.get(dtype, {})
        for name in functions:
            if name not in stated:
                raise ParityError(
                    f"{self.name} states no accuracy of {name} in {dtype}, on which a "
                    "verdict rests; add it to accuracy of its BackendInfo"
                )
        units = self.arithmetic.factor_units
        on = [unit for setting, unit in units.items() if self.options.get(setting)]
        return Accuracy(
            dtype,
            {name: stated[name] for name in functions},
            self.arithmetic.accumulators.get(dtype, ""),
            max(on, default=0.0) if dtype == "float32" else 0.0,
            self.arithmetic.recomputes,
        )

    def implementation_for(self, cell: str, variant: str) -> Implementation | None:
        """Return what the adapter calls for a cell and a variant, if it does it."""
        found = (means for means in self.implementations if means.covers(cell, variant))
        return next(found, None)

    def gap(self, case: Case) -> Gap | None:
        """Return the declared gap that covers the case, whatever its data."""
        return next((g for g in self._covering(case) if not g.depends_on_data), None)

    def may_decline(self, case: Case) -> Gap | None:
        """Return the gap by which the case may be declined, if only for some data."""
        return next((g for g in self._covering(case) if g.kind != "wrong"), None)

    def known_wrong(self, case: Case) -> Gap | None:
        """Return the gap that says that the case is computed, and wrongly."""
        declared = self.gap(case)
        if declared and declared.kind != "wrong":
            return None
        return next((g for g in self._covering(case) if g.kind == "wrong"), None)

    def _covering(self, case: Case) -> list[Gap]:
        """Return the gaps that speak of a case, those that depend on its data last."""
        if self.implementation_for(case.cell, case.variant):
            found = [gap for gap in self.gaps if gap.covers(case)]
            return sorted(found, key=lambda gap: gap.depends_on_data)
        said = f"the adapter does not do {case.cell} as {case.variant}"
        declared = (gap for gap in self.otherwise if gap.covers(case))
        return [next(declared, Gap("notyet", said))]

    def of_model(self) -> "BackendInfo":
        """State the same of networks that no suite foresaw.

        What is declined of somebody's model is not a fault of the model, and what is
        computed is judged by its numbers, whatever was declared: wrong ones are wrong.
        """
        anything = Gap("notyet", reason="", depends_on_data=True)

        def freed(gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
            declined = [gap for gap in gaps if gap.kind != "wrong"]
            return (*(replace(g, depends_on_data=True) for g in declined), anything)

        return replace(self, gaps=freed(self.gaps), otherwise=freed(self.otherwise))


class Backend(Protocol):
    """One framework, ready to compute; constructed once for each worker process."""

    def versions(self) -> dict[str, str]:
        """Distribution → version of everything that takes part."""
        ...

    def settings(self) -> dict[str, Scalar]:
        """Switches that may move numbers: precision, threads, kernels."""
        ...

    def run(self, problem: Problem) -> Outcome:
        """Compute the problem by the means its variant names.

        Raises:
            Unsupported: The framework, or this adapter, does not do it.

        """
        ...


class BackendRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backend said of itself, in its own process."""

    versions: dict[str, str] = {}
    settings: dict[str, Scalar] = {}
    interpreter: str = ""
    """Path of the Python it ran under, in a process of its own."""
    python: str = ""
    """Version of that Python."""
    host: str = ""
    """The other machine it ran on, as it was asked for; nothing: on this one."""
