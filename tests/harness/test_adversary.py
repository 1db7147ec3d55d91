"""Legal implementations are within the bounds, and what is not legal is beyond them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as changed

from rnn_parity.adapter_tools.accuracy import errors_in_ulp
from rnn_parity.adversary.choices import Choices, Plain
from rnn_parity.adversary.curves import CURVES, erring, exact
from rnn_parity.adversary.formats import Format
from rnn_parity.adversary.networks import Network, draw
from rnn_parity.adversary.running import run
from rnn_parity.adversary.search import searched, tried
from rnn_parity.adversary.suite import judged, network
from rnn_parity.judge import rounded, scatter, scores, sums
from rnn_parity.judge.bounded import Bounded
from rnn_parity.judge.certify import certify, reference
from rnn_parity_core import CELLS, Accuracy, Error, Problem

DTYPES = ("float32", "float64", "bfloat16", "float16")


def drawn(cell: str, dtype: str, seed: int = 0, **changes: Any) -> Network:
    """Draw a network of one layer and one way."""
    sizes = {"batch": 3, "steps": 5, "layers": 1, "direction": "forward"}
    rng = np.random.default_rng(seed)
    return draw(rng, cell, dtype, **{"variant": "dynamic", **sizes, **changes})


def without_ulps(dtype: str) -> Accuracy:
    """State that functions are as exact as the dtype lets them be."""
    return Accuracy(dtype, {"tanh": Error(0.51), "sigmoid": Error(0.51)})


@pytest.mark.parametrize("task", ["forward", "gradient", "adam", "sgd"])
@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_the_plain_implementation_is_the_reference(cell: str, task: str) -> None:
    given = drawn(cell, "float64", task=task, direction="bidirectional", layers=2)
    tame = {
        name: array if name.startswith("cotangent") else array / 8
        for name, array in given.problem.arrays.items()
    }
    problem = replace(given.problem, arrays=tame)
    outcome = run(problem, without_ulps("float64"), Plain())
    want = reference(problem)
    assert outcome.keys() == want.keys()
    for name, array in want.items():
        scale = np.abs(array).max(initial=0.0)
        np.testing.assert_allclose(
            outcome[name], array, 1e-9, 1e-11 * scale, err_msg=name
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_choices_follow_from_neither_steps_nor_values(cell: str, dtype: str) -> None:
    for seed in range(6):
        problem, accuracy, _ = drawn(cell, dtype, seed)
        whole = run(problem, accuracy, Choices(seed))["outputs"]
        # Fewer steps, or other values in other steps, change none of the first three.
        fewer = changed(problem.case, steps=3)
        arrays = {**problem.arrays, "inputs": problem["inputs"][:, :3]}
        cut = run(Problem(fewer, arrays), accuracy, Choices(seed))["outputs"]
        assert cut.tobytes() == whole[:, :3].tobytes()
        # Nor do rows depend on where they stand.
        turned = {
            name: array[:, ::-1] if name.startswith("initial") else array
            for name, array in problem.arrays.items()
        }
        turned["inputs"] = problem["inputs"][::-1]
        back = run(Problem(problem.case, turned), accuracy, Choices(seed))["outputs"]
        assert back[::-1].tobytes() == whole.tobytes()


def test_implementations_differ_in_rounding_alone() -> None:
    problem, accuracy, _ = drawn("lstm", "float32")
    found = [run(problem, accuracy, Choices(seed))["outputs"] for seed in range(20)]
    assert len({of.tobytes() for of in found}) > 10
    assert np.ptp(np.stack(found), axis=0).max() < 1e-3


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_functions_err_as_stated_and_as_far(name: str, dtype: str, curve: str) -> None:
    form = Format(dtype)
    accuracy = Accuracy(dtype, {name: Error(2.5, near=((1.0, 1.5),))})
    spread = np.random.default_rng(1).normal(size=(2000, 1)) * [[0.01, 1, 10]]
    x = form.rounded(spread)
    got = erring(name, x, accuracy, form, (curve, 7)).astype(form.type)
    ulps = errors_in_ulp(got, exact(name, x))
    near = np.abs(x) <= 1
    assert ulps[near].max() <= 1.5
    assert ulps[~near].max() <= 2.5
    if curve == "nearest":
        assert ulps.max() <= 0.5 + 1e-3
    else:
        assert ulps[near].max() > 1.3
        assert ulps[~near].max() > 2


def _bias_dropped(of: Problem) -> Problem:
    arrays = dict(of.arrays)
    arrays["layer0.forward.bias"] = np.zeros_like(arrays["layer0.forward.bias"])
    return replace(of, arrays=arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS.in_suites)
def test_a_dropped_bias_is_beyond_the_bound(cell: str, dtype: str) -> None:
    problem, accuracy, _ = drawn(cell, dtype)
    tame = {name: array / 4 for name, array in problem.arrays.items()}
    tame["layer0.forward.bias"] = np.full_like(tame["layer0.forward.bias"], 0.5)
    right = replace(problem, arrays=tame)
    outcome = run(_bias_dropped(right), accuracy, Choices(1))
    assert certify(right, outcome, accuracy).bound_ratio > 1
    assert certify(right, run(right, accuracy, Choices(1)), accuracy).bound_ratio <= 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_functions_off_by_twice_as_much_are_beyond_the_bound(dtype: str) -> None:
    stated = Accuracy(dtype, {"tanh": Error(8.0)}, accumulator="float32")
    if dtype == "float64":
        stated = Accuracy(dtype, {"tanh": Error(8.0)})
    twice = Accuracy(dtype, {"tanh": Error(16.0 if dtype != "float64" else 32.0)})
    worst = {"right": 0.0, "twice": 0.0}
    for seed in range(8):
        problem = drawn("rnn_tanh", dtype, seed).problem
        for name, off in (("right", stated), ("twice", twice)):
            outcome = run(problem, off, Choices(seed))
            found = certify(problem, outcome, stated).bound_ratio
            worst[name] = max(worst[name], found)
    assert worst["right"] <= 1 < worst["twice"]


def test_networks_of_all_cells_are_within_their_bounds() -> None:
    rows = [judged(number) for number in range(300)]
    assert [row for row in rows if not row.ratio <= 1] == []
    assert {row.cell for row in rows} == set(CELLS.in_suites)
    assert len({row.family for row in rows}) > 7


def test_the_search_comes_nearer_and_finds_nothing() -> None:
    for number in range(7):
        start = tried(network(number), Choices(number))
        found = searched(start, 12, number)
        assert start.ratio <= found.ratio <= 1


def _no_terms_lost(*_of: Any) -> Any:
    return np.zeros(())


def _none_equal(x: Any, w: Any) -> Any:
    return np.zeros((*x.shape[:-1], w.shape[-1]), dtype=bool)


def _computed_once(self: Any, o: Bounded, h: Any, *_gates: Bounded) -> Bounded:
    told: Bounded = self.told_by(o, h)
    return told


def _o_as_it_is(self: Any, o: Bounded, h: Any) -> Bounded:
    """Take c from o as it is computed, whatever o may be."""
    y = h / o.value
    tellable = (np.abs(y) < 1 - 2.0**-10) & (o.value > 0)
    c = np.arctanh(np.where(tellable, y, 0.0))
    own = (o.error * np.abs(y) + 8 * self._unit * np.abs(h)) / o.value
    return Bounded(c, np.where(tellable & (own < 0.05), own / (1 - y * y), np.inf))


TAKEN_BACK: dict[str, tuple[str, list[str], list[tuple[Any, dict[str, Any]]]]] = {
    "slopes that underflow": (
        "hot",
        ["lstm", "lstm_peephole"],
        [(scores, {"_without_small": lambda of: of, "_LEAST_SQUARE": 0.0})],
    ),
    "terms that are lost": (
        "unequal",
        ["rnn_relu", "rnn_tanh"],
        [(sums, {"lost_terms": _no_terms_lost})],
    ),
    "subnormal operands": (
        "subnormal",
        ["rnn_relu", "rnn_tanh"],
        [(sums.Sums, {"_read_as_zero": lambda _ops, _value: None})],
    ),
    "equal terms": (
        "equal",
        ["rnn_relu"],
        [(sums, {"same_terms": _none_equal})],
    ),
    "an o that may be 0": (
        "vague",
        ["lstm"],
        [(rounded.Rounded, {"told_by": _o_as_it_is})],
    ),
    "a c computed twice": (
        "latched",
        ["lstm"],
        [(rounded.Rounded, {"infer_c": _computed_once})],
    ),
}


def _worst(family: str, cells: list[str], dtype: str, count: int) -> float:
    found = 0.0
    for seed in range(count):
        rng = np.random.default_rng([seed, 8])
        cell = cells[seed % len(cells)]
        given = draw(rng, cell, dtype, family, layers=1, direction="forward")
        found = max(found, tried(given, Choices(seed)).ratio)
    return found


@pytest.mark.parametrize("which", TAKEN_BACK)
def test_an_unsound_inference_put_back_is_shown(
    monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    family, cells, before = TAKEN_BACK[which]
    assert _worst(family, cells, "float32", 60) <= 1
    for where, values in before:
        for name, value in values.items():
            monkeypatch.setattr(where, name, value)
    assert _worst(family, cells, "float32", 300) > 1


def test_features_that_stay_the_same_taken_for_independent_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def worst() -> float:
        found = []
        for seed in (5, 6, 7, 8):
            rng = np.random.default_rng([seed, 7])
            sizes = {"batch": 1, "steps": 4096, "features": 64, "units": 8}
            given = draw(rng, "rnn_relu", "float32", "static", **sizes)
            found.append(tried(given, Choices(seed)).ratio)
        return max(found)

    assert worst() <= 1
    monkeypatch.setattr(scatter, "times_alike", lambda values, _: np.ones(values.shape))
    assert worst() > 1


def test_final_states_taken_for_what_the_next_layer_read_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = 3589  # two layers, one step, and a state that is computed for each use
    assert judged(number).ratio <= 1

    def exactly_that(self: Any, value: Any, _again: Bounded) -> Bounded:
        taken: Bounded = self.observe(value, None)
        return taken

    monkeypatch.setattr(rounded.Rounded, "handed_on", exactly_that)
    assert judged(number).ratio > 1
