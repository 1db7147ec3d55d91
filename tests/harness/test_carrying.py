"""A step taken apart by itself: all steps at once are what they are one by one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experimental import MATRIX, NORMED, experimental
from rnn_parity.judge.arithmetic import Float64
from rnn_parity.judge.equations import prepared, step
from rnn_parity.judge.rounded import Rounded
from rnn_parity.judge.traced import Trace
from rnn_parity.judge.trajectory import row_lengths, trajectory
from rnn_parity_core import CELLS, Accuracy, Array, Error, ParityError, Problem
from rnn_parity_core.cell import Cell
from rnn_parity_core.cells import lstm
from rnn_parity_fixtures import catalogue

__all__ = ["experimental"]
pytestmark = pytest.mark.usefixtures("experimental")

NAMES = (*CELLS.built_in, NORMED.name, MATRIX.name, "lstm.recurrent_hard_sigmoid")
ACCURACY = Accuracy("float32", {"tanh": Error(2.0), "sigmoid": Error(4.0)})


def built(cell: str, options: str = "", sizes: str = "B4-T6-D3-H5") -> Problem:
    projected = "-P2" if "projection" in CELLS[cell].weights else ""
    name = f"{cell}-variable_input-{sizes}{projected}{options}-f32-s1"
    return catalogue.build(catalogue.case_from_id(name))


def seen(problem: Problem) -> Array:
    """Give outputs that no step gives: each starts where the last was not."""
    outputs = trajectory(Float64(), problem).outputs
    return np.asarray(
        outputs + 0.1 * np.sin(np.arange(outputs.size)).reshape(outputs.shape)
    )


def singly(problem: Problem, observed: Array) -> tuple[Array, dict[str, Array]]:
    """Take the steps of a single layer's passes one by one, row by row."""
    case, ops = problem.case, Float64()
    size = case.recurrent_size
    found, lengths = np.zeros(observed.shape), row_lengths(problem)
    finals: dict[str, list[Array]] = {name: [] for name in CELLS[case.cell].states}
    for number, way in enumerate(case.directions):
        weights = prepared(problem, (0, way))
        part = slice(number * size, (number + 1) * size)
        last = {n: a.astype(float).copy() for n, a in problem.initial(0, way).items()}
        for row, length in enumerate(lengths):
            state = {n: of[row : row + 1] for n, of in last.items()}
            times = range(length) if way == "forward" else range(length - 1, -1, -1)
            before = None
            for t in times:
                if before is not None and "h" in state:
                    state["h"] = observed[row : row + 1, before, part]
                x = problem["inputs"][row : row + 1, t].astype(float)
                made = step(ops, case.cell, x, state, weights)
                found[row, t, part] = made["h"][0]
                state = {n: made[n] for n in state}
                before = t
            for n, of in state.items():
                last[n][row] = of[0]
        for n, of in last.items():
            finals[n].append(of)
    return found, {n: np.stack(of) for n, of in finals.items()}


def apart(problem: Problem, at_once: int | None = None) -> float:
    """Give how far steps at once are from steps alone."""
    observed = seen(problem)
    made = trajectory(Float64(), problem, observed, at_once=at_once)
    outputs, finals = singly(problem, observed)
    off = [np.abs(made.outputs - outputs).max()]
    for name, of in finals.items():
        off.append(np.abs(np.stack(made.finals[name]) - of).max())
    return float(max(off))


@pytest.mark.parametrize("at_once", [1, 2, None])
@pytest.mark.parametrize("options", ["", "-reverse", "-bidirectional", "-zerolength"])
@pytest.mark.parametrize("cell", NAMES)
def test_steps_at_once_are_those_one_by_one(
    cell: str, options: str, at_once: int | None
) -> None:
    assert apart(built(cell, options), at_once) <= 1e-12


@pytest.mark.parametrize("cell", NAMES)
def test_the_states_before_each_step_are_those_of_the_steps_alone(cell: str) -> None:
    problem = built(cell)
    observed = seen(problem)
    made = trajectory(Float64(), problem, observed)
    (steps,) = made.steps
    weights = prepared(problem, (0, "forward"))
    last = problem.case.steps - 1
    for t in range(problem.case.steps):
        state = {name: of[:, t] for name, of in steps.before.items()}
        taken = step(Float64(), cell, steps.x[:, t], state, weights)
        assert np.abs(taken["h"] - steps.h[:, t]).max() <= 1e-12
        going_on = row_lengths(problem) > t + 1
        for name in steps.before.keys() - {"h"}:
            if t < last:
                after = steps.before[name][going_on, t + 1]
                assert np.abs(taken[name][going_on] - after).max(initial=0) <= 1e-12


def test_a_state_that_is_not_carried_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = built("lstm")
    right = Float64.recurrence

    def of_the_first(self: Any, keep: Array, a: Array) -> Any:
        made = right(self, keep, a)
        return lambda _step, c: made(0, c)

    monkeypatch.setattr(Float64, "recurrence", of_the_first)
    assert apart(problem) > 1e-3


# -- what a step is found to consist of


def called(cell: str) -> dict[str, int]:
    """Count the calls of an arithmetic in a pass of one piece."""
    count: dict[str, int] = {}

    class Counted(Float64):
        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("_"):
                count[name] = count.get(name, 0) + 1
            return super().__getattribute__(name)

    problem = built(cell)
    trajectory(Counted(), problem, seen(problem))
    return count


LINEAR = {"lstm", "lstm_projection", "matrix_memory", "lstm.recurrent_hard_sigmoid"}


@pytest.mark.parametrize("cell", NAMES)
def test_only_what_is_linear_in_a_state_is_a_recurrence(cell: str) -> None:
    assert ("recurrence" in called(cell)) == (cell in LINEAR)


def test_what_x_and_h_alone_tell_is_computed_once_for_all_steps() -> None:
    once = called("lstm")
    assert once["affine"] == 1
    assert once["tanh"] == 2
    assert called("layer_norm_lstm")["affine"] == 2
    # What c is made of goes through layer norm at each of the 6 steps, and to return.
    assert 2 + 6 <= called("layer_norm_lstm")["standardize"] <= 2 + 6 + 1


@pytest.mark.parametrize(
    ("cell", "inferred", "told"),
    [
        ("lstm", True, True),
        ("lstm.recurrent_hard_sigmoid", False, False),
        ("lstm.activation_relu", False, True),
        ("lstm_peephole", False, False),
        ("lstm_projection", False, False),
        ("layer_norm_lstm", False, True),
        ("matrix_memory", False, False),
        ("gru", False, False),
    ],
)
def test_a_state_is_told_only_where_h_shows_it(
    cell: str, inferred: bool, told: bool
) -> None:
    # Float64 infers none; it is then asked for what h alone tells.
    count = called(cell)
    assert ("infer_c" in count, "told_by" in count) == (inferred, told)


# -- steps of all kinds


def made_cell(
    form: Callable[[Any, Any, Any, Any], dict[str, Any]], **changes: Any
) -> Cell:
    """Give a cell of a step with a state c of all units."""

    def taken(
        ops: Any, x: Any, state: Any, w: Any, **_functions: Any
    ) -> dict[str, Any]:
        return form(ops, x, state, w)

    weights = {"kernel": "IG", "recurrent_kernel": "RG", "bias": "G", "decay": "H"}
    settings = {"name": "made", "weights": weights, "step": taken, **changes}
    return replace(lstm.LSTM, gates=("i",), **settings)


def _total(ops: Any, x: Any, state: Any, w: Any) -> Any:
    products = [(x, w["kernel"]), (state["h"], w["recurrent_kernel"])]
    return ops.affine(products, w["bias"])


def _of_weights(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    """Keep by what follows from a weight alone."""
    one = ops.constant(np.ones(w["decay"].shape[-1]))
    keep = ops.sigmoid(ops.scale(one, w["decay"]))
    c = ops.add(ops.mul(keep, state["c"]), _total(ops, x, state, w))
    return {"h": ops.tanh(c), "c": c}


def _only_kept(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    """Add a constant to what is kept."""
    keep = ops.sigmoid(_total(ops, x, state, w))
    c = ops.add(ops.mul(keep, state["c"]), ops.constant(np.ones(w["decay"].shape)))
    return {"h": ops.tanh(c), "c": c}


def _indexed(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    """Let one unit, by its number, decide for all."""
    total = _total(ops, x, state, w)
    first = ops.spread(ops.take(total, (..., 0)), w["decay"].shape[-1])
    c = ops.add(ops.mul(ops.sigmoid(first), state["c"]), ops.scale(total, w["decay"]))
    return {"h": ops.tanh(c), "c": c}


def _of_its_own(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    """Let what is kept depend on the state, and return the old one."""
    keep = ops.sigmoid(ops.add(_total(ops, x, state, w), state["c"]))
    return {"h": ops.tanh(state["c"]), "c": ops.mul(keep, state["c"])}


def _untouched(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    """Never change c."""
    return {"h": ops.tanh(_total(ops, x, state, w)), "c": state["c"]}


@pytest.mark.parametrize("at_once", [2, None])
@pytest.mark.parametrize(
    "form", [_of_weights, _only_kept, _indexed, _of_its_own, _untouched]
)
def test_any_step_is_taken_at_once_as_it_is(
    form: Any, at_once: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CELLS._known, "made", made_cell(form))
    assert apart(built("made"), at_once) <= 1e-12
    # Over bounds too: they are of the same values.
    problem = built("made")
    with np.errstate(all="ignore"):
        bounded = trajectory(Rounded(ACCURACY), problem, seen(problem)).outputs
    plain = trajectory(Float64(), problem, seen(problem)).outputs
    assert np.abs(bounded.value - plain).max() <= 1e-12
    assert np.isfinite(bounded.error).all()


def _unknown(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    del w
    return {**state, "h": ops.softmax(x)}


def _branching(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    if x:
        return {"h": state["c"], "c": _total(ops, x, state, w)}
    return dict(state)


def _comparing(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    if state["h"] > 0:
        return {"h": state["c"], "c": _total(ops, x, state, w)}
    return dict(state)


def _of_rows(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    del x, w
    return {**state, "h": ops.take(state["h"], (slice(None), slice(0, 2)))}


def _of_no_weight(ops: Any, x: Any, state: Any, w: Any) -> dict[str, Any]:
    return {**state, "h": ops.scale(x, w["none"])}


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (_unknown, "no operation `softmax`"),
        (_branching, "branches on a value"),
        (_comparing, "'>' not supported"),
        (_of_rows, "indexes a value"),
        (_of_no_weight, "'none'"),
    ],
)
def test_a_step_that_cannot_be_written_down_is_an_error_of_one_line(
    form: Any, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = built("lstm")
    monkeypatch.setitem(CELLS._known, "lstm", made_cell(form, name="lstm"))
    observed = np.zeros((4, 6, 5))
    with pytest.raises(ParityError, match="the step of lstm cannot be written") as told:
        trajectory(Float64(), problem, observed)
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_a_trace_says_what_each_value_is_made_of() -> None:
    leaves = {
        "x": np.zeros((0, 3)),
        "h": np.zeros((0, 5)),
        "c": np.zeros((0, 5)),
        "kernel": np.zeros((3, 20)),
        "recurrent_kernel": np.zeros((5, 20)),
        "bias": np.zeros(20),
    }
    trace = Trace(CELLS["lstm"].changed(), leaves, ("h", "c"))
    assert trace.made["c"].leaves == leaves.keys()
    assert trace.made["h"].shape == trace.made["c"].shape == (0, 5)
    assert trace.called(trace.made["c"], "mul") is None
    f_c, i_g = trace.called(trace.made["c"], "add") or ()
    assert f_c.leaves - i_g.leaves == {"c"}
