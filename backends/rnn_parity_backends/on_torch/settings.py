"""What may move PyTorch's numbers: put in force, and read back from PyTorch."""

import os

import torch

from rnn_parity_core import Absent, Scalar

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def check_device(device: str) -> None:
    """See that there is such a device.

    Raises:
        Absent: There is none, or PyTorch was built without it.

    """
    kind = torch.device(device)
    if kind.type != "cuda":
        return
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"no device for CUDA {built}" if built else "a build without CUDA"
        raise Absent(
            f"torch.cuda.is_available() is False: {why} (PyTorch {torch.__version__})"
        )
    if (kind.index or 0) >= (count := torch.cuda.device_count()):
        raise Absent(f"{device} is not there: torch.cuda.device_count() is {count}")


def put_in_force(*, tf32: bool, deterministic: bool, threads: int) -> None:
    """Set precision, determinism and threads of this process.

    Precision is set by the older switches: `fp32_precision`, which is to replace them,
    leaves them unreadable in PyTorch 2.13, and `torch.compile` reads them.
    """
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    if deterministic:
        # cuBLAS reads it as it starts.
        os.environ.setdefault(_WORKSPACE, ":4096:8")
    # `use_deterministic_algorithms` sets this and Inductor's mode, for which it imports
    # Dynamo and SymPy: as long again as PyTorch itself.
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = not deterministic
    if threads:
        torch.set_num_threads(threads)


def in_force(device: str) -> dict[str, Scalar]:
    """Read precision, kernels and threads back."""
    found: dict[str, Scalar] = {
        "device": device,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }
    if torch.device(device).type == "cuda":
        found |= {
            "gpu": torch.cuda.get_device_name(device),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
            "cudnn_tf32": torch.backends.cudnn.allow_tf32,
            "cudnn_deterministic": torch.backends.cudnn.deterministic,
            "cublas_workspace": os.environ.get(_WORKSPACE),
        }
    return found
