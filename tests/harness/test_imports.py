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
    *("reports.table", "reports.layers", "reports.page", "harness.models.hdf5"),
    *("harness.models.keras_file", "harness.models.keras_write"),
    *("harness.models.onnx_file", "harness.models.onnx_graph"),
    *("harness.models.onnx_states", "harness.models.onnx_write"),
    *("harness.screen.sweeps", "harness.sweep.cluster", "harness.sweep.flow"),
    *("harness.sweep.pages", "harness.sweep.session", "harness.sweep.shrink"),
    *("harness.sweep.store", "harness.sweep.work"),
)

# Of a backend's package, and of what several share, the face and the layout import
# nothing; the rest is the framework's. pandas and igraph are for one view each, h5py
# and onnx for one format each, Dask and pyarrow for sweeps.
WALK = f"""
import importlib, json, pkgutil, sys
import harness, backends, reports, fixtures
seen = []
for package in (harness, backends, reports, fixtures):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        inside = module.name.startswith(("backends.on_", "backends.with_"))
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
        "harness.cli",
        "harness.session",
        "harness.in_pytest.plugin",
        "harness.in_pytest.items",
        "harness.run.worker",
        "harness.judge.verdict",
        "backends.on_numpy",
        "backends.on_tensorflow",
        "backends.on_torch.layout",
        "backends.on_jax",
        "backends.on_onnxruntime.layout",
        "backends.on_openvino.layout",
        "backends.with_keras.layout",
        "reports.markdown",
        "fixtures.faults",
    } <= set(seen)


def test_the_package_itself_imports_nothing_until_it_is_asked() -> None:
    script = """
import sys, harness
assert not [m for m in ("numpy", "msgspec", "harness.model_runs") if m in sys.modules]
assert callable(harness.verify) and callable(harness.convert)
try:
    harness.no_such_thing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "module 'harness' has no attribute 'no_such_thing'\n"


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


def test_help_takes_less_than_four_times_an_import_of_numpy() -> None:
    script = Path(sys.executable).with_name("rnn-parity")
    start = [str(script)] if script.exists() else [sys.executable, "-m", "harness.cli"]
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
from fixtures import catalogue
{name}(**{info.options!r}).run(catalogue.build(catalogue.case_from_id({SEEDED!r})))
print([name for name in {unused!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
