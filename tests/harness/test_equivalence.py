"""A layer of one's own, held to a case: what passes, and every way to fail."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.runs import user_arrays
from rnn_parity.runs.equivalence import Parity
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_core import Array, Case, Gap, Problem, UsageError
from rnn_parity_fixtures import catalogue
from rnn_parity_fixtures.faults import plant

LSTM = "lstm-dynamic-B3-T7-D4-H5-f32-s1"
RNN = "rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1"

Returned = dict[str, Any]


@pytest.fixture(scope="module")
def parity() -> Iterator[Parity]:
    with Parity() as made:
        yield made


@pytest.fixture
def backends(monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Gap("never", "no such thing")
    infos = [
        INFO,
        replace(plant(INFO, "one unit off by 1e-5"), name="wrong"),
        replace(plant(INFO, "killed"), name="killed"),
        replace(INFO, name="declines", gaps=(gap,)),
        replace(INFO, name="gone", requires={"nonesuch_": "nonesuch"}),
    ]
    known = {info.name: info for info in infos}
    monkeypatch.setattr("rnn_parity.runs.registry.known_backends", lambda: known)


def my_rnn(problem: Problem, function: Callable[[Array], Array] = np.tanh) -> Returned:
    w = problem.weights(0, "forward")
    h, outputs = problem.initial(0, "forward")["h"], []
    for x in problem["inputs"].swapaxes(0, 1):
        h = function(x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"])
        outputs.append(h)
    return {"outputs": np.stack(outputs, axis=1), "final_h": h[None]}


def logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def my_lstm(
    problem: Problem, order: str = "ifgo", sigmoid: Callable[[Array], Array] = logistic
) -> Returned:
    w = problem.weights(0, "forward")
    h, c = (problem.initial(0, "forward")[name] for name in "hc")
    outputs = []
    for x in problem["inputs"].swapaxes(0, 1):
        z = x @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"]
        gate = dict(zip(order, np.split(z, 4, axis=1), strict=True))
        c = sigmoid(gate["f"]) * c + sigmoid(gate["i"]) * np.tanh(gate["g"])
        h = sigmoid(gate["o"]) * np.tanh(c)
        outputs.append(h)
    return {
        "outputs": np.stack(outputs, axis=1),
        "final_h": h[None],
        "final_c": c[None],
    }


def failure(act: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as caught:
        act()
    return str(caught.value)


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        act()
    (line,) = str(caught.value).splitlines()
    return line


def test_a_right_layer_passes_and_its_result_says_how_well(parity: Parity) -> None:
    result = parity.assert_equivalent(my_lstm, case=LSTM, reference="numpy")
    assert (result.verdict, result.backend, result.case) == ("pass", "my_lstm()", LSTM)
    assert result.bound_ratio
    assert 0 < result.bound_ratio < 1
    assert result.sensitivity["kernel"]


def test_a_case_may_be_spelled_out_and_no_reference_is_needed(parity: Parity) -> None:
    case = Case(
        cell="rnn_tanh",
        variant="dynamic",
        batch=2,
        steps=5,
        features=3,
        units=4,
        dtype="float64",
        seed=7,
    )
    result = parity.assert_equivalent(my_rnn, case=case, ulp={"tanh": 2})
    assert (result.verdict, result.case) == ("pass", case.id)


def test_gates_in_another_order_fail_with_the_words_of_the_verdict(
    parity: Parity,
) -> None:
    def mistaken(problem: Problem) -> Returned:
        return my_lstm(problem, "igfo")

    said = failure(
        lambda: parity.assert_equivalent(mistaken, case=LSTM, reference="numpy")
    )
    first, *rest = said.splitlines()
    assert first.startswith("fail: outputs ")
    assert first.endswith(" at step 0; gate order i, g, f, o instead of i, f, g, o")
    assert any(f"[mistaken(), {LSTM}]" in line for line in rest)
    assert any(line.startswith("array    max_abs") for line in rest)
    assert "held to: sigmoid 4 ulp, 3.25 where |x| <= 1, tanh 2 ulp" in rest
    assert rest[-1].startswith("numpy: pass on the same problem; outputs differ by ")
    assert "again:" not in said


def wrong_outcomes() -> dict[str, tuple[Callable[[Returned], Any], str]]:
    nan = np.full((3, 7, 5), np.nan, np.float32)
    return {
        "empty": (lambda _: {}, "fail: final_h is missing"),
        "missing": (lambda r: {"outputs": r["outputs"]}, "fail: final_h is missing"),
        "extra": (lambda r: {**r, "x": r["final_h"]}, "fail: x is not asked for"),
        "shape": (
            lambda r: {**r, "final_h": r["final_h"][0]},
            "fail: final_h has shape [3, 5], expected [1, 3, 5]",
        ),
        "dtype": (
            lambda r: {**r, "outputs": r["outputs"].astype(float)},
            "fail: outputs has dtype float64, expected float32",
        ),
        "nan": (lambda r: {**r, "outputs": nan}, "fail: outputs has 105 of 105 elem"),
        "no mapping": (
            lambda r: r["outputs"],
            "error: returned ndarray, expected a mapping of names to arrays of these ",
        ),
        "no array": (
            lambda r: {**r, "outputs": [[1.0], [1.0, 2.0]]},
            "error: outputs is a list, of which NumPy makes no array: ",
        ),
        "text": (
            lambda r: {**r, "outputs": np.array(["0"])},
            "error: outputs has dtype <U1",
        ),
    }


@pytest.mark.parametrize("name", wrong_outcomes())
def test_what_is_no_outcome_of_the_case_fails(name: str, parity: Parity) -> None:
    change, words = wrong_outcomes()[name]
    said = failure(
        lambda: parity.assert_equivalent(
            lambda problem: change(my_rnn(problem)), case=RNN, reference="numpy"
        )
    )
    assert said.startswith(words)
    assert "numpy: pass on the same problem" in said
    if name == "no mapping":
        assert "shapes: {'outputs': [3, 7, 5], 'final_h': [1, 3, 5]}" in said


def test_weights_of_ones_own_are_what_both_compute_with(parity: Parity) -> None:
    problem = catalogue.build(catalogue.case_from_id(RNN))
    shapes = problem.case.weight_shapes()
    own = {name: problem[name] * np.float32(0.5) for name in shapes}
    ask = {"case": RNN, "reference": "numpy", "weights": own}
    result = parity.assert_equivalent(my_rnn, **ask)
    assert result.verdict == "pass"
    assert result.case.startswith("rnn_tanh-dynamic-B3-T7-D4-H5-f32-w")  # a digest
    said = failure(lambda: parity.assert_equivalent(lambda _: my_rnn(problem), **ask))
    assert said.startswith("fail: outputs ")


class Tensor:
    """What PyTorch's does: no array of it while gradients may be asked for."""

    def __init__(self, array: Array) -> None:
        self._array = array

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> Array:
        return self._array


def test_tensors_that_require_gradients_are_taken_too(parity: Parity) -> None:
    result = parity.assert_equivalent(
        lambda problem: {n: Tensor(a) for n, a in my_rnn(problem).items()},
        case=RNN,
        reference="numpy",
    )
    assert result.verdict == "pass"


def test_ulps_that_are_given_count_more_than_the_references(parity: Parity) -> None:
    def coarse(problem: Problem) -> Returned:
        return my_rnn(problem, lambda z: np.tanh(z) * np.float32(1 + 2.0**-19))

    ask = {"case": RNN, "reference": "numpy"}
    said = failure(lambda: parity.assert_equivalent(coarse, **ask))
    assert "held to: tanh 2 ulp" in said
    parity.assert_equivalent(coarse, **ask, ulp={"tanh": 64})


def test_what_the_reference_states_near_0_is_of_its_own_functions_alone(
    parity: Parity,
) -> None:
    def coarse(problem: Problem) -> Returned:
        return my_lstm(
            problem, sigmoid=lambda x: logistic(x) * np.float32(1 + 2.0**-19)
        )

    ask = {"case": LSTM, "reference": "numpy"}
    said = failure(lambda: parity.assert_equivalent(coarse, **ask, ulp={"tanh": 2}))
    assert "held to: sigmoid 4 ulp, 3.25 where |x| <= 1, tanh 2 ulp" in said
    parity.assert_equivalent(coarse, **ask, ulp={"sigmoid": 64})


def test_a_layer_of_ones_own_may_be_compiled_whatever_the_reference_is() -> None:
    case = catalogue.case_from_id(LSTM)
    own = user_arrays.layer_info("my_lstm()", case, [INFO], {})
    assert own.accuracy_for(case).recomputes
    assert not INFO.accuracy_for(case).recomputes


@pytest.mark.usefixtures("backends")
@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("wrong", "my_rnn() passes, the reference does not: fail: outputs "),
        ("killed", "my_rnn() passes, the reference does not: error: the worker proc"),
    ],
)
def test_a_reference_that_is_not_right_fails_the_assertion(
    reference: str, words: str, parity: Parity
) -> None:
    said = failure(
        lambda: parity.assert_equivalent(my_rnn, case=RNN, reference=reference)
    )
    assert said.startswith(words)


def test_a_case_that_shows_nothing_fails_even_a_right_layer(parity: Parity) -> None:
    deep = "lstm-dynamic-B2-T96-D4-H24-L2-G16-f32-s1"
    outcome: Returned = {}

    def right(problem: Problem) -> Returned:
        outcome.update(_layers(problem))
        return outcome

    said = failure(
        lambda: parity.assert_equivalent(right, case=deep, reference="numpy")
    )
    assert said.startswith("inconclusive: nothing is shown: the bound is as wide as")
    assert f"next: take the case probe:{deep}: one step" in said
    assert "next: take fewer than 96 steps" in said
    assert "numpy: inconclusive on the same problem" in said


def _layers(problem: Problem) -> Returned:
    inputs, finals = problem["inputs"], []
    for layer in range(problem.case.layers):
        w, s = problem.weights(layer, "forward"), problem.initial(layer, "forward")
        arrays = {
            "inputs": inputs,
            "initial_h": s["h"][None],
            "initial_c": s["c"][None],
        }
        arrays |= {f"layer0.forward.{name}": array for name, array in w.items()}
        finals.append(my_lstm(Problem(replace(problem.case, layers=1), arrays)))
        inputs = finals[-1]["outputs"]
    both = {n: np.concatenate([f[n] for f in finals]) for n in ("final_h", "final_c")}
    return {"outputs": inputs, **both}


BAD_WEIGHTS = {"kernel": np.ones((4, 5), np.float32)}
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"case": "lstm"}, "unknown case or suite 'lstm'"),
    ({"reference": "nump"}, "unknown backend 'nump'; did you mean numpy"),
    ({"reference": "gone"}, "backend gone cannot run here: nonesuch not installed"),
    ({"reference": "declines"}, f"reference declines does not do {RNN}: no such thing"),
    (
        {"reference": None},
        "nothing says by how many ulp tanh of my_rnn() may err; give",
    ),
    ({"ulp": {"tan": 1}}, "unknown function of rnn_tanh 'tan'; did you mean tanh"),
    ({"ulp": {"tanh": -1}}, "ulp of tanh is -1, expected 0 to 1e+06"),
    ({"ulp": {"tanh": float("nan")}}, "ulp of tanh is nan, expected 0 to 1e+06"),
    ({"weights": {}}, f"weights for {RNN}: layer0.forward.bias is missing; layer0"),
    ({"weights": BAD_WEIGHTS}, f"weights for {RNN}: kernel is not asked for; layer0"),
]


@pytest.mark.usefixtures("backends")
@pytest.mark.parametrize(("changed", "words"), REFUSALS)
def test_what_cannot_be_asked_is_refused_in_one_line(
    changed: dict[str, Any], words: str, parity: Parity
) -> None:
    asked: dict[str, Any] = {"case": RNN, "reference": "numpy", **changed}
    assert refusal(lambda: parity.assert_equivalent(my_rnn, **asked)).startswith(words)


def test_weights_that_are_not_numbers_are_refused(parity: Parity) -> None:
    problem = catalogue.build(catalogue.case_from_id(RNN))
    own = {name: problem[name] for name in problem.case.weight_shapes()}
    own["layer0.forward.bias"] = own["layer0.forward.bias"] * np.float32(np.inf)
    said = refusal(
        lambda: parity.assert_equivalent(
            my_rnn, case=RNN, reference="numpy", weights=own
        )
    )
    assert said.startswith(f"weights for {RNN}: layer0.forward.bias has 5 of 5")


def test_what_a_layer_raises_is_raised(parity: Parity) -> None:
    with pytest.raises(ZeroDivisionError):
        parity.assert_equivalent(
            lambda _: {"outputs": 1 / 0}, case=RNN, ulp={"tanh": 2}
        )


MINE = """
import numpy as np

def nothing(problem):
    return {n: np.zeros(s, "f4") for n, s in problem.case.output_shapes().items()}

def test_mine(parity):
    parity.assert_equivalent(
        nothing, case="rnn_tanh-basic-B2-T2-D2-H2-f32-s1", ulp={"tanh": 2}
    )
"""


def test_in_pytest_the_fixture_shows_the_test_and_none_of_our_code(
    run_pytest: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine=MINE)
    result = run_pytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">       parity.assert_equivalent(", "E       AssertionError: fail: outputs *"]
    )
    result.stdout.no_fnmatch_line("*equivalence.py*")
