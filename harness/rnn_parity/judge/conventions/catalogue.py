"""Every hypothesis about an outcome, the likeliest and simplest first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from rnn_parity.judge.conventions import outcome as of_outcome
from rnn_parity.judge.conventions.equations import (
    equation_conventions,
    fitted_conventions,
)
from rnn_parity.judge.conventions.hypothesis import Hypothesis, Prediction
from rnn_parity.judge.conventions.precision import (
    looks_like_float32,
    precision_conventions,
    somewhere_in_float32,
)
from rnn_parity.judge.conventions.sequence import flipped, sequence_conventions
from rnn_parity.judge.conventions.weights import (
    everywhere_or_not,
    gate_orders,
    partial_conventions,
    weight_conventions,
)
from rnn_parity.judge.equations import Equations
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.trajectory import row_lengths
from rnn_parity_core import CELLS, Outcome, Problem


@dataclass(frozen=True)
class Given:
    """What there is to explain; all arrays are float64 but the lengths."""

    problem: Problem
    outcome: Outcome
    ops: Rounded
    right: Prediction
    """What a right backend returns from the same states."""
    outputs_pass: bool
    mostly_wrong: bool
    """Whether most of the outputs are outside of their bounds."""


def weights(given: Given) -> Iterator[Hypothesis]:
    """Give weights in another place, order or orientation."""
    for name, arrays in weight_conventions(given.problem):
        yield Hypothesis(name, arrays)


def equations(given: Given) -> Iterator[Hypothesis]:
    """Give equations with another term."""
    for name, equations in equation_conventions(given.problem):
        yield Hypothesis(name, equations=equations)


def fitted(given: Given) -> Iterator[Hypothesis]:
    """Give equations with a number that is read off the outcome."""
    yield from fitted_conventions(given.problem, given.outcome)


def sequences(given: Given) -> Iterator[Hypothesis]:
    """Give other steps, rows, lengths and initial states."""
    for name, arrays in sequence_conventions(given.problem):
        yield Hypothesis(name, arrays)


def parts(given: Given) -> Iterator[Hypothesis]:
    """Give weights that are wrong in some layers or in one direction alone."""
    for name, arrays in partial_conventions(given.problem):
        yield Hypothesis(name, arrays)


def precisions(given: Given) -> Iterator[Hypothesis]:
    """Give lower precisions inside."""
    yield from precision_conventions(given.problem, given.outcome)


def returned(given: Given) -> Iterator[Hypothesis]:
    """Give right steps that are returned otherwise."""
    problem, outcome = given.problem, given.outcome
    for name, back in of_outcome.past_the_end(problem, outcome):
        yield Hypothesis(name, outcome=back)
    ways = of_outcome.by_other_ways(problem, outcome, given.ops, given.right)
    for name, predict in ways:
        yield Hypothesis(name, predict=predict)
    if given.outputs_pass:
        moved = of_outcome.finals_moved(problem, outcome, given.right)
        for name, made in moved:
            yield Hypothesis(name, predict=partial(_itself, made))
        return
    for name, back in of_outcome.outputs_moved(problem, outcome):
        yield Hypothesis(name, outcome=back)
    if problem.case.direction == "reverse":
        lengths = row_lengths(problem)
        turned = {"inputs": flipped(problem["inputs"], lengths)}
        back = {**outcome, "outputs": flipped(outcome["outputs"], lengths)}
        yield Hypothesis("direction ignored: a forward pass", turned, outcome=back)


def _itself(made: Prediction) -> Prediction:
    return made


def vague(given: Given) -> Iterator[Hypothesis]:
    """Give what says little, for where nothing says more."""
    problem, outcome, right = given.problem, given.outcome, given.right
    for name, back in of_outcome.anything_past_the_end(problem, outcome):
        yield Hypothesis(name, outcome=back)
    for name, made in of_outcome.another_start(problem, outcome, right):
        yield Hypothesis(name, predict=partial(_itself, made), by_bounds=True)
    residual = outcome["outputs"] - right.outputs.value
    if given.mostly_wrong and looks_like_float32(problem, residual):
        yield somewhere_in_float32()


def pairs(given: Given) -> Iterator[Hypothesis]:
    """Give two things that ports get wrong at once: gate orders and something else."""
    problem = given.problem
    with_orders = [("", None), *gate_orders(problem)]
    others = [*everywhere_or_not(CELLS[problem.case.cell]).items()]
    for first, order in with_orders:
        arrays = order(problem, "") if order else {}
        taken = replace(problem, arrays={**problem.arrays, **arrays})
        for second, alter in others:
            both = {**arrays, **alter(taken, "")}
            if order:
                yield Hypothesis(f"{first} and {second}", both)
        for second, equations in _paired(problem):
            if order:
                yield Hypothesis(f"{first} and {second}", arrays, equations)
    for k, (first, alter) in enumerate(others):
        arrays = alter(problem, "")
        taken = replace(problem, arrays={**problem.arrays, **arrays})
        for second, then in others[k + 1 :]:
            if arrays and (more := then(taken, "")):
                yield Hypothesis(f"{first} and {second}", {**arrays, **more})


def _paired(problem: Problem) -> Iterator[tuple[str, Equations]]:
    """Give equations that go with gate orders: another convention, no slip."""
    for name, mistake in CELLS[problem.case.cell].mistakes.items():
        if mistake.pairs:
            yield name, Equations.of(mistake.changes)


Source = Callable[[Given], Iterator[Hypothesis]]
STAGES: tuple[tuple[Source, ...], ...] = (
    (weights, equations, fitted, sequences, returned, parts, precisions),
    (vague,),
    (pairs,),
)
"""Each is gone through only if the one before it explains nothing."""
