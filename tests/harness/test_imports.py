"""What importing the package costs: no framework, no pandas, little time."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import SEEDED, installed

HEAVY = (
    *("tensorflow", "torch", "jax", "keras", "tf_keras", "flax", "equinox", "haiku"),
    *("onnx", "onnxruntime", "openvino", "mlx", "tinygrad", "h5py", "igraph", "pandas"),
    *("distributed", "pyarrow"),
)
EXTRA = (
    *(
        "rnn_parity_reports.table",
        "rnn_parity_reports.layers",
        "rnn_parity_reports.page",
        "rnn_parity.models.hdf5",
    ),
    *("rnn_parity.models.keras_file", "rnn_parity.models.keras_write"),
    *("rnn_parity.models.onnx_file", "rnn_parity.models.onnx_graph"),
    *("rnn_parity.models.onnx_states", "rnn_parity.models.onnx_write"),
    *(
        "rnn_parity.terminal.sweeps",
        "rnn_parity.sweep.cluster",
        "rnn_parity.sweep.flow",
    ),
    *("rnn_parity.sweep.pages", "rnn_parity.sweep.sweeping", "rnn_parity.sweep.shrink"),
    *("rnn_parity.sweep.parquet", "rnn_parity.sweep.work"),
)

# Of a backend's package, and of what several share, the face and the layout import
# nothing; the rest is the framework's. pandas and igraph are for one view each, h5py
# and onnx for one format each, Dask and pyarrow for sweeps.
WALK = f"""
import importlib, json, pkgutil, sys
import rnn_parity, rnn_parity_core
import rnn_parity_backends, rnn_parity_fixtures, rnn_parity_reports
seen = []
for package in (rnn_parity, rnn_parity_core, rnn_parity_backends,
                rnn_parity_fixtures, rnn_parity_reports):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        inside = module.name.startswith(
            ("rnn_parity_backends.on_", "rnn_parity_backends.with_")
        )
        exempt = inside and not module.ispkg and not module.name.endswith(".layout")
        extra = module.name in {EXTRA!r}
        if not exempt and not extra:
            importlib.import_module(module.name)
            seen.append(module.name)
print(json.dumps([seen, [name for name in {HEAVY!r} if name in sys.modules]]))
"""


def test_no_module_but_the_adapters_imports_a_framework_pandas_or_igraph() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WALK],
        capture_output=True,
        text=True,
        check=True,
    )
    seen, heavy = json.loads(done.stdout)
    assert heavy == []
    assert {
        "rnn_parity.cli",
        "rnn_parity.runs.run",
        "rnn_parity.pytest_plugin.plugin",
        "rnn_parity.pytest_plugin.items",
        "rnn_parity_backends.worker",
        "rnn_parity.judge.verdict",
        "rnn_parity_backends.on_numpy",
        "rnn_parity_backends.on_tensorflow",
        "rnn_parity_backends.on_torch.layout",
        "rnn_parity_backends.on_jax",
        "rnn_parity_backends.on_onnxruntime.layout",
        "rnn_parity_backends.on_openvino.layout",
        "rnn_parity_backends.with_keras.layout",
        "rnn_parity_reports.markdown",
        "rnn_parity_fixtures.faults",
    } <= set(seen)


def test_the_package_itself_imports_nothing_until_it_is_asked() -> None:
    script = """
import sys, rnn_parity
assert not {"numpy", "msgspec", "rnn_parity.runs.verify"} & sys.modules.keys()
assert all(getattr(rnn_parity, name) for name in rnn_parity.__all__)
try:
    rnn_parity.no_such_thing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "module 'rnn_parity' has no attribute 'no_such_thing'\n"


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


def test_the_front_door_takes_less_than_twice_an_import_of_numpy() -> None:
    numpy, ours = [], []
    for _ in range(5):  # interleaved, so that a busy machine slows both
        numpy.append(_seconds([sys.executable, "-c", "import numpy"]))
        ours.append(_seconds([sys.executable, "-c", "import rnn_parity"]))
    assert min(ours) < 2 * min(numpy)


def test_help_takes_less_than_four_times_an_import_of_numpy() -> None:
    script = Path(sys.executable).with_name("rnn-parity")
    start = [str(script)] if script.exists() else [sys.executable, "-m", "rnn_parity"]
    numpy, help_ = [], []
    for _ in range(5):  # interleaved, so that a busy machine slows both
        numpy.append(_seconds([sys.executable, "-c", "import numpy"]))
        help_.append(_seconds([*start, "--help"]))
    assert min(help_) < 4 * min(numpy)


# Twice PyTorch's own time, and a sixth of JAX's: what compiles, and what trains.
@pytest.mark.parametrize(
    ("backend", "unused"),
    [
        ("torch", ("torch._dynamo", "torch._inductor", "sympy")),
        ("jax", ("optax",)),
        ("jax:eager", ("optax",)),
    ],
)
def test_an_adapter_imports_nothing_that_a_forward_case_does_not_use(
    backend: str, unused: tuple[str, ...]
) -> None:
    info = installed(backend)
    module, _, name = info.adapter.partition(":")
    script = f"""
import sys
from {module} import {name}
from rnn_parity_fixtures import catalogue
{name}(**{info.options!r}).run(catalogue.build(catalogue.case_from_id({SEEDED!r})))
print([name for name in {unused!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
