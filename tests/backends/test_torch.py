"""PyTorch's adapter: layouts that lose nothing, gaps that are what they are said to be.

PyTorch itself is never imported here, only in processes started from here.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnn_parity_backends.on_torch import layout
from rnn_parity_core import CELLS, Problem
from rnn_parity_fixtures import catalogue
from support import bits_equal, installed

# What holds a cell's weights; nn.GRU has another equation than gru_reset_before, but
# the same arrays.
MODULES = {
    "rnn_tanh": "RNN",
    "rnn_relu": "RNN",
    "lstm": "LSTM",
    "lstm_projection": "LSTM",
    "gru": "GRU",
    "gru_reset_before": "GRU",
}

# Loads weights into layers of its own making and saves what these then hold.
THROUGH_LAYERS = """
import sys
import numpy as np
import torch
from rnn_parity_backends.on_torch import layout
from rnn_parity_fixtures import catalogue
saved = {}
for argument in sys.argv[2:]:
    name, case_id = argument.split("=")
    problem = catalogue.build(catalogue.case_from_id(case_id))
    case = problem.case
    sizes = {"proj_size": case.projection} if case.projection else {}
    layer = getattr(torch.nn, name)(
        case.features, case.units, case.layers, bias=case.bias, bidirectional=True,
        dtype=getattr(torch, case.dtype), **sizes,
    )
    suffixes = [
        (number, way, f"_l{number}" + "_reverse" * (way == "reverse"))
        for number, way in case.passes
    ]
    layer.load_state_dict({
        key + suffix: torch.tensor(array)
        for number, way, suffix in suffixes
        for key, array in layout.to_native(
            case.cell, problem.weights(number, way)
        ).items()
    })
    held = {key: tensor.numpy() for key, tensor in layer.state_dict().items()}
    for number, way, suffix in suffixes:
        native = {
            key.removesuffix(suffix): array
            for key, array in held.items()
            if key.endswith(suffix)
        }
        for short, array in layout.to_canonical(case.cell, native).items():
            saved[f"{case_id} layer{number}.{way}.{short}"] = array
np.savez(sys.argv[1], **saved)
"""


def two_layers(cell: str, dtype: str = "f32", nobias: str = "") -> Problem:
    """Give a problem whose sizes all differ, in both directions."""
    size = "B3-T7-D4-H5-P2" if "projection" in CELLS[cell].weights else "B3-T7-D4-H5"
    case_id = f"{cell}-dynamic-{size}-L2-bidirectional{nobias}-{dtype}-s1"
    return catalogue.build(catalogue.case_from_id(case_id))


def test_weights_survive_a_pytorch_layer_to_the_last_bit(tmp_path: Path) -> None:
    installed("torch")
    problems = {
        problem.case.id: problem
        for cell in MODULES
        for dtype in ("f32", "f64")
        for nobias in ("", "-nobias")
        for problem in [two_layers(cell, dtype, nobias)]
    }
    modules = [f"{MODULES[p.case.cell]}={name}" for name, p in problems.items()]
    saved = tmp_path / "saved.npz"
    subprocess.run(
        [sys.executable, "-c", THROUGH_LAYERS, str(saved), *modules], check=True
    )
    with np.load(saved) as held:
        back = dict(held)
    sent = {
        f"{case_id} {name}": problem[name]
        for case_id, problem in problems.items()
        for name in problem.case.weight_shapes()
    }
    assert back.keys() == sent.keys()
    assert [name for name in sent if not bits_equal(back[name], sent[name])] == []


def test_a_layout_has_no_place_for_peepholes() -> None:
    weights = two_layers("lstm_peephole").weights(0, "forward")
    with pytest.raises(ValueError, match="no place for \\['peephole'\\]"):
        layout.to_native("lstm_peephole", weights)


@pytest.mark.parametrize("cell", MODULES)
def test_both_biases_are_used_in_every_gate(cell: str) -> None:
    native = layout.to_native(cell, two_layers(cell).weights(1, "reverse"))
    assert np.all(native["bias_ih"] != 0)
    assert np.all(native["bias_hh"] != 0)


def test_the_biases_of_a_gru_candidate_are_kept_apart() -> None:
    weights = two_layers("gru").weights(0, "forward")
    native = layout.to_native("gru", weights)
    assert bits_equal(native["bias_ih"][10:], weights["bias"][10:])
    assert bits_equal(native["bias_hh"][10:], weights["recurrent_bias"])
    assert bits_equal(native["bias_ih"][:10], weights["bias"][:10] / 2)
