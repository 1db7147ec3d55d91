"""Less precision inside than the label says."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
from msgspec.structs import replace

from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.bounds import spacing
from rnn_parity.judge.conventions.hypothesis import (
    Arrays,
    Hypothesis,
    in_weights,
)
from rnn_parity.judge.equations import Equations
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.trajectory import row_lengths
from rnn_parity_core import CELLS, INTEGER_ARRAYS, Accuracy, Array, Outcome, Problem

Cast = Callable[[Array], Array]

# Numbers of an earlier one are numbers of a later one, as far as these go.
_BELOW = {
    "float64": ("bfloat16", "float16", "float32"),
    "float32": ("bfloat16", "float16"),
}
_FEW = 4.0
_TF32_BITS = 11  # 10 behind the point, and the leading one


def rounded(array: Array, dtype: str) -> Array:
    """Round to another dtype and come back."""
    with np.errstate(over="ignore"):
        return array.astype(ml_dtypes.finfo(dtype).dtype).astype(array.dtype)  # type: ignore[no-untyped-call]


def nearest_tf32(a: Array) -> Array:
    """Round to the 10 bits behind the point that TensorFloat-32 keeps."""
    mantissa, exponent = np.frexp(a)
    scale = 2.0**_TF32_BITS
    return np.ldexp(np.round(mantissa * scale) / scale, exponent).astype(a.dtype)


def cut_tf32(a: Array) -> Array:
    """Cut off what is behind these bits, as some units do."""
    mantissa, exponent = np.frexp(a)
    scale = 2.0**_TF32_BITS
    return np.ldexp(np.trunc(mantissa * scale) / scale, exponent).astype(a.dtype)


class _Products(Rounded):
    """Matrix products whose factors are rounded first, and summed in the dtype."""

    def __init__(self, cast: Cast, accuracy: Accuracy) -> None:
        super().__init__(accuracy)
        self._cast = cast

    def affine(
        self,
        products: list[tuple[Bounded, Array]],
        bias: Array,
        offset: Array | None = None,
    ) -> Bounded:
        """Bound the sum of rounded factors' products."""
        pairs = [(self._factor(x), self._cast(w)) for x, w in products]
        return super().affine(pairs, bias, offset)

    def _factor(self, x: Bounded) -> Bounded:
        """Round a factor; one that is not known for certain may be rounded away."""
        lowest, highest = (self._cast(x.value + by) for by in (-x.error, x.error))
        value = self._cast(x.value)
        return Bounded(value, np.maximum(highest - value, value - lowest))


class _SeenRounded(Rounded):
    """A backend whose outputs were rounded after its next step had read them."""

    def __init__(self, inner: str, accuracy: Accuracy) -> None:
        super().__init__(accuracy)
        self._inner = inner

    def observe(self, value: Array, instead_of: Bounded | None) -> Bounded:
        """Take what a backend returned, and by how much that was rounded."""
        exact = super().observe(value, instead_of)
        return Bounded(exact.value, spacing(exact.value, self._inner) / 2)


def _kept(inner: str) -> Callable[..., Any]:
    """Round a state at the end of a step, one way or the other."""

    def kept(_ops: Any, state: Bounded) -> Bounded:
        size = np.abs(state.value) + state.error
        return Bounded(state.value, state.error + spacing(size, inner) / 2)

    return kept


def _kernels(problem: Problem, cast: Cast) -> Iterator[tuple[str, Arrays]]:
    """Round what is multiplied by: with a projection, or without it."""
    names = ("kernel", "recurrent_kernel", "projection")
    found = {name: in_weights(problem, name, cast) for name in names}
    kernels = {**found["kernel"], **found["recurrent_kernel"]}
    yield "kernels", kernels
    if found["projection"]:
        yield "kernels and projection", {**kernels, **found["projection"]}


def _all_real(problem: Problem, cast: Cast) -> Arrays:
    return {
        name: cast(array)
        for name, array in problem.arrays.items()
        if name not in INTEGER_ARRAYS
    }


def _entering(problem: Problem) -> Iterator[Hypothesis]:
    """Round what enters: weights, inputs, states."""
    for dtype, cast in _casts(problem).items():
        for what, kernels in _kernels(problem, cast):
            yield Hypothesis(f"{what} rounded to {dtype}", kernels)
        weights = {name: cast(problem[name]) for name in _weights(problem)}
        inputs = {"inputs": cast(problem["inputs"])}
        names = [f"initial_{name}" for name in CELLS[problem.case.cell].states]
        states = {name: cast(problem[name]) for name in names}
        entering = {
            "all weights": weights,
            "inputs": inputs,
            "initial states": states,
            **{f"initial {n[8:]}": {n: a} for n, a in states.items() if n[8:] == "h"},
            "weights, inputs and initial states": {**weights, **inputs, **states},
        }
        for what, arrays in entering.items():
            yield Hypothesis(f"{what} rounded to {dtype}", arrays)


def _weights(problem: Problem) -> list[str]:
    return [name for name in problem.arrays if name.startswith("layer")]


def _casts(problem: Problem) -> dict[str, Cast]:
    """Give ways to round; where they come to the same, one that says so."""
    found: dict[str, Cast] = {
        dtype: partial(rounded, dtype=dtype) for dtype in _BELOW[problem.case.dtype]
    }
    kernels = [problem[name] for name in _weights(problem) if "kernel" in name]
    if all((found["float16"](a) == nearest_tf32(a)).all() for a in kernels):
        found["float16 or TensorFloat-32"] = found.pop("float16")
    else:
        found["TensorFloat-32"] = nearest_tf32
    return {**found, "TensorFloat-32 by cutting off": cut_tf32}


def _products(problem: Problem) -> Iterator[Hypothesis]:
    """Round the factors of matrix products, as fast units do."""
    for dtype, cast in _casts(problem).items():
        yield Hypothesis(
            f"factors of matrix products rounded to {dtype}",
            bounds=partial(_Products, cast),
        )


def _is_of(dtype: str, array: Array) -> bool:
    """Whether rounding to a dtype changes nothing."""
    return np.array_equal(rounded(array, dtype), array)


def _inside(problem: Problem, outcome: Outcome) -> Iterator[Hypothesis]:
    """Compute in a lower dtype, or round states or outputs to it."""
    names = [d for d in _BELOW[problem.case.dtype] if _is_of(d, outcome["outputs"])]
    taken = row_lengths(problem) > 0  # rows that have a state of their own
    for dtype in names[:1]:
        kept = Equations(store_state=_kept(dtype))
        finals = [a for name, a in outcome.items() if name.startswith("final_")]
        if not all(_is_of(dtype, final[:, taken]) for final in finals):
            yield Hypothesis(
                f"outputs rounded to {dtype}",
                equations=kept,
                bounds=partial(_SeenRounded, dtype),
                by_bounds=True,
            )
            continue
        yield Hypothesis(f"states rounded to {dtype}", equations=kept, by_bounds=True)
        yield Hypothesis(
            f"{dtype} inside",
            _all_real(problem, partial(rounded, dtype=dtype)),
            bounds=partial(_of_dtype, dtype),
            by_bounds=True,
        )


def _of_dtype(lower: str, accuracy: Accuracy) -> Rounded:
    # What suffices near 0 is stated of kernels of the dtype that it is not.
    anywhere = {n: replace(e, near=()) for n, e in accuracy.functions.items()}
    own = replace(accuracy, dtype=lower, functions=anywhere, accumulator="")
    return Rounded(own)


def looks_like_float32(problem: Problem, residual: Array) -> bool:
    """Whether float64 outputs are off by a few units of float32, and by no more."""
    size = float(np.abs(residual).max(initial=0))
    return problem.case.dtype == "float64" and size < _FEW * 2.0**-24


def somewhere_in_float32() -> Hypothesis:
    """Let float32 be anywhere; only for errors that are everywhere."""
    return Hypothesis(
        "float32 somewhere inside", bounds=partial(_of_dtype, "float32"), by_bounds=True
    )


def precision_conventions(problem: Problem, outcome: Outcome) -> Iterator[Hypothesis]:
    """Give every lower precision.

    What passes by wider bounds alone says little; so it must look like what it is said
    to be: outputs that are numbers of the lower dtype.
    """
    if problem.case.dtype in _BELOW:
        yield from _inside(problem, outcome)
        yield from _entering(problem)
        yield from _products(problem)
