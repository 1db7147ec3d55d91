"""Programs that JAX has compiled, kept for the workers that come after.

JAX's own key of a program has its text, its compiler and the compiler's flags, but
neither the features of the processor, which the machine code in it is for, nor the
threads that its work was divided for. So each folder is for one of all these.
"""

import hashlib
import os
import shutil
import stat
import sys
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import jax

from rnn_parity_core import Scalar

_FOLDER = "RNN_PARITY_CACHE"
"""Environment variable by which a worker is told where it may keep things."""

_MOST = 20_000
"""Programs in a folder, some 16 KB each, before it is emptied."""

_PROCESSOR = ("model name", "flags", "CPU part", "Features")


def keep_programs(settings: Mapping[str, Scalar]) -> None:
    """Have JAX look for a program where it was kept, and keep it there.

    Args:
        settings: What is in force in this process.

    """
    where, processor = os.environ.get(_FOLDER), _processor()
    if not (where and processor):
        return
    said = {
        **{name: version(name) for name in ("jax", "jaxlib")},
        **settings,
        "processor": processor,
        "cores": [os.cpu_count(), *sorted(os.sched_getaffinity(0))],
    }
    digest = hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()[:32]
    if folder := _ready(Path(where) / "jax", digest):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _processor() -> list[str]:
    """Give what Linux says of the processor and its instructions."""
    if sys.platform != "linux":
        return []
    lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    return sorted({line for line in lines if line.startswith(_PROCESSOR)})


def _ready(parent: Path, name: str) -> Path | None:
    """Give a folder into which nobody else can have put anything, if there can be."""
    folder = parent / name
    try:
        parent.parent.parent.mkdir(parents=True, exist_ok=True)
        for path in (parent.parent, parent, folder):
            path.mkdir(mode=0o700, exist_ok=True)
            found = path.stat()
            others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if found.st_uid != os.getuid() or others:
                _warn(f"{path} can be written by others; chmod go-w, or chown it")
                return None
        if sum(1 for _ in folder.iterdir()) > _MOST:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        _warn(str(error))
        return None
    return folder


def _warn(why: str) -> None:
    warnings.warn(f"compiled programs are not kept: {why}", stacklevel=2)
