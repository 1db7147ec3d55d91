"""MLX and tinygrad: their conventions, taken for others, are caught; what they decline.

The frameworks are never imported here, only in processes started from here.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from rnn_parity.adapter_tools.accuracy import FUNCTIONS
from rnn_parity.runs.registry import known_backends, select_backends, with_settings
from rnn_parity.workers.process import Worker
from rnn_parity_backends.on_mlx import layout as of_mlx
from rnn_parity_backends.on_tinygrad import layout as of_tinygrad
from rnn_parity_core import DTYPES, Array
from rnn_parity_fixtures import catalogue
from support import (
    assert_as_stated,
    assert_named_after,
    bits_equal,
    installed,
    judged_after,
)

# Runs cases, each after a change of the adapter: `CASE?reordered(0, 2, 1, 3)`.
CHANGED = """
import sys
from importlib import import_module
from pathlib import Path
from rnn_parity_fixtures import catalogue
from rnn_parity_core.arrays import pack
from rnn_parity.runs.registry import known_backends

def altered(alter):
    inner = layout.to_native
    layout.to_native = lambda *given: inner(*given[:-1], alter(given[-1]))

def reordered(*order):
    def alter(weights):
        units = weights["recurrent_kernel"].shape[0]
        def moved(a):
            return joined([a[..., k * units : (k + 1) * units] for k in order])
        return {n: a if n == "recurrent_bias" else moved(a) for n, a in weights.items()}
    altered(alter)

def transposed():
    altered(lambda w: {**w, "recurrent_kernel": w["recurrent_kernel"].T})

name, folder, *runs = sys.argv[1:]
package = f"rnn_parity_backends.on_{name}."
adapter, layout = (import_module(package + part) for part in ("adapter", "layout"))
held = [adapter, layout]
if name == "mlx":
    layers, training = (import_module(package + p) for p in ("layers", "training"))
    held += [layers, training]
joined = (layers if name == "mlx" else adapter)._OPS.concatenate
held = [(module, dict(vars(module))) for module in held]
_, _, adapter_class = known_backends()[name].adapter.partition(":")
for number, run in enumerate(runs):
    case_id, _, change = run.partition("?")
    exec(change)
    backend = getattr(adapter, adapter_class)()
    outcome = backend.run(catalogue.build(catalogue.case_from_id(case_id)))
    Path(folder, str(number)).write_bytes(pack(outcome, {"case": case_id}))
    for module, names in held:
        vars(module).update(names)
"""

LSTM = "matches if: gate order i, g, f, o instead of i, f, g, o"
GRU = "matches if: gate order z, r, n instead of r, z, n"
KERNEL = "matches if: recurrent kernel transposed"
SWAP_LSTM, SWAP_GRU = "reordered(0, 2, 1, 3)", "reordered(1, 0, 2)"
LENGTHS = "lstm-variable_input-B3-T7-D4-H5-bidirectional"
ADAM = "rnn_tanh-dynamic-B3-T7-D4-H5-adam"

# What `_last`, `_turned` and `training.optimizers` are in some faults.
AT_THE_END = "last = layers._last; layers._last = lambda lengths, *of: last(None, *of)"
AT_LEAST_ONE = (
    "last = layers._last; "
    "layers._last = lambda lengths, *of: last(layers.mx.maximum(lengths, 1), *of)"
)
UNCORRECTED = """
class optimizers:
    @staticmethod
    def Adam(*given, bias_correction):
        return inner.Adam(*given)
inner, training.optimizers = training.optimizers, optimizers
"""

# Backend → case and change → what is said of it.
FAULTS = {
    "mlx": {
        "rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1?transposed()": KERNEL,
        "rnn_relu-static-B3-T4-D6-H5-f32-s1?transposed()": KERNEL,
        f"lstm-static_single-B3-T4-D6-H5-f32-s1?{SWAP_LSTM}": LSTM,
        f"lstm-dynamic-B3-T7-D4-H5-bidirectional-f32-s1?{SWAP_LSTM}": LSTM,
        f"gru-dynamic-B3-T7-D4-H5-reverse-f32-s1?{SWAP_GRU}": GRU,
        f"{LENGTHS}-f32-s1?layers._ended = lambda lengths, x: x": (
            "matches if: something else than zeros past the end"
        ),
        f"{LENGTHS}-f32-s1?{AT_THE_END}": "final_h: ",
        f"{LENGTHS}-f32-s1?layers._turned = lambda lengths, x: x[:, ::-1]": "outputs: ",
        f"{LENGTHS}-zerolength-f32-s1?{AT_LEAST_ONE}": "final_h: ",
        "rnn_tanh-basic-B3-T4-D6-H5-f64-s1?adapter._tensor = layers.mx.array": (
            "outputs has dtype float32, expected float64"
        ),
        f"{ADAM}-f32-s1?{UNCORRECTED}": "trained_layer0.forward.kernel: ",
    },
    "tinygrad": {
        f"lstm-static-B3-T4-D6-H5-f32-s1?{SWAP_LSTM}": LSTM,
        f"lstm-static_single-B3-T4-D6-H5-f32-s1?{SWAP_LSTM}": LSTM,
        "lstm-static-B3-T4-D6-H5-reverse-f32-s1?layout._HALVES = ('bias_ih',)": (
            "outputs: "
        ),
    },
}


@pytest.mark.parametrize("backend", FAULTS)
def test_a_convention_taken_for_another_is_caught_and_named(
    backend: str, tmp_path: Path
) -> None:
    assert_named_after(backend, CHANGED, FAULTS[backend], tmp_path)


@pytest.mark.parametrize("backend", FAULTS)
def test_they_run_only_if_they_are_named(backend: str) -> None:
    assert known_backends()[backend].on_request
    assert backend not in [info.name for info in select_backends([])]


def test_adam_of_mlx_is_declined_in_float64_for_what_it_updates_alone(
    tmp_path: Path, workers: Callable[[str], Worker]
) -> None:
    info, worker = installed("mlx"), workers("mlx")
    worker.load(info)
    problem = catalogue.build(catalogue.case_from_id(f"{ADAM}-f64-s1"))
    kind, reason, *_ = worker.run(info.name, problem, 120)
    assert (kind, reason) == (
        "unsupported",
        "mlx.optimizers.Adam corrects its moments in float32",
    )
    run = f"{ADAM}-f64-s1?training._CLOSE = 1"
    result = judged_after("mlx", CHANGED, [run], tmp_path)[run]
    assert result.verdict == "fail"
    assert result.detail.startswith("stale gap: ")


def layer(cell: str, nobias: str) -> dict[str, Array]:
    case = catalogue.case_from_id(f"{cell}-dynamic-B3-T7-D4-H5{nobias}-f32-s1")
    return catalogue.build(case).weights(0, "forward")


@pytest.mark.parametrize("nobias", ["", "-nobias"])
def test_weights_survive_each_layout_to_the_last_bit(nobias: str) -> None:
    there_and_back = [
        (w, of_mlx.to_canonical(cell, of_mlx.to_native(cell, w)))
        for cell in ("rnn_tanh", "rnn_relu", "lstm", "gru")
        for w in [layer(cell, nobias)]
    ]
    lstm = layer("lstm", nobias)
    there_and_back += [(lstm, of_tinygrad.to_canonical(of_tinygrad.to_native(lstm)))]
    for sent, back in there_and_back:
        assert back.keys() == sent.keys()
        assert [n for n in sent if not bits_equal(back[n], sent[n])] == []


@pytest.mark.parametrize(
    ("dtype", "function"), [*product(("float64", "float32"), FUNCTIONS)]
)
def test_functions_of_tinygrad_are_as_accurate_as_stated(
    dtype: str, function: str, workers: Callable[[str], Worker]
) -> None:
    # Few: what it interprets takes seconds for thousands.
    info = installed("tinygrad")
    assert_as_stated(info, workers("tinygrad"), function, dtype, arguments=2_000)


@pytest.mark.parametrize(("dtype", "function"), [*product(DTYPES, FUNCTIONS)])
def test_functions_of_tinygrad_compiled_are_as_accurate_as_stated(
    dtype: str, function: str, workers: Callable[[str], Worker]
) -> None:
    if not shutil.which("clang"):
        pytest.skip("there is no clang here")
    installed("tinygrad")
    info = with_settings(known_backends(), "tinygrad+clang=on")
    assert_as_stated(info, workers(info.name), function, dtype)


WITHOUT_CLANG = """
import json, os
from rnn_parity_backends.on_tinygrad.adapter import TinygradBackend
from rnn_parity_core import Absent
os.environ["PATH"] = ""
device = TinygradBackend().settings()["device"]
try:
    said = TinygradBackend(clang=True)
except Absent as reason:
    said = str(reason)
print(json.dumps([device, said]))
"""


def test_tinygrad_compiles_only_where_there_is_clang() -> None:
    installed("tinygrad")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CLANG],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout) == [
        "PYTHON",
        "tinygrad compiles for the CPU by clang: install clang",
    ]
