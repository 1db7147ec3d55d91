"""How accurate a backend is by its own statement, on which a verdict rests."""

import math
from itertools import pairwise
from typing import Annotated

import msgspec

Ulp = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
UpToOne = Annotated[float, msgspec.Meta(ge=0, le=1)]
Near = tuple[tuple[Annotated[float, msgspec.Meta(gt=0)], Ulp], ...]
"""Pairs of an argument's largest magnitude and the ulp that suffice up to there; both
go up from pair to pair."""

FLOAT32_SUMS = {"bfloat16": "float32", "float16": "float32"}
"""Accumulators of a backend that keeps the sums of half precisions' products wide."""

TF32_UNIT = 2.0**-11
"""Half an ulp of TensorFloat-32, which has 10 bits behind the point (NVIDIA A100 Tensor
Core GPU Architecture, 2020)."""


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an elementwise function may err by in one dtype."""

    ulp: Ulp
    """Largest error in ulp."""
    near: Near = ()
    """The fewer ulp that suffice near 0: `((1.0, 1.5), (8.0, 2.5))` for |x| <= 1 and
    |x| <= 8; beyond the last pair `ulp` holds."""
    absolute: UpToOne = 0.0
    """Error that comes on top, where ulps say nothing: results that are 0 too early, or
    of terms that cancel."""

    def __post_init__(self) -> None:
        """Refuse pairs that would never count, or count in place of better ones.

        Raises:
            ValueError: They do not go up, or reach what is stated of all arguments.

        """
        ends = [(0.0, -1.0), *self.near, (math.inf, self.ulp)]
        if not all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(ends)):
            raise ValueError(
                f"near is {self.near}, expected magnitudes and ulp that go up, to "
                f"fewer than the {self.ulp:g} ulp that hold everywhere"
            )


class Arithmetic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a backend multiplies, adds and keeps numbers, whatever the function."""

    accumulators: dict[str, str] = {}
    """Dtype → wider one that sums of products are kept in, and rounded from once."""
    factor_units: dict[str, UpToOne] = {}
    """Setting → relative error of the factors of float32 products while it is on."""
    recomputes: bool = True
    """Whether a value that is used twice may be computed once for each use, and rounded
    otherwise, as compilers do; not where each is kept in an array of its own."""


class Accuracy(msgspec.Struct, frozen=True):
    """What a backend may err by in one case, by its own statement."""

    dtype: str
    functions: dict[str, Error]
    """What each elementwise function of the cell may err by."""
    accumulator: str = ""
    """Dtype that sums of products are kept in; `""` stands for `dtype`."""
    factor_unit: float = 0.0
    """Relative error of the factors of products: half an ulp of TensorFloat-32."""
    recomputes: bool = True
    """Whether what is used twice may be computed for each use, rounded otherwise."""

    def within(self, other: "Accuracy") -> bool:
        """Whether another one, that holds of all arguments, allows all that this does.

        Sums that are kept in a wider dtype only err by less.
        """
        least = all(
            error.ulp <= other.functions[name].ulp
            and error.absolute <= other.functions[name].absolute
            for name, error in self.functions.items()
        )
        return least and self.factor_unit <= other.factor_unit
