"""JAX's settings are what they are said to be, and no GPU is no error.

JAX itself is never imported here, only in processes started from here.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rnn_parity.runs.registry import known_backends, select_backends
from rnn_parity.workers.process import Worker
from rnn_parity_core import Absent, Scalar
from support import SEEDED, installed

# What every script starts with: an adapter's options are its first argument.
START = """
import json, os, sys
from pathlib import Path
import jax
from rnn_parity_backends.on_jax import adapter, loops
from rnn_parity_backends.with_jax import settings
from rnn_parity_fixtures import catalogue
options = json.loads(sys.argv[1])
problem = catalogue.build(catalogue.case_from_id(sys.argv[2]))
"""

# The precision of products in the program, the outcome's bits, and the settings.
PRECISION = """
backend = adapter.JaxBackend(jit=True, **options)
program, compiled = [], adapter._compiled_function
def lowered(case):
    def function(arrays):
        program.append(compiled(case).lower(arrays).as_text())
        return compiled(case)(arrays)
    return function
adapter._compiled_function = lowered
bits = {n: a.tobytes().hex() for n, a in backend.run(problem).items()}
known = ["HIGHEST", "HIGH", "DEFAULT"]
found = [p for p in known if f"precision = [{p}, {p}]" in program[0]]
print(json.dumps([found, bits, backend.settings()]))
"""

# How many threads XLA started for its operations.
THREADS = """
backend = adapter.JaxBackend(jit=True, **options)
backend.run(problem)
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
started = sum("XLAEigen" in name for name in names)
print(json.dumps([started, backend.settings()["threads"]]))
"""

# The flags of a GPU's adapter where there is no GPU; XLA would refuse unknown ones.
FLAGS = """
settings._find = lambda device: None
backend = adapter.JaxBackend(device="cuda", jit=True, **options)
jax.config.update("jax_platforms", "cpu")
backend.run(problem)
print(json.dumps(os.environ["XLA_FLAGS"]))
"""

# What a second adapter of the same process says.
TWICE = """
adapter.JaxBackend(jit=True)
adapter.JaxBackend(jit=False, tf32=True)
try:
    adapter.JaxBackend(jit=True, **options)
except Exception as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""


def said(script: str, **options: Scalar) -> Any:
    """Run a script in a process of its own and give what it prints."""
    installed("jax")
    done = subprocess.run(
        [sys.executable, "-c", START + script, json.dumps(options), SEEDED],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_tf32_is_asked_for_and_the_cpu_does_not_heed_it() -> None:
    precise, bits, usual = said(PRECISION)
    coarse, same_bits, other = said(PRECISION, tf32=True)
    assert (precise, coarse) == (["HIGHEST"], ["HIGH"])
    assert same_bits == bits
    assert usual["default_matmul_precision"] == "highest"
    assert other["default_matmul_precision"] == "tensorfloat32"
    assert other["tf32"] is False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux")
@pytest.mark.parametrize("threads", [1, 3])
def test_xla_starts_as_many_threads_as_asked(threads: int) -> None:
    assert said(THREADS, threads=threads) == [threads, threads]


@pytest.mark.parametrize(("deterministic", "flag"), [(True, "true"), (False, "false")])
def test_determinism_on_a_gpu_is_a_flag_of_the_compiler(
    monkeypatch: pytest.MonkeyPatch, deterministic: bool, flag: str
) -> None:
    usual = "--xla_gpu_deterministic_ops=maybe --xla_cpu_enable_fast_math=false"
    monkeypatch.setenv("XLA_FLAGS", usual)
    found = said(FLAGS, deterministic=deterministic)
    assert found.split() == [
        "--xla_cpu_enable_fast_math=false",
        f"--xla_gpu_deterministic_ops={flag}",
    ]


def test_a_process_computes_by_one_setting() -> None:
    assert said(TWICE, threads=2).startswith("RuntimeError: one process holds one of")
    assert said(TWICE, device="tpu").startswith("ValueError: device is 'tpu', expected")


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a GPU")
def test_without_a_gpu_the_backend_is_absent(
    workers: Callable[[str], Worker],
) -> None:
    says = r"^JAX finds no NVIDIA GPU \(.+\); .*pip install 'jax\[cuda12\]'$"
    with pytest.raises(Absent, match=says):
        workers("jax@cuda").load(installed("jax@cuda"))


def test_settings_are_chosen_by_name_and_a_gpu_on_request() -> None:
    assert "jax@cuda" not in [info.name for info in select_backends([])]
    (chosen,) = select_backends(["jax@cuda+tf32=on+deterministic=off"])
    options = {"device": "cuda", "jit": True, "tf32": True, "deterministic": False}
    assert chosen.options == options
    assert replace(chosen, name="jax@cuda", options={}) == replace(
        known_backends()["jax@cuda"], options={}
    )
