"""Stacks of which every layer's outputs are known: each is judged by itself."""

from collections.abc import Mapping
from dataclasses import replace as with_fields
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import rnn_parity
from rnn_parity.judge.certify import certify_steps
from rnn_parity.runs import verify
from rnn_parity.runs.layer_by_layer import SAME, with_layers
from rnn_parity.runs.registry import known_backends
from rnn_parity_backends.on_numpy.adapter import NumpyBackend
from rnn_parity_core import Array, Outcome, Problem, UsageError
from rnn_parity_core.layers import lower_outputs, one_layer
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.results import Result

SIZES = {"features": 4, "units": 5, "layers": 3}


def state_dict() -> dict[str, Array]:
    """Give weights of a PyTorch LSTM of three layers."""
    rng, found = np.random.default_rng(4), {}
    for k in range(SIZES["layers"]):
        reads = SIZES["features"] if k == 0 else SIZES["units"]
        for name, shape in {
            "weight_ih": (20, reads),
            "weight_hh": (20, 5),
            "bias_ih": (20,),
            "bias_hh": (20,),
        }.items():
            found[f"{name}_l{k}"] = rng.uniform(-1, 1, shape).astype("float32")
    return found


def by_layers(problem: Problem) -> dict[str, Array]:
    """Compute all layers' outputs, and final states, one after the other."""
    run = NumpyBackend().run
    found, words = with_layers(run, problem, run(problem))
    assert words == SAME
    return found


class Model:
    """A stack in a file, its inputs, and what is right."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "model.safetensors"
        save_file(state_dict(), self.file)
        rng = np.random.default_rng(5)
        self.inputs = rng.normal(size=(3, 12, 4)).astype("float32")
        planned = verify.plan(self.file, inputs=self.inputs)
        self.problem = planned.problems[0]
        self.right = by_layers(self.problem)

    def expecting(self, expected: Mapping[str, Array]) -> Result:
        """Judge what is expected."""
        report = rnn_parity.verify(
            self.file, inputs=self.inputs, expected=expected, backends=["numpy"]
        )
        case = self.problem.case.id
        found = {of.backend: of for of in report.results if of.case == case}
        assert found["numpy"].verdict == "pass"
        assert found["numpy"].detail == SAME
        return found["expected"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Give a stack of three LSTM layers."""
    return Model(tmp_path_factory.mktemp("stack"))


def outputs_of(outcome: Outcome) -> dict[str, Array]:
    """Give all outputs, without final states."""
    return {name: of.copy() for name, of in outcome.items() if "outputs" in name}


def test_all_layers_of_a_right_stack_pass(model: Model) -> None:
    assert set(outputs_of(model.right)) == {
        *("layer0.outputs", "layer1.outputs", "outputs")
    }
    result = model.expecting(model.right)
    assert result.verdict == "pass"
    assert set(result.figures) == set(model.right)
    assert all(figure.mismatched == 0 for figure in result.figures.values())
    assert result.sensitivity.keys() == {"kernel", "recurrent_kernel", "bias"}


def test_a_wrong_lower_layer_fails_where_it_is_wrong(model: Model) -> None:
    wrong = outputs_of(model.right)
    wrong["layer0.outputs"][1, 4, 2] += np.float32(1e-3)
    result = model.expecting(wrong)
    assert result.verdict == "fail"
    assert result.first_bad
    assert (result.first_bad.layer, result.first_bad.step) == (0, 4)
    assert "layer0.outputs" in result.detail


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_layer_with_a_wrong_weight_is_told_from_those_that_read_it(
    model: Model, layer: int
) -> None:
    name = f"layer{layer}.forward.bias"
    array = model.problem[name].copy()
    array[7] += np.float32(1e-3)
    arrays = {**model.problem.arrays, name: array}
    wrong = by_layers(with_fields(model.problem, arrays=arrays))
    result = model.expecting(outputs_of(wrong))
    assert result.verdict == "fail"
    assert result.first_bad
    assert (result.first_bad.layer, result.first_bad.unit) == (layer, 2)
    assert f"{name}[7] (gate f, unit 2) off by " in result.detail


def test_gate_order_of_one_layer_is_named(model: Model) -> None:
    swapped = {}
    for name in ("kernel", "recurrent_kernel", "bias"):
        full = f"layer1.forward.{name}"
        i, f, g, o = np.split(model.problem[full], 4, axis=-1)
        swapped[full] = np.concatenate([i, f, o, g], axis=-1)
    arrays = {**model.problem.arrays, **swapped}
    wrong = by_layers(with_fields(model.problem, arrays=arrays))
    known = model.expecting(outputs_of(wrong))
    named = "gate order i, f, o, g instead of i, f, g, o"
    assert known.explanations == [f"{named}, in layer 1 alone"]
    alone = model.expecting({"outputs": wrong["outputs"]})
    assert alone.verdict == "fail"
    assert alone.explanations == [f"{named} in layer 1 alone"]


def test_final_states_of_every_layer_count(model: Model) -> None:
    for layer in range(3):
        wrong = {name: of.copy() for name, of in model.right.items()}
        wrong["final_c"][layer, 1, 3] *= np.float32(1.001)
        result = model.expecting(wrong)
        assert result.verdict == "fail"
        assert "final_c" in result.detail
        assert result.first_bad
        assert result.first_bad.layer == layer


def test_last_outputs_alone_are_an_estimate_away(model: Model) -> None:
    result = model.expecting({"outputs": model.right["outputs"]})
    assert result.verdict == "pass"
    assert result.estimate
    assert result.estimate.ratio is not None
    assert result.estimate.ratio <= 1


def test_some_layers_are_refused_with_those_that_are_missing(model: Model) -> None:
    some = outputs_of(model.right)
    del some["layer1.outputs"]
    with pytest.raises(UsageError, match=r"layer1\.outputs is missing"):
        model.expecting(some)


def test_layers_that_do_not_make_up_the_whole_are_not_taken_for_it(
    model: Model,
) -> None:
    swapped = dict(model.problem.arrays)
    for name in ("kernel", "recurrent_kernel", "bias"):
        one, two = f"layer1.forward.{name}", f"layer2.forward.{name}"
        swapped[one], swapped[two] = swapped[two], swapped[one]
    run = NumpyBackend().run
    wrong = run(with_fields(model.problem, arrays=swapped))
    found, words = with_layers(run, model.problem, wrong)
    assert found.keys() == wrong.keys()
    assert "differs from its layers one by one by up to" in words


def test_a_layer_that_does_not_run_alone_is_said(model: Model) -> None:
    run = NumpyBackend().run
    whole = run(model.problem)
    found, words = with_layers(lambda _: "not today", model.problem, whole)
    assert (found, words) == (whole, "layer 0 by itself: not today")


@pytest.mark.parametrize("way", ["bidirectional", "reverse"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "lstm_peephole"])
def test_layers_of_every_direction_and_length_are_certified(
    cell: str, way: str
) -> None:
    case_id = f"{cell}-variable_input-B4-T9-D3-H5-L3-{way}-zerolength-f32-s3"
    problem = catalogue.build(catalogue.case_from_id(case_id))
    accuracy = known_backends()["numpy"].accuracy_for(problem.case)
    outcome = by_layers(problem)
    found = certify_steps(problem, outcome, accuracy)
    assert found.bound_ratio <= 1
    assert len(found.below) == len(lower_outputs(problem.case))
    outcome["layer1.outputs"] = outcome["layer1.outputs"].copy()
    outcome["layer1.outputs"][0, 0, 1] += np.float32(1e-2)
    bad = certify_steps(problem, outcome, accuracy).first_bad
    assert bad
    assert bad.layer == 1


def test_a_layer_alone_reads_what_it_is_given(model: Model) -> None:
    part = one_layer(model.problem, 2, model.right["layer1.outputs"])
    assert part.case.layers == 1
    made = NumpyBackend().run(part)
    assert np.array_equal(made["outputs"], model.right["outputs"])
    assert np.array_equal(made["final_c"][0], model.right["final_c"][2])
