"""The part of JAX's state that a process has once: device, compiler flags, threads.

JAX looks for devices, and XLA at its environment, when the first array is made. So all
of this is settled by the first adapter of a process, before.
"""

import os
from pathlib import Path

import jax

from rnn_parity_backends.with_jax.compilation_cache import keep_programs
from rnn_parity_core import Absent, Scalar

MOST_PROGRAMS = 1_000
MOST_MAPS = 20_000
"""Compiled programs that an adapter keeps, and memory maps that its process may have,
before it forgets them all. A program takes from a dozen maps to 500, and Linux allows a
process 65,530: beyond, XLA ends in "Cannot allocate memory" and a segmentation fault.
"""

_PLATFORMS = {"cpu": "cpu", "cuda": "cuda,cpu"}
"""Device → what JAX is told to look for; it computes on the first that it finds."""

_FLAG = "--xla_gpu_deterministic_ops"

# XLA reads the first of these that is set; else it takes as many as there are cores.
_THREADS = ("PJRT_NPROC", "NPROC")

_settled: dict[str, Scalar] = {}


def put_in_force(*, device: str, deterministic: bool, threads: int) -> None:
    """Settle what cannot be changed later.

    Args:
        device: `cpu`, or `cuda`.
        deterministic: Whether a GPU's operations must give the same bits each time.
        threads: Threads of one operation on the CPU; 0 leaves them to XLA.

    Raises:
        Absent: There is no such device here.
        ValueError: There can be no such device.
        RuntimeError: Another adapter of this process wanted something else.

    """
    if device not in _PLATFORMS:
        raise ValueError(f"device is {device!r}, expected one of {[*_PLATFORMS]}")
    wanted: dict[str, Scalar] = {
        "device": device,
        "deterministic": deterministic,
        "threads": threads,
    }
    if _settled and wanted != _settled:
        raise RuntimeError(f"one process holds one of {wanted} and {_settled}")
    if threads:
        os.environ[_THREADS[0]] = str(threads)
    if device == "cuda":
        flags = os.environ.get("XLA_FLAGS", "").split()
        others = [flag for flag in flags if not flag.startswith(_FLAG)]
        flag = f"{_FLAG}={str(deterministic).lower()}"
        os.environ["XLA_FLAGS"] = " ".join([*others, flag])
    _find(device)
    keep_programs(in_force(""))
    _settled.update(wanted)


def are_too_many(programs: int) -> bool:
    """Say whether an adapter that keeps so many programs must forget them."""
    if programs >= MOST_PROGRAMS:
        return True
    try:
        with Path("/proc/self/maps").open("rb") as maps:
            return sum(1 for _ in maps) > MOST_MAPS
    except OSError:  # not Linux
        return False


def _find(device: str) -> None:
    """Have JAX take one kind of device; of itself it takes a GPU where there is one."""
    jax.config.update("jax_platforms", _PLATFORMS[device])
    try:
        on_gpu, found = jax.devices()[0].platform == "gpu", "only the CPU"
    except RuntimeError as error:
        on_gpu, found = False, str(error)
    if device == "cuda" and not on_gpu:
        raise Absent(
            f"JAX finds no NVIDIA GPU ({found}); it needs one, and "
            "pip install 'jax[cuda12]'"
        )
    if device == "cpu" and on_gpu:
        raise RuntimeError("JAX computes on a GPU in this process already")


def in_force(precision: str) -> dict[str, Scalar]:
    """Report what of the settings is in force; the CPU heeds no precision."""
    device = jax.devices()[0]
    on_gpu = device.platform == "gpu"
    flags = os.environ.get("XLA_FLAGS", "")
    threads = [os.environ[name] for name in _THREADS if os.environ.get(name)]
    return {
        "device": device.device_kind if on_gpu else device.platform,
        "default_matmul_precision": precision,
        "tf32": on_gpu and precision == "tensorfloat32",
        "deterministic": not on_gpu or f"{_FLAG}=true" in flags.split(),
        "xla_flags": flags or None,
        "threads": int(threads[0]) if threads else os.cpu_count(),
    }
