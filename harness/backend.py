"""What an adapter is: a `BackendInfo` that imports nothing, and a `Backend` class.

An adapter calls its framework's own layers and loops, never falls back to another path
(it raises `Unsupported`), copies what it returns, and leaves its inputs alone.
"""

from typing import Annotated, Literal, Protocol

import msgspec

from harness.errors import ParityError
from harness.spec import CELLS, Case, Outcome, Problem

Ulp = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
Scalar = str | int | float | bool | None


class Unsupported(Exception):  # noqa: N818 - an answer, not a fault
    """Raised by an adapter that declines a problem; the text is the reason."""


class Gap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cases that a backend declines, declared ahead; `None` matches every value."""

    kind: Literal["never", "notyet"]
    """`never`: the framework has no such thing; `notyet`: the adapter lacks it."""
    reason: str
    cell: str | None = None
    variant: str | None = None
    dtype: str | None = None
    link: str = ""

    def covers(self, case: Case) -> bool:
        """Whether this gap speaks of the case."""
        return (
            self.cell in {None, case.cell}
            and self.variant in {None, case.variant}
            and self.dtype in {None, case.dtype}
        )


class BackendInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is known of a backend before its framework is imported."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    """`torch`; a mode follows a colon: `jax:eager`."""
    adapter: str
    """`module:Class` of the adapter, imported in the worker only."""
    requires: dict[str, str]
    """Import name → distribution, of everything that must be installed."""
    install: str
    """The command that installs it."""
    apis: dict[str, str]
    """Variant → the framework's means that the adapter calls for it."""
    elementwise_ulp: dict[str, dict[str, Ulp]]
    """Function → dtype → largest error in ulp; the verdict's bound rests on it."""
    options: dict[str, Scalar] = {}
    """Keyword arguments of the adapter class."""
    gaps: tuple[Gap, ...] = ()

    def ulp(self, case: Case) -> dict[str, float]:
        """Give function → largest error in ulp, in the case's dtype.

        Raises:
            ParityError: The backend does not state it for a function of the cell.

        """
        stated = {}
        for name in CELLS[case.cell].functions:
            if case.dtype not in self.elementwise_ulp.get(name, {}):
                raise ParityError(
                    f"{self.name} states no accuracy of {name} in {case.dtype}, on "
                    "which a verdict rests; add it to elementwise_ulp of its "
                    "BackendInfo"
                )
            stated[name] = self.elementwise_ulp[name][case.dtype]
        return stated

    def gap(self, case: Case) -> Gap | None:
        """Give the declared gap that covers the case, if there is one."""
        return next((gap for gap in self.gaps if gap.covers(case)), None)


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
