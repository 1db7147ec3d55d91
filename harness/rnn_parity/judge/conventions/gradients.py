"""Right steps, and gradients of something else than the loss, or moved elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.bounds import ratio
from rnn_parity.judge.conventions.hypothesis import other_memory_order
from rnn_parity.judge.conventions.precision import rounded
from rnn_parity.judge.gradients import bounded_gradients
from rnn_parity.judge.trajectory import row_lengths
from rnn_parity_core import Accuracy, Array, Outcome, Problem

Gradients = Mapping[str, Bounded]
_Linear = Callable[[Array], Array]


def _summed(axis: int) -> _Linear:
    def over(array: Array) -> Array:
        total = array.sum(axis=axis, keepdims=True)
        return np.asarray(np.broadcast_to(total, array.shape))

    return over


_MOVED: Mapping[str, _Linear] = {
    "zero": np.zeros_like,
    "negated": np.negative,
    "doubled": lambda a: 2 * a,
    "halved": lambda a: a / 2,
    "in the other memory order": other_memory_order,
    "transposed": lambda a: a.T if a.shape[0] == a.shape[-1] and a.ndim > 1 else a,
}
_OF_INPUTS: Mapping[str, _Linear] = {
    "in reverse order of steps": lambda a: a[:, ::-1],
    "with rows in reverse order": lambda a: a[::-1],
    "with rows shifted by one": lambda a: np.roll(a, 1, axis=0),
    "with rows shifted back by one": lambda a: np.roll(a, -1, axis=0),
}
_OF_STATES: Mapping[str, _Linear] = {
    "summed over rows": _summed(1),
    "with rows in reverse order": lambda a: a[:, ::-1],
    "with rows shifted by one": lambda a: np.roll(a, 1, axis=1),
    "with rows shifted back by one": lambda a: np.roll(a, -1, axis=1),
}
"""What can happen to a gradient on its way out."""


def explain_gradients(
    problem: Problem, outcome: Outcome, accuracy: Accuracy
) -> Iterator[str]:
    """Name what would explain gradients outside their bounds, the simplest first.

    Args:
        problem: A problem with cotangents.
        outcome: What a backend returned: right steps, and gradients that are not.
        accuracy: What the backend may err by.

    """
    observed = outcome["outputs"].astype(np.float64)
    right = bounded_gradients(problem, accuracy, observed)
    got = {name: outcome[name].astype(np.float64) for name in right}
    wrong = [name for name, of in right.items() if not _fits(got[name], of)]
    for words, altered in _other_losses(problem):
        other = bounded_gradients(altered, accuracy, observed)
        if all(_fits(got[name], of) for name, of in other.items()):
            yield words
    yield from _scaled(problem, got, right)
    whose = _named(wrong, list(right))
    for words, moved in _moved(wrong):
        if all(_fits(got[n], _through(moved, right[n])) for n in wrong):
            yield f"{whose} {words}"
    if wrong == ["gradient_inputs"]:
        past = np.arange(problem.case.steps) >= row_lengths(problem)[:, np.newaxis]
        cut = np.where(past[..., np.newaxis], 0, got["gradient_inputs"])
        if _fits(cut, right["gradient_inputs"]):
            yield "gradient of padding not zero"
    narrow = [_of_float32(got[name], right[name]) for name in wrong]
    if problem.case.dtype == "float64" and all(narrow):
        yield f"{whose} rounded to float32"


def _fits(got: Array, of: Bounded) -> bool:
    return bool((ratio(got - of.value, of.error) <= 1).all())


def _through(moved: _Linear, of: Bounded) -> Bounded:
    return Bounded(moved(of.value), np.abs(moved(of.error)))


def _named(wrong: list[str], every: list[str]) -> str:
    """Name arrays by what they are gradients of, layers and directions left out."""
    if len(wrong) == len(every):
        return "all gradients"
    short = [name.removeprefix("gradient_").rpartition(".")[2] for name in wrong]
    names = dict.fromkeys(name.replace("_", " ") for name in short)
    return f"gradient of {' and '.join(names)}"


def _moved(wrong: list[str]) -> Iterator[tuple[str, _Linear]]:
    """Give what can have happened to all gradients that are wrong."""
    yield from _MOVED.items()
    if all(name == "gradient_inputs" for name in wrong):
        yield from _OF_INPUTS.items()
    if all(name.startswith("gradient_initial_") for name in wrong):
        yield from _OF_STATES.items()


def _of_float32(got: Array, of: Bounded) -> bool:
    """Whether it is a gradient of float64 that was rounded to float32."""
    once = np.abs(of.value) * 2.0**-24 + float(np.finfo(np.float32).tiny)
    near = bool((np.abs(got - of.value) <= of.error + once).all())
    return near and np.array_equal(rounded(got, "float32"), got)


def _other_losses(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Weight parts of the loss otherwise."""
    names = [name for name in problem.arrays if name.startswith("cotangent_")]
    finals = [name for name in names if "final_" in name]
    parts = {"final states": finals, "outputs": ["cotangent_outputs"]}
    if len(finals) > 1:
        short = {name: f"final {name[-1]}" for name in finals}
        parts |= {words: [name] for name, words in short.items()}
    for what, of in parts.items():
        for times, words in ((0.0, "left out of"), (2.0, "twice in")):
            scaled = {name: problem[name].astype(np.float64) * times for name in of}
            arrays = {**problem.arrays, **scaled}
            yield f"{what} {words} the loss", replace(problem, arrays=arrays)


def _scaled(
    problem: Problem, got: Mapping[str, Array], right: Gradients
) -> Iterator[str]:
    """Name a factor that all gradients have in common."""
    size = sum(float((of.value**2).sum()) for of in right.values())
    inner = sum(float((got[name] * of.value).sum()) for name, of in right.items())
    off = sum(float((of.error**2).sum()) for of in right.values())
    if not (size > 0 and np.isfinite(inner) and off < size):
        return
    factor = inner / size
    # The factor itself is only known as well as the gradients are.
    slack = abs(factor) * float(np.sqrt(off / size))
    fits = all(
        _fits(
            got[name],
            Bounded(
                factor * of.value, abs(factor) * of.error + slack * np.abs(of.value)
            ),
        )
        for name, of in right.items()
    )
    negated = abs(factor + 1) <= 2 * slack  # has a name of its own
    if not fits or negated or abs(factor) < 2 * slack:
        return
    counts = {
        "of all outputs": problem["cotangent_outputs"].size,
        "over rows": problem.case.batch,
        "over steps": problem.case.steps,
    }
    means = [
        f"mean {words} instead of sum"
        for words, count in counts.items()
        if abs(factor * count - 1) <= 2 * slack * count
    ]
    norm = float(np.sqrt(sum(float((a**2).sum()) for a in got.values())))
    yield from means or [
        f"all gradients scaled by {factor:.6g}, to a norm of {norm:.6g}"
    ]
