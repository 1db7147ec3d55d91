"""The gate, or the one weight, that is wrong is named; where none is, none is."""

from collections.abc import Callable

import numpy as np
import pytest

from rnn_parity.judge.blame import gate_at_fault, one_weight, worst_drift
from rnn_parity.judge.certify import Certificate, certify
from rnn_parity.judge.systematic import Drift
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import CELLS, Array, Problem
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import FirstBad
from support import weight, with_arrays

# What these get wrong does not stay in their unit and step: r of this GRU is mixed by
# the recurrent kernel, c is read off h by way of o, or goes on from what it was before.
NOT_TOLD = [
    ("gru_reset_before", "r"),
    ("lstm", "o"),
    ("lstm_peephole", "i"),
    ("lstm_peephole", "f"),
    ("lstm_peephole", "g"),
]
GATES = [
    (cell, gate)
    for cell in ("lstm", "lstm_peephole", "gru", "gru_reset_before")
    for gate in CELLS[cell].gates
    if (cell, gate) not in NOT_TOLD
]


def built(cell: str, options: str = "") -> Problem:
    size = "-P2" if cell == "lstm_projection" else ""
    name = f"{cell}-dynamic-B6-T12-D3-H4{size}{options}-f32-s5"
    return catalogue.build(catalogue.case_from_id(name))


def computed(problem: Problem) -> dict[str, Array]:
    return dict(NumpyBackend().run(problem))


def certified(problem: Problem, outcome: dict[str, Array]) -> Certificate:
    return certify(problem, outcome, INFO.accuracy_for(problem.case))


def blamed(problem: Problem, wrong: Problem) -> str | None:
    certificate = certified(problem, computed(wrong))
    bad = certificate.first_bad
    assert bad is not None
    return gate_at_fault(certificate, bad)


def columns_altered(
    problem: Problem, name: str, gate: str, alter: Callable[[Array], Array]
) -> Problem:
    gates, units = CELLS[problem.case.cell].gates, problem.case.units
    at = (..., slice(gates.index(gate) * units, (gates.index(gate) + 1) * units))
    array = weight(problem, name).copy()
    array[at] = alter(array[at])
    return with_arrays(problem, **{name: array})


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel", "bias"])
@pytest.mark.parametrize(("cell", "gate"), GATES)
def test_the_gate_whose_weights_are_off_is_named(
    cell: str, gate: str, name: str
) -> None:
    problem = built(cell)
    wrong = columns_altered(problem, name, gate, lambda a: a * np.float32(1.01))
    assert blamed(problem, wrong) == gate


@pytest.mark.parametrize("way", ["forward", "reverse"])
def test_a_gate_of_either_direction_is_named(way: str) -> None:
    problem = built("gru", "-bidirectional")
    name = f"layer0.{way}.kernel"
    kernel = problem[name].copy()
    kernel[:, 4:8] *= np.float32(1.01)
    wrong = with_arrays(problem, **{name.replace(".", "__"): kernel})
    assert blamed(problem, wrong) == "z"


@pytest.mark.parametrize(("cell", "gate"), NOT_TOLD)
def test_no_other_gate_is_named_where_it_cannot_be_told(cell: str, gate: str) -> None:
    problem = built(cell)
    wrong = columns_altered(problem, "kernel", gate, lambda a: a * np.float32(1.01))
    assert blamed(problem, wrong) in {gate, None}


def test_where_all_gates_are_off_none_is_named() -> None:
    problem = built("lstm")
    kernel = np.roll(weight(problem, "kernel"), 1, axis=0)
    assert blamed(problem, with_arrays(problem, kernel=kernel)) is None


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm_projection"])
def test_cells_of_one_gate_and_projections_name_none(cell: str) -> None:
    problem = built(cell)
    bias = weight(problem, "bias") * np.float32(1.01)
    assert blamed(problem, with_arrays(problem, bias=bias)) is None


def test_few_steps_are_explained_by_anything() -> None:
    short = catalogue.build(catalogue.case_from_id("gru-dynamic-B1-T5-D3-H4-f32-s5"))
    wrong = columns_altered(short, "bias", "z", lambda a: a * np.float32(1.01))
    assert blamed(short, wrong) is None


def test_errors_that_overflow_when_summed_up_are_still_too_much() -> None:
    problem = built("gru")
    certificate = certified(problem, computed(problem))
    name, (_, estimate, explained) = next(iter(certificate.systematic.items()))
    beyond = Drift(np.full_like(estimate, np.inf), estimate, explained * np.nan)
    worst = worst_drift(certificate._replace(systematic={name: beyond}))
    assert worst is not None
    assert worst[0] == name


def test_where_the_steps_looked_at_are_right_none_is_named() -> None:
    problem = built("gru")
    certificate = certified(problem, computed(problem))
    exact = [s._replace(residual=0 * s.residual) for s in certificate.samples]
    beyond = [
        s._replace(x=s.x._replace(value=s.x.value + np.inf))
        for s in certificate.samples
    ]
    for samples in (exact, beyond):
        other = certificate._replace(samples=tuple(samples))
        assert gate_at_fault(other, FirstBad(step=0, row=0, unit=1)) is None


@pytest.mark.parametrize(
    ("cell", "name", "at", "words"),
    [
        ("rnn_tanh", "bias", (2,), "bias[2] off by"),
        ("lstm", "kernel", (1, 6), "kernel[1, 6] (gate f, unit 2) off by"),
        ("gru", "recurrent_kernel", (3, 9), "recurrent_kernel[3, 9] (gate n, unit 1)"),
        ("lstm_projection", "projection", (3, 1), "projection[3, 1] off by"),
    ],
)
def test_one_weight_that_is_off_is_named_by_its_place_and_size(
    cell: str, name: str, at: tuple[int, ...], words: str
) -> None:
    problem = built(cell)
    array = weight(problem, name).copy()
    array[at] *= np.float32(1.002)
    outcome = computed(with_arrays(problem, **{name: array}))
    certificate = certified(problem, outcome)
    found = one_weight(problem, outcome, INFO.accuracy_for(problem.case), certificate)
    assert words in found
    assert found.endswith("e-03 of itself")
    assert float(found.split()[-3]) == pytest.approx(2e-3, rel=0.11)


def test_two_weights_that_are_off_are_not_one() -> None:
    problem = built("gru")
    kernel = weight(problem, "kernel").copy()
    kernel[0, 1] *= np.float32(1.01)
    kernel[2, 7] *= np.float32(1.01)
    outcome = computed(with_arrays(problem, kernel=kernel))
    certificate = certified(problem, outcome)
    assert not one_weight(
        problem, outcome, INFO.accuracy_for(problem.case), certificate
    )


def test_of_a_right_outcome_no_weight_is_named() -> None:
    problem = built("gru")
    outcome = computed(problem)
    certificate = certified(problem, outcome)
    assert not one_weight(
        problem, outcome, INFO.accuracy_for(problem.case), certificate
    )
