"""What an adapter is: a `BackendInfo` that imports nothing, and a `Backend` class.

An adapter calls its framework's own layers and loops, never falls back to another path
(it raises `Unsupported`), copies what it returns, and leaves its inputs alone.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec.structs import replace

from rnn_parity_core.cells import CELLS
from rnn_parity_core.errors import ParityError
from rnn_parity_core.spec import Case, Outcome, Problem

Ulp = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
Error = Annotated[float, msgspec.Meta(ge=0, le=1)]
Near = tuple[tuple[Annotated[float, msgspec.Meta(gt=0)], Ulp], ...]
"""Pairs of an argument's largest magnitude and the ulp that suffice up to there; both
go up from pair to pair."""
Scalar = str | int | float | bool | None

FLOAT32_SUMS = {"bfloat16": "float32", "float16": "float32"}
"""Accumulators of a backend that keeps the sums of half precisions' products wide."""

TF32_UNIT = 2.0**-11
"""Half an ulp of TensorFloat-32, which has 10 bits behind the point (NVIDIA A100 Tensor
Core GPU Architecture, 2020)."""


class Unsupported(Exception):  # noqa: N818 - an answer, not a fault
    """Raised by an adapter that declines a problem; the text is the reason."""


class Absent(Exception):  # noqa: N818 - an answer, not a fault
    """Raised by an adapter's constructor where what it runs on is not here: a GPU."""


class Gap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cases that a backend declines, declared ahead; an empty list matches all."""

    kind: Literal["never", "notyet"]
    """`never`: the framework has no such thing; `notyet`: the adapter lacks it."""
    reason: str
    """Said to whoever runs a network that is declined; nothing: what the adapter says
    as it declines."""
    cells: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    zero_length: bool = False
    """Whether it is only about rows without a valid step."""
    tasks: tuple[str, ...] = ()
    full_projection: bool = False
    """Whether it is only about projections that are no smaller than the units."""
    with_biases: bool = False
    """Whether it is only about cases with biases."""
    depends_on_data: bool = False
    """Whether weights, inputs or sizes decide: these cases may be declined or not."""
    link: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether the backend does some of the cases of these cells and variants."""
        narrowed = self.directions or self.dtypes or self.tasks
        only = self.zero_length or self.full_projection or self.with_biases
        return bool(narrowed or only or self.depends_on_data)

    def covers(self, case: Case) -> bool:
        """Whether this gap speaks of the case."""
        return (
            (not self.cells or case.cell in self.cells)
            and (not self.variants or case.variant in self.variants)
            and (not self.directions or case.direction in self.directions)
            and (not self.dtypes or case.dtype in self.dtypes)
            and (not self.tasks or case.task in self.tasks)
            and (not self.zero_length or case.zero_length)
            and (not self.full_projection or case.projection >= case.units)
            and (not self.with_biases or case.bias)
        )


class Implementation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an adapter calls for some variants; an empty list of cells matches all."""

    api: str
    """The framework's own names: `nn.RNNCell over a list`."""
    variants: tuple[str, ...]
    cells: tuple[str, ...] = ()
    by_hand: bool = False
    """Whether the equations are written out, and not the framework's."""


class Accuracy(msgspec.Struct, frozen=True):
    """What a backend may err by in one dtype, by its own statement."""

    dtype: str
    ulp: dict[str, float]
    """Function → largest error in ulp."""
    absolute: dict[str, float] = {}
    """Function → error that comes on top, where ulps say nothing."""
    accumulator: str = ""
    """Dtype that sums of products are kept in; `""` stands for `dtype`."""
    factor_unit: float = 0.0
    """Relative error of the factors of products: half an ulp of TensorFloat-32."""
    near: dict[str, Near] = {}
    """Function → the fewer ulp that suffice near 0."""
    recomputes: bool = True
    """Whether what is used twice may be computed for each use, rounded otherwise."""

    def within(self, other: "Accuracy") -> bool:
        """Whether another one, that holds of all arguments, allows all that this does.

        Sums that are kept in a wider dtype only err by less.
        """
        least = all(ulp <= other.ulp[name] for name, ulp in self.ulp.items())
        return (
            least
            and all(a <= other.absolute.get(n, 0.0) for n, a in self.absolute.items())
            and self.factor_unit <= other.factor_unit
        )


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
    elementwise_ulp: dict[str, dict[str, Ulp]]
    """Function → dtype → largest error in ulp; the verdict's bound rests on it."""
    elementwise_near: dict[str, dict[str, Near]] = {}
    """Function → dtype → the fewer ulp that suffice near 0: `((1.0, 1.5), (8.0, 2.5))`
    for |x| <= 1 and |x| <= 8; beyond the last pair `elementwise_ulp` holds."""
    elementwise_absolute: dict[str, dict[str, Error]] = {}
    """Function → dtype → error that comes on top, where ulps say nothing: results that
    are 0 too early, or of terms that cancel."""
    accumulators: dict[str, str] = {}
    """Dtype → wider one that sums of products are kept in, and rounded from once."""
    factor_units: dict[str, Error] = {}
    """Setting → relative error of the factors of float32 products while it is on."""
    recomputes: bool = True
    """Whether a value that is used twice may be computed once for each use, and rounded
    otherwise, as compilers do; not where each is kept in an array of its own."""
    options: dict[str, Scalar] = {}
    """Keyword arguments of the adapter class."""
    settings: tuple[str, ...] = ()
    """Options that whoever names the backend may give other values of their types."""
    on_request: str = ""
    """Why it runs only if it is named; nothing if it always does."""
    gaps: tuple[Gap, ...] = ()
    interpreter: str = ""
    """Path of another Python that its worker is started with; nothing: of this one."""
    host: str = ""
    """Another machine that its worker runs on: `ssh:[USER@]HOST[:PORT]`."""

    def __post_init__(self) -> None:
        """Refuse pairs that would never count, or count in place of better ones.

        Raises:
            ValueError: They do not go up, or reach what is stated of all arguments.

        """
        for name, of in self.elementwise_near.items():
            for dtype, near in of.items():
                most = self.elementwise_ulp.get(name, {}).get(dtype, 0.0)
                for pair, beyond in pairwise([(0.0, -1.0), *near, (math.inf, most)]):
                    if not (pair[0] < beyond[0] and pair[1] < beyond[1]):
                        raise ValueError(
                            f"{self.name} states {near} of {name} in {dtype}: expected "
                            "magnitudes and ulp that go up, to fewer than the "
                            f"{most:g} of elementwise_ulp"
                        )

    def accuracy(self, case: Case) -> Accuracy:
        """Give what the backend may err by in a case.

        Raises:
            ParityError: The backend does not state it for a function of the cell.

        """
        dtype, stated = case.dtype, {}
        for name in CELLS[case.cell].functions:
            if dtype not in self.elementwise_ulp.get(name, {}):
                raise ParityError(
                    f"{self.name} states no accuracy of {name} in {dtype}, on "
                    "which a verdict rests; add it to elementwise_ulp of its "
                    "BackendInfo"
                )
            stated[name] = self.elementwise_ulp[name][dtype]
        on = [unit for key, unit in self.factor_units.items() if self.options.get(key)]
        return Accuracy(
            dtype,
            stated,
            {
                name: of[dtype]
                for name, of in self.elementwise_absolute.items()
                if dtype in of
            },
            self.accumulators.get(dtype, ""),
            max(on, default=0.0) if dtype == "float32" else 0.0,
            {
                name: self.elementwise_near[name][dtype]
                for name in stated
                if dtype in self.elementwise_near.get(name, {})
            },
            self.recomputes,
        )

    def implementation_for(self, cell: str, variant: str) -> Implementation | None:
        """Give what the adapter calls for a cell and a variant, if it does it."""
        for means in self.implementations:
            if variant in means.variants and (not means.cells or cell in means.cells):
                return means
        return None

    def gap(self, case: Case) -> Gap | None:
        """Give the declared gap that covers the case, whatever its data."""
        return next(
            (g for g in self.gaps if g.covers(case) and not g.depends_on_data), None
        )

    def may_decline(self, case: Case) -> Gap | None:
        """Give the declared gap that covers the case, if only for some data."""
        return self.gap(case) or next((g for g in self.gaps if g.covers(case)), None)

    def of_model(self) -> "BackendInfo":
        """State the same of networks that no suite foresaw.

        What is declined of somebody's model is not a fault of the model, and what is
        computed is judged by its numbers, whatever was declared.
        """
        gaps = [replace(gap, depends_on_data=True) for gap in self.gaps]
        anything = Gap("notyet", reason="", depends_on_data=True)
        return replace(self, gaps=(*gaps, anything))


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
