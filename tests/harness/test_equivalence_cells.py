"""A layer of a cell that is given on the spot, held to it and to another layer."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import rnn_parity as rp
from experimental import NORMED, of_file
from rnn_parity.runs.equivalence import Parity
from rnn_parity_core import CELLS, Problem, UsageError

ULP = {"tanh": 2, "sigmoid": 6}

Returned = dict[str, Any]


@pytest.fixture(scope="module")
def parity() -> Iterator[Parity]:
    with Parity() as made:
        yield made


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no cell behind that a test added."""
    monkeypatch.setattr(CELLS, "_known", dict(CELLS._known))
    monkeypatch.setattr(CELLS, "_origins", dict(CELLS._origins))


def of_theirs(module: str, name: str) -> Any:
    return of_file("layer_norm_lstm", module)[name]


def in_torch(
    change: Callable[[Any], None] = lambda _module: None,
) -> Callable[[Problem], Returned]:
    torch = pytest.importorskip("torch")

    def my_module(problem: Problem) -> Returned:
        case = problem.case
        module = of_theirs("torch_layer", "Layer")(case.features, case.units)
        weights = problem.weights(0, "forward").items()
        module = module.to(getattr(torch, case.dtype))
        module.load_state_dict({n: torch.tensor(a) for n, a in weights})
        change(module)
        states = problem.initial(0, "forward").items()
        x = torch.tensor(problem["inputs"])
        outputs, last = module(x, **{n: torch.tensor(a) for n, a in states})
        return {"outputs": outputs, **{f"final_{n}": a[None] for n, a in last.items()}}

    return my_module


def in_jax(problem: Problem) -> Returned:
    pytest.importorskip("jax")
    layer = of_theirs("jax_layer", "layer")
    given = dict(problem.weights(0, "forward"))
    outputs, last = layer(given, problem["inputs"], problem.initial(0, "forward"))
    return {"outputs": outputs, **{f"final_{n}": a[None] for n, a in last.items()}}


def without_norm_of_c(module: Any) -> None:
    own = module._norm
    module._norm = lambda name, a: a if name == "cell" else own(name, a)


def test_a_torch_module_and_a_jax_function_are_equivalent(parity: Parity) -> None:
    result = parity.assert_equivalent(
        in_torch(), reference=in_jax, cell=NORMED, ulp=ULP
    )
    assert result.verdict == "pass"
    assert result.case == "layer_norm_lstm-dynamic-B3-T7-D4-H5-f32-s1"
    assert result.backend == "my_module()"


def test_layer_norm_left_out_of_c_fails_with_those_words(parity: Parity) -> None:
    broken = in_torch(without_norm_of_c)
    with pytest.raises(AssertionError) as caught:
        parity.assert_equivalent(broken, reference=in_jax, cell=NORMED, ulp=ULP)
    first, *rest = str(caught.value).splitlines()
    assert "norm left out of c" in first
    assert any(line.startswith("in_jax(): pass on the same problem") for line in rest)
    # The other way around it is the reference that is said to be wrong.
    with pytest.raises(AssertionError, match=r"in_jax\(\) passes, the reference does"):
        parity.assert_equivalent(in_jax, reference=broken, cell=NORMED, ulp=ULP)


def test_two_layers_of_one_name_are_told_apart(parity: Parity) -> None:
    broken = in_torch(without_norm_of_c)
    with pytest.raises(AssertionError) as caught:
        parity.assert_equivalent(in_torch(), reference=broken, cell=NORMED, ulp=ULP)
    assert "my_module()#reference" in str(caught.value)


def test_a_case_of_the_cell_may_be_named(parity: Parity) -> None:
    case = "layer_norm_lstm-dynamic-B2-T3-D4-H6-f64-s9"
    result = parity.assert_equivalent(in_torch(), case=case, cell=NORMED, ulp=ULP)
    assert (result.verdict, result.case) == ("pass", case)
    found = rp.assert_equivalent(in_torch(), cell=NORMED, ulp=ULP)
    assert found.verdict == "pass"


def test_a_layer_is_held_to_another_layer_of_a_built_in_cell(parity: Parity) -> None:
    def right(problem: Problem) -> Returned:
        outcome: Returned = dict(NUMPY.run(problem))
        return outcome

    adapter = importlib.import_module("rnn_parity_backends.on_numpy.adapter")
    NUMPY = adapter.NumpyBackend()  # noqa: N806 - one for all
    case = "lstm-dynamic-B3-T7-D4-H5-f32-s1"
    found = parity.assert_equivalent(right, reference=right, case=case, ulp=ULP)
    assert found.verdict == "pass"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cell": None}, "neither a case nor a cell is given"),
        ({"reference": "numpy"}, "does not know the cell layer_norm_lstm; register it"),
        ({"case": "lstm-dynamic-B3-T7-D4-H5-f32-s1"}, "is not one of the cell layer_n"),
        ({"ulp": {}}, "nothing says by how many ulp"),
        ({"ulp": {"exp": 1}}, "unknown function of layer_norm_lstm 'exp'"),
    ],
)
def test_what_cannot_be_followed_is_one_line(
    changes: dict[str, Any], words: str, parity: Parity
) -> None:
    asked: dict[str, Any] = {"cell": NORMED, "ulp": ULP, **changes}
    with pytest.raises(UsageError) as caught:
        parity.assert_equivalent(in_jax, **asked)
    (line,) = str(caught.value).splitlines()
    assert words in line


def test_a_malformed_cell_is_refused(parity: Parity) -> None:
    wrong = replace(NORMED, weights={"kernel": "IX"})
    with pytest.raises(UsageError, match="axes 'IX'"):
        parity.assert_equivalent(in_jax, cell=wrong, ulp=ULP)
