"""Frameworks that save, load and run files by their own means, each in a process."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from rnn_parity_core import Array
from rnn_parity_core.arrays import pack, unpack
from support import OURS

# What every script starts with: arguments, and arrays in and out.
_HEAD = """
import os, sys, warnings
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
from pathlib import Path
import numpy as np
from rnn_parity_core.arrays import pack, unpack
given = unpack(Path("given.safetensors").read_bytes(), "given")[0]
files, made = sys.argv[1:], {}
"""
_TAIL = """
Path("made.safetensors").write_bytes(pack(made, {"of": "tests"}))
"""

TORCH_LAYER = """
import torch
from safetensors.torch import load_file
state = load_file(files[0])
kind = {4: torch.nn.LSTM, 3: torch.nn.GRU}[state["weight_hh_l0"].shape[0] // UNITS]
layer = kind(FEATURES, UNITS, num_layers=LAYERS, bidirectional=True, batch_first=True)
layer.load_state_dict(state)
h = torch.from_numpy(given["initial_h"].copy())
c = given.get("initial_c")
first = h if c is None else (h, torch.from_numpy(c.copy()))
with torch.no_grad():
    outputs, last = layer(torch.from_numpy(given["inputs"].copy()), first)
made["outputs"] = outputs.numpy()
made["final_h"] = (last if c is None else last[0]).numpy()
if c is not None:
    made["final_c"] = last[1].numpy()
"""

KERAS_MODEL = """
import keras
model = keras.saving.load_model(files[0])
again = keras.saving.load_model(files[0])
for weight in again.weights:
    weight.assign(keras.ops.zeros_like(weight))
again.load_weights(files[0])
for one, other in zip(model.weights, again.weights, strict=True):
    assert np.array_equal(one.numpy(), other.numpy())
x, states, each = given["inputs"], {"h": [], "c": []}, 0
for layer in model.layers:
    layer.return_state = True
    for inner in (layer.forward_layer, layer.backward_layer):
        inner.return_state = True
    names = "hc" if "initial_c" in given else "h"
    first = [given[f"initial_{s}"][each + k] for k in (0, 1) for s in names]
    x, *last = layer(x, initial_state=first)
    for k, state in enumerate(last):
        states[names[k % len(names)]].append(np.array(state))
    each += 2
made["outputs"] = np.array(x)
for name in names:
    made[f"final_{name}"] = np.stack(states[name])
"""

ONNX_MODEL = """
import onnx, onnxruntime
onnx.checker.check_model(onnx.load(files[0]), full_check=True)
session = onnxruntime.InferenceSession(files[0], providers=["CPUExecutionProvider"])
names = [one.name for one in session.get_inputs()]
found = session.run(None, {name: given[name] for name in names})
made = {one.name: a for one, a in zip(session.get_outputs(), found, strict=True)}
"""

FLAX_STATE = """
import jax
from flax import nnx
from safetensors.numpy import load_file
from flax.traverse_util import unflatten_dict
def rnn(features, backward=False):
    cell = nnx.OptimizedLSTMCell(features, UNITS, rngs=nnx.Rngs(0))
    return nnx.RNN(cell, reverse=backward, keep_order=backward)
sizes = [FEATURES if n == 0 else 2 * UNITS for n in range(LAYERS)]
model = nnx.Sequential(*(nnx.Bidirectional(rnn(n), rnn(n, True)) for n in sizes))
flat = {
    tuple(int(k) if k.isdecimal() else k for k in name.split(".")): array
    for name, array in load_file(files[0]).items()
}
assert set(flat) == {path for path, _ in nnx.to_flat_state(nnx.state(model, nnx.Param))}
nnx.update(model, unflatten_dict(flat))
x, h, c = given["inputs"], [], []
for n, layer in enumerate(model.layers):
    first = tuple(
        (given["initial_c"][2 * n + k], given["initial_h"][2 * n + k]) for k in (0, 1)
    )
    last, x = layer(x, initial_carry=first, return_carry=True)
    for carry in last:
        c.append(np.array(carry[0])), h.append(np.array(carry[1]))
made = {"outputs": np.array(x), "final_h": np.stack(h), "final_c": np.stack(c)}
"""

V1_VARIABLES = """
import tensorflow as tf
from tf_keras.src.layers.rnn.legacy_cells import LSTMCell
from safetensors.numpy import load_file
v1 = tf.compat.v1
with tf.Graph().as_default():
    x, finals, fed = v1.placeholder("float32", [None, None, FEATURES]), [], {}
    fed[x] = given["inputs"]
    for n in range(LAYERS):
        with v1.variable_scope(f"stack_bidirectional_rnn/cell_{n}"):
            x.set_shape([None, None, FEATURES if n == 0 else 2 * UNITS])
            first = [
                tuple(tf.constant(given[f"initial_{s}"][2 * n + k]) for s in "ch")
                for k in (0, 1)
            ]
            both, last = v1.nn.bidirectional_dynamic_rnn(
                LSTMCell(UNITS), LSTMCell(UNITS), x,
                initial_state_fw=first[0], initial_state_bw=first[1],
            )
            x = tf.concat(both, axis=-1)
            finals += last
    variables = {v.op.name: v for v in v1.global_variables()}
    state = load_file(files[0])
    assert state.keys() == variables.keys(), (sorted(state), sorted(variables))
    with v1.Session() as session:
        for name, variable in variables.items():
            variable.load(state[name], session)
        made["outputs"], finals = session.run([x, finals], fed)
made["final_c"] = np.stack([c for c, _ in finals])
made["final_h"] = np.stack([h for _, h in finals])
"""


def run(
    script: str, *files: Path, given: Mapping[str, Array] | None = None, **sizes: int
) -> dict[str, Array]:
    """Run a script on files and arrays, and give the arrays it makes.

    The test is skipped where what the script imports is not installed.
    """
    for named in re.findall(
        r"^(?:import|from) ([\w, ]+?)(?: import|\.|$)", script, re.MULTILINE
    ):
        for name in named.split(", "):
            if not find_spec(name.partition(" ")[0]):
                pytest.skip(f"{name} is not installed")
    names = "".join(f"{name} = {size}\n" for name, size in sizes.items())
    code = _HEAD + names + script + _TAIL
    with TemporaryDirectory() as path:
        folder = Path(path)
        (folder / "given.safetensors").write_bytes(pack(given or {}, {"of": "tests"}))
        done = subprocess.run(
            [sys.executable, "-c", code, *(str(file.resolve()) for file in files)],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": OURS},
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return unpack((folder / "made.safetensors").read_bytes(), "made")[0]
