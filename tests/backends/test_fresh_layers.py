"""Layers as PyTorch and Keras construct them: nothing fails that was just made."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest

import frameworks
from rnn_parity.models.read import read, saved_layers
from rnn_parity.runs import verify
from rnn_parity_core import Problem
from rnn_parity_reports.results import Report
from support import BACKENDS, KERAS, LAYERS_ON_JAX, installed

ENGINES = (*LAYERS_ON_JAX, *KERAS, "onnxruntime", "openvino", "mlx")

MAKE = """
import itertools
import torch
os.environ["KERAS_BACKEND"] = "torch"
import keras
torch.manual_seed(7)
keras.utils.set_random_seed(7)
sizes = list(itertools.product((True, False), (1, 2), (False, True)))
for kind, (bias, layers, both) in itertools.product(("RNN", "LSTM", "GRU"), sizes):
    layer = getattr(torch.nn, kind)(4, 5, layers, bias=bias, bidirectional=both)
    torch.save(layer.state_dict(), f"{files[0]}/{kind}-{bias}-{layers}-{both}.pt")
for kind, (bias, layers, both) in itertools.product(
    ("SimpleRNN", "LSTM", "GRU"), sizes
):
    stack = []
    for _ in range(layers):
        layer = getattr(keras.layers, kind)(5, use_bias=bias, return_sequences=True)
        stack.append(keras.layers.Bidirectional(layer) if both else layer)
    model = keras.Sequential([keras.Input((None, 4)), *stack])
    model.save(f"{files[0]}/{kind}-{bias}-{layers}-{both}.keras")
"""


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> list[Problem]:
    """Give what `verify` computes of each: a seeded batch, and a probe."""
    folder, found = tmp_path_factory.mktemp("fresh"), list[Problem]()
    frameworks.run(MAKE, folder)
    for file in sorted(folder.iterdir()):
        names = ",".join(layer.name for layer in saved_layers(file))
        cell = "rnn_tanh" if file.name.startswith("RNN") else ""
        found += verify.plan(file, layer=names, cell=cell).problems
    return found


def verified(problems: Sequence[Problem], names: Sequence[str], path: Path) -> Report:
    """Compute and judge as `verify` does, on workers that all files share."""
    made = Path(__file__).parents[1] / "files/lstm_as_constructed.pt"
    infos = [installed(name) for name in names]
    planned = verify.Plan(read(made), problems, infos, None, [])
    return planned.run(path, jobs=2, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("names", [BACKENDS, ENGINES], ids=["default", "on request"])
def test_no_layer_that_was_just_made_fails_anywhere(
    names: tuple[str, ...], problems: list[Problem], tmp_path: Path
) -> None:
    assert len(problems) == 2 * len(list(product(range(6), range(8))))
    report = verified(problems, names, tmp_path / "r")
    wrong = [r.detail for r in report.results if r.verdict not in {"pass", "gap"}]
    assert wrong == []
    assert report.exit_status == 0
    # Every file is computed on several, and a gap is what no weight of ours changes.
    for problem in problems:
        of_case = [r for r in report.results if r.case == problem.case.id]
        assert sum(r.verdict == "pass" for r in of_case) >= len(names) // 2
    said = json.dumps([r.detail for r in report.results])
    assert "declare" not in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tinygrad", "torch:compile", "tensorflow:xla"])
def test_no_layer_that_was_just_made_fails_where_it_takes_long(
    name: str, problems: list[Problem], tmp_path: Path
) -> None:
    """Those of one layer and direction, without probes: some compile each shape."""
    few = [
        p
        for p in problems
        if not p.case.probe and p.case.layers == 1 and p.case.direction == "forward"
    ]
    report = verified(few, ["numpy", name], tmp_path / "r")
    assert [r.detail for r in report.results if r.verdict not in {"pass", "gap"}] == []
    assert len(few) == 12
