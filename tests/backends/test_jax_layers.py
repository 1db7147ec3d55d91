"""Flax, Equinox, Haiku: their conventions, taken for others, are caught and named.

The frameworks are never imported here, only in processes started from here.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rnn_parity.runs.registry import known_backends, select_backends
from rnn_parity.workers.process import Worker
from rnn_parity_backends.on_equinox import layout as of_equinox
from rnn_parity_backends.on_flax import layout as of_flax
from rnn_parity_backends.on_haiku import layout as of_haiku
from rnn_parity_core import Array, Case, Problem
from rnn_parity_core.arrays import unpack
from rnn_parity_fixtures import catalogue
from support import (
    LAYERS_ON_JAX,
    assert_named_after,
    bits_equal,
    installed,
    with_arrays,
)

# Runs cases, each after a change of the adapter: `CASE?reordered(0, 2, 1, 3)`.
CHANGED = """
import sys
from importlib import import_module
from pathlib import Path
import numpy as np
from rnn_parity_fixtures import catalogue
from rnn_parity_core.arrays import pack
from rnn_parity.runs.registry import known_backends

def altered(alter):
    inner = layout.to_native
    def to_native(*given):
        return inner(*[alter(x) if isinstance(x, dict) else x for x in given])
    layout.to_native = to_native

def reordered(*order):
    def alter(weights):
        units = weights["recurrent_kernel"].shape[0]
        columns = np.concatenate([np.arange(units) + k * units for k in order])
        return {n: a if n == "recurrent_bias" else a[..., columns]
                for n, a in weights.items()}
    altered(alter)

def transposed():
    altered(lambda w: {**w, "recurrent_kernel": w["recurrent_kernel"].T})

name, folder, *runs = sys.argv[1:]
module, _, adapter_class = known_backends()[name].adapter.partition(":")
adapter = import_module(module)
layout = adapter.layout
held = [(module, dict(vars(module))) for module in (adapter, layout)]
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
TRANSPOSED = "transposed()"
SWAP_LSTM, SWAP_GRU = "reordered(0, 2, 1, 3)", "reordered(1, 0, 2)"
UNTRANSLATED = (
    "layout._ORDERS = {**layout._ORDERS, 'lstm': ('i', 'f', 'g', 'o')}; "
    "layout.FORGET_OFFSET = 0"
)
RUNS_ON = "adapter.unmoved = lambda was, now, lengths: now"
LENGTHS = "lstm-variable_input-B3-T7-D4-H5-bidirectional"

# Backend → case and change → what is said of it.
FAULTS = {
    "flax": {
        f"rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1?{TRANSPOSED}": KERNEL,
        f"rnn_relu-static-B3-T4-D6-H5-f32-s1?{TRANSPOSED}": KERNEL,
        f"lstm-static-B3-T4-D6-H5-f32-s1?{SWAP_LSTM}": LSTM,
        f"lstm-dynamic-B3-T7-D4-H5-bidirectional-f32-s1?{SWAP_LSTM}": LSTM,
        f"gru-dynamic-B3-T7-D4-H5-nobias-f32-s1?{SWAP_GRU}": GRU,
        f"{LENGTHS}-f32-s1?adapter.ended = lambda case, x, lengths: x": (
            "matches if: something else than zeros past the end"
        ),
        f"{LENGTHS}-zerolength-f32-s1?{RUNS_ON}": "final_h: ",
    },
    "equinox": {
        f"lstm-static-B3-T4-D6-H5-f32-s1?{SWAP_LSTM}": LSTM,
        f"lstm-dynamic-B3-T7-D4-H5-reverse-f32-s1?{SWAP_LSTM}": LSTM,
        f"gru-dynamic-B3-T7-D4-H5-f32-s1?{SWAP_GRU}": GRU,
    },
    "haiku": {
        f"rnn_relu-dynamic-B3-T7-D4-H5-f32-s1?{TRANSPOSED}": KERNEL,
        f"lstm-static_single-B3-T4-D6-H5-reverse-f32-s1?{SWAP_LSTM}": LSTM,
        f"lstm-dynamic-B3-T7-D4-H5-f32-s1?{UNTRANSLATED}": (
            f"{LSTM} and 1 added to the forget gate"
        ),
        f"gru_reset_before-dynamic-B3-T7-D4-H5-f32-s1?{SWAP_GRU}": GRU,
        "lstm-dynamic-B3-T7-D4-H5-f32-s2?layout.FORGET_OFFSET = 0": (
            "matches if: 1 added to the forget gate"
        ),
        "gru_reset_before-dynamic-B3-T7-D4-H5-f32-s2?layout._signs = lambda *_: 1": (
            "matches if: z and 1 - z swapped"
        ),
    },
}


@pytest.mark.parametrize("backend", LAYERS_ON_JAX)
def test_a_convention_taken_for_another_is_caught_and_named(
    backend: str, tmp_path: Path
) -> None:
    assert_named_after(backend, CHANGED, FAULTS[backend], tmp_path)


@pytest.mark.parametrize("backend", LAYERS_ON_JAX)
def test_layers_on_jax_run_only_if_they_are_named(backend: str) -> None:
    assert known_backends()[backend].on_request
    assert backend not in [info.name for info in select_backends([])]


def test_a_forget_bias_that_less_1_is_no_number_is_declined(
    workers: Callable[[str], Worker],
) -> None:
    info, worker = installed("haiku"), workers("haiku")
    worker.load(info)
    case = catalogue.case_from_id("lstm-dynamic-B3-T7-D4-H5-f32-s1")
    problem = catalogue.build(case)
    tiny = with_arrays(problem, bias=np.full(20, 1e-12, np.float32))
    kind, reason, *_ = worker.run(info.name, tiny, 120)
    assert (kind, reason.partition(",")[0]) == (
        "unsupported",
        "hk.LSTM adds 1 to its forget bias",
    )
    gap = info.may_decline(case)
    assert gap is not None
    assert gap.reason.startswith("hk.LSTM always adds 1 to its forget bias, and")
    assert not info.gap(case)


def layer(cell: str) -> dict[str, Array]:
    case = catalogue.case_from_id(f"{cell}-dynamic-B3-T7-D4-H5-f32-s1")
    return catalogue.build(case).weights(0, "forward")


def test_weights_survive_each_layout_to_the_last_bit() -> None:
    lstm, gru = layer("lstm"), layer("gru")
    simple = layer("rnn_relu")
    before = layer("gru_reset_before")
    there_and_back = [
        (w, of_flax.to_canonical(c, of_flax.to_native(c, w)))
        for c, w in (
            ("SimpleCell", simple),
            ("LSTMCell", lstm),
            ("OptimizedLSTMCell", lstm),
            ("GRUCell", before),
        )
    ]
    there_and_back += [
        (w, of_equinox.to_canonical(of_equinox.to_native(w))) for w in (lstm, gru)
    ]
    there_and_back += [
        (w, of_haiku.to_canonical(c, of_haiku.to_native(c, w)))
        for c, w in (("rnn_relu", simple), ("lstm", lstm), ("gru_reset_before", before))
    ]
    for sent, back in there_and_back:
        assert back.keys() == sent.keys()
        assert [n for n in sent if not bits_equal(back[n], sent[n])] == []


def test_flax_has_no_place_for_a_recurrent_bias() -> None:
    with pytest.raises(ValueError, match="no place for \\['recurrent_bias'\\]"):
        of_flax.to_native("GRUCell", layer("gru"))


def test_both_biases_of_haiku_are_used() -> None:
    native = of_haiku.to_native("rnn_relu", layer("rnn_relu"))
    assert all(np.all(module["b"] != 0) for module in native.values())


@pytest.mark.parametrize("backend", LAYERS_ON_JAX)
def test_small_products_of_halves_are_not_lost_beside_large_ones(
    backend: str, workers: Callable[[str], Worker]
) -> None:
    # An LSTM's c is tanh of 4, 64 times 1/128 and -4: summed in bfloat16, what is
    # added to 4 is lost.
    case = Case(
        cell="lstm",
        variant="dynamic",
        batch=8,
        steps=1,
        features=66,
        units=4,
        dtype="bfloat16",
        seed=0,
    )
    arrays = {n: np.zeros(s, "bfloat16") for n, s in case.input_shapes().items()}
    arrays["inputs"][:] = 1
    kernel = arrays["layer0.forward.kernel"]
    kernel[:, 8:12] = 1 / 128
    kernel[0, 8:12], kernel[-1, 8:12] = 4, -4
    arrays["layer0.forward.bias"][:4] = 40
    info, worker = installed(backend), workers(backend)
    worker.load(info)
    kind, data, _ = worker.run(info.name, Problem(case, arrays), 120)
    assert kind == "outcome", data
    got = unpack(data, backend)[0]["final_c"].astype(np.float64)
    assert np.abs(got - np.tanh(0.5)).max() < 2.0**-8


FORGETTING = """
from rnn_parity_backends.on_equinox.adapter import EquinoxBackend
from rnn_parity_backends.with_jax import settings
from rnn_parity_fixtures import catalogue
FEW
backend = EquinoxBackend()
for rows in (2, 3, 4, 2):
    case = catalogue.case_from_id(f"lstm-static-B{rows}-T4-D6-H5-f32-s1")
    outcome = backend.run(catalogue.build(case))
    print(len(backend._programs), outcome["outputs"].tobytes().hex())
"""


@pytest.mark.parametrize(
    ("few", "kept"),
    [("MOST_PROGRAMS = 2", "1212"), ("MOST_MAPS = 0", "1111")],
)
def test_programs_are_forgotten_before_there_are_too_many(few: str, kept: str) -> None:
    installed("equinox")
    program = FORGETTING.replace("FEW", f"settings.{few}")
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    counts, bits = zip(
        *(line.split() for line in done.stdout.splitlines()), strict=True
    )
    assert "".join(counts) == kept
    assert bits[0] == bits[3]
