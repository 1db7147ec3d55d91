"""What is inconclusive: no pass, and it says what to do."""

from itertools import product

import numpy as np
import pytest
from msgspec.structs import replace

from rnn_parity.judge.certify import certify
from rnn_parity.judge.shown import MOST, next_steps, not_shown, settled, unshown
from rnn_parity_backends.on_numpy import INFO
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import Array, Problem
from rnn_parity_core.exit_status import Exit, exit_of
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Estimate
from support import with_arrays

DEEP = "lstm-dynamic-B2-T48-D4-H5-L4-G8-f32-s1"
CHAOTIC = "rnn_tanh-dynamic-B3-T40-D4-H32-G8-f32-s1"
RAGGED = "gru_reset_before-variable_input-B4-T48-D4-H5-L4-G8-f32-s1"
DEAD = "rnn_relu-dynamic-B1-T7-D4-H5-f32-s1"
ESTIMATE = Estimate(0.4, 12.0, 24, "outputs")


def problem_of(case: str) -> Problem:
    return catalogue.build(catalogue.case_from_id(case))


def shares(problem: Problem, outcome: dict[str, Array]) -> dict[str, float]:
    return unshown(certify(problem, outcome, INFO.accuracy_for(problem.case)))


def of_numpy(case: str) -> dict[str, float]:
    problem = problem_of(case)
    return shares(problem, dict(NumpyBackend().run(problem)))


def test_one_layer_is_shown_however_chaotic_and_a_deep_stack_is_not() -> None:
    assert of_numpy(CHAOTIC) == {}
    found = of_numpy(DEEP)
    assert found["outputs"] > MOST
    assert settled(found)[0] == "inconclusive"


@pytest.mark.parametrize("case", [CHAOTIC, DEEP])
def test_what_is_shown_can_fail_and_what_is_not_hides_what_is_wrong(case: str) -> None:
    """The planted fault: outputs of another sign."""
    problem = problem_of(case)
    wrong = {name: -array for name, array in NumpyBackend().run(problem).items()}
    with np.errstate(all="ignore"):
        certificate = certify(problem, wrong, INFO.accuracy_for(problem.case))
    late = certificate.ratio[:, -8:]
    assert (late.max() > 1) == (case == CHAOTIC)


def test_what_lies_behind_the_end_of_rows_does_not_count_as_shown() -> None:
    problem = problem_of(RAGGED)
    short = with_arrays(problem, lengths=np.array([48, 1, 1, 1], np.int32))
    found = shares(short, dict(NumpyBackend().run(short)))
    assert found["outputs"] > MOST


def test_outputs_that_are_small_are_held_to_their_own_size() -> None:
    """A bound of 0.5 shows nothing of outputs of 0.01, though less than 1."""
    problem = problem_of(CHAOTIC)
    outcome = dict(NumpyBackend().run(problem))
    certificate = certify(problem, outcome, INFO.accuracy_for(problem.case))
    wide = certificate._replace(bound=np.full_like(certificate.bound, 0.5))
    assert "outputs" not in unshown(wide)
    finals = {"h": wide.finals["h"]._replace(value=wide.finals["h"].value / 100)}
    small = wide._replace(state=wide.state / 100, finals=finals)
    assert unshown(small)["outputs"] == 1.0


def test_zeros_that_must_be_zeros_are_shown() -> None:
    problem = problem_of(DEAD)
    bias = np.full_like(problem["layer0.forward.bias"], -100.0)
    arrays = {**problem.arrays, "layer0.forward.bias": bias}
    dead = Problem(problem.case, arrays)
    outcome = dict(NumpyBackend().run(dead))
    assert not outcome["outputs"].any()
    assert shares(dead, outcome) == {}


def test_each_array_counts_and_half_of_one_is_too_much() -> None:
    assert not_shown({"outputs": 0.49}) == ""
    assert not_shown({"outputs": 0.5}).startswith(
        "nothing is shown: the bound is as wide as the numbers themselves in 50% of out"
    )
    said = not_shown({"outputs": 0.2, "final_h": 0.7, "final_c": 1.0})
    assert "70% of final_h and 100% of final_c" in said
    many = not_shown({f"gradient_{n}": 1.0 for n in range(9)})
    assert "100% of gradient_2 and most of 6 more arrays, so that" in many


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(0.4, "consistent"), (1.0, "consistent"), (1.1, "fail"), (None, "fail")],
)
def test_an_estimate_decides_where_nothing_is_shown_and_rejects_elsewhere_too(
    ratio: float | None, verdict: str
) -> None:
    estimate = replace(ESTIMATE, ratio=ratio)
    assert settled({"outputs": 1.0}, estimate)[0] == verdict
    rest = "fail" if verdict == "fail" else "pass"
    assert settled({"outputs": 0.1}, estimate)[0] == rest


def test_next_steps_are_those_that_apply() -> None:
    case = catalogue.case_from_id(DEEP)
    (probe, steps, gain, layers) = next_steps(case, [])
    assert probe.startswith(f"take the case probe:{DEEP}: one step")
    assert catalogue.case_from_id(f"probe:{DEEP}").probe
    assert (steps[:22], gain[:24]) == (
        "take fewer than 48 ste",
        "take a smaller gain than",
    )
    assert layers.startswith("take fewer layers")
    given = replace(case, seed=None, given="w0123456789abcdef", gain=1.0)
    assert [step[:15] for step in next_steps(given, [])] == ["take fewer than"]
    lower, batch, fewer = next_steps(given, ["outputs", "final_h"])
    assert "`layer0.outputs`, `layer1.outputs`, `layer2.outputs`" in lower
    assert "--write-inputs" in batch
    assert "fewer than 48 steps" in fewer
    assert "give `outputs`" in next_steps(given, ["final_h"])[0]


def test_exit_statuses_are_by_what_is_most_serious() -> None:
    order = (Exit.DIFFERS, Exit.CRASHED, Exit.NOTHING, Exit.INCONCLUSIVE, Exit.FINE)
    assert [*Exit] == [*order]
    assert [int(status) for status in order] == [1, 3, 2, 4, 0]
    for wrong, crashed, nothing, hidden in product((True, False), repeat=4):
        said = (wrong, crashed, nothing, hidden, True)
        status = exit_of(wrong=wrong, crashed=crashed, done=not nothing, unshown=hidden)
        assert status == order[said.index(True)]
