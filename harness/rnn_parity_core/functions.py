"""Elementwise functions as values: what a cell is made of, and mistaken for."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
OfArray = Callable[[Array], Array]


def _no_slope(x: Array) -> Array:
    raise NotImplementedError


@dataclass(frozen=True)
class Function:
    """A function of each element, with what bounds on it rest on.

    Called with operations and a value it gives that of the function.
    """

    name: str
    """In IDs of cells, in backends' statements: `hard_sigmoid`."""
    says: str
    """In explanations."""
    value: OfArray
    """In float64."""
    slope: OfArray = _no_slope
    """Its derivative, in float64; at a kink that of the left."""
    steepest: float = 1.0
    """Largest |derivative|."""
    steepest_between: Callable[[Array, Array], Array] | None = None
    """From one argument to another, where that is far less, or none is the largest."""
    bend: float = 0.0
    """Largest |second derivative| between kinks; infinite of a derivative that only
    rises or only falls."""
    kinks: tuple[float, ...] = ()
    """Arguments at which the derivative jumps."""
    roundings: int = 0
    """Of a function made of arithmetic, so many round on the way; 0: what it may err by
    is stated by backends, in ulp."""
    around: float = 0.0
    """These round results that are at most this much larger than the last one."""
    around_slope: float = 0.0
    """Those of its derivative round numbers as much larger, times the argument."""
    is_share: bool = False
    """Whether it is never outside of [0, 1]."""
    is_bounded: bool = True
    """Whether no argument makes it larger than 1."""
    approximates: str = ""
    """The function that it stands for where somebody wants it faster."""

    def slopes(self, low: Array, high: Array) -> Array:
        """Return the largest |derivative| from one argument to another."""
        if self.steepest_between is None:
            return np.full(np.shape(low), self.steepest)
        return np.asarray(self.steepest_between(low, high))

    def __call__(self, ops: Any, x: Any) -> Any:
        """Take the function of a value, in whatever arithmetic."""
        return ops.function(self, x)


@dataclass(frozen=True)
class _Primitive(Function):
    """A function that every arithmetic has by its own name."""

    def __call__(self, ops: Any, x: Any) -> Any:
        return getattr(ops, self.name)(x)


@dataclass(frozen=True)
class _Identity(Function):
    """What changes nothing."""

    def __call__(self, ops: Any, x: Any) -> Any:
        del ops
        return x


def logistic(x: Array) -> Array:
    """Logistic function; at what float64 has none of, the smallest that it has."""
    least = np.maximum(x, -709.0)  # exp of more is none of float64
    np.negative(least, out=least)
    np.exp(least, out=least)
    least += 1
    return np.asarray(np.reciprocal(least, out=least))


def _hard_sigmoid(name: str, slope: float, says: str) -> Function:
    """`max(0, min(1, slope x + 1/2))`."""
    edge = 0.5 / slope
    return Function(
        name,
        f"hard sigmoid {says}",
        lambda x: np.clip(slope * x + 0.5, 0, 1),
        lambda x: np.where((x > -edge) & (x <= edge), slope, 0.0),
        steepest=slope,
        kinks=(-edge, edge),
        # Keras 3, PyTorch and JAX compute relu6(x + 3) / 6: a sum and a quotient, each
        # off by u y. Keras 2 and ONNX compute a = slope x, then y = a + 1/2: constant
        # and product are off by u |a| each, |a| <= 1/2 as nothing farther out counts,
        # the sum by u y, that is u (1 + y), at most twice y + 1/2. The third is for u^2
        # and for a quotient by 6 that is a product with 1 / 6. To cut off is exact.
        roundings=3,
        around=0.5,
        is_share=True,
    )


def _cut(
    name: str,
    says: str,
    low: float,
    high: float,
    approximates: str = "",
) -> Function:
    """Cut off what is below or above, by what rounds nothing anywhere."""
    return Function(
        name,
        says,
        lambda x: np.clip(x, low, high),
        lambda x: np.where((x > low) & (x <= high), 1.0, 0.0),
        kinks=(low, high),
        roundings=1,
        is_bounded=max(-low, high) <= 1,
        is_share=low >= 0 and high <= 1,
        approximates=approximates,
    )


def clipped(limit: float) -> Function:
    """Return what cuts off at a limit, on either side."""
    name = f"clip_{limit:g}"
    return _cut(name, f"clip at {limit:g}", -limit, limit)


def leaky_relu(slope: float) -> Function:
    """Return the rectifier that leaves a part of what is negative."""
    return Function(
        f"leaky_relu_{slope:g}",
        f"leaky relu of slope {slope:.6g}",
        lambda x: np.where(x > 0, x, slope * x),
        lambda x: np.where(x > 0, 1.0, slope),
        steepest=max(1.0, abs(slope)),
        kinks=(0.0,),
        roundings=3,
        is_bounded=False,
    )


def _normal(x: Array) -> Array:
    """Phi; by what errs little where it is next to nothing."""
    rest = np.vectorize(math.erfc, otypes=[np.float64])(-x / np.sqrt(2.0))
    return np.asarray(0.5 * rest)


def _pade(x: Array) -> Array:
    return np.asarray(np.clip(x * (27 + x * x) / (27 + 9 * x * x), -1, 1))


TANH = _Primitive("tanh", "tanh", np.tanh)
SIGMOID = _Primitive("sigmoid", "sigmoid", logistic, is_share=True)
RELU = _Primitive(
    "relu", "relu", lambda x: np.maximum(x, 0.0), roundings=1, is_bounded=False
)
LINEAR = _Identity("linear", "nothing", lambda x: x, roundings=1, is_bounded=False)
HARD_SIGMOID = _hard_sigmoid("hard_sigmoid", 1 / 6, "x / 6 + 0.5")
"""Of Keras 3, PyTorch and JAX: `relu6(x + 3) / 6`."""
HARD_SIGMOID_5 = _hard_sigmoid("hard_sigmoid_5", 0.2, "0.2 x + 0.5")
"""Of Keras 1 and 2, TensorFlow Lite and ONNX."""
HARD_SIGMOID_4 = _hard_sigmoid("hard_sigmoid_4", 0.25, "x / 4 + 0.5")
SOFTSIGN = Function(
    "softsign",
    "softsign",
    lambda x: x / (1 + np.abs(x)),
    lambda x: 1 / np.square(1 + np.abs(x)),
    steepest_between=lambda low, high: (
        1 / np.square(1 + np.maximum(np.maximum(low, -high), 0.0))
    ),
    bend=2.0,
    roundings=3,
)
HARD_TANH = _cut("hard_tanh", "tanh cut off linearly at 1", -1.0, 1.0, "tanh")
RELU6 = _cut("relu6", "relu cut off at 6", 0.0, 6.0, "relu")
COMPLEMENT = Function(
    "complement",
    "1 - x",
    lambda x: 1 - x,
    lambda x: np.full(x.shape, -1.0),
    roundings=3,
    around=1.0,
    is_bounded=False,
)
EXP = Function(
    "exp",
    "exp",
    np.exp,
    np.exp,
    steepest=np.inf,
    steepest_between=lambda _low, high: np.exp(high),
    bend=np.inf,
    is_bounded=False,
)
SOFTPLUS = Function(
    "softplus",
    "softplus",
    lambda x: np.logaddexp(x, 0.0),
    logistic,
    bend=0.25,
    is_bounded=False,
)
ABS = Function(
    "abs",
    "abs",
    np.abs,
    lambda x: np.where(x > 0, 1.0, np.where(x < 0, -1.0, 0.0)),
    kinks=(0.0,),
    roundings=1,
    is_bounded=False,
)
SQRT = Function(
    "sqrt",
    "sqrt",
    lambda x: np.sqrt(np.maximum(x, 0.0)),
    lambda x: 0.5 / np.sqrt(x),
    steepest=np.inf,
    steepest_between=lambda low, _high: 0.5 / np.sqrt(np.maximum(low, 0.0)),
    bend=np.inf,
    is_bounded=False,
)
SILU = Function(
    "silu",
    "SiLU",
    lambda x: x * np.exp(np.minimum(x, 0.0)) / (1 + np.exp(-np.abs(x))),
    lambda x: logistic(x) * (1 + x * (1 - logistic(x))),
    steepest=1.1,
    bend=0.5,
    around_slope=1.0,
    is_bounded=False,
)
"""`x sigmoid(x)`, which is steepest, 1.0998, at 2.4."""
GELU = Function(
    "gelu",
    "GELU",
    lambda x: x * _normal(x),
    lambda x: _normal(x) + x * np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi),
    steepest=1.13,
    bend=0.8,
    around_slope=1.0,
    is_bounded=False,
)
"""`x Phi(x)`, which is steepest, 1.129, at the root of 2."""
PADE_TANH = Function(
    "pade_tanh",
    "rational approximation of tanh",
    _pade,
    roundings=8,
    approximates="tanh",
)
"""`x (27 + x^2) / (27 + 9 x^2)`, cut at 1: fast and near tanh, and not it."""
