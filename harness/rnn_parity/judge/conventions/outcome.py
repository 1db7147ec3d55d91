"""Right steps, returned otherwise: past the end, turned, swapped, from elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations

import numpy as np

from rnn_parity.judge.bounded import Bounded, together
from rnn_parity.judge.conventions.hypothesis import Prediction
from rnn_parity.judge.conventions.sequence import PASSES, by_pass, flipped
from rnn_parity.judge.equations import AS_PUBLISHED, Equations
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.trajectory import processing_order, row_lengths, trajectory
from rnn_parity_core import Array, Case, Outcome, Problem
from rnn_parity_core.layers import one_layer

_Named = Iterator[tuple[str, Outcome]]
_Predicted = Iterator[tuple[str, Prediction]]


def predicted(
    problem: Problem,
    ops: Rounded,
    observed: Array | None,
    equations: Equations = AS_PUBLISHED,
) -> Prediction:
    """Give what a backend returns, from its own states if these are given."""
    made = trajectory(ops, problem, observed, equations)
    finals = {
        name: together(lambda *parts: np.stack(parts), *values)
        for name, values in made.finals.items()
    }
    return Prediction(made.outputs, finals)


def outputs_moved(problem: Problem, outcome: Outcome) -> _Named:
    """Give outcomes whose outputs are put back where they belong."""
    case, outputs = problem.case, outcome["outputs"]
    lengths = row_lengths(problem)
    if "reverse" in case.directions:
        rest = outputs[..., : -case.recurrent_size]
        last = outputs[..., -case.recurrent_size :]
        ways = {"": flipped(last, lengths)}
        if (lengths < case.steps).any():
            ways[", padding included"] = last[:, ::-1]
        for words, turned in ways.items():
            whole = np.concatenate([rest, turned], axis=-1)
            name = f"reverse outputs in the order of computing{words}"
            yield name, {**outcome, "outputs": whole}
    if len(case.directions) > 1:
        halves = np.split(outputs, 2, axis=-1)
        swapped = np.concatenate(halves[::-1], axis=-1)
        yield "outputs of directions swapped", {**outcome, "outputs": swapped}
    if case.direction == "forward" and "final_h" in outcome:
        yield from _a_step_late(problem, outcome)
    if case.batch == case.steps:
        swapped = outputs.swapaxes(0, 1)
        yield "time-major outputs", {**outcome, "outputs": swapped}
    back = outputs.reshape(case.steps, case.batch, -1).swapaxes(0, 1)
    yield "memory of time-major outputs", {**outcome, "outputs": back}
    yield from _rows_moved(problem, outcome)


def _a_step_late(problem: Problem, outcome: Outcome) -> _Named:
    """Take back outputs that are the state before a step instead of after it."""
    outputs, final = outcome["outputs"], outcome["final_h"][-1]
    if np.array_equal(outputs[:, 0], problem["initial_h"][-1]):
        full = (row_lengths(problem) == problem.case.steps)[:, np.newaxis]
        last = np.where(full, final, 0)[:, np.newaxis]
        moved = np.concatenate([outputs[:, 1:], last], axis=1)
        yield "outputs a step late", {**outcome, "outputs": moved}


def _rows_moved(problem: Problem, outcome: Outcome) -> _Named:
    """Put rows back that were left in another order."""
    lengths = row_lengths(problem)
    orders = {
        "rows of outputs and states in reverse order": np.arange(len(lengths))[::-1],
        "rows of outputs and states shifted by one": np.roll(
            np.arange(len(lengths)), 1
        ),
        "rows left in the order of falling lengths": np.argsort(
            -lengths, kind="stable"
        ),
    }
    for name, order in orders.items():
        back = np.argsort(order)
        finals = {n: outcome[n][:, back] for n in outcome if n.startswith("final_")}
        moved = {**outcome, **finals, "outputs": outcome["outputs"][back]}
        yield name, moved


def past_the_end(problem: Problem, outcome: Outcome) -> _Named:
    """Give the outcome with zeros past the end, if the last output stands there."""
    outputs, past = outcome["outputs"], _past(problem)
    lengths = row_lengths(problem)
    last = outputs[np.arange(len(outputs)), np.maximum(lengths - 1, 0)]
    repeated = np.where(past, last[:, np.newaxis], outputs)
    # What a row without a step repeats is its first output, whatever that is.
    if outputs[np.broadcast_to(past, outputs.shape)].any() and np.array_equal(
        repeated, outputs
    ):
        cut = {**outcome, "outputs": np.where(past, 0, outputs)}
        yield "last output repeated past the end", cut


def anything_past_the_end(problem: Problem, outcome: Outcome) -> _Named:
    """Give the outcome with zeros past the end, whatever stands there."""
    cut = np.where(_past(problem), 0, outcome["outputs"])
    yield "something else than zeros past the end", {**outcome, "outputs": cut}


def _past(problem: Problem) -> Array:
    """Tell steps past the end of each row, `[B, T, 1]`."""
    times = np.arange(problem.case.steps)
    past = times >= row_lengths(problem)[:, np.newaxis]
    return np.asarray(past[..., np.newaxis])


def _exactly(value: Array) -> Bounded:
    wide = value.astype(np.float64)
    return Bounded(wide, np.zeros_like(wide))


def another_start(problem: Problem, outcome: Outcome, right: Prediction) -> _Predicted:
    """Give any state before the first step, where only that step is wrong.

    What is not seen of a state, or not of a layer, would be wrong ever after. Where no
    row has a second step, there is none that could be right, and nothing says so.
    """
    case, lengths = problem.case, row_lengths(problem)
    if case.layers > 1 or len(right.finals) > 1 or not (lengths > 1).any():
        return
    orders = [processing_order(lengths, case.steps, way) for way in case.directions]
    started = np.repeat(np.stack(orders, axis=-1) == 0, case.recurrent_size, axis=-1)
    error, value = right.outputs.error, right.outputs.value
    wrong = np.abs(outcome["outputs"] - value) > error
    if (wrong & started).sum() > started.sum() / 2:
        free = Bounded(value, np.where(started, np.inf, error))
        short = (lengths <= 1)[:, np.newaxis]
        finals = {
            name: Bounded(of.value, np.where(short, np.inf, of.error))
            for name, of in right.finals.items()
        }
        yield "another initial state", Prediction(free, finals)


def finals_moved(problem: Problem, outcome: Outcome, right: Prediction) -> _Predicted:
    """Give predictions of right outputs, and final states that are not."""
    case, finals = problem.case, right.finals
    for one, two in combinations(finals, 2):
        if finals[one].value.shape == finals[two].value.shape:
            swapped = {**finals, one: finals[two], two: finals[one]}
            yield f"final {one} and {two} swapped", right._replace(finals=swapped)
    zero = {name: _exactly(np.zeros_like(a.value)) for name, a in finals.items()}
    given = {name: _exactly(problem[f"initial_{name}"]) for name in finals}
    empty = (row_lengths(problem) == 0)[:, np.newaxis]
    other: dict[str, Mapping[str, Bounded]] = {
        "final states all zero": zero,
        "initial states returned as final ones": given,
        "final states of rows without a step zero": {
            name: together(lambda part: np.where(empty, 0, part), bounded)
            for name, bounded in finals.items()
        },
    }
    for words, rearrange in PASSES.items():
        other[f"final states {words}"] = {
            name: together(partial(_rearranged, case, rearrange), of)
            for name, of in finals.items()
        }
    for name, at in (("last", -1), ("first", 0)) if "h" in finals else ():
        parts = np.split(outcome["outputs"][:, at], len(case.directions), axis=-1)
        below = together(partial(_all_but, len(parts)), finals["h"])
        ends = _exactly(np.stack(parts))
        taken = together(lambda *parts: np.concatenate(parts), below, ends)
        words = f"{name} output in time returned as the final h"
        other[words] = {**finals, "h": taken}
    for words, instead in other.items():
        yield words, right._replace(finals=instead)


def by_other_ways(
    problem: Problem, outcome: Outcome, ops: Rounded, right: Prediction
) -> Iterator[tuple[str, Callable[[], Prediction]]]:
    """Give predictions that take another way through the network."""
    case = problem.case
    if "lengths" in problem.arrays and _past(problem).any():
        yield from _over_padding(problem, ops, right)
    if case.layers > 1:
        first = one_layer(problem, 0, problem["inputs"])

        def below() -> Prediction:
            whole = predicted(problem, ops, None)
            own = predicted(first, ops, outcome["outputs"])
            return whole._replace(outputs=own.outputs)

        yield "outputs of the first layer", below
    if case.layers > 1 and case.features == case.output_size:

        def above() -> Prediction:
            last = one_layer(problem, case.layers - 1, problem["inputs"])
            made = predicted(last, ops, outcome["outputs"])
            ways = len(case.directions)
            finals = {
                name: together(
                    lambda lower, own: np.concatenate([lower[:-ways], own]),
                    of,
                    made.finals[name],
                )
                for name, of in right.finals.items()
            }
            return Prediction(made.outputs, finals)

        yield "last layer reads the inputs", above


def _over_padding(
    problem: Problem, ops: Rounded, right: Prediction
) -> Iterator[tuple[str, Callable[[], Prediction]]]:
    """Let passes run on over the padding, or begin in it."""
    case = problem.case
    full = np.full_like(problem["lengths"], case.steps)
    past, size = _past(problem), case.recurrent_size
    of_reverse = np.repeat([way == "reverse" for way in case.directions], size)
    passes = np.array([way == "reverse" for _, way in case.passes])[:, None, None]

    def long() -> Prediction:
        arrays = {**problem.arrays, "lengths": full}
        return predicted(Problem(case, arrays), ops, None)

    def outputs_run_on() -> Prediction:
        return right._replace(outputs=_chosen(past, long().outputs, right.outputs))

    def states_run_on() -> Prediction:
        return right._replace(finals=long().finals)

    def begun_in_padding() -> Prediction:
        made = long()
        outputs = _chosen(of_reverse & ~past, made.outputs, right.outputs)
        finals = {
            name: _chosen(passes, made.finals[name], of)
            for name, of in right.finals.items()
        }
        return Prediction(outputs, finals)

    yield "final states of the last step, padding included", states_run_on
    yield "outputs run on over the padding", outputs_run_on
    if "reverse" in case.directions:
        yield "reverse pass begins in the padding", begun_in_padding


def _chosen(mask: Array, a: Bounded, b: Bounded) -> Bounded:
    return together(lambda x, y: np.asarray(np.where(mask, x, y)), a, b)


def _all_but(last: int, part: Array) -> Array:
    return part[:-last]


def _rearranged(case: Case, rearrange: Callable[[Array], Array], part: Array) -> Array:
    return rearrange(by_pass(case, part)).reshape(part.shape)
