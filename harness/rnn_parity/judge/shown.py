"""What a certificate shows at all, and what would show more where that is nothing."""

from collections.abc import Iterator, Mapping

import numpy as np

from rnn_parity.judge.bounded import unit
from rnn_parity.judge.certify import Certificate
from rnn_parity.judge.trajectory import row_lengths
from rnn_parity_core import Array, Case
from rnn_parity_reports.describe import in_words
from rnn_parity_reports.results import Estimate, Verdict

MOST = 0.5
"""Share of an array's elements of which nothing is shown, from which it counts as an
array of which nothing is shown."""

_HALF_PRECISIONS = ("float16", "bfloat16")
_MOST_NAMED = 3  # arrays of which nothing is shown, of the many that gradients are


def unshown(certificate: Certificate) -> dict[str, float]:
    """Give the share of each array's elements that could be anything.

    The bound of such an element is as wide as the element, or as the largest of its
    array where that is less than 1: were it zero instead, or of another sign, it would
    pass. What lies behind the end of a row is not counted, as it is always zero.

    Returns:
        Array → share, above 0; no array of which everything is shown.

    """
    shares = dict(_shares(certificate))
    return {name: share for name, share in shares.items() if share}


def _shares(certificate: Certificate) -> Iterator[tuple[str, float]]:
    for layer, lower in enumerate(certificate.below):
        yield from (
            (f"layer{layer}.{name}", share)
            for name, share in _shares(lower)
            if name == "outputs"
        )
    case = certificate.problem.case
    least = np.sqrt(unit(case.dtype))
    returned = dict(certificate.final_ratios)
    values = [certificate.state] if certificate.has_outputs else []
    values += [certificate.finals["h"].value] if "h" in returned else []
    size = max(float(least), *(_largest(of) for of in values)) if values else 1.0
    if certificate.has_outputs:
        lengths = row_lengths(certificate.problem)[:, np.newaxis]
        valid = np.arange(case.steps) < lengths
        bound, state = certificate.bound[valid], certificate.state[valid]
        yield "outputs", _share(bound, state, size)
    for name in returned:
        final = certificate.finals[name]
        own = size if name == "h" else max(float(least), _largest(final.value))
        yield f"final_{name}", _share(final.error, final.value, own)
    for name, held in certificate.learned.items():
        yield name, float(held.is_vacuous)


def _largest(value: Array) -> float:
    """Give the largest magnitude; no number is as large as can be."""
    return float(np.nan_to_num(np.abs(value), nan=np.inf).max(initial=0.0))


def _share(bound: Array, value: Array, size: float) -> float:
    wide = ~(bound < np.maximum(np.abs(value), min(size, 1.0)))
    return float(wide.mean()) if wide.size else 0.0


def settled(
    shares: Mapping[str, float], estimate: Estimate | None = None
) -> tuple[Verdict, str]:
    """Give the verdict, and why, of what is within every bound.

    Args:
        shares: What `unshown` gives.
        estimate: What rounding at random says, where that was asked.

    """
    if estimate and (estimate.ratio is None or estimate.ratio > 1):
        return "fail", f"{estimate.where}: {in_words(estimate)}"
    nothing = not_shown(shares)
    if not nothing:
        return "pass", ""
    if estimate is None:
        return "inconclusive", nothing
    return "consistent", ""


def not_shown(shares: Mapping[str, float]) -> str:
    """Say that nothing is shown, and of what; nothing if most of each array is."""
    wide = [f"{share:.0%} of {name}" for name, share in shares.items() if share >= MOST]
    if not wide:
        return ""
    if left := len(wide[_MOST_NAMED:]):
        arrays = "array" if left == 1 else "arrays"
        wide = [*wide[:_MOST_NAMED], f"most of {left} more {arrays}"]
    *others, last = wide
    named = f"{', '.join(others)} and {last}" if others else last
    return (
        f"nothing is shown: the bound is as wide as the numbers themselves in {named}, "
        "so that a wrong network could pass"
    )


def partly_shown(shares: Mapping[str, float]) -> list[str]:
    """Say of which elements nothing is shown, where that is the smaller part."""
    return [
        f"nothing is shown of {max(share, 0.01):.0%} of {name}: the bound is as wide "
        "as these numbers themselves"
        for name, share in shares.items()
        if share < MOST
    ]


def next_steps(case: Case, arrays: list[str]) -> list[str]:
    """Say what would show more of a case.

    Args:
        case: What shows nothing.
        arrays: What was given of the outcome, if it came from the user.

    """
    return [*(_of_given(case, arrays) if arrays else _of_case(case))]


def _of_given(case: Case, arrays: list[str]) -> Iterator[str]:
    """Say what to give besides, or instead."""
    if "outputs" not in arrays:
        yield "give `outputs` in --expected, too: each step is then judged by itself"
    if lower := [name for name in case.layer_shapes() if name not in arrays]:
        named = ", ".join(f"`{name}`" for name in lower)
        yield f"give the outputs of the lower layers in --expected, too: {named}"
    if not case.probe:
        yield (
            "run your framework on a batch that shows every weight, too, if you did "
            "not: `rnn-parity verify … --write-inputs FILE` writes it"
        )
    if case.steps > 1:
        yield f"give fewer than {case.steps} steps: the bound grows with each"


def _of_case(case: Case) -> Iterator[str]:
    """Say which case to take instead."""
    fed = case.variant != "variable_output" and case.task == "forward"
    if fed and not case.probe and case.seed is not None:
        yield f"take the case probe:{case.id}: one step, which shows every weight"
    if case.steps > 1:
        yield f"take fewer than {case.steps} steps: the bound grows with each"
    if case.gain > 1 and not case.given:
        yield f"take a smaller gain than {case.gain:g}: the bound grows with it"
    if case.layers > 1 and not case.given:
        yield "take fewer layers: what is below the last one is not seen"
    if case.dtype in _HALF_PRECISIONS:
        yield f"take float32: {case.dtype} rounds too coarsely"
