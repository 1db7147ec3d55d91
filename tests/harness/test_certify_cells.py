"""The certificate for every cell, layer, direction and length."""

import numpy as np
import pytest

from rnn_parity.judge.certify import Certificate, certify
from rnn_parity.judge.pairs import pair_bound_ratio
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_fixtures import catalogue
from support import allowing, honest, weight, with_arrays

ULP = {"tanh": 2.0, "sigmoid": 4.0}

every_cell = pytest.mark.parametrize("cell", CELLS.in_suites)


def named(
    cell: str, options: str = "", variant: str = "dynamic", sizes: str = "B3-T7-D4-H5"
) -> Problem:
    size = "-P2" if cell == "lstm_projection" else ""
    dtype = "" if options.endswith(("-f32", "-f64")) else "-f32"
    name = f"{cell}-{variant}-{sizes}{size}{options}{dtype}-s1"
    return catalogue.build(catalogue.case_from_id(name))


def computed(problem: Problem) -> dict[str, Array]:
    """Compute in the case's dtype, by equations that are not the judge's."""
    with np.errstate(over="ignore"):
        return dict(NumpyBackend().run(problem))


def certified(problem: Problem, outcome: dict[str, Array]) -> Certificate:
    return certify(problem, outcome, allowing(problem, ULP))


def nudged(
    outcome: dict[str, Array], name: str, at: tuple[int, ...], by: float = 1e-3
) -> dict[str, Array]:
    array = outcome[name].copy()
    array[at] += by
    return {**outcome, name: array}


def bad_units(certificate: Certificate) -> list[int]:
    return (certificate.ratio > 1).any(axis=(0, 1)).nonzero()[0].tolist()


@pytest.mark.parametrize(
    "options", ["", "-f64", "-reverse", "-L3-bidirectional", "-nobias", "-nobias-f64"]
)
@every_cell
def test_honest_outcomes_pass_in_every_direction_and_depth(
    cell: str, options: str
) -> None:
    problem = named(cell, options)
    for outcome in (honest(problem), computed(problem)):
        certificate = certified(problem, outcome)
        assert 0 <= certificate.bound_ratio <= 1
        assert certificate.first_bad is None
        assert certificate.final_ratios.keys() == CELLS[cell].states.keys()


@pytest.mark.parametrize("options", ["", "-reverse", "-L2-bidirectional"])
@every_cell
def test_honest_outcomes_of_rows_of_any_length_pass(cell: str, options: str) -> None:
    for sizes in ("B3-T7-D4-H5", "B1-T1-D1-H1", "B9-T20-D3-H8"):
        problem = named(cell, f"{options}-zerolength", "variable_input", sizes)
        for outcome in (honest(problem), computed(problem)):
            assert certified(problem, outcome).bound_ratio <= 1


@every_cell
def test_a_network_of_gain_8_passes_and_one_wrong_weight_in_it_does_not(
    cell: str,
) -> None:
    gain = 8
    problem = named(cell, sizes="B4-T64-D8-H16")
    if cell == "rnn_relu":  # it grows by the gain at each step, out of float32
        gain = 2
    kernel = np.float32(gain) * weight(problem, "recurrent_kernel")
    problem = with_arrays(problem, recurrent_kernel=kernel)
    outcome = computed(problem)
    assert all(array.dtype == np.float32 for array in outcome.values())
    certificate = certified(problem, outcome)
    assert certificate.bound_ratio <= 1
    wrong = kernel.copy()
    wrong[0, 1] *= np.float32(1.01)
    outcome = computed(with_arrays(problem, recurrent_kernel=wrong))
    assert certified(problem, outcome).bound_ratio > 1


@pytest.mark.parametrize("way", ["forward", "reverse"])
@every_cell
def test_any_weight_of_the_last_layer_that_is_off_by_a_thousandth_is_caught(
    cell: str, way: str
) -> None:
    problem = named(cell, "-bidirectional")
    size = problem.case.recurrent_size
    first = 0 if way == "forward" else size
    for name, array in problem.weights(0, way).items():
        gates = np.split(np.arange(array.shape[-1]), max(array.shape[-1] // 5, 1))
        for number, gate in enumerate(gates):
            wrong = array.copy()
            wrong[..., gate[1]] *= np.float32(1.001)
            changed = with_arrays(problem, **{f"layer0__{way}__{name}": wrong})
            certificate = certified(problem, honest(changed))
            assert certificate.bound_ratio > 1, (name, number)
            bad = bad_units(certificate)
            assert all(first <= unit < first + size for unit in bad), (name, number)
            assert bad or (certificate.final_ratios["c"] > 1).any(), (name, number)


@every_cell
def test_one_element_of_the_kernel_that_is_off_by_a_thousandth_is_caught(
    cell: str,
) -> None:
    problem = named(cell)
    units = problem.case.units
    for number in range(len(CELLS[cell].gates)):
        wrong = weight(problem, "kernel").copy()
        wrong[2, number * units + 1] *= np.float32(1.001)
        outcome = computed(with_arrays(problem, kernel=wrong))
        assert certified(problem, outcome).bound_ratio > 1, number


@pytest.mark.parametrize("options", ["", "-reverse", "-L2-bidirectional"])
@every_cell
def test_outputs_past_a_row_s_length_that_are_not_zero_are_caught(
    cell: str, options: str
) -> None:
    problem = named(cell, f"{options}-zerolength", "variable_input")
    length = int(problem["lengths"][1])
    for row, step in ((1, length), (1, 6), (2, 0)):
        wrong = nudged(honest(problem), "outputs", (row, step, -1), 1e-30)
        certificate = certified(problem, wrong)
        assert certificate.bound_ratio == np.inf
        assert np.argwhere(certificate.ratio > 1)[:, :2].tolist() == [[row, step]]


@every_cell
def test_a_final_state_that_went_on_past_the_length_is_caught(cell: str) -> None:
    problem = named(cell, "-zerolength", "variable_input")
    full = with_arrays(problem, lengths=np.full(3, 7, np.int32))
    right, went_on = honest(problem), honest(full)
    for state in CELLS[cell].states:
        name = f"final_{state}"
        certificate = certified(problem, {**right, name: went_on[name]})
        assert certificate.ratio.max() <= 1
        rows = (certificate.final_ratios[state][0] > 1).any(axis=1)
        assert rows.tolist() == [False, True, True]


@every_cell
def test_two_honest_backends_agree_and_a_wrong_one_agrees_with_neither(
    cell: str,
) -> None:
    problem = named(cell, "-L2-bidirectional")
    first, second = (certified(problem, f(problem)) for f in (honest, computed))
    assert pair_bound_ratio(first, second) <= 1
    kernel = problem["layer1.reverse.kernel"] * np.float32(1.01)
    wrong = honest(with_arrays(problem, layer1__reverse__kernel=kernel))
    third = certified(problem, wrong)
    assert min(pair_bound_ratio(one, third) for one in (first, second)) > 1
